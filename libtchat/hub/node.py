"""A hub that is one of several: what others append, and who is connected to them, comes in as if it had been here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import assert_never

from attrs import define, field

from libtchat.cluster import Barred, FindSeat, News, NodeId, Protected, Record, Relay, ReleaseSeat, Seat
from libtchat.effect import Answer, Ask, Effect, PeerId, Question
from libtchat.hub.elsewhere import Elsewhere
from libtchat.hub.follower import Follower
from libtchat.hub.hub import Hub
from libtchat.hub.interest import Interest
from libtchat.hub.work import NOBODY
from libtchat.message.event import LogEvent
from libtchat.message.names import Key

__all__ = ["Node"]


@define(kw_only=True)
class Node(Hub):
    """A `Hub` among several that are one to their users: they share a log and a roster (see `libtchat.cluster`).

    Its shell also answers the questions given there, carries a `Relay` out, and calls `told`.

    Args:
        node: which one it is.
    """

    node: NodeId
    _follower: Follower = field(init=False)
    _elsewhere: Elsewhere = field(init=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self._line.proves = self._ledger.keeps_empty = self._lookup.at_once = self._presence.is_shared = True
        interest = self._decider.interest = self._login.interest = Interest()
        self._follower = follower = Follower(
            self._line,
            self._presence,
            self._ledger,
            self._newcomers,
            interest,
            self._decider,
            self._revision,
            partial(self._ask, NOBODY),
        )
        self._ledger.pinned = follower.loads
        self._identity.node = self.node
        self._elsewhere = Elsewhere(
            self.node,
            self._line,
            self._presence,
            self._ledger,
            self._login,
            self._decider.guests,
            self._newcomers,
            self.operator,
            partial(self._ask, NOBODY),
        )
        self._login.release = lambda key: self._ask(NOBODY, ReleaseSeat(key))
        self._decider.guests.seek = lambda key: self._ask(NOBODY, FindSeat(key))

    def asks(self, question: Question) -> None:
        """Take note that the shell itself has a question answered: it calls `answered` later, whatever comes."""
        self._follower.asks(question)

    def told(self, told: Iterable[News], now: float) -> None:
        """Take what other nodes appended: per group in order, and without a gap; what is known is passed over.

        Raises:
            ValueError: what is told does not follow what is known.
        """
        self._clock.now = now
        for each in told:
            match each:
                case Record():
                    self._follower.told(each)
                case Protected(key=key, password_hash=password_hash):
                    self.operator.protect(key, password_hash)
                case Barred(key=key, until=until):
                    self.operator.ban(key, until, now)
                case _:
                    assert_never(each)

    def seated(self, seats: Iterable[Seat], now: float) -> None:
        """Take what became of names, here or elsewhere: of one name the revisions in order."""
        self._clock.now = now
        self._elsewhere.seated(seats, now)

    def lost(self, node: NodeId, now: float) -> None:
        """Take note that another node is gone for good, and with it its connections."""
        self._clock.now = now
        self._elsewhere.lost(node)

    def relayed(self, relay: Relay, now: float) -> None:
        """Take a text for connections to this node."""
        self._clock.now = now
        self._elsewhere.relayed(relay)

    def answered(self, ask: Ask, answer: Answer, now: float) -> None:
        """Take the answer to an `Ask`; see `Hub.answered`."""
        self._clock.now = now
        self._follower.answered(ask.question, answer)
        peer = self._peers.get(ask.peer)
        is_awaited = peer is not None and peer.work is not None and peer.awaited == ask.question
        self._elsewhere.answered(ask.question, answer, is_awaited=is_awaited)
        super().answered(ask, answer, now)

    def drain(self) -> list[Effect]:
        """Return what is to be done now; see `Hub.drain`."""
        effects = super().drain()
        self._follower.demand()
        return effects + self._take_asks()

    def committed(self, now: float) -> list[Effect]:
        """Take note that the append that is out is durable; see `Hub.committed`."""
        effects = super().committed(now)
        self._follower.settled()
        return effects + self._leaving.effects()

    def rejected(self, failed: Mapping[Key, tuple[LogEvent, ...]], now: float) -> list[Effect]:
        """Take note that parts of the append that is out failed; see `Hub.rejected`.

        Newer events of others were told before.
        """
        self._clock.now = now
        self._follower.rejected(failed)
        return self._leaving.effects()

    def _ask(self, peer: PeerId, question: Question) -> None:
        self.asks(question)
        super()._ask(peer, question)
