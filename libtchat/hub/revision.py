"""Deciding again: events of others, or a failed append, came before what stands in the line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from attrs import define
from attrs import evolve as changed

from libtchat.cluster import Record
from libtchat.effect import Part, PeerId
from libtchat.group import Group, Standing, evolve, fold, outsiders
from libtchat.hub.clock import Clock
from libtchat.hub.decider import Decider
from libtchat.hub.entry import AnyEntry, Decision, Query, Run, Told
from libtchat.hub.ledger import Ledger, Slot
from libtchat.hub.line import Line
from libtchat.hub.presence import Presence
from libtchat.hub.quota import Quota
from libtchat.hub.user import OnlineUser
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.event import Created, Joined, LogEvent
from libtchat.message.names import Key, UserKey, user_key

__all__ = ["Revision"]

_COMING = (Created, Joined)

_Extended = tuple[Group, tuple[PeerId, ...]]
"""The group after an event, and the peers that hear it."""


@define
class Revision:
    """Decides again for one hub."""

    _clock: Clock
    _line: Line[AnyEntry]
    _presence: Presence
    _ledger: Ledger
    _quota: Quota
    _decider: Decider

    def rejected(self, failed: Mapping[Key, tuple[LogEvent, ...]], told: Mapping[Key, Sequence[Record]]) -> None:
        """Decide again, in place, what stands in the line for the *failed* groups (see `Hub.rejected`).

        Args:
            failed: see `Hub.rejected`.
            told: records of these groups that wait for this outcome; of the others, what failed is taken.
        Raises:
            RuntimeError, ValueError: see `libtchat.hub.line.Line.check`.
        """
        self._line.check(failed)
        newer = {key: told.get(key) or _as_records(key, events) for key, events in failed.items()}

        def again(entry: AnyEntry, lost: bool) -> Iterator[AnyEntry]:
            for decision in _apart(entry):
                if lost and not failed[decision.key]:
                    decision.refuse(Refused(ErrorCode.UNAVAILABLE))
                elif not newer[decision.key]:  # else it is decided when those are told
                    self._decider.decide(slots[decision.key], decision)
                yield decision

        self._ledger.rewind(failed, [part for _, part in self._line.durable()])
        slots = {key: self._slot(key) for key in failed}
        for entry in self._line.revised(failed):
            self._undo(entry)
        self._line.rejected(failed, again)
        for key, records in newer.items():
            if records:
                self._place(key, records, self._hearing(key))

    def tell(self, key: Key, records: Sequence[Record]) -> None:
        """Put the events of *records* before all that may not be older than they are, and decide that again.

        The group is loaded, and no part of it is out. What is known already is passed over.

        Raises:
            ValueError: what is told does not follow what is known.
        """
        if self._line.is_clear(key):
            for told in self._told(key, records, self._hearing(key), {}):
                self._line.put(told)
        else:
            self._place(key, records, self._hearing(key))

    def tell_late(self, key: Key, records: Sequence[Record], users: Sequence[OnlineUser]) -> None:
        """Tell events that were in the group already when it was loaded, or of one that can't be loaded.

        Who hears them is worked out from what is known of the *users* here who have to do with it.
        """
        slot = self._ledger.slot(key)
        known = _as_known(slot.newest if slot is not None else None, records[0], users)
        group = slot.newest if slot is not None else fold((it for record in records for it in record.events), known)
        assert group is not None, "it has events"
        for user in users:
            user.memberships[key] = changed(user.memberships[key], seq=group.seq)

        def hear(event: LogEvent) -> _Extended:
            nonlocal known
            before, known = known, evolve(known, event)
            return group, self._presence.peers((*known.members, *outsiders(before, event, known)))

        self._place(key, records, hear)

    def _hearing(self, key: Key) -> Callable[[LogEvent], _Extended | None]:
        slot, extend = self._slot(key), self._ledger.extend

        def hear(event: LogEvent) -> _Extended | None:
            is_known = slot.newest is not None and event.seq <= slot.newest.seq
            return None if is_known else extend(slot, event)

        return hear

    def _place(self, key: Key, records: Sequence[Record], hear: Callable[[LogEvent], _Extended | None]) -> None:
        def tell(behind: list[AnyEntry]) -> Iterator[AnyEntry]:
            mine = [entry for entry in behind if entry.key == key and not entry.durable]
            if any(entry.part is not None for entry in mine):
                self._ledger.rewind((key,), [part for _, part in self._line.durable()])
            for entry in mine:
                self._undo(entry)
            arrivals = next((it.arrivals for it in behind if isinstance(it, Decision | Run | Query)), None)
            gone = {entry.user.key: entry.user for entry in mine if isinstance(entry, Decision | Run)}
            for told in self._told(key, records, hear, gone):
                if arrivals is not None:
                    told.audience = self._presence.earlier(told.audience, arrivals)
                yield told

        def again(entry: AnyEntry) -> Iterator[AnyEntry]:
            for decision in _apart(entry):
                self._decider.decide(self._slot(key), decision)
                yield decision

        self._line.place(key, tell, again)

    def _told(
        self,
        key: Key,
        records: Sequence[Record],
        hear: Callable[[LogEvent], _Extended | None],
        users: Mapping[UserKey, OnlineUser],
    ) -> Iterator[Told]:
        """Make the entries of what is told; who asked for it learns so, also one of *users* who may be gone."""
        for record in records:
            for number, (event, digest) in enumerate(zip(record.events, record.digests, strict=True)):
                if (heard := hear(event)) is None:
                    continue
                after, audience = heard
                part = Part(key, event.seq - 1, (event,), after, (digest,))
                if digest or isinstance(event, _COMING):
                    sender = user_key(event.sender)
                    if (user := self._presence.user(sender) or users.get(sender)) is not None:
                        user.expect(part, self._clock.now)
                yield Told(part, audience, record.lines[number] if record.lines else None)

    def _undo(self, entry: AnyEntry) -> None:
        if not isinstance(entry, Decision):
            return
        if entry.part is not None:
            self._quota.count(entry.part, -1)
            entry.user.undo(entry.part)
        entry.part, entry.effects = None, ()
        earlier = entry.earlier
        slot = self._ledger.slot(earlier.key) if earlier is not None else None
        if earlier is not None and slot is not None and (slot.newest is None or earlier.seq > slot.newest.seq):
            entry.earlier = None  # it failed as well

    def _slot(self, key: Key) -> Slot:
        slot = self._ledger.slot(key)
        assert slot is not None, f"{key} is decided on, and not loaded"
        return slot


def _apart(entry: AnyEntry) -> Iterable[Decision]:
    if isinstance(entry, Run):
        return entry.apart()
    assert isinstance(entry, Decision), "nothing else is decided again"
    return (entry,)


def _as_known(group: Group | None, first: Record, users: Sequence[OnlineUser]) -> Group | None:
    """Return what is known of a group before its events told *first*: what these users were to it."""
    if first.expected == 0:
        return None
    mine = {user.key: (user, user.memberships[first.key]) for user in users}
    members = {key: user.name for key, (user, it) in mine.items() if it.standing is Standing.MEMBER}
    invited = {key: it.invitation for key, (_, it) in mine.items() if it.invitation is not None}
    name, ts = first.events[0].group, first.events[0].ts
    private = any(it.private for _, it in mine.values()) if group is None else group.private
    return Group(name, private, first.expected, ts, None, members, invited, {})


def _as_records(key: Key, events: tuple[LogEvent, ...]) -> Sequence[Record]:
    """Make records of events of which the log knows neither digests nor bytes."""
    return (Record(key, events[0].seq - 1, events, ("",) * len(events), ()),) if events else ()
