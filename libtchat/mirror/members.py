"""Pages of members -> the state of a group."""

from __future__ import annotations

from libtchat.group import Group
from libtchat.message.event import Invited
from libtchat.message.names import user_key
from libtchat.message.reply import Members
from libtchat.mirror.view import View

__all__ = ["take_members"]

_MOST_MEMBERS = 100_000
_MOST_RESTARTS = 10
"""Beyond, a group's members stay unknown: no list of theirs is asked for without end, whatever the server answers."""


def take_members(view: View, page: Members, after: str | None) -> None:
    """Take a page of members as the group's state: it is exact for the names beyond *after*."""
    if not view.is_member or (after is not None and after != view.members_after):
        return
    known = view.group if after is not None else None
    if after is not None and (known is None or known.seq != page.seq):
        view.members_after = None  # the group has moved on in between: from the start, but not for ever
        view.members_restarts += 1
        view.wants_members = view.members_restarts < _MOST_RESTARTS
        return
    members = {} if known is None else dict(known.members)
    invited = {} if known is None else dict(known.invited)
    banned = {} if known is None else dict(known.banned)
    members.update((user_key(name), name) for name in page.list)
    invited.update((user_key(name), _invitation(page.group, name)) for name in page.invited or ())
    banned.update((user_key(name), name) for name in page.banned or ())
    owner = None if page.owner is None else user_key(page.owner)
    view.group = Group(page.group, False, page.seq, "", owner, members, invited, banned, page.closed)
    names = (*page.list, *(page.invited or ()), *(page.banned or ()))
    last = max(map(user_key, names), default="")
    count = len(members) + len(invited) + len(banned)
    view.wants_members = page.more and last > user_key(after or "") and count < _MOST_MEMBERS
    view.members_after = max(names, key=user_key) if view.wants_members else None
    if not page.more:
        view.members_restarts = 0


def _invitation(group: str, dest: str) -> Invited:
    """Stand in for an invitation that one was not told of."""
    return Invited("", group, dest, 0, "")
