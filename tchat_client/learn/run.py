"""`tchat learn`: one program, or all of a class at once; writes NAME.toml and a report for each."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from libtchat.dialect.dialect import Dialect, Rule, dump
from libtchat.dialect.finding import ServerFinding
from libtchat.dialect.server import learn_server
from tchat_client.address import parse_address
from tchat_client.errors import LinkError, Misused
from tchat_client.learn import report, source
from tchat_client.learn.client import Partner, learn_client
from tchat_client.learn.french import Words
from tchat_client.learn.program import Setup, now
from tchat_client.learn.server_lab import ServerLab
from tchat_client.learn.slowness import LabError
from tchat_client.port import HOST
from tchat_client.sanitise import clean

__all__ = ["Subject", "learn_all", "learn_one", "teams_of"]

AT_ONCE = 2


@frozen
class Subject:
    """A program to be learnt. *address*: where the server runs already, or will whatever its command says."""

    side: str
    name: str
    setup: Setup | None
    address: tuple[str, int] | None = None
    sources: Path | None = None
    reads_source: bool = True


def learn_one(subject: Subject, out: Path, seconds: float, words: Words, *, is_json: bool) -> int:
    """Learn *subject*, write its dialect to *out*, print the report.

    Raises:
        LinkError: it cannot be learnt, or the file cannot be written.
    """
    try:
        dialect, found = _learn(subject, seconds, lambda text: _say(words(f"{subject.name}: {text}")))
    except LabError as error:
        raise NotLearnt("not-learnt", detail=words(f"{subject.name}: {error}")) from None
    _write(out, dialect)
    print(json.dumps(found, ensure_ascii=False) if is_json else clean_lines(report.render(found, words)))
    _say(words(f"{subject.name}: written to {out}"))
    return 0


class NotLearnt(LinkError):
    """The program cannot be learnt."""

    exit_code = 1


def learn_all(subjects: list[Subject], directory: Path, seconds: float, words: Words, *, is_json: bool) -> int:
    """Learn all *subjects*, two at once, into `SIDE-NAME.toml` in *directory*; return 1 if one cannot be learnt."""
    directory.mkdir(parents=True, exist_ok=True)

    def learn(subject: Subject, partner: Partner | None = None) -> dict[str, Any]:
        try:
            dialect, found = _learn(subject, seconds, _sayer(subject, words), partner)
        except LabError as error:
            return _failed(subject, error)
        _write(directory / f"{subject.side}-{subject.name}.toml", dialect)
        return found

    def learn_team(server: Subject | None, client: Subject | None) -> list[dict[str, Any]]:
        """Learn a client, the server of its team in the client's words, and what the client shows of its answers."""
        reports: list[dict[str, Any]] = []
        rules: list[Rule] = []

        def learn_partner(asks: Dialect) -> Sequence[Rule]:
            if reports or server is None:
                return rules  # a second run of the client, in a terminal
            try:
                finding = _learn_server(server, seconds, _sayer(server, words), asks)
            except LabError as error:
                reports.append(_failed(server, error))
                return rules
            _write(directory / f"server-{server.name}.toml", finding.dialect)
            reports.append(report.of_server(finding))
            rules.extend(finding.whole)
            return rules

        if client is None or server is None:
            return [learn(each) for each in (server, client) if each is not None]
        found = learn(client, learn_partner)
        return [*(reports or [learn(server)]), found]

    teams: dict[str, dict[str, Subject]] = {}
    for subject in subjects:
        teams.setdefault(subject.name, {}).setdefault(subject.side, subject)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        pairs = [(team.get("server"), team.get("client")) for team in teams.values()]
        found = [one for each in pool.map(lambda pair: learn_team(*pair), pairs) for one in each]
    for one in found:
        print(json.dumps(one, ensure_ascii=False) if is_json else clean_lines(report.render(one, words)))
    return int(any(one.get("failed") for one in found))


def _sayer(subject: Subject, words: Words) -> Callable[[str], None]:
    return lambda text: _say(words(f"{subject.name} ({subject.side}): {text}"))


def _failed(subject: Subject, error: LabError) -> dict[str, Any]:
    remarks = [f"not learnt: {error}"]
    return {"name": subject.name, "side": subject.side, "rows": [], "remarks": remarks, "failed": True}


def _learn(
    subject: Subject, seconds: float, say: Callable[[str], None], partner: Partner | None = None
) -> tuple[Dialect, dict[str, Any]]:
    if subject.side == "client":
        assert subject.setup is not None
        learnt = learn_client(subject.setup, subject.name, _words_of(subject), seconds, say, partner)
        say(f"done: {learnt.probes} probes, {learnt.starts} starts")
        return learnt.dialect, report.of_client(learnt)
    finding = _learn_server(subject, seconds, say)
    return finding.dialect, report.of_server(finding)


def _learn_server(
    subject: Subject, seconds: float, say: Callable[[str], None], asks: Dialect | None = None
) -> ServerFinding:
    say("what it answers")
    with ServerLab(subject.setup, subject.address, now() + seconds) as lab:
        finding: ServerFinding = lab.run(learn_server(subject.name, partner=asks, words=_words_of(subject)))
    say(f"done: {lab.probes} probes, {lab.starts} starts")
    return finding


def _words_of(subject: Subject) -> tuple[str, ...]:
    """Return the words of the program's source that are worth a try."""
    if subject.sources is not None:
        return source.words_of(subject.sources)
    if subject.reads_source and subject.setup is not None:
        return source.words_of_command(subject.setup.command)
    return ()


def teams_of(path: Path, setup: Callable[[tuple[str, ...]], Setup]) -> list[Subject]:
    """Read the file of teams that the conformance matrix reads too.

    Raises:
        Misused: it cannot be read.
    """
    try:
        text = path.read_text("utf-8")
        document = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        found = [_subject(kind, row, setup) for kind in ("server", "client") for row in document.get(kind, [])]
    except OSError as error:
        raise Misused("dialect.unread", path=path, detail=error.strerror or error) from None
    except UnicodeDecodeError:
        raise Misused("dialect.no-text", path=path) from None
    except tomllib.TOMLDecodeError as error:
        raise Misused("dialect", detail=f"{path}: this is no TOML: {error}") from None
    except Misused:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Misused("dialect", detail=f"{path}: {error}") from None
    if not found:
        raise Misused("dialect.no-team", path=path)
    return found


def _subject(kind: str, row: Mapping[str, Any], setup: Callable[[tuple[str, ...]], Setup]) -> Subject:
    address = parse_address(row["address"]) if "address" in row else None
    at = None if address is None else (address.host, address.port)
    command = tuple(str(word) for word in row["command"]) if "command" in row else None
    if command is None and (at is None or kind == "client"):
        raise ValueError(f"the {kind} {row['name']} has no command")
    port, hints = row.get("port", 0), row.get("hints", {})
    if type(port) is not int or ("port" in row and not 0 < port < 65_536):
        raise ValueError(f"the port of the {kind} {row['name']} is to be a number from 1 to 65535, not {port!r}")
    if not isinstance(hints, dict) or not all(isinstance(answer, str) for answer in hints.values()):
        raise ValueError(f'the hints of the {kind} {row["name"]} are to be {{ "QUESTION" = "ANSWER" }}, not {hints!r}')
    if command is None:
        return Subject(kind, str(row["name"]), None, at)
    made = setup(command)
    made = evolve(made, port=port or made.port, hints={**made.hints, **hints})
    if kind == "server" and port:
        at = at or (HOST, port)
    return Subject(kind, str(row["name"]), made, at)


def _write(path: Path, dialect: Dialect) -> None:
    try:
        path.write_text(dump(dialect), "utf-8")
    except OSError as error:
        raise Misused("dialect.unwritten", path=path, detail=error.strerror or error) from None


def clean_lines(text: str) -> str:
    """Return *text* with nothing in it that moves a cursor."""
    return "\n".join(clean(line) for line in text.splitlines())


def _say(text: str) -> None:
    sys.stderr.write(clean(text) + "\n")
    sys.stderr.flush()
