"""The line of outcomes: what is decided but may not leave yet, because something before it is not durable.

It knows no chat: an entry has a key, perhaps events to append, and a place. One append is out at a time; all
that is decided meanwhile rides in the next. Outcomes leave in the order they were put, and none before every
event ahead of it is durable (architecture.md's invariants 1, 2 and 4).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Generic, Protocol, TypeVar

from attrs import Factory, define

from libtchat.effect import Append, Part
from libtchat.group import Group
from libtchat.message.event import Event
from libtchat.message.names import Key

__all__ = ["Entry", "Line"]


class Entry(Protocol):
    """What stands in the line.

    Attributes:
        key: the group whose newest state it was decided on, None if it is worked out only when it leaves.
        events: what it adds to that group's log, if anything, and the group `after` them.
        digest: see `libtchat.effect.Part`; of its only event, "" if there are several.
        durable: the events are in the log.
    """

    key: Key | None
    events: tuple[Event, ...]
    after: Group | None
    digest: str
    durable: bool


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
        self._size += len(entry.events) or 1
        if entry.events and not entry.durable:
            assert entry.key is not None
            if (waiting := self._waiting.get(entry.key)) is None:
                self._waiting[entry.key] = [entry]
            else:
                waiting.append(entry)

    def append(self) -> Append | None:
        """Return all events not yet durable as one append, None if there are none or an append is out already."""
        if self._out is not None or not self._waiting:
            return None
        self._out, self._waiting = self._waiting, {}
        return Append(tuple(map(_part, self._out.values())))

    def leaving(self) -> Iterator[E]:
        """Take from the front what nothing holds back any more."""
        entries = self._entries
        while entries and (not entries[0].events or entries[0].durable):
            entry = entries.popleft()
            self._size -= len(entry.events) or 1
            yield entry

    def committed(self) -> None:
        """Mark what was out as durable."""
        self._settle({})

    def revisable(self) -> Iterator[E]:
        """Go through the entries that may have to be decided again: those of a group that are not durable."""
        return (entry for entry in self._entries if entry.key is not None and not entry.durable)

    def durable(self) -> Iterator[E]:
        """Go through the entries whose events are durable and wait for what stands ahead."""
        return (entry for entry in self._entries if entry.durable)

    def rejected(self, failed: Mapping[Key, tuple[Event, ...]], again: Callable[[E, bool], Iterator[E]]) -> None:
        """Mark what was out as durable except the *failed* keys, and decide these again, each in its place.

        Args:
            failed: per key the newer events found in the log; () when it can't be written.
            again: called for each entry of a failed key, in order, with whether its own events were lost; gives the
                entries that stand there instead. Entries that are durable already are passed over.
        """
        lost = self._settle(failed)
        entries, self._entries, self._waiting, self._size = self._entries, deque(), {}, 0
        for entry in entries:
            if entry.key in failed and not entry.durable:
                for replacement in again(entry, id(entry) in lost):
                    self.put(replacement)
            else:
                self.put(entry)

    def _settle(self, failed: Mapping[Key, tuple[Event, ...]]) -> set[int]:
        assert self._out is not None, "no append is out"
        out, self._out = self._out, None
        for key, entries in out.items():
            if key not in failed:
                for entry in entries:
                    entry.durable = True
        return {id(entry) for key in failed for entry in out.get(key, ())}


def _part(entries: list[E]) -> Part:
    events = tuple(chain.from_iterable([entry.events for entry in entries]))
    digests = tuple([entry.digest for entry in entries for _ in entry.events])
    last, key = entries[-1].after, entries[0].key
    assert last is not None
    assert key is not None
    return Part(key, events[0].seq - 1, events, last, digests)
