"""What an operator does on a running hub: to groups by rulings, to users and their connections at once.

The shell decides who is an operator. What is to last is stored by the shell before it is told here; a ruling alone goes
the way of a request, and is durable when `Settled` says so.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define

from libtchat.effect import Close, PeerId, Send
from libtchat.hub.bars import reason
from libtchat.hub.clock import Clock
from libtchat.hub.decider import Decider
from libtchat.hub.entry import AnyEntry, Notice
from libtchat.hub.identity import Identity
from libtchat.hub.ledger import Ledger
from libtchat.hub.line import Line
from libtchat.hub.peer import Peer
from libtchat.hub.presence import Presence
from libtchat.message.errors import ErrorCode
from libtchat.message.event import OPERATOR
from libtchat.message.names import UserKey
from libtchat.message.reply import Error, PublicMessage
from libtchat.ruling import Ruling
from libtchat.stored import Loaded

__all__ = ["Operator"]


@define
class Operator:
    """The operator of one hub."""

    _clock: Clock
    _line: Line[AnyEntry]
    _presence: Presence
    _ledger: Ledger
    _peers: Mapping[PeerId, Peer]
    _identity: Identity
    _decider: Decider

    def counts(self) -> tuple[int, int]:
        """Return how many users are connected, and how many groups are loaded."""
        return len(self._presence), len(self._ledger)

    def user_of(self, peer: PeerId) -> str | None:
        """Return the name of the user that *peer* is, None if it is nobody's."""
        it = self._peers.get(peer)
        return None if it is None or it.user is None else it.user.name

    def rule(self, ruling: Ruling, ticket: int, loaded: Loaded, now: float) -> None:
        """Decide what an operator does to a group; `Settled` with this *ticket* tells what became of it.

        Args:
            ruling: what is to be done.
            ticket: a number that no other ruling has.
            loaded: the group as the log has it now, as for a `LoadGroup`.
            now: the time.
        """
        self._clock.now = now
        self._decider.rule(ruling, ticket, loaded)

    def announce(self, text: str, now: float) -> None:
        """Tell everybody who is connected *text* (R-op-announce)."""
        self._clock.now = now
        message = PublicMessage(sender=OPERATOR, msg=text, ts=self._clock.ts)
        self._line.put(Notice((Send(self._presence.everybody(), message),)))

    def dismiss(self, user: UserKey, why: str, now: float, *, token: str | None = None) -> int:
        """Close all connections of a user, told *why* in one sentence; return how many there are.

        *token*: is the user's from now on, and nobody knows it: the one in use ends.
        """
        self._clock.now = now
        online = self._presence.user(user)
        if token is not None:
            self._identity.forget(user, token)
        if online is None:
            return 0
        for peer in online.peers:
            self._peers[peer].ended = True
        ends = [Close(peer, ErrorCode.FORBIDDEN) for peer in online.peers]
        error = Error(code=ErrorCode.FORBIDDEN, msg=why)
        self._line.put(Notice((Send(online.peers, error), *ends)))
        return len(ends)

    def bar(self, user: UserKey, until: float | None) -> None:
        """Refuse a user's hellos *until* then, seconds since the epoch; inf: for ever, None: no more (R-op-bar)."""
        self._identity.bars.put(user, until)

    def ban(self, user: UserKey, until: float | None, now: float) -> int:
        """Do as `bar` says, and close the user's connections; return how many there are."""
        self.bar(user, until)
        if until is None or until <= now + self._clock.ahead:
            return 0
        return self.dismiss(user, reason(until), now)

    def protect(self, user: UserKey, password_hash: str | None) -> None:
        """Take note that an operator set the password of a user, or with None took it away; it is stored already."""
        self._identity.protect(user, password_hash)
