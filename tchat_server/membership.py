"""A server that is one of several nodes: its hub is told what the others do, and it ends when its lease does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from libtchat.cluster import NodeId, Record, Relay, Seat
from libtchat.hub.node import Node
from tchat_server.net.ending import CloseReason
from tchat_server.roster.port import Roster
from tchat_server.server import Server

__all__ = ["Membership"]


class Membership:
    """Follows the log and the roster for the hub of *server*; a `Listener`.

    Attributes:
        ended: done when the lease may end soon. Every connection is closed then; to go on is to begin anew.
    """

    def __init__(self, server: Server, hub: Node, roster: Roster) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._server, self._hub = server, hub
        server.log.follow(self._told)
        roster.follow(self)

    def seated(self, seats: Sequence[Seat]) -> None:
        """Take what became of names."""
        self._hub.seated(seats, self._server.now())
        self._server.tick_soon()

    def lost(self, node: NodeId) -> None:
        """Take note that another node is gone."""
        self._hub.lost(node, self._server.now())
        self._server.tick_soon()

    def relayed(self, relay: Relay) -> None:
        """Take a text from another node."""
        self._hub.relayed(relay, self._server.now())
        self._server.tick_soon()

    def fenced(self) -> None:
        """Close every connection: others may give this node's names away soon."""
        for peer in self._server.peers:
            peer.abort(CloseReason.STOP)
        if not self.ended.done():
            self.ended.set_result(None)

    def _told(self, records: Sequence[Record]) -> None:
        self._hub.told(records, self._server.now())
        self._server.tick_soon()
