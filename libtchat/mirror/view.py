"""What is known of one group, and how much of it."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from libtchat.group import Group
from libtchat.message.direct import correspondent
from libtchat.message.event import LogEvent
from libtchat.message.limits import MAX_PAGE_ENTRIES
from libtchat.message.request import ListMembers, ListStates, Request

__all__ = ["View"]


@define
class View:
    """What is known of one group.

    Attributes:
        seq: the last event shown; for a non-member the last one that concerned this user.
        ts: its time, "" if unknown; a lower `seq` with a later time means that the server began a new log.
        group: the fold at `group.seq`, None while unknown.
        held: events that came live above a gap, by seq, each with the request of ours that it answers.
        is_unsure: the log may be another one than the one that `seq` and `ts` were of.
        known_ts: of a log that was begun anew, nothing up to this time is new.
        target: the highest seq known to exist.
        unread: texts of others since the group was last the current one.
    """

    name: str
    seq: int = 0
    ts: str = ""
    is_member: bool = False
    is_invited: bool = False
    group: Group | None = None
    held: dict[int, tuple[LogEvent, Request | None]] = field(factory=dict)
    target: int = 0
    unread: int = 0
    caught_up: int = 0
    wants_members: bool = False
    members_after: str | None = None
    members_restarts: int = 0
    is_asking: bool = False
    is_unsure: bool = False
    known_ts: str = ""

    @property
    def has_gap(self) -> bool:
        """Whether events are known to exist that were not shown."""
        return self.is_member and self.target > self.seq

    def wanted(self) -> ListStates | ListMembers | None:
        """Return what to ask next so that nothing is missing; None if nothing is, or while one waits for an answer."""
        if self.is_asking:
            return None
        if self.has_gap or (self.is_member and self.is_unsure):
            after = self.seq - self.is_unsure  # the event that was the last one shows which log it is
            return ListStates(self.name, after=after, limit=MAX_PAGE_ENTRIES, all=True)
        return ListMembers(self.name, after=self.members_after) if self.is_member and self.wants_members else None

    def welcomed(self, last: int | None) -> None:
        """Begin a connection as a member; *last* is the group's last event, None if the server did not say."""
        seq = self.seq if last is None else last
        if self.is_member and seq < self.seq:
            self.begin_anew()
        elif not self.is_member:
            self.restart(seq)
            self.is_member = last is not None  # else the first event says where the group is
        self.target = seq
        self.is_invited = False
        self.wants_members, self.members_after = self.group is None, None
        self.members_restarts = 0

    def restart(self, seq: int, ts: str = "") -> None:
        """Begin anew after *seq*: the membership, or the server's log itself, is a new one."""
        self.seq, self.ts, self.target = seq, ts, seq
        self.group = None
        self.held.clear()
        self.caught_up = 0
        self.is_unsure, self.known_ts = False, ""

    def skip(self, seq: int) -> None:
        """Go on after *seq*, which cannot be had any more, nor what is before it."""
        self.seq, self.target = seq, max(seq, self.target)
        self.group, self.members_after = None, None
        self.wants_members = correspondent(self.name) is None

    def begin_anew(self) -> None:
        """Begin with the first event, as the server's log did; what is not later than what was shown is no news."""
        ts = self.ts
        self.restart(0)
        self.known_ts = ts

    def recognised(self, events: Sequence[LogEvent]) -> bool:
        """Tell whether *events*, asked for to be sure, are of the log that was known; if not, begin anew."""
        self.is_unsure = False
        if all(event.seq != self.seq or event.ts == self.ts for event in events):
            return True
        target, held = self.target, {**self.held}
        self.begin_anew()
        self.target, self.held = target, held
        return False
