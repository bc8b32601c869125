"""What other nodes tell this server: it goes to the hub, and out in the next tick, while this node's lease holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from attrs import evolve

from libtchat.cluster import News, NodeId, Relay, Seat
from libtchat.effect import Ask, LoadGroup
from libtchat.hub.node import Node
from libtchat.hub.work import NOBODY
from libtchat.message.names import Key, UserKey
from libtchat.message.reply import Message
from libtchat.stored import Loaded
from libtchat.wire.connection import CRLF
from tchat_server.net.ending import CloseReason
from tchat_server.net.peer import PeerProtocol
from tchat_server.roster.port import Roster
from tchat_server.store.event_log import EventLog

__all__ = ["Neighbours", "Teller"]


class Teller(Protocol):
    """Whose neighbours they are."""

    @property
    def peers(self) -> Iterable[PeerProtocol]:
        """Every connection."""

    def now(self) -> float:
        """Return the time of the log's clock."""

    def tick_soon(self) -> None:
        """Ask the hub soon what it wants."""


class Neighbours:
    """The other nodes of one server: a `tchat_server.roster.port.RosterListener`, and who follows the log.

    Attributes:
        over: done when this node's lease is over. Then nothing is told any more, and the server is to end.
        roster: who is connected where.
    """

    def __init__(self, teller: Teller, hub: Node, log: EventLog, roster: Roster) -> None:
        self._teller, self._hub, self._log, self.roster = teller, hub, log, roster
        self._is_fenced = False
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        log.follow(self.told)
        roster.follow(self)

    def may_go_on(self) -> bool:
        """Tell whether this node's lease holds; if not, everything is closed by now."""
        return not self._is_fenced and self.roster.check() and not self._is_fenced

    def relay(self, relay: Relay, encode: Callable[[Message], bytes]) -> None:
        """Send a text to all other nodes, in the line that *encode* makes of it."""
        self.roster.relay(evolve(relay, line=encode(relay.message).removesuffix(CRLF)))

    async def load(self, key: Key) -> Loaded:
        """Load a group: what other nodes append to it meanwhile is told after that. Raises LogUnavailable."""
        ask, loaded = Ask(NOBODY, LoadGroup(key)), None
        self._hub.asks(ask.question)
        try:
            loaded = await self._log.load(key)
        finally:
            self._hub.answered(ask, loaded, self._teller.now())
        return loaded

    async def connections(self, user: UserKey) -> int:
        """Return how many connections a user has to other nodes. Raises RosterUnavailable."""
        seat = await self.roster.find(user)
        return sum(count for node, count in seat.nodes.items() if node != self.roster.node)

    def told(self, told: Sequence[News]) -> None:
        """Take what other nodes appended."""
        self._hub.told(told, self._teller.now())
        self._teller.tick_soon()

    def seated(self, seats: Sequence[Seat]) -> None:
        """Take what became of names."""
        self._hub.seated(seats, self._teller.now())
        self._teller.tick_soon()

    def lost(self, node: NodeId) -> None:
        """Take note that another node is gone."""
        self._hub.lost(node, self._teller.now())
        self._teller.tick_soon()

    def relayed(self, relay: Relay) -> None:
        """Take a text from another node."""
        self._hub.relayed(relay, self._teller.now())
        self._teller.tick_soon()

    def fenced(self) -> None:
        """Close every connection: other nodes will give the names of this one away."""
        if self._is_fenced:
            return
        self._is_fenced = True
        for peer in self._teller.peers:
            peer.abort(CloseReason.FENCED)
        self.over.set_result(None)
