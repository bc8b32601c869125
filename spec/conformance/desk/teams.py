"""The file of teams: who has a server, who has a client, and how they are started."""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Tuple

from talk.address import parse
from words import say

__all__ = ["Teams", "load"]

# The port is for `tchat learn --teams`, which reads the same file.
KEYS = {"server": ("name", "command", "address", "port"), "client": ("name", "command", "port", "hints")}


class Teams(NamedTuple):
    """Names and commands. A server that runs already has its one address in the place of a command.

    `hints`: of a client, what it asks at its start -> what is typed then.
    """

    servers: Dict[str, Tuple[str, ...]]
    clients: Dict[str, Tuple[str, ...]]
    hints: Dict[str, Dict[str, str]]


def load(path: Path) -> Teams:
    """Read the file of teams, TOML or (with any Python) JSON.

    Raises:
        ValueError: it can't be read; the text names the line and the key.
        OSError: there is no such file.
    """
    text = path.read_text("utf-8")
    if path.suffix == ".json":
        document = json.loads(text)
    else:
        try:
            import tomllib
        except ImportError:
            raise ValueError(say("toml-needs", file=path.name)) from None
        document = tomllib.loads(text)
    file = _File(text)
    if not isinstance(document, dict):
        raise ValueError(say("names-no", kind="server"))
    file.keep_to(document, tuple(KEYS), 0)
    servers, clients = (dict(_rows(document, kind, file)) for kind in KEYS)
    return Teams(servers, clients, dict(_hints(document["client"], file)))


def _rows(document: Dict[str, object], kind: str, file: "_File") -> List[Tuple[str, Tuple[str, ...]]]:
    rows = document.get(kind)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise ValueError(say("names-no", kind=kind))
    found: List[Tuple[str, Tuple[str, ...]]] = []
    for at, row in enumerate(rows):
        start = file.line_of_row(kind, at)
        file.keep_to(row, KEYS[kind], start)
        name = row.get("name")
        if not isinstance(name, str) or not name.strip():
            raise ValueError(say("row-no-name", kind=kind, line=start))
        if name in dict(found):
            raise ValueError(say("row-twice", kind=kind, name=name, line=file.line_of("name", start)))
        found.append((name, _command(row, kind, name, file, start)))
    return found


def _hints(rows: List[Dict[str, object]], file: "_File") -> Iterator[Tuple[str, Dict[str, str]]]:
    for at, row in enumerate(rows):
        hints = row.get("hints", {})
        if not isinstance(hints, dict) or not all(isinstance(answer, str) for answer in hints.values()):
            start = file.line_of_row("client", at)
            raise ValueError(say("row-no-hints", name=row["name"], line=file.line_of("hints", start)))
        yield str(row["name"]), hints


def _command(row: Dict[str, object], kind: str, name: str, file: "_File", start: int) -> Tuple[str, ...]:
    address, command = row.get("address"), row.get("command")
    if address is not None and kind == "server":
        if not isinstance(address, str) or parse(address) is None:
            raise ValueError(say("row-no-address", name=name, line=file.line_of("address", start)))
        return (address,)
    if isinstance(command, list) and command and all(isinstance(part, str) for part in command):
        return tuple(map(str, command))
    raise ValueError(say("row-no-command", kind=kind, name=name, line=file.line_of("command", start)))


class _File:
    """The text of the file, to say on which line something stands."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()

    def line_of_row(self, kind: str, at: int) -> int:
        """The line of the row number *at* of a kind: its `[[kind]]`, or in JSON the kind itself."""
        heads = [number for number, line in enumerate(self.lines, 1) if re.match(r"\s*\[\[\s*%s\s*\]\]" % kind, line)]
        return heads[at] if at < len(heads) else self.line_of(kind, 1)

    def line_of(self, key: str, start: int) -> int:
        """The line where *key* is next written from line *start* on; *start* itself if nowhere."""
        key_form = re.compile(r'(^|[\s{,"\[])%s"?\s*[=:\]]' % re.escape(key))
        written = (number for number, line in enumerate(self.lines, 1) if number >= start and key_form.search(line))
        return next(written, start)

    def keep_to(self, row: Dict[str, object], keys: Tuple[str, ...], start: int) -> None:
        for key in row:
            if key not in keys:
                near = difflib.get_close_matches(key, keys, 1)
                hint = say("did-you-mean", key=near[0]) if near else say("keys-are", keys=", ".join(keys))
                raise ValueError(say("unknown-key", key=key, line=self.line_of(key, start)) + hint)
