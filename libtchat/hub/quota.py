"""How much one user may have: groups created and joined, invitations that wait, and texts of how many users."""

from __future__ import annotations

from attrs import Factory, define

from libtchat.effect import Part
from libtchat.group import Group, Standing
from libtchat.hub.ledger import Ledger
from libtchat.hub.user import OnlineUser
from libtchat.message.direct import Sent
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.event import Invited
from libtchat.message.limits import ServerLimits
from libtchat.message.names import UserKey, user_key
from libtchat.message.request import Create, Join
from libtchat.rules import admit
from libtchat.stored import Known, Membership

__all__ = ["Quota"]


@define(eq=False)
class Counted:
    """What is counted of a user while lookups of it wait. *changes*: how often that became less."""

    lookups: int = 0
    changes: int = 0


@define
class Quota:
    """The shares of all users of one hub."""

    limits: ServerLimits
    _ledger: Ledger
    _inviting: dict[UserKey, int] = Factory(dict)
    _sending: dict[UserKey, int] = Factory(dict)
    _counted: dict[UserKey, Counted] = Factory(dict)

    def check_groups(self, user: OnlineUser, request: Create | Join, group: Group | None) -> None:
        """Check how many groups a *user* who enters created and is in; what the group itself refuses comes first.

        Raises:
            Refused: limit-reached, or see `libtchat.rules.admit`.
        """
        limits = self.limits
        if isinstance(request, Create):
            if group is None and user.created >= limits.max_groups_created:
                raise Refused(ErrorCode.LIMIT_REACHED, "you created too many groups", limit=limits.max_groups_created)
        else:
            admit(group, request, user.key)
        joined = sum(self._standing(user, it) is Standing.MEMBER for it in user.memberships.values())
        if joined >= limits.max_groups_joined:
            raise Refused(ErrorCode.LIMIT_REACHED, "you are in too many groups", limit=limits.max_groups_joined)

    def check_invitations(self, user: UserKey, known: Known | None) -> None:
        """Check that one more invitation of *user* may wait for its answer.

        Raises:
            Refused: limit-reached.
        """
        limit, waiting = self.limits.max_invitations, 0 if known is None else known.invitations
        if waiting + self._inviting.get(user, 0) >= limit:
            raise Refused(ErrorCode.LIMIT_REACHED, "that user has too many invitations to answer", limit=limit)

    def senders(self, user: UserKey, known: Known) -> int:
        """Return of how many users texts wait for *user*."""
        return known.senders + self._sending.get(user, 0)

    def count(self, part: Part, change: int) -> None:
        """Count what is decided and not durable, as nobody else knows of it yet: invitations, first texts that wait."""
        event = part.events[-1]
        if isinstance(event, Invited):
            self._add(self._inviting, user_key(event.dest), change)
        elif isinstance(event, Sent) and event.kept:
            user = user_key(event.to)
            if part.after.boxes[user].waiting[0] == event.seq:
                self._add(self._sending, user, change)

    def begin(self, user: UserKey) -> Counted:
        """See from now on what is counted no more of *user*: a lookup may be of before it became durable."""
        counted = self._counted.setdefault(user, Counted())
        counted.lookups += 1
        return counted

    def end(self, user: UserKey) -> None:
        """Take note that one lookup of *user* waits no longer."""
        counted = self._counted[user]
        counted.lookups -= 1
        if not counted.lookups:
            del self._counted[user]

    def _add(self, counts: dict[UserKey, int], user: UserKey, change: int) -> None:
        counts[user] = counts.get(user, 0) + change
        if not counts[user]:
            del counts[user]
        if change < 0 and user in self._counted:
            self._counted[user].changes += 1

    def _standing(self, user: OnlineUser, membership: Membership) -> Standing:
        slot = self._ledger.slot(membership.key)
        return slot.newest.standing(user.key) if slot and slot.newest else membership.standing
