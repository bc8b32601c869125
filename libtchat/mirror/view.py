"""What is known of one group, and how much of it."""

from __future__ import annotations

from attrs import define, field

from libtchat.group import Group
from libtchat.message.direct import correspondent
from libtchat.message.event import LogEvent
from libtchat.message.limits import MAX_PAGE_ENTRIES
from libtchat.message.request import ListMembers, ListStates

__all__ = ["View"]


@define
class View:
    """What is known of one group.

    Attributes:
        seq: the last event shown; for a non-member the last one that concerned this user.
        ts: its time, "" if unknown; a lower `seq` with a later time means that the server began a new log.
        group: the fold at `group.seq`, None while unknown.
        held: events that came live above a gap, by seq.
        target: the highest seq known to exist.
        is_unsure: a connection began, and the server did not say how far the log has gone on.
        unread: texts of others since the group was last the current one.
    """

    name: str
    seq: int = 0
    ts: str = ""
    is_member: bool = False
    is_invited: bool = False
    group: Group | None = None
    held: dict[int, LogEvent] = field(factory=dict)
    target: int = 0
    unread: int = 0
    caught_up: int = 0
    wants_members: bool = False
    members_after: str | None = None
    members_restarts: int = 0
    is_asking: bool = False
    is_unsure: bool = False

    @property
    def has_gap(self) -> bool:
        """Whether events are known to exist that were not shown."""
        return self.is_member and self.target > self.seq

    def wanted(self) -> ListStates | ListMembers | None:
        """Return what to ask next so that nothing is missing; None if nothing is, or while one waits for an answer."""
        if self.is_asking:
            return None
        if self.has_gap or self.is_unsure:
            return ListStates(self.name, after=self.seq, limit=MAX_PAGE_ENTRIES, all=True)
        return ListMembers(self.name, after=self.members_after) if self.is_member and self.wants_members else None

    def welcomed(self, last: int | None) -> None:
        """Begin a connection as a member; *last* is the group's last event, None if the server did not say."""
        seq = self.seq if last is None else last
        if not self.is_member or seq < self.seq:
            self.restart(seq)
            self.is_member = last is not None  # else the first event says where the group is
        self.target = seq
        self.is_invited = False
        self.wants_members, self.members_after = self.group is None, None
        self.members_restarts = 0

    def skip(self, seq: int) -> None:
        """Go on after *seq*, which cannot be had any more, nor what is before it."""
        self.seq, self.target = seq, max(seq, self.target)
        self.group = None
        self.wants_members = correspondent(self.name) is None
        self.members_after = None

    def restart(self, seq: int, ts: str = "") -> None:
        """Begin anew after *seq*: the membership, or the server's log itself, is a new one."""
        self.seq, self.ts, self.target = seq, ts, seq
        self.group = None
        self.held.clear()
        self.caught_up = 0
