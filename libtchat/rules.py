"""The rules of a group: `decide` turns a request into an event, or refuses it.

Pure. What spec/protocol.md says under "The group" are the tables below; `libtchat.group` folds the events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

from libtchat.group import Group, Standing, successor
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.event import Banned, Created, Event, Invited, Joined, Kicked, Left, Said, Unbanned
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

__all__ = ["GroupQuery", "admit", "decide", "say"]

GroupQuery = ListMembers | ListMessages | ListStates

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


def say(
    group: Group | None, texts: Sequence[Say], actor: str, *, ts: str, key: UserKey
) -> tuple[tuple[Said, ...], Group]:
    """Decide texts of one user to this group that come together: as `decide` and `evolve` for one after the other.

    Args:
        group: as for `decide`.
        texts: one at least.
        actor: as for `decide`.
        ts: as for `decide`.
        key: as for `decide`.
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


def _check_target(
    group: Group, request: Invite | Kick | Ban | Unban, me: UserKey, known_dest: str | None
) -> tuple[str, UserKey]:
    key = user_key(request.dest)
    if key == me and isinstance(request, _NOT_ONESELF):
        raise Refused(ErrorCode.SELF_TARGET)
    code = _TARGET[type(request)].get(group.standing(key))
    if code is not None:
        raise Refused(code)
    return group.name_of(key) or known_dest or check_any_user_name(request.dest, field="dest"), key


def _check_room(group: Group, limits: ServerLimits) -> None:
    if len(group.invited) + len(group.banned) >= limits.max_invited_and_banned:
        raise Refused(
            ErrorCode.LIMIT_REACHED,
            f"{group.name} has too many invited and banned users",
            limit=limits.max_invited_and_banned,
        )
