"""What is looked up before a request is decided: who its target is, and what a request with its id made already."""

from __future__ import annotations

from attrs import define

from libtchat.cluster import FindSeat, Seat
from libtchat.effect import FindRetry, FindUser
from libtchat.group import Group, Standing
from libtchat.hub.clock import Clock
from libtchat.hub.presence import Presence
from libtchat.hub.user import OnlineUser
from libtchat.hub.work import Work, ask
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.limits import ServerLimits
from libtchat.message.names import UserKey, user_key
from libtchat.message.request import Ban, GroupRequest, Invite, Tell
from libtchat.rules import decide
from libtchat.stored import Known, Retried, Retry

__all__ = ["Lookup"]


@define
class Lookup:
    """Looks up at hand, and in the log what is not at hand.

    *at_once*: targets are looked up though the request is not in order now; another node's event may change that.
    """

    limits: ServerLimits
    _clock: Clock
    _presence: Presence
    at_once: bool = False

    def target(self, user: OnlineUser, group: Group | None, request: GroupRequest | Tell) -> Work[Known | None]:
        """Return the target's name as displayed and how many invitations wait for its answer.

        The log is asked only when all else is in order (unless `at_once`), else the result is None: should the request
        be decided again and then be in order, the peer is told to ask again.

        Raises:
            Refused: unavailable.
        """
        if isinstance(request, Tell):
            return (yield from self.addressee(request))
        if not isinstance(request, (Invite, Ban)):
            return None
        target = user_key(request.dest)
        if (known := self._online(target)) is not None:
            return known
        if not (self.at_once or self._lacks_target_only(group, request, user)):
            return None
        known = yield from ask(FindUser(target), Known)
        if known.name is None and self.at_once:
            seat = yield from ask(FindSeat(target), Seat)
            known = Known(seat.name if seat.nodes else None)
        return self._online(target) or known  # it may have come online meanwhile

    def _lacks_target_only(self, group: Group | None, request: Invite | Ban, user: OnlineUser) -> bool:
        try:
            decide(group, request, user.name, ts=self._clock.ts, limits=self.limits)
        except Refused as refusal:
            return refusal.code is ErrorCode.USER_NOT_FOUND
        return False

    def addressee(self, request: Tell) -> Work[Known]:
        """Return what is known of the user a text is for.

        Raises:
            Refused: unavailable.
        """
        to = user_key(request.to)
        if (known := self._online(to)) is not None:
            return known
        known = yield from ask(FindUser(to), Known)
        return self._online(to) or known  # it may have come online meanwhile

    def may_be_stored(self, user: OnlineUser, request: GroupRequest | Tell) -> bool:
        """Tell whether the id of *request*, if it has one, may be in the log alone."""
        if request.id is None:
            return False
        retries, now = user.retries, self._clock.now
        return retries.stored_until >= now and retries.find(request.id, now) is None

    def earlier(self, user: OnlineUser, request: GroupRequest | Tell) -> Work[Retry | None]:
        """Return what a request with this id made, if the log alone remembers it.

        Raises:
            Refused: unavailable.
        """
        if request.id is None or not self.may_be_stored(user, request):
            return None
        found = yield from ask(FindRetry(user.key, request.id), Retried)
        return found.retry

    def _online(self, target: UserKey) -> Known | None:
        user = self._presence.user(target)
        if user is None:
            return None
        invitations = sum(it.standing is Standing.INVITED for it in user.memberships.values())
        return Known(user.name, invitations, user.password_hash is not None)
