"""How much one user may have: groups created and joined, invitations that wait for an answer."""

from __future__ import annotations

from attrs import Factory, define

from libtchat.group import Group, Standing
from libtchat.hub.ledger import Ledger
from libtchat.hub.user import OnlineUser
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.event import Invited, LogEvent
from libtchat.message.limits import ServerLimits
from libtchat.message.names import UserKey, user_key
from libtchat.message.request import Create, Join
from libtchat.rules import admit
from libtchat.stored import Known, Membership

__all__ = ["Quota"]


@define
class Quota:
    """The shares of all users of one hub."""

    limits: ServerLimits
    _ledger: Ledger
    _inviting: dict[UserKey, int] = Factory(dict)

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

    def count(self, event: LogEvent, change: int) -> None:
        """Count the invitations that are decided and not durable: nobody else knows of them yet."""
        if isinstance(event, Invited):
            user = user_key(event.dest)
            self._inviting[user] = self._inviting.get(user, 0) + change
            if not self._inviting[user]:
                del self._inviting[user]

    def _standing(self, user: OnlineUser, membership: Membership) -> Standing:
        slot = self._ledger.slot(membership.key)
        return slot.newest.standing(user.key) if slot and slot.newest else membership.standing
