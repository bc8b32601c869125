"""A naive model of a group: the log, replayed from its start for every question, and the rules as plain sentences.

It shares no rule with `libtchat.group`; only requests and events are the library's. Names are lower case, so that
a name is its own key.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import Factory, define

from libtchat.message.event import Event, Invited
from libtchat.message.request import Create, GroupRequest, Join, Leave, ListMembers, ListMessages, ListStates

OUTSIDE, INVITED, MEMBER, BANNED = "none", "invited", "member", "banned"


@define
class State:
    """Who is what to a group after some events."""

    private: bool = False
    owner: str | None = None
    members: list[str] = Factory(list)
    invited: dict[str, Invited] = Factory(dict)
    banned: list[str] = Factory(list)

    def standing(self, user: str) -> str:
        places = {MEMBER: self.members, INVITED: self.invited, BANNED: self.banned}
        found = [name for name, users in places.items() if user in users]
        assert len(found) <= 1, f"{user} is {found}"
        return found[0] if found else OUTSIDE


def replay(log: Sequence[Event]) -> State:
    """Go through a group's log from the start. Fails where it can't be one."""
    state = State()
    for seq, event in enumerate(log, 1):
        assert event.seq == seq, f"{event} is number {seq}"
        match event.action:
            case "cgroupe":
                assert seq == 1
                state.private, state.owner, state.members = event.private, event.sender, [event.sender]  # type: ignore[union-attr]
            case "join":
                assert state.standing(event.sender) in (OUTSIDE, INVITED)
                assert state.standing(event.sender) == INVITED or not state.private
                state.invited.pop(event.sender, None)
                state.members.append(event.sender)
                state.owner = state.owner or event.sender
            case "leave":
                _remove(state, event.sender)
                if state.owner == event.sender:
                    state.owner = state.members[0] if state.members else None
            case "invite":
                assert isinstance(event, Invited)
                assert state.standing(event.dest) == OUTSIDE
                state.invited[event.dest] = event
            case "kick":
                _remove(state, event.dest)  # type: ignore[union-attr]
            case "ban":
                if state.standing(event.dest) != OUTSIDE:  # type: ignore[union-attr]
                    _remove(state, event.dest)  # type: ignore[union-attr]
                state.banned.append(event.dest)  # type: ignore[union-attr]
            case "unban":
                state.banned.remove(event.dest)  # type: ignore[union-attr]
        assert (state.owner is None) == (not state.members)
        assert state.owner is None or state.owner in state.members
    return state


def _remove(state: State, user: str) -> None:
    if user in state.members:
        state.members.remove(user)
    else:
        del state.invited[user]


def verdict(
    log: Sequence[Event],
    request: GroupRequest | ListMembers | ListMessages | ListStates,
    actor: str,
    known: bool = True,
) -> str:
    """Say why *request* is refused after *log*, "again" for an invitation that stands, "" when it is accepted.

    Args:
        known: whether the server knows the target.
    """
    if isinstance(request, Create):
        return "group-exists" if log else ""
    if not log:
        return "group-not-found"
    state, action = replay(log), request.action
    standing = state.standing(actor)
    if standing == BANNED and action in ("join", "gbroadcast", "msgs", "states"):
        return "banned"
    if action == "join":
        if standing == MEMBER:
            return "already-member"
        return "invite-required" if state.private and standing != INVITED else ""
    if action == "leave":
        return "" if standing in (MEMBER, INVITED) else "not-member"
    if action == "members" and not state.private:
        return ""
    if standing != MEMBER:
        return "not-member"
    if action in ("kick", "ban", "unban") and actor != state.owner:
        return "forbidden"
    if action in ("gbroadcast", "members", "msgs", "states"):
        return ""
    dest = request.dest  # type: ignore[union-attr]
    if dest == actor and action != "unban":
        return "self-target"
    target = state.standing(dest)
    if action == "invite":
        again = {MEMBER: "already-member", BANNED: "target-banned", INVITED: "again"}
        return again.get(target, "" if known else "user-not-found")
    if action == "kick":
        return "" if target in (MEMBER, INVITED) else "target-not-member"
    if action == "ban":
        return "target-banned" if target == BANNED else ""
    return "" if target == BANNED else "not-banned"


def new_owner(log: Sequence[Event], request: GroupRequest, actor: str) -> str | None:
    """Name the owner that the event of an accepted *request* must tell, None if it does not change."""
    state = replay(log)
    if isinstance(request, Create) or (isinstance(request, Join) and not state.members):
        return actor
    if isinstance(request, Leave) and actor == state.owner and len(state.members) > 1:
        return next(name for name in state.members if name != actor)
    return None


def told(log: Sequence[Event], event: Event) -> set[str]:
    """Name the users who hear *event*, the next of *log*."""
    before, after = replay(log), replay([*log, event])
    users = {*before.members, *after.members, event.sender}
    if event.action in ("invite", "kick", "unban"):
        users.add(event.dest)  # type: ignore[union-attr]
    if event.action == "ban" and before.standing(event.dest) in (MEMBER, INVITED):  # type: ignore[union-attr]
        users.add(event.dest)  # type: ignore[union-attr]
    return users
