"""The line: what is decided but may not leave yet, because something before it is not durable.

It knows no chat: an entry perhaps appends a part to a log, and has a place. One append is out at a time; all that is
decided meanwhile rides in the next. Entries leave in the order they were put, and none before every event ahead of
it is durable.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Generic, TypeVar

from attrs import Factory, define, field

from libtchat.effect import Append, Part
from libtchat.message.event import LogEvent
from libtchat.message.names import Key

__all__ = ["Entry", "Line"]


@define(eq=False)
class Entry:
    """What stands in the line.

    Attributes:
        key: the group whose newest state it was decided on, None if it is never decided again.
        part: what it appends to a group's log, if anything.
        durable: that is in the log.
    """

    key: Key | None = field(default=None, init=False)
    part: Part | None = field(default=None, init=False)
    durable: bool = field(default=False, init=False)


E = TypeVar("E", bound=Entry)


@define
class Line(Generic[E]):
    """Entries in the order they were decided. Its length counts the events of each, or 1."""

    _entries: deque[E] = Factory(deque)
    _waiting: dict[Key, list[E]] = Factory(dict)
    _out: dict[Key, list[E]] | None = None
    _size: int = 0

    def __len__(self) -> int:
        return self._size

    def put(self, entry: E) -> None:
        """Put *entry* at the end."""
        self._entries.append(entry)
        part = entry.part
        if part is None:
            self._size += 1
            return
        self._size += len(part.events)
        if not entry.durable:
            if (waiting := self._waiting.get(part.key)) is None:
                self._waiting[part.key] = [entry]
            else:
                waiting.append(entry)

    def append(self) -> Append | None:
        """Return all events not yet durable as one append, None if there are none or an append is out already."""
        if self._out is not None or not self._waiting:
            return None
        self._out, self._waiting = self._waiting, {}
        return Append(tuple(map(_joined, self._out.values())))

    def leaving(self) -> Iterator[E]:
        """Take from the front what nothing holds back any more."""
        entries = self._entries
        while entries and ((part := entries[0].part) is None or entries[0].durable):
            self._size -= 1 if part is None else len(part.events)
            yield entries.popleft()

    def committed(self) -> None:
        """Mark what was out as durable.

        Raises:
            RuntimeError: no append is out.
        """
        self._settle({})

    def revisable(self) -> Iterator[E]:
        """Go through the entries that may have to be decided again: those of a group that are not durable."""
        return (entry for entry in self._entries if entry.key is not None and not entry.durable)

    def durable(self) -> Iterator[tuple[E, Part]]:
        """Go through the entries whose part is durable and waits for what stands ahead."""
        return ((entry, entry.part) for entry in self._entries if entry.durable and entry.part is not None)

    def rejected(self, failed: Mapping[Key, tuple[LogEvent, ...]], again: Callable[[E, bool], Iterable[E]]) -> None:
        """Mark what was out as durable except the *failed* keys, and decide these again, each in its place.

        Args:
            failed: per key the newer events found in the log; () when it can't be written.
            again: called for each entry of a failed key, in order, with whether its own events were lost; gives the
                entries that stand there instead. Entries that are durable already are passed over.
        Raises:
            RuntimeError, ValueError: see `check`.
        """
        lost = self._settle(failed)
        entries, self._entries, self._waiting, self._size = self._entries, deque(), {}, 0
        for entry in entries:
            if entry.key in failed and not entry.durable:
                for replacement in again(entry, id(entry) in lost):
                    self.put(replacement)
            else:
                self.put(entry)

    def check(self, failed: Iterable[Key]) -> None:
        """Check that an append is out which has a part for each of the *failed* keys.

        Raises:
            RuntimeError: no append is out.
            ValueError: it has no such part.
        """
        self._checked(failed)

    def _checked(self, failed: Iterable[Key]) -> dict[Key, list[E]]:
        if self._out is None:
            raise RuntimeError("no append is out")
        if others := [key for key in failed if key not in self._out]:
            raise ValueError(f"nothing is to be appended to {', '.join(others)}")
        return self._out

    def _settle(self, failed: Mapping[Key, tuple[LogEvent, ...]]) -> set[int]:
        out = self._checked(failed)
        self._out = None
        for key, entries in out.items():
            if key not in failed:
                for entry in entries:
                    entry.durable = True
        return {id(entry) for key in failed for entry in out.get(key, ())}


def _joined(entries: list[E]) -> Part:
    """Make one part of those of *entries*, which follow one another in one group."""
    first, *others = [entry.part for entry in entries if entry.part is not None]
    if not others:
        return first
    events = tuple(chain(first.events, *[part.events for part in others]))
    digests = tuple(chain(first.digests, *[part.digests for part in others]))
    return Part(first.key, first.expected, events, others[-1].after, digests)
