"""The line: what is decided but may not leave yet, because something before it is not durable.

It knows no chat: an entry perhaps appends a part to a log, and has a place. One append is out at a time; all that is
decided meanwhile rides in the next. Entries leave in the order they were put, and none before every event ahead of
it is durable.

Among several nodes what is known here may be old: what appends nothing and rests on it waits for a proof, too. One is
out at a time; all that is put meanwhile waits for the next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain
from typing import Generic, TypeVar

from attrs import Factory, define, field

from libtchat.effect import Append, Part
from libtchat.message.names import Key

__all__ = ["Entry", "Line"]


@define(eq=False)
class Entry:
    """What stands in the line.

    Attributes:
        key: the group whose newest state it was decided on, None if it is never decided again.
        part: what it appends to a group's log, if anything.
        durable: that is in the log.
        proof: the number of the proof it waits for, 0 if it waits for none.
    """

    key: Key | None = field(default=None, init=False)
    part: Part | None = field(default=None, init=False)
    durable: bool = field(default=False, init=False)
    proof: int = field(default=0, init=False)

    def rests(self) -> bool:
        """Tell whether it rests on what other nodes may have changed already."""
        return False


E = TypeVar("E", bound=Entry)


@define
class Line(Generic[E]):
    """Entries in the order they were decided. Its length counts the events of each, or 1.

    *proves*: other nodes append to the same log.
    """

    proves: bool = False
    _entries: deque[E] = Factory(deque)
    _waiting: dict[Key, list[E]] = Factory(dict)
    _out: dict[Key, list[E]] | None = None
    _size: int = 0
    _proofs_needed: int = 0
    _proofs_begun: int = 0
    _proofs_done: int = 0
    _last_proof: int = 0

    def __len__(self) -> int:
        return self._size

    def put(self, entry: E) -> None:
        """Put *entry* at the end."""
        self._entries.append(entry)
        part = entry.part
        if part is None:
            self._size += 1
            if self.proves and not entry.proof and entry.rests():
                entry.proof = self.need_proof()
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
        while entries:
            part = entries[0].part
            if entries[0].proof > self._proofs_done if part is None else not entries[0].durable:
                return
            self._size -= 1 if part is None else len(part.events)
            yield entries.popleft()

    def committed(self) -> None:
        """Mark what was out as durable.

        Raises:
            RuntimeError: no append is out.
        """
        self._settle(())

    def revisable(self) -> Iterator[E]:
        """Go through the entries that may have to be decided again: those of a group that are not durable."""
        return (entry for entry in self._entries if entry.key is not None and not entry.durable)

    def revised(self, failed: Collection[Key]) -> list[E]:
        """Return the entries that are decided again when these groups failed.

        What stands before a durable part of its group is not: it was decided before that, and is told before it.
        """
        last = {
            entry.part.key: number
            for number, entry in enumerate(self._entries)
            if entry.durable and entry.part is not None and entry.part.key in failed
        }
        return [
            entry
            for number, entry in enumerate(self._entries)
            if entry.key is not None and entry.key in failed and not entry.durable and number > last.get(entry.key, -1)
        ]

    def durable(self) -> Iterator[tuple[E, Part]]:
        """Go through the entries whose part is durable and waits for what stands ahead."""
        return ((entry, entry.part) for entry in self._entries if entry.durable and entry.part is not None)

    def rejected(self, failed: Collection[Key], again: Callable[[E, bool], Iterable[E]]) -> None:
        """Mark what was out as durable except the *failed* keys, and decide these again, each in its place.

        Args:
            failed: the keys of the parts that are not in the log.
            again: called for each of those that are `revised`, in order, with whether its own events were lost; gives
                the entries that stand there instead.
        Raises:
            RuntimeError, ValueError: see `check`.
        """
        lost = self._settle(failed)
        revised = set(map(id, self.revised(failed)))
        entries, self._entries, self._waiting, self._size = self._entries, deque(), {}, 0
        for entry in entries:
            if id(entry) in revised:
                for replacement in again(entry, id(entry) in lost):
                    self.put(replacement)
            else:
                self.put(entry)

    def is_out(self, key: Key) -> bool:
        """Tell whether a part of this group is out."""
        return self._out is not None and key in self._out

    def is_clear(self, key: Key) -> bool:
        """Tell whether what others appended to a group may stand at the end."""
        return key not in self._waiting and self._proofs_needed == self._proofs_done

    def place(self, key: Key, tell: Callable[[list[E]], Iterable[E]], again: Callable[[E], Iterable[E]]) -> None:
        """Put events of a group, which others made durable, before all that may not be older than they are.

        That is what waits for a proof, and what is of the group and not durable. No part of the group is out.

        Args:
            tell: given what will stand behind the events, gives their entries.
            again: as in `rejected`, for each entry of the group behind them that is not durable.
        """
        assert not self.is_out(key), f"what becomes of the part of {key} that is out is told first"
        behind = self._take_behind(key)
        for entry in tell(behind):
            self.put(entry)
        for entry in behind:
            if entry.key != key or entry.durable:
                self._entries.append(entry)
                continue
            for replacement in again(entry):
                self.put(replacement)

    def _take_behind(self, key: Key) -> list[E]:
        self._waiting.pop(key, None)
        entries, place, found = list(self._entries), 0, False
        for number, entry in enumerate(entries):
            if entry.durable and entry.part is not None and entry.part.key == key:
                place, found = number + 1, False
            elif not found and ((entry.key == key and not entry.durable) or self._waits_for_proof(entry)):
                place, found = number, True
        if not found:
            return []
        behind = entries[place:]
        self._entries = deque(entries[:place])
        for entry in behind:
            if entry.key == key and not entry.durable:
                self._size -= 1 if entry.part is None else len(entry.part.events)
        return behind

    def _waits_for_proof(self, entry: E) -> bool:
        return entry.part is None and entry.proof > self._proofs_done

    def need_proof(self) -> int:
        """Have a proof begun of all that is acknowledged by now; return its number, 0 if nothing has to be proved."""
        if self.proves:
            self._proofs_needed = self._proofs_begun + 1
            return self._proofs_needed
        return 0

    def is_in_vain(self, proof: int) -> bool:
        """Tell whether a proof that was needed came to nothing, and none that was begun later came."""
        return self._last_proof < proof <= self._proofs_done

    def begin_proof(self) -> bool:
        """Begin a proof of all that was put, if something waits for one and none is out; tell whether that is so."""
        if self._proofs_needed == self._proofs_begun or self._proofs_begun != self._proofs_done:
            return False
        self._proofs_begun += 1
        return True

    def proved(self) -> None:
        """Let go what waited for the proof that is out."""
        self._proofs_done = self._last_proof = self._proofs_begun

    def not_proved(self, instead: Callable[[E], E]) -> None:
        """Put *instead* of what waited for the proof that is out, which can't be had."""
        self._entries = deque(
            instead(entry) if self._waits_for_proof(entry) and entry.proof == self._proofs_begun else entry
            for entry in self._entries
        )
        self._proofs_done = self._proofs_begun

    def check(self, failed: Iterable[Key]) -> None:
        """Check that an append is out which has a part for each of the *failed* keys.

        Raises:
            RuntimeError: no append is out.
            ValueError: it has no such part.
        """
        if self._out is None:
            raise RuntimeError("no append is out")
        if others := [key for key in failed if key not in self._out]:
            raise ValueError(f"nothing is to be appended to {', '.join(others)}")

    def _settle(self, failed: Collection[Key]) -> set[int]:
        self.check(failed)
        out, self._out = self._out or {}, None
        for key, entries in out.items():
            if key not in failed:
                for entry in entries:
                    entry.durable = True
        return {id(entry) for key in failed for entry in out[key]}


def _joined(entries: list[E]) -> Part:
    """Make one part of those of *entries*, which follow one another in one group."""
    first, *others = [entry.part for entry in entries if entry.part is not None]
    if not others:
        return first
    events = tuple(chain(first.events, *[part.events for part in others]))
    digests = tuple(chain(first.digests, *[part.digests for part in others]))
    return Part(first.key, first.expected, events, others[-1].after, digests)
