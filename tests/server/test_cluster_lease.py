"""A node is killed, in a time of its own: how long its names stay taken, and that its guests leave once.

The leases are the real ones, over an engine in memory; what they tell goes to the nodes of `nodes`. The clock goes on
as soon as nothing is left to do now.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from attrs import evolve
from nodecheck import check
from nodes import Connection, World

from libtchat.cluster import NodeId
from libtchat.message.request import Create, Hello, Invite, Join, Request
from tchat_server import clock
from tchat_server.store.nats.errors import EngineGone
from tchat_server.store.nats.lease import FENCE_SECONDS, LEASE_SECONDS, Leases

EPOCH = 1_800_000_000.0


class SkippingSelector(selectors.DefaultSelector):
    """Waits for nothing: the time that is to be waited has gone by."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "nothing will ever happen"
        self.now += max(0.0, timeout)
        return super().select(0)


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop in which waiting takes no time."""

    def __init__(self) -> None:
        self.selector = SkippingSelector()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.now


class Engine:
    """Brings what a node says of itself to all others after a while; not from and to one that is cut off."""

    def __init__(self, moments: random.Random) -> None:
        self.moments = moments
        self.leases: dict[NodeId, Leases] = {}
        self.cut_off: set[NodeId] = set()
        self.said_at: dict[NodeId, float] = {}

    def join(self, node: NodeId, lost: Any, fenced: Any) -> Leases:
        found = Leases(_Way(self, node), lambda name: name, node, lost=lost, fenced=fenced, ahead=0.0)  # type: ignore[arg-type]
        self.leases[node] = found
        return found

    async def publish(self, node: NodeId, data: bytes) -> int:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self.moments.uniform(0.001, 0.05))
        if node in self.cut_off:
            await asyncio.sleep(2)
            raise EngineGone("it does not answer")
        self.said_at[node] = loop.time()
        time = datetime.fromtimestamp(EPOCH + loop.time(), UTC).isoformat()
        for other, leases in self.leases.items():
            if other not in self.cut_off:
                loop.call_later(self.moments.uniform(0.001, 0.2), leases.heard, data, time)
        return 1


class _Way:
    """What a node's leases take for the connection to the engine."""

    def __init__(self, engine: Engine, node: NodeId) -> None:
        self.engine, self.node = engine, node

    async def publish(self, subject: str, data: bytes, headers: Mapping[str, str], *, seconds: float) -> int:
        return await self.engine.publish(self.node, data)


class Place:
    """Three nodes of one world with their leases; the last one dies."""

    def __init__(self, seed: int) -> None:
        self.world = World(3, seed)
        self.engine = Engine(random.Random(seed))
        self.number = 0
        self.lost_at: dict[int, float] = {}
        self.fenced_at: dict[int, float] = {}

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        for machine in self.world.machines:
            number = machine.number
            leases = self.engine.join(
                machine.node,
                partial(self.lose, number),
                lambda number=number: self.fenced_at.setdefault(number, loop.time()),
            )
            await leases.begin()
            leases.start()
            await asyncio.sleep(self.engine.moments.uniform(0, 3))

    def lose(self, number: int, gone: NodeId) -> None:
        """Tell one node that another one is gone: it acts on it, and what it appends is on its way."""
        machine = self.world.machines[number]
        self.lost_at[number] = asyncio.get_running_loop().time()
        self.world.gone.add(gone)
        machine.news.append(gone)
        while machine.news:
            self.world.hear_news(machine)

    async def close(self) -> None:
        for leases in self.engine.leases.values():
            await leases.close()

    def enter(self, node: int, name: str | None) -> Connection:
        connection = self.world.connect(node, name or "")
        self.ask(connection, Hello(sender=name))
        return connection

    def ask(self, connection: Connection, request: Request) -> None:
        self.number += 1
        self.world.send(connection, evolve(request, id=f"r{self.number}"))
        self.world.rest()


@pytest.mark.parametrize("seed", range(20))
def test_names_of_a_node_that_died_are_free_within_35_seconds_and_its_guests_leave_once(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def live() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(clock, "_seconds", loop.time)
        monkeypatch.setattr(clock, "time_of_day", lambda: EPOCH + loop.time())
        place = Place(seed)
        world = place.world
        await place.start()
        members = [place.enter(node, name) for node, name in ((0, "alice"), (1, "bob"))]
        guest, invited, carol = place.enter(2, None), place.enter(2, None), place.enter(2, "carol")
        for group in ("wob", "den"):
            place.ask(members[0], Create(group))
            for connection in (members[1], guest, carol):
                place.ask(connection, Join(group))
        place.ask(members[0], Invite("wob", invited.name))
        await asyncio.sleep(place.engine.moments.uniform(0, 20))

        died, dead = loop.time(), world.machines[2].node
        place.engine.cut_off.add(dead)
        world.kill(world.machines[2], keeps_cache=True)
        world.leases.clear()
        await asyncio.sleep(LEASE_SECONDS - FENCE_SECONDS)
        assert place.enter(0, "carol").token is None, "the name is not free as long as the lease holds"
        while len(place.lost_at) < 2:
            assert loop.time() - died < 35, place.lost_at
            await asyncio.sleep(0.01)
        lost_at = min(place.lost_at.values())
        place.lose(2, dead)  # who came in its place learns it when it starts
        world.rest()
        assert place.enter(1, "carol").token
        for group in ("wob", "den"):
            left = [event.sender for event in world.events(group) if event.action == "leave"]
            assert sorted(left) == sorted({guest.name, *([invited.name] if group == "wob" else [])}), left
        said_at = place.engine.said_at[dead]
        assert place.fenced_at.get(2, lost_at) < lost_at, "it knows before the others do"
        assert said_at + LEASE_SECONDS < lost_at
        check(world)
        await place.close()

    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        runner.run(live())
