"""Guests that are gone: with its last connection a guest leaves its groups (R-guest-leave)."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define

from libtchat.group import Group, Standing
from libtchat.hub.entry import AnyEntry, Decision, Receive
from libtchat.hub.ledger import Ledger, Slot
from libtchat.hub.line import Line
from libtchat.hub.presence import Presence
from libtchat.hub.user import OnlineUser
from libtchat.message.names import Key, UserKey, is_guest
from libtchat.message.request import Leave, Tell

__all__ = ["Guests"]


@define
class Guests:
    """Has the guests of one hub leave who are gone.

    *put* decides, and puts the decision in the line. *seek*: among several nodes, finds out whether a guest is
    connected to any; if not, `lost` is called.
    """

    _line: Line[AnyEntry]
    _presence: Presence
    _ledger: Ledger
    _put: Callable[[Slot, Decision], None]
    seek: Callable[[UserKey], None] | None = None

    def went(self, guest: OnlineUser) -> None:
        """Let a guest who went leave its groups, and those it may enter yet by what stands in the line."""
        mine = [it for it in self._line.revisable() if isinstance(it, Decision) and it.user is guest]
        names = {it.key: it.request.group for it in mine if not isinstance(it.request, (Tell, Receive))}
        names |= {key: membership.name for key, membership in guest.memberships.items()}
        for key, name in names.items():
            if (slot := self._ledger.slot(key)) is not None:
                self._leave(guest, key, slot, name)

    def loaded(self, key: Key, group: Group) -> None:
        """Let guests leave a group that was loaded now: who is not here went when the server ended, without a leave."""
        for user in (*group.members, *group.invited):
            if is_guest(user) and self._presence.user(user) is None and (slot := self._ledger.slot(key)) is not None:
                if self.seek is None:
                    self._let_go(user, group, key, slot)
                else:
                    self.look_for(user, group)

    def look_for(self, user: UserKey, group: Group) -> None:
        """Find out whether a guest in *group* is anywhere, who is not connected here as far as is known."""
        is_guest_inside = is_guest(user) and _is_inside(group, user)
        if self.seek is not None and is_guest_inside and self._presence.elsewhere(user) is None:
            self.seek(user)

    def lost(self, user: UserKey) -> None:
        """Let a guest leave the groups that are loaded: its connections ended with another node."""
        for key, slot in self._ledger.loaded():
            group = slot.newest
            if group is not None and _is_inside(group, user):
                self._let_go(user, group, key, slot)

    def _let_go(self, user: UserKey, group: Group, key: Key, slot: Slot) -> None:
        name = group.name_of(user)
        assert name is not None, "it is in the group"
        self._leave(OnlineUser.without_peer(user, name), key, slot, group.name)

    def _leave(self, guest: OnlineUser, key: Key, slot: Slot, group: str) -> None:
        self._put(slot, Decision(None, guest, Leave(group), key, self._presence.arrivals))


def _is_inside(group: Group, user: UserKey) -> bool:
    return group.standing(user) in (Standing.MEMBER, Standing.INVITED)
