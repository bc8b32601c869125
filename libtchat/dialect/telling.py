"""A meaning -> the lines that tell a client, in every dialect it may speak; done once for all who are told the same."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import Any

from attrs import define, evolve, field

from libtchat.dialect.canonical import sentence
from libtchat.dialect.dialect import Dialect
from libtchat.dialect.template import Meaning, evolved, holes, write
from libtchat.message.reply import Foreign, Message
from libtchat.wire.codec import read_message

__all__ = ["Retold", "lines_for"]

_MOST_BYTES = 4 * 1024 * 1024
_ENTRY_BYTES = 512

_ENTRIES = ("who", "dest", "group", "text", "reason", "say", "event")


@define(eq=False)
class Retold:
    """What was read and translated lately: a group is told one thing, and to translate it takes long.

    It begins anew when it holds 4 MiB, more than what is told to a group in one turn.
    """

    _messages: dict[bytes, Message | Foreign] = field(factory=dict)
    _lines: dict[Hashable, list[bytes]] = field(factory=dict)
    _size: int = 0

    def read(self, frame: bytes) -> Message | Foreign:
        """Return what *frame* says, as `read_message`."""
        if (found := self._messages.get(frame)) is None:
            self._make_room(len(frame))
            found = self._messages[frame] = read_message(frame)
        return found

    def lines(self, dialects: tuple[Dialect, ...], meaning: Meaning, me: str) -> list[bytes]:
        """Return the lines that tell *me* the *meaning*, as `lines_for`."""
        if meaning.list is not None or meaning.events is not None:
            return lines_for(dialects, meaning, me)  # an answer, for one alone
        values = tuple([item for item in meaning.values.items() if item[0] != "me" or _is_personal(dialects)])
        key = dialects, meaning.kind, meaning.copy, values
        if (found := self._lines.get(key)) is None:
            found = lines_for(dialects, meaning, me)
            self._make_room(2 * sum(map(len, found)))
            self._lines[key] = found
        return found

    def _make_room(self, size: int) -> None:
        self._size += size + _ENTRY_BYTES
        if self._size > _MOST_BYTES:
            self._messages.clear()
            self._lines.clear()
            self._size = size


@lru_cache(maxsize=1024)
def _is_personal(dialects: tuple[Dialect, ...]) -> bool:
    """Tell whether what is said in *dialects* names who reads it."""
    return any("me" in holes(rule.template) for dialect in dialects for rule in dialect.answers)


def lines_for(dialects: Sequence[Dialect], meaning: Meaning, me: str) -> list[bytes]:
    """Return what tells a client *meaning* in the words of all *dialects* that it may speak, the likeliest first.

    What one of them says and would kill a client of another is left out. Each message is one line, in the first one's
    layout.
    """
    messages: list[Any] = []
    deadly = {word for dialect in dialects for word in dialect.fatal}
    for dialect in dialects:
        message = _in_words_of(dialect, meaning, me)
        is_safe = message is not None and dialect.action_of(message) not in deadly
        if is_safe and not _joined(messages, message):
            messages.append(message)
    wire = evolve(dialects[0].wire, indent=0, end="\n")  # LF ends every message and stands nowhere else
    return [wire.write(message) for message in messages]


def _in_words_of(dialect: Dialect, meaning: Meaning, me: str) -> Any:
    """Return the message of *dialect* for *meaning*, its notice if it has no better word, None if not even that."""
    for rule in (dialect.rule(meaning.kind, meaning.copy), dialect.rule("say")):
        if rule is not None and _can_write(rule.template, meaning) and not _loses_entries(rule.template, meaning):
            return write(rule.template, meaning, lambda entry: sentence(entry, me))
    return None


def _can_write(template: Any, meaning: Meaning) -> bool:
    """Tell whether *meaning* has what the holes of *template* want, so that nothing is shown as missing."""
    has = {*meaning.values}
    has |= {"list"} if meaning.list is not None else set()
    has |= {"event", *_ENTRIES} if meaning.events is not None else set()
    if meaning.list is not None:
        has |= {"who", "event"}
    return {*holes(template)} <= has


def _loses_entries(template: Any, meaning: Meaning) -> bool:
    """Tell whether an entry of *meaning* has nothing that the entries of *template* hold: it would not be shown."""
    lists = [part for part in template.values() if isinstance(part, list)] if isinstance(template, dict) else []
    wanted = {*holes(lists)}
    return bool(wanted) and any(not wanted & {*evolved(entry, None).values} for entry in meaning.events or ())


def _joined(messages: list[Any], message: Any) -> bool:
    """Put *message* into one of *messages* that it agrees with, key for key; tell whether there was one."""
    for other in messages:
        shared = other.keys() & message.keys()
        if shared and all(other[key] == message[key] for key in shared) and isinstance(message, dict):
            other.update(message)
            return True
    return False
