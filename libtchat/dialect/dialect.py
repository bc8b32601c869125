"""One program's dialect: a value, and the TOML file it is kept in."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import field

from libtchat.dialect.template import constants, unknown_holes
from libtchat.dialect.vocabulary import ANSWERS, COMMANDS, HOLES, KINDS
from libtchat.message.errors import ErrorCode, TchatError
from libtchat.message.value import frozen

__all__ = ["COPIES", "Dialect", "DialectError", "Rule", "Wire", "dump", "load"]

COPIES = ("", "own", "dest")
"""Whose copy a rule is about: anybody's, the one's who did it, the one's to whom it was done."""


class DialectError(TchatError):
    """A dialect file is not what it should be; `detail` says where and what was expected."""

    def __init__(self, detail: str) -> None:
        super().__init__(ErrorCode.BAD_REQUEST, detail)


@frozen
class Wire:
    """How messages are laid out: *indent* in spaces (0: on one line), *colon* between key and value, *end* after it."""

    indent: int = 0
    colon: str = ":"
    end: str = "\n"

    def write(self, message: Any) -> bytes:
        """Return the bytes of *message*."""
        comma = "," + (" " if self.colon == ": " and not self.indent else "")
        return (json.dumps(message, ensure_ascii=False, indent=self.indent or None, separators=(comma, self.colon))
                + self.end).encode("utf-8", "replace")  # fmt: skip


@frozen
class Rule:
    """How a message of *kind* is spelled in one's own copy, the victim's, or anybody's. *key* is where it is kept."""

    kind: str
    template: Any = field(hash=False)
    copy: str = ""


@frozen(cache_hash=True)
class Dialect:
    """How one program speaks.

    Attributes:
        side: "client" or "server".
        action: the path to the key that says what a message is.
        requests: a kind -> what a client sends for it, or what this server is to be sent.
        answers: what this client shows, or what this server sends; of one kind and copy the first is written.
        silent: kinds that this server never acknowledges.
        fatal: what kills it, as words: "tell-nobody", "join-twice", "unknown", or the name of an action.
        invite_adds: this server makes whoever is invited a member at once.
        typed: kinds of answers that any user could have typed: they are shown, never acted on.
    """

    name: str
    side: str
    action: tuple[str, ...] = ("action",)
    wire: Wire = Wire()
    requests: Mapping[str, Any] = field(factory=dict, hash=False)
    answers: tuple[Rule, ...] = field(default=(), hash=False)
    silent: tuple[str, ...] = ()
    fatal: tuple[str, ...] = ()
    invite_adds: bool = False
    typed: tuple[str, ...] = ()

    def rule(self, kind: str, copy: str = "") -> Rule | None:
        """Return how *kind* is written in this *copy*, or else in anybody's; None if there is no way."""
        rules = [rule for rule in self.answers if rule.kind == kind]
        return next((rule for wanted in (copy, "") for rule in rules if rule.copy == wanted), None)

    def action_of(self, message: Any) -> Any:
        """Return what *message* says it is, None if it does not."""
        for key in self.action:
            message = message.get(key) if isinstance(message, dict) else None
        return message


def dump(dialect: Dialect) -> str:
    """Write *dialect* as TOML; `load` gives it back."""
    lines = [f"name = {json.dumps(dialect.name, ensure_ascii=False)}", f'side = "{dialect.side}"']
    lines += [f"action = {_toml(list(dialect.action))}"]
    wire = dialect.wire
    lines += [f"wire = {_toml({'indent': wire.indent, 'colon': wire.colon, 'end': wire.end})}"]
    for key in ("silent", "fatal", "typed"):
        if values := getattr(dialect, key):
            lines.append(f"{key} = {_toml(list(values))}")
    if dialect.invite_adds:
        lines.append("invite_adds = true")
    lines += _section("requests", {kind: [template] for kind, template in dialect.requests.items()})
    for copy in COPIES:
        rules: dict[str, list[Any]] = {}
        for rule in dialect.answers:
            if rule.copy == copy:
                rules.setdefault(rule.kind, []).append(rule.template)
        lines += _section("answers" + (f".{copy}" if copy else ""), rules)
    return "\n".join(lines) + "\n"


def _section(name: str, rules: Mapping[str, list[Any]]) -> list[str]:
    if not rules:
        return []
    lines = ["", f"[{name}]"]
    for kind, templates in sorted(rules.items(), key=lambda item: _ORDER[item[0]]):
        if len(templates) == 1:
            lines.append(f"{kind} = {_toml(templates[0])}")
        else:
            lines += [f"{kind} = [", *(f"  {_toml(template)}," for template in templates), "]"]
    return lines


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        pairs = [f"{_key(key)} = {_toml(part)}" for key, part in value.items()]
        return "{ " + ", ".join(pairs) + " }" if pairs else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


def load(text: str, source: str = "dialect") -> Dialect:
    """Read a dialect from TOML.

    Args:
        source: what the text is called in errors.
    Raises:
        DialectError: it is no TOML, or says what no dialect says; with the line and the key.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DialectError(f"{source}: this is no TOML: {error}") from None
    return _Reader(text, source).read(found)


_ORDER = {kind: number for number, kind in enumerate(KINDS)}
_TABLES = ("wire", "requests", "answers")
_KNOWN = ("name", "side", "action", "silent", "fatal", "typed", "invite_adds", *_TABLES)


class _Reader:
    def __init__(self, text: str, source: str) -> None:
        self._lines = text.splitlines()
        self._source = source

    def read(self, found: dict[str, Any]) -> Dialect:
        for key in found:
            if key not in _KNOWN:
                raise self._error("", key, f"is not known: it may be {', '.join(_KNOWN)}")
        name, side = found.get("name"), found.get("side")
        if not isinstance(name, str) or not name:
            raise self._error("", "name", "is a text")
        if side not in ("client", "server"):
            raise self._error("", "side", 'is "client" or "server"')
        words = {key: self._words(found, key) for key in ("silent", "fatal", "typed")}
        for key in ("silent", "typed"):
            for word in words[key]:
                if word not in KINDS:
                    raise self._error("", key, f"names {word}, which is no kind of message")
        if not isinstance(adds := found.get("invite_adds", False), bool):
            raise self._error("", "invite_adds", "is true or false")
        action = self._words(found, "action") or ("action",)
        requests = self._table(found, "requests")
        for kind, template in requests.items():
            self._check("requests", kind, template, ("hello", "quit", *COMMANDS))
        rules = self._answers(self._table(found, "answers"))
        answers = tuple(sorted(rules, key=lambda rule: (COPIES.index(rule.copy), _ORDER[rule.kind])))
        wire = self._wire(self._table(found, "wire"))
        return Dialect(
            name, side, action, wire, requests, answers, words["silent"], words["fatal"], adds, words["typed"]
        )

    def _wire(self, found: dict[str, Any]) -> Wire:
        kinds: dict[str, type] = {"indent": int, "colon": str, "end": str}
        for key, value in found.items():
            if key not in kinds or type(value) is not kinds[key] or (key == "end" and str(value).strip()):
                raise self._error("", "wire", 'is like { indent = 0, colon = ":", end = "\\n" }')
        if not 0 <= found.get("indent", 0) <= 16 or str(found.get("colon", ":")).strip() != ":":
            raise self._error("", "wire", "has an indent of 0 to 16 and a colon with or without spaces")
        return Wire(**found)

    def _answers(self, found: dict[str, Any]) -> Iterator[Rule]:
        for copy in COPIES:
            rules = found.get(copy, {}) if copy else {k: v for k, v in found.items() if k not in COPIES[1:]}
            section = "answers" + (f".{copy}" if copy else "")
            if not isinstance(rules, dict):
                raise self._error("answers", copy, "is a table of kinds")
            for kind, templates in rules.items():
                for template in templates if isinstance(templates, list) else [templates]:
                    self._check(section, kind, template, (*ANSWERS, "quit"))
                    yield Rule(kind, template, copy)

    def _check(self, section: str, kind: str, template: Any, kinds: tuple[str, ...]) -> None:
        if kind not in kinds:
            raise self._error(section, kind, f"is no kind of message: there are {', '.join(kinds)}")
        if not isinstance(template, dict) or not template:
            raise self._error(section, kind, 'is a table such as { action = "join", group = "{group}" }')
        if unknown := unknown_holes(template):
            raise self._error(section, kind, f"has a hole {{{unknown[0]}}}: there are {', '.join(HOLES)}")
        if not any(constants(template)) and kind != "error":  # some know an error by its key alone
            raise self._error(section, kind, "matches everything: nothing in it is fixed")

    def _table(self, found: dict[str, Any], key: str) -> dict[str, Any]:
        table = found.get(key, {})
        if not isinstance(table, dict):
            raise self._error("", key, "is a table")
        return table

    def _words(self, found: dict[str, Any], key: str) -> tuple[str, ...]:
        words = found.get(key, [])
        if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
            raise self._error("", key, "is a list of texts")
        return tuple(words)

    def _error(self, section: str, key: str, problem: str) -> DialectError:
        """Say where: the line of *key* in *section*, or of the section, as far as the text shows it."""
        inside, line = "", 0
        for number, text in enumerate(self._lines, 1):
            if header := re.match(r"\s*\[([\w.]+)\]", text):
                inside = header[1]
                line = line or (number if inside == section else 0)
            elif inside == section and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", text):
                line = number
                break
        where = f"{self._source}:{line}" if line else self._source
        return DialectError(f"{where}: {f'{section}.{key}' if section else key} {problem}")
