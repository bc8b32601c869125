"""Messages with holes: the same template writes a message and reads it.

A template is what JSON may be (no null), whose strings may hold `{who}` and other holes of `vocabulary.HOLES`;
`{{` and `}}` are braces. `["{list}"]` is a list of names, any other list of one is a template for each entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from attrs import field

from libtchat.dialect.vocabulary import HOLES
from libtchat.message.value import frozen

__all__ = ["Match", "Meaning", "constants", "holes", "match", "unknown_holes", "write"]

_HOLE = re.compile(r"\{\{|\}\}|\{(\w*)\}")
_SEPARATORS = re.compile(r"[\s,;:|/\"'\[\](){}<>]+|(?<!\w)-(?!\w)")


@frozen
class Meaning:
    """What a message says, whoever spells it.

    Attributes:
        kind: one of `vocabulary.KINDS`.
        values: what stands for the holes that are texts; `me` is the connection's own user.
        list: names, for users, members and groups.
        events: entries, oldest first, for messages and states.
        copy: "own" if the one who reads it did it, "dest" if it was done to that one, else "".
    """

    kind: str
    values: Mapping[str, str] = field(factory=dict, hash=False)
    list: tuple[str, ...] | None = None
    events: tuple[Meaning, ...] | None = None
    copy: str = ""

    def get(self, hole: str) -> str:
        """Return the value of *hole*, "" if there is none."""
        return self.values.get(hole, "")

    def brief(self) -> str:
        """Return it in one line, for a trace."""
        parts: Iterable[str] = (
            f"{hole}={value}" for hole, value in self.values.items() if hole not in ("say", "raw", "private")
        )
        names = "" if self.list is None else " [" + ", ".join(self.list) + "]"
        return " ".join([self.kind + (f".{self.copy}" if self.copy else ""), *parts]) + names


@frozen
class Match:
    """What a template read. *score*: how much of the message it knew beforehand; of several the highest counts."""

    values: dict[str, str]
    list: tuple[str, ...] | None
    entries: tuple[dict[str, str], ...] | None
    score: int


class _Absent:
    """A hole without a value, or what consists of such."""


_ABSENT = _Absent()


def write(template: Any, meaning: Meaning, sentence: Any = None) -> Any:
    """Return the message that *template* makes of *meaning*; a hole without a value drops its key.

    Args:
        sentence: the function that says an entry of `meaning.events` as one line, for `{say}` and `{event}`.
    """
    written = _write(template, meaning, sentence)
    return {} if written is _ABSENT else written


def _write(template: Any, meaning: Meaning, sentence: Any) -> Any:
    if isinstance(template, str):
        return _fill(template, meaning)
    if isinstance(template, dict):
        found = {key: _write(value, meaning, sentence) for key, value in template.items()}
        kept = {key: value for key, value in found.items() if value is not _ABSENT}
        return kept if kept or not template else _ABSENT
    if isinstance(template, list) and len(template) == 1 and any(holes(template)):
        if meaning.events is not None:
            lines = [evolved(entry, sentence) for entry in meaning.events]
        else:
            lines = [
                Meaning("say", {**dict.fromkeys(("list", "who", "say", "event"), name)}) for name in meaning.list or ()
            ]
        written = [_write(template[0], line, sentence) for line in lines]
        return [entry for entry in written if entry is not _ABSENT]
    return template


def evolved(entry: Meaning, sentence: Any) -> Meaning:
    """Return *entry* with the line that says it under `say`, `event` and `list`, and under `text` if it has none."""
    line = sentence(entry) if sentence else entry.get("say")
    return Meaning(
        entry.kind, {"text": line, **entry.values, "say": line, "event": line, "list": line}, copy=entry.copy
    )


def _fill(template: str, meaning: Meaning) -> Any:
    parts, at = [], 0
    for found in _HOLE.finditer(template):
        parts.append(template[at : found.start()])
        at = found.end()
        hole = found[1]
        if hole is None:
            parts.append(found[0][0])
            continue
        value = meaning.values.get(hole)
        if value is None and hole == "list" and meaning.list is not None:
            value = ", ".join(meaning.list)
        if value is None:
            return _ABSENT
        parts.append(value)
    return "".join([*parts, template[at:]])


def match(template: Any, found: Any) -> Match | None:
    """Read *found* by *template*; None if it is something else. Keys that the template lacks are passed over."""
    read: dict[str, Any] = {}
    score = _match(template, found, read)
    if score is not None and not any(constants(template)) and not _has_all(template, found):
        return None  # nothing else in it says what it is
    if score is None:
        return None
    names, entries = read.pop("list", None), read.pop("entries", None)
    return Match(read, names, entries, score)


def _has_all(template: Any, found: Any) -> bool:
    return not isinstance(template, dict) or (isinstance(found, dict) and template.keys() <= found.keys())


def _match(template: Any, found: Any, read: dict[str, Any]) -> int | None:
    if isinstance(template, dict):
        return _match_object(template, found, read)
    if isinstance(template, list) and len(template) == 1 and any(holes(template)):
        return _match_list(template[0], found, read)
    if isinstance(template, str):
        if not isinstance(found, str):
            return None
        pattern, names, literals = _pattern(template)
        matched = pattern.fullmatch(found)
        if matched is None:
            return None
        for name, value in zip(names, matched.groups(), strict=True):
            if name == "list":
                read["list"] = tuple(_names(value))
            else:
                read.setdefault(name, value)
        return 1 + literals
    return 1 if type(template) is type(found) and template == found else None


def _match_object(template: dict[str, Any], found: Any, read: dict[str, Any]) -> int | None:
    if not isinstance(found, dict):
        return None
    score = 0
    for key, part in template.items():
        if key not in found:
            if any(constants(part)):
                return None
            score -= 1
            continue
        one = _match(part, found[key], read)
        if one is None:
            return None
        score += one
    return score


def _match_list(template: Any, found: Any, read: dict[str, Any]) -> int | None:
    if not isinstance(found, list):
        return None
    if template == "{list}":
        if not all(isinstance(entry, str) for entry in found):
            return None
        read["list"] = tuple(found)
        return 2
    entries: list[dict[str, str]] = []
    for entry in found:
        one = match(template, entry)
        if one is not None:
            entries.append(one.values)
        elif isinstance(entry, str):
            entries.append({"say": entry})
        elif isinstance(entry, dict):
            entries.append({"say": " ".join(str(value) for value in entry.values() if isinstance(value, str))})
    read["entries"] = tuple(entries)
    return 2


def _names(text: str) -> Iterator[str]:
    return (name for name in _SEPARATORS.split(text) if name)


@lru_cache(maxsize=4096)
def _pattern(template: str) -> tuple[re.Pattern[str], tuple[str, ...], int]:
    """Return what reads *template*: its pattern, the holes of its groups, and how many characters are fixed."""
    parts: list[str] = []
    names: list[str] = []
    at = literals = 0
    for found in _HOLE.finditer(template):
        parts.append(re.escape(template[at : found.start()]))
        literals += found.start() - at
        at = found.end()
        if found[1] is None:
            parts.append(re.escape(found[0][0]))
            literals += 1
        else:
            names.append(found[1])
            parts.append("(.*?)" if found[1] in ("text", "say", "reason", "list", "event") else "(.+?)")
    literals += len(template) - at
    return re.compile("".join([*parts, re.escape(template[at:])]), re.DOTALL), tuple(names), literals


def holes(template: Any) -> Iterator[str]:
    """Go through the holes of *template*."""
    if isinstance(template, str):
        yield from (found[1] for found in _HOLE.finditer(template) if found[1] is not None)
    elif isinstance(template, dict | list):
        for part in template.values() if isinstance(template, dict) else template:
            yield from holes(part)


def constants(template: Any) -> Iterator[Any]:
    """Go through what is fixed in *template*: texts without a hole, numbers, lists of such."""
    if isinstance(template, dict | list):
        for part in template.values() if isinstance(template, dict) else template:
            yield from constants(part)
    elif not isinstance(template, str) or not any(holes(template)):
        yield template if template else " "


def unknown_holes(template: Any) -> list[str]:
    """Return the holes of *template* that there are not."""
    return [hole for hole in holes(template) if hole not in HOLES]
