"""One group: `decide` turns a request into an event or refuses it, `evolve` folds an event into the group.

Both are pure. The rules of spec/protocol.md, "The group", are the tables below. Nothing here knows connections,
bytes or storage; who hears an event is `outsiders` and the members, as user keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import assert_never

from attrs import field

from libtchat.direct import NO_BOXES, Box, boxes_after
from libtchat.message.direct import Received, Sent
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.event import (
    Banned,
    Closed,
    Created,
    Event,
    Invited,
    Joined,
    Kicked,
    Left,
    LogEvent,
    Redacted,
    Said,
    Unbanned,
)
from libtchat.message.limits import DEFAULT_LIMITS, ServerLimits
from libtchat.message.names import UserKey, check_any_user_name, check_group_name, user_key
from libtchat.message.request import (
    Ban,
    Create,
    GroupRequest,
    Invite,
    Join,
    Kick,
    Leave,
    ListMembers,
    ListMessages,
    ListStates,
    Say,
    Unban,
)
from libtchat.message.value import frozen
from libtchat.sorted_map import with_entry, without

__all__ = [
    "Group",
    "GroupQuery",
    "Standing",
    "admit",
    "decide",
    "evolve",
    "fold",
    "outsiders",
    "say",
    "subject",
    "successor",
]

GroupQuery = ListMembers | ListMessages | ListStates


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

    @property
    def owner_name(self) -> str | None:
        """The owner's name as displayed, None in an empty group."""
        return None if self.owner is None else self.members[self.owner]


_NONE, _INVITED, _MEMBER, _BANNED, _WAITING = Standing
_OUTSIDER = {_NONE: ErrorCode.NOT_MEMBER, _INVITED: ErrorCode.NOT_MEMBER, _BANNED: ErrorCode.NOT_MEMBER}
_READER = _OUTSIDER | {_BANNED: ErrorCode.BANNED}

# What is refused for the actor's standing; what is not listed goes on to the next check.
_ACTOR: Mapping[type[GroupRequest | GroupQuery], Mapping[Standing, ErrorCode]] = {
    Create: {},
    Join: {_MEMBER: ErrorCode.ALREADY_MEMBER, _BANNED: ErrorCode.BANNED},
    Leave: {_NONE: ErrorCode.NOT_MEMBER, _BANNED: ErrorCode.NOT_MEMBER},
    Invite: _OUTSIDER,
    Kick: _OUTSIDER,
    Ban: _OUTSIDER,
    Unban: _OUTSIDER,
    Say: _READER,
    ListMembers: {},
    ListMessages: _READER,
    ListStates: _READER,
}
_ACTOR_IF_PRIVATE: Mapping[type[GroupRequest | GroupQuery], Mapping[Standing, ErrorCode]] = {
    **_ACTOR,
    Join: {**_ACTOR[Join], _NONE: ErrorCode.INVITE_REQUIRED},
    ListMembers: _OUTSIDER,
}
_OWNER_ONLY = (Kick, Ban, Unban)
_NOT_ONESELF = (Invite, Kick, Ban)

# The same for the target's standing.
_TARGET: Mapping[type[Invite | Kick | Ban | Unban], Mapping[Standing, ErrorCode]] = {
    Invite: {_MEMBER: ErrorCode.ALREADY_MEMBER, _BANNED: ErrorCode.TARGET_BANNED},
    Kick: {_NONE: ErrorCode.TARGET_NOT_MEMBER, _BANNED: ErrorCode.TARGET_NOT_MEMBER},
    Ban: {_BANNED: ErrorCode.TARGET_BANNED},
    Unban: dict.fromkeys((_NONE, _INVITED, _MEMBER), ErrorCode.NOT_BANNED),
}


def admit(group: Group | None, request: GroupRequest | GroupQuery, actor: UserKey) -> Group:
    """Check that the group exists and that *actor* may ask this of it at all.

    Returns:
        The group.
    Raises:
        Refused: group-not-found, banned, not-member, already-member, invite-required, forbidden or group-closed.
    """
    if group is None:
        raise Refused(ErrorCode.GROUP_NOT_FOUND)
    kind = type(request)
    standing = _MEMBER if actor in group.members else group.standing(actor)
    code = (_ACTOR_IF_PRIVATE if group.private else _ACTOR)[kind].get(standing)
    if code is None and kind in _OWNER_ONLY and actor != group.owner:
        code = ErrorCode.FORBIDDEN
    if code is None and group.closed and kind is Say:
        code = ErrorCode.GROUP_CLOSED
    if code is not None:
        raise Refused(code)
    return group


def decide(
    group: Group | None,
    request: GroupRequest,
    actor: str,
    *,
    ts: str,
    known_dest: str | None = None,
    limits: ServerLimits = DEFAULT_LIMITS,
    key: UserKey | None = None,
) -> Event:
    """Decide what *request* does to *group*.

    Args:
        group: the group's state, None if its name was never used.
        actor: the asking user's name as displayed; the request's own `sender` is not read.
        ts: the server's time, ISO 8601 UTC; an older one than the group's last is raised to that.
        known_dest: the target's name as displayed, None if nobody knows that user.
        key: the actor's, for a caller that has it at hand.
    Returns:
        The event, with `seq` one above the group's. An invitation that stands already is answered with its
        stored event, whose `seq` is not above the group's: nothing is to be appended then.
    Raises:
        Refused: with the code of spec/protocol.md's table; the checks are in the order given there.
    """
    me = key or user_key(actor)
    if isinstance(request, Create):
        name = check_group_name(request.group)
        if group is not None:
            raise Refused(ErrorCode.GROUP_EXISTS)
        return Created(actor, name, 1, ts, actor, request.private, request.id)
    group = admit(group, request, me)
    name, seq = group.name, group.seq + 1
    if ts < group.ts:
        ts = group.ts
    if isinstance(request, Say):
        return Said(actor, name, request.msg, seq, ts, request.id)
    match request:
        case Join():
            if len(group.members) >= limits.max_members:
                raise Refused(ErrorCode.LIMIT_REACHED, f"{name} is full", limit=limits.max_members)
            return Joined(actor, name, seq, ts, actor if group.owner is None else None, request.id)
        case Leave():
            return Left(actor, name, seq, ts, successor(group, me), request.id)
    dest, target = _check_target(group, request, me, known_dest)
    match request:
        case Invite():
            if target in group.invited:
                return group.invited[target]
            if known_dest is None:
                raise Refused(ErrorCode.USER_NOT_FOUND)
            _check_room(group, limits)
            return Invited(actor, name, dest, seq, ts, request.id)
        case Kick():
            return Kicked(actor, name, dest, request.reason, seq, ts, request.id)
        case Ban():
            if target not in group.invited:
                _check_room(group, limits)
            return Banned(actor, name, dest, request.reason, seq, ts, request.id)
        case Unban():
            return Unbanned(actor, name, dest, seq, ts, request.id)
        case _:
            assert_never(request)


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


def say(
    group: Group | None, texts: Sequence[Say], actor: str, *, ts: str, key: UserKey
) -> tuple[tuple[Said, ...], Group]:
    """Decide texts of one user to this group that come together: as `decide` and `evolve` for one after the other.

    Args:
        texts: one at least.
        group, actor, ts, key: see `decide`.
    Returns:
        The events, and the group after them.
    Raises:
        Refused: as each of them is by itself, for no text changes what the next one may.
    """
    it = admit(group, texts[0], key)
    ts = max(ts, it.ts)
    name, seq = it.name, it.seq
    events = tuple([Said(actor, name, text.msg, seq, ts, text.id) for seq, text in enumerate(texts, seq + 1)])
    return events, Group(
        name, it.private, seq + len(events), ts, it.owner, it.members, it.invited, it.banned, it.closed
    )


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
    if isinstance(event, Banned) and (before is None or before.standing(user) is _NONE):
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


def _check_target(
    group: Group, request: Invite | Kick | Ban | Unban, me: UserKey, known_dest: str | None
) -> tuple[str, UserKey]:
    key = user_key(request.dest)
    if key == me and isinstance(request, _NOT_ONESELF):
        raise Refused(ErrorCode.SELF_TARGET)
    standing = group.standing(key)
    code = _TARGET[type(request)].get(standing)
    if code is not None:
        raise Refused(code)
    if standing is Standing.MEMBER:
        return group.members[key], key
    if standing is Standing.INVITED:
        return group.invited[key].dest, key
    if standing is Standing.BANNED:
        return group.banned[key], key
    return known_dest or check_any_user_name(request.dest, field="dest"), key


def _check_room(group: Group, limits: ServerLimits) -> None:
    if len(group.invited) + len(group.banned) >= limits.max_invited_and_banned:
        raise Refused(
            ErrorCode.LIMIT_REACHED,
            f"{group.name} has too many invited and banned users",
            limit=limits.max_invited_and_banned,
        )
