"""Who is still there. A node says so every 5 seconds; one that was not heard of for 30 is gone, and knows it after 20.

Each node counts by its own clock, which goes on while the process is stopped: from when it sent what was acknowledged
later for itself, from when it heard it for others. So no node is gone for others before it is for itself.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime

from libtchat.cluster import NodeId
from tchat_server.clock import Clock
from tchat_server.store.nats.connection import Connection
from tchat_server.store.nats.errors import EngineGone, EngineRefused
from tchat_server.supervisor import Tasks

__all__ = ["FENCE_SECONDS", "LEASE_SECONDS", "Leases"]

RENEW_SECONDS = 5.0
FENCE_SECONDS = 20.0
LEASE_SECONDS = 30.0
_WATCH_SECONDS = 0.25
_TURN_SECONDS = 8.0
"""After so long without an answer another server of the engine is tried: this one may be cut off from the others."""
_RETRY_SECONDS = 0.5
_MARGIN_SECONDS = 5.0

logger = logging.getLogger("tchat_server")


class Leases:
    """This node's lease, and those of the others.

    Args:
        lost: called once for each other node that is gone.
        fenced: called once when this node's own lease may end soon.
        ahead: how many seconds the engine's clock is ahead of this machine's.
    """

    def __init__(
        self,
        connection: Connection,
        subject: Callable[[str], str],
        node: NodeId,
        *,
        lost: Callable[[NodeId], None],
        fenced: Callable[[], None],
        ahead: float,
    ) -> None:
        self._connection, self._subject, self._node = connection, subject, node
        self._lost, self._fenced = lost, fenced
        self._now = Clock(0.0)
        self._engine_now = Clock()
        self._ahead = ahead
        self._renewed = self._turned = self._now()
        self._heard: dict[NodeId, float] = {}
        self._gone: set[NodeId] = set()
        self._tasks = Tasks()
        self.is_fenced = self._is_ending = False

    @property
    def age(self) -> float:
        """Seconds since what was acknowledged last was sent."""
        return self._now() - self._renewed

    def holds(self) -> bool:
        """Tell whether this node's lease holds; if not, it never will again."""
        if self.age > FENCE_SECONDS:
            self._give_up(f"the engine has not taken it for {self.age:.0f} seconds")
        return not self.is_fenced

    @property
    def others(self) -> tuple[NodeId, ...]:
        """The other nodes that are not gone."""
        return tuple(self._heard)

    def _give_up(self, why: str) -> None:
        if not self.is_fenced and not self._is_ending:
            self.is_fenced = True
            logger.error("engine: the lease of this node is over, all its connections are closed: %s", why)
            self._fenced()

    def is_gone(self, node: NodeId) -> bool:
        """Tell whether a node is gone. Each was heard of before anything else of it, so one that never was is, too."""
        return node not in self._heard and node != self._node

    def heard(self, data: bytes, time: str) -> None:
        """Take note of what a node said of itself, at *time* by the engine's clock."""
        try:
            said: Mapping[str, object] = json.loads(data)
            node = NodeId(str(said["node"]))
        except (ValueError, KeyError, TypeError) as error:
            logger.error("roster: a lease is damaged: %r", error)
            return
        if node == self._node and said.get("ended"):
            self._give_up("another node took it for gone: is its own copy (--cache) one of this node's?")
        if node == self._node or node in self._gone:
            return
        age = self._engine_now() + self._ahead - datetime.fromisoformat(time).timestamp()
        self._heard[node] = self._now() - max(0.0, age - _MARGIN_SECONDS)
        if said.get("ended"):
            self._lose(node)

    async def begin(self) -> None:
        """Take the lease; a stream that was just made has no leader for a moment. Raises EngineGone, EngineRefused."""
        deadline = self._now() + FENCE_SECONDS
        while True:
            try:
                await self._renew()
                return
            except EngineGone:
                if self._now() > deadline:
                    raise
            await asyncio.sleep(_RETRY_SECONDS)

    def start(self) -> None:
        """Keep it, and watch those of others."""
        self._tasks.start(self._renew_for_ever())
        self._tasks.start(self._watch())

    async def close(self) -> None:
        """Give it up, and say so if that is possible."""
        await self._tasks.end()
        if not self.is_fenced:
            self._is_ending = True
            with suppress(EngineGone, EngineRefused):
                await self._say(self._node, ended=True)

    async def end(self, node: NodeId) -> None:
        """Say that another node is gone, which is certain: nobody waits for its lease to be over."""
        with suppress(EngineGone, EngineRefused):  # then they do
            await self._say(node, ended=True)

    async def _renew(self) -> None:
        sent = self._now()
        await self._say(self._node, ended=False)
        self._renewed = max(self._renewed, sent)

    async def _say(self, node: NodeId, *, ended: bool) -> None:
        data = json.dumps({"node": node, "ended": ended}).encode()
        headers = {"Nats-TTL": f"{int(2 * LEASE_SECONDS)}s"}
        await self._connection.publish(self._subject(node), data, headers, seconds=2.0)

    async def _renew_for_ever(self) -> None:
        while not self.is_fenced:
            pause = RENEW_SECONDS
            try:
                await self._renew()
            except (EngineGone, EngineRefused) as error:
                logger.debug("engine: the lease is not renewed: %s", error)
                pause = _RETRY_SECONDS
                await self._turn()
            await asyncio.sleep(pause)

    async def _turn(self) -> None:
        if self._now() > max(self._renewed, self._turned) + _TURN_SECONDS:
            self._turned = self._now()
            await self._connection.turn()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            if not self.holds():  # who was cut off himself has heard of nobody
                return
            oldest = self._now() - LEASE_SECONDS
            for node in [node for node, heard in self._heard.items() if heard < oldest]:
                logger.warning("node %s is gone: it was not heard of for %.0f seconds", node, LEASE_SECONDS)
                self._lose(node)

    def _lose(self, node: NodeId) -> None:
        del self._heard[node]
        self._gone.add(node)
        self._lost(node)
