"""What other nodes tell this server: it goes to the hub, and out in the next tick, while this node's lease holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from attrs import evolve

from libtchat.cluster import NodeId, Record, Relay, Seat
from libtchat.hub.node import Node
from libtchat.message.reply import Message
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
    """The other nodes of one server: a `tchat_server.roster.port.Listener`, and who follows the log.

    Attributes:
        over: done when this node's lease is over. Then nothing is told any more, and the server is to end.
    """

    def __init__(self, teller: Teller, hub: Node, log: EventLog, roster: Roster) -> None:
        self._teller, self._hub, self._roster = teller, hub, roster
        self._is_fenced = False
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        log.follow(self.told)
        roster.follow(self)

    def may_go_on(self) -> bool:
        """Tell whether this node's lease holds; if not, everything is closed by now."""
        return not self._is_fenced and self._roster.check() and not self._is_fenced

    def relay(self, relay: Relay, encode: Callable[[Message], bytes]) -> None:
        """Send a text to all other nodes, in the line that *encode* makes of it."""
        self._roster.relay(evolve(relay, line=encode(relay.message).removesuffix(CRLF)))

    # --- what the log and the roster tell ---

    def told(self, records: Sequence[Record]) -> None:
        """Take what other nodes appended."""
        self._hub.told(records, self._teller.now())
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
