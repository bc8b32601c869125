"""One group: the fold of its events. `evolve` folds one in; what may become one is in `libtchat.rules`.

Pure. Nothing here knows connections, bytes or storage; who hears an event is `outsiders` and the members, as user keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import assert_never

from attrs import field

from libtchat.direct import NO_BOXES, Box, boxes_after
from libtchat.message.direct import Received, Sent
from libtchat.message.event import (
    Banned,
    Closed,
    Created,
    Invited,
    Joined,
    Kicked,
    Left,
    LogEvent,
    Redacted,
    Said,
    Unbanned,
)
from libtchat.message.names import UserKey, user_key
from libtchat.message.value import frozen
from libtchat.sorted_map import with_entry, without

__all__ = ["Group", "Standing", "evolve", "fold", "outsiders", "subject", "successor"]


class Standing(StrEnum):
    """What a user is to a group: exactly one of these."""

    NONE = "none"
    INVITED = "invited"
    MEMBER = "member"
    BANNED = "banned"
    WAITING = "waiting"  # in the log of the texts between two users: something waits for the user


@frozen
class Group:
    """The fold of a group's events.

    Attributes:
        seq: the last event's, so also how many events there are.
        owner: None exactly when there is no member.
        members: names as displayed, the longest-standing first. This mapping and the next two are values too: a change
            makes another one (see `libtchat.sorted_map`).
        invited: the invitation of each invited user, as it was sent.
        closed: it takes no more texts.
        boxes: of the log of the texts between two users, which has nothing else.
    """

    name: str
    private: bool
    seq: int
    ts: str
    owner: UserKey | None
    members: Mapping[UserKey, str] = field(hash=False)
    invited: Mapping[UserKey, Invited] = field(hash=False)
    banned: Mapping[UserKey, str] = field(hash=False)
    closed: bool = False
    boxes: Mapping[UserKey, Box] = field(default=NO_BOXES, hash=False)

    def standing(self, user: UserKey) -> Standing:
        """Tell what *user* is to this group."""
        if user in self.members:
            return Standing.MEMBER
        if user in self.invited:
            return Standing.INVITED
        if user in self.banned:
            return Standing.BANNED
        box = self.boxes.get(user)
        return Standing.WAITING if box is not None and box.waiting else Standing.NONE

    def name_of(self, user: UserKey) -> str | None:
        """Return the name by which this group knows *user*, as displayed; None if it knows no such user."""
        if user in self.invited:
            return self.invited[user].dest
        return self.members.get(user) or self.banned.get(user)

    @property
    def owner_name(self) -> str | None:
        """The owner's name as displayed, None in an empty group."""
        return None if self.owner is None else self.members[self.owner]


def evolve(group: Group | None, event: LogEvent) -> Group:
    """Return the group after *event*.

    Raises:
        ValueError: the event does not follow: its `seq` is not the next one, or a group does not begin with
            its creation. A log that was kept well never has such an event.
    """
    if event.seq != (1 if group is None else group.seq + 1):
        raise ValueError(f"event {event.seq} does not follow {0 if group is None else group.seq}")
    if group is not None and isinstance(event, Said):
        it = group
        return Group(it.name, it.private, event.seq, event.ts, it.owner, it.members, it.invited, it.banned, it.closed)
    if isinstance(event, (Sent, Received)):
        boxes = boxes_after(NO_BOXES if group is None else group.boxes, event)
        return Group(event.group, True, event.seq, event.ts, None, {}, {}, {}, boxes=boxes)
    if isinstance(event, Created):
        if group is not None:
            raise ValueError(f"{event.group} was created twice")
        me = user_key(event.sender)
        return Group(event.group, event.private, 1, event.ts, me, {me: event.sender}, {}, {})
    if group is None:
        raise ValueError(f"{event.group} does not begin with its creation")

    members, invited, banned, closed = group.members, group.invited, group.banned, group.closed
    match event:
        case Joined(sender=name):
            members, invited = with_entry(members, user_key(name), name), without(invited, user_key(name))
        case Left(sender=name) | Kicked(dest=name):
            members, invited = without(members, user_key(name)), without(invited, user_key(name))
        case Invited(dest=name):
            invited = with_entry(invited, user_key(name), event)
        case Banned(dest=name):
            members, invited = without(members, user_key(name)), without(invited, user_key(name))
            banned = with_entry(banned, user_key(name), name)
        case Unbanned(dest=name):
            banned = without(banned, user_key(name))
        case Said() | Redacted():
            pass
        case Closed(undone=undone):
            closed = not undone
        case _:
            assert_never(event)
    owner = group.owner if members else None
    if isinstance(event, (Joined, Left)) and event.owner is not None:
        owner = user_key(event.owner)
    return Group(group.name, group.private, event.seq, event.ts, owner, members, invited, banned, closed)


def fold(events: Iterable[LogEvent], group: Group | None = None) -> Group | None:
    """Return *group* after all *events*, in their order."""
    for event in events:
        group = evolve(group, event)
    return group


def outsiders(before: Group | None, event: LogEvent, after: Group) -> tuple[UserKey, ...]:
    """Return who is told of *event* besides the members after it (R-told).

    That is its sender and its target, if they are not members: whoever left, declined, was kicked, invited or
    unbanned; and whoever was banned, if that user was member or invited before. Of a text between two users both are.
    """
    if isinstance(event, (Sent, Received)):
        return tuple({user_key(event.to): None, user_key(event.sender): None})
    changed = subject(event)
    if changed is None or (user := user_key(changed)) in after.members:
        return ()
    if isinstance(event, Banned) and (before is None or before.standing(user) is Standing.NONE):
        return ()
    return (user,)


def subject(event: LogEvent) -> str | None:
    """Return the name of the user whose standing *event* changes, None for a text that waits for nobody."""
    match event:
        case Sent():
            return event.to if event.kept else None
        case Received():
            return event.sender
        case Said() | Closed() | Redacted():
            return None
        case Created(sender=name) | Joined(sender=name) | Left(sender=name):
            return name
        case Invited(dest=name) | Kicked(dest=name) | Banned(dest=name) | Unbanned(dest=name):
            return name
        case _:
            assert_never(event)


def successor(group: Group, leaver: UserKey) -> str | None:
    """Return the longest-standing other member's name if *leaver* is the owner and there is one (R-leave-owner)."""
    if leaver != group.owner:
        return None
    others = (user for user in group.members if user != leaver)
    return next((group.members[user] for user in others), None)
