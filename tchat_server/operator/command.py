"""The operator's commands: `tchat-server who`, `passwd`, `close`... A row each; one way to ask, one way to show.

A server that uses the database is asked at its socket. If none does, the same act is done on the file, which is locked
meanwhile. Where several servers share a chat in an engine, any of them is asked through that.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import re
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from libtchat.hub.hub import Hub
from libtchat.message.value import frozen
from tchat_server.failures import ActRefused, StorageFailed, UsageFailed, storage_failures
from tchat_server.operator.operator import ONLINE_ACTS, Operator
from tchat_server.ops.control import Json, asked
from tchat_server.sentences import language, say
from tchat_server.server import Server
from tchat_server.storage import is_engine, maintenance_of, shown
from tchat_server.usage import FRENCH

__all__ = ["database", "operator_commands"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_ANSWER_SECONDS = 60.0
_FINISH_SECONDS = 5.0

_FOR = click.Option(["--for", "for_"], metavar="TIME", help="How long: 30m, 12h, 7d; without it, for ever.")
_UNDO = click.Option(["--undo"], is_flag=True, help="Let it take texts again.")
_FORCE = click.Option(["--force"], is_flag=True, help="Also from an owner who is connected.")
_COUNT = click.Option(["--count"], type=click.IntRange(1, 1000), default=1, help="How many codes.")


@frozen
class _Row:
    """One command: what it is called, the words it takes, its help, its own options."""

    name: str
    words: tuple[str, ...]
    help: str
    options: tuple[click.Option, ...] = ()


_ROWS = (
    _Row("who", (), "List who is connected."),
    _Row("users", (), "List everybody who is known."),
    _Row("passwd", ("NAME",), "Give NAME a password, asked for or read from the input; its connections are closed."),
    _Row("remove-user", ("NAME",), "Take NAME out of all groups, and its password and texts away."),
    _Row("ban-user", ("NAME",), "Close the connections of NAME, and let it not come in.", (_FOR,)),
    _Row("unban-user", ("NAME",), "Let NAME come in again."),
    _Row("kick-user", ("NAME",), "Close the connections of NAME, which may come back."),
    _Row("close", ("GROUP",), "Let GROUP take no more texts; it can still be read.", (_UNDO,)),
    _Row("redact", ("GROUP", "SEQ"), "Remove the text SEQ of GROUP for everybody, and from the file."),
    _Row("announce", ("TEXT",), "Tell TEXT to everybody who is connected."),
    _Row(
        *("own", ("GROUP", "NAME"), "Give a GROUP whose owner is gone to its member NAME; the owner leaves it."),
        options=(_FORCE,),
    ),
    _Row("invite-code", (), "Make a code with which one name can be registered (--registration invite).", (_COUNT,)),
)


def operator_commands() -> Iterable[click.Command]:
    """Make the commands."""
    return map(_command, _ROWS)


def database(ctx: click.Context, word: str | None) -> Path | str:
    """Return the database that *word* names, else that of --db, else the usual one; of an engine, its URL."""
    named = word if word is not None else str(ctx.find_root().params["db"])
    return named if is_engine(named) else Path(os.path.expanduser(named)).resolve()


def _command(row: _Row) -> click.Command:
    def run(words: tuple[str, ...], as_json: bool, **options: Any) -> None:
        ctx = click.get_current_context()
        place, named = _split(ctx, row, words)
        request: dict[str, Any] = {"act": row.name, **named, **_options(options)}
        if row.name == "passwd":
            request["password"] = _new_password(str(named["name"]))
        answer = _ask_engine(place, request) if isinstance(place, str) else _ask(place, request)
        _show(row.name, answer, shown(str(place)), as_json=as_json)

    return click.Command(
        row.name,
        callback=run,
        help=row.help,
        params=[
            click.Argument(["words"], nargs=-1, metavar=_form(row)),
            *row.options,
            click.Option(["--json", "as_json"], is_flag=True, help="One JSON object per line, and nothing else."),
        ],
    )


def _form(row: _Row) -> str:
    return " ".join(("[DB]", *row.words))


def _split(ctx: click.Context, row: _Row, words: Sequence[str]) -> tuple[Path | str, dict[str, Any]]:
    """Return the database, which may be the first of the words, and what the others are."""
    form = _form(row) if language() == "en" else FRENCH[_form(row)]
    _, *names = form.split()
    if missing := names[len(words) :]:
        raise click.MissingParameter(ctx=ctx, param_hint=f"'{missing[0]}'", param_type="argument")
    if len(words) > len(row.words) + 1:
        raise UsageFailed(say("too-many-words", form=f"tchat-server {row.name} {form}"))
    has_database = len(words) > len(row.words)
    path = database(ctx, words[0] if has_database else None)
    for name, text in zip(names, words[has_database:], strict=True):
        if not text.strip():
            raise UsageFailed(say("empty-word", field=name))
    named: dict[str, Any] = dict(zip(map(str.lower, row.words), words[has_database:], strict=True))
    if "seq" in named:
        if not named["seq"].isdecimal():
            raise UsageFailed(say("bad-number", value=named["seq"], field="SEQ"))
        named["seq"] = int(named["seq"])
    return path, named


def _options(options: Mapping[str, Any]) -> dict[str, Any]:
    duration = options.get("for_")
    found = {name: value for name, value in options.items() if name != "for_" and value}
    return found if duration is None else {**found, "for": _seconds(duration)}


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if found is None or not int(found[1]):
        raise UsageFailed(say("bad-duration", value=text))
    return float(int(found[1]) * _UNITS[found[2]])


def _new_password(name: str) -> str:
    """Ask for it twice, or take the first line of what is piped in: a command line can be read by everybody."""
    if sys.stdin.isatty():
        password = getpass.getpass(say("password", name=name))
        if password and password != getpass.getpass(say("password.again")):
            raise UsageFailed(say("password.differ"))
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise UsageFailed(say("password.none"))
    return password


def _ask(path: Path, request: Json) -> Json:
    from tchat_server.store.sqlite.copier import socket_path
    from tchat_server.store.sqlite.inspection import is_copy

    try:
        with asked(socket_path(path), request, _ANSWER_SECONDS) as answer:
            if answer is not None:
                return answer
    except TimeoutError:
        raise StorageFailed(say("no-answer", db=path, seconds=f"{_ANSWER_SECONDS:g}")) from None
    except OSError as error:
        detail = str(error.strerror or error)
        raise StorageFailed(say("no-access", path=socket_path(path), detail=detail)) from None
    with storage_failures():
        if path.is_file() and is_copy(path):
            raise StorageFailed(say("not-running.copy", db=path))
        if request["act"] in ONLINE_ACTS:
            raise ActRefused(say("not-running", db=path))
        return asyncio.run(_do_alone(path, request))


def _ask_engine(url: str, request: Json) -> Json:
    """Have any of the servers that share a chat do it; to give a group an owner, none has to run."""
    engine = maintenance_of(url)
    with storage_failures():
        answer: Json | None = engine.ask(url, request, f"{getpass.getuser()}@{socket.gethostname()}", _ANSWER_SECONDS)
        if answer is None and request["act"] == "own":
            event = engine.own(url, request["group"], request["name"])
            answer = {"group": event.group, "name": event.owner, "seq": event.seq}
    if answer is None:
        raise ActRefused(say("no-node", db=shown(url)))
    return answer


async def _do_alone(path: Path, request: Json) -> Json:
    """Do on the file what a server would, and hold its lock meanwhile."""
    from tchat_server.store.sqlite.inspection import must_exist
    from tchat_server.store.sqlite.log import SqliteLog

    must_exist(path)
    server = Server(Hub("tchat-server"), SqliteLog.open(path))
    try:
        operator = Operator(server)
        await operator.begin()
        return await operator.act(request, getpass.getuser())
    finally:
        await server.stop(_FINISH_SECONDS)


def _show(act: str, answer: Json, db: str, *, as_json: bool) -> None:
    if "failed" in answer:
        raise StorageFailed(say("failed", db=db, failed=answer["failed"]))
    if "refused" in answer:
        if as_json:
            raise ActRefused(json.dumps(answer))
        raise ActRefused(_refusal(answer))
    if as_json:
        for row in answer.get("rows", (answer,)):
            click.echo(json.dumps(row))
    elif "codes" in answer:
        click.echo("\n".join(answer["codes"]))
    elif "rows" in answer:
        rows = answer["rows"]
        for line in _table(rows):
            click.echo(line)
        click.echo(say(act if rows else f"{act}.none", **answer))
    else:
        variant = ".undone" if answer.get("undone") else ".ever" if answer.get("until") == "ever" else ""
        click.echo(say(act + variant, **answer))
    if answer.get("silent"):
        raise StorageFailed(say("silent", count=answer["silent"]))


def _refusal(answer: Json) -> str:
    key = f"refused.{answer['refused']}"
    try:
        return say(key, **answer)
    except KeyError:
        return say("refused", **{"detail": answer["refused"], **answer})


def _table(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    if not rows:
        return
    names = list(rows[0])
    cells = [[say(f"head.{name}") for name in names], *([_cell(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    for line in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _cell(value: object) -> str:
    if value is None or isinstance(value, bool):
        return say("yes" if value else "no")
    return say("ever") if value == "ever" else str(value)
