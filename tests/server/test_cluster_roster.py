"""Who is connected where, among several nodes: names, leases, texts that are passed on."""

from __future__ import annotations

import asyncio
import itertools
import math
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from attrs import evolve
from engine import shared_engine
from logs import TS, on_loop

from libtchat.cluster import NodeId, Relay, Seat
from libtchat.message.limits import DEFAULT_LIMITS, ServerLimits
from libtchat.message.names import user_key
from libtchat.message.reply import PublicMessage
from libtchat.wire import codec
from tchat_server import clock
from tchat_server.store.nats import calls, lease, roster
from tchat_server.store.nats.connection import Connection
from tchat_server.store.nats.errors import EngineGone, NobodyThere
from tchat_server.store.nats.roster import NatsRoster
from tchat_server.store.nats.stream import open_roster_stream
from tchat_server.store.nats.subject import RosterSubjects
from tchat_server.store.nats.url import EngineUrl, parse_url

_names = itertools.count(1)
_STEP_SECONDS = 5.0
ANN = user_key("Ann")


class Node:
    """A roster, and what it told."""

    def __init__(self, roster: NatsRoster, connection: Connection) -> None:
        self.roster, self.connection = roster, connection
        self.seats: list[Seat] = []
        self.gone: list[NodeId] = []
        self.heard: list[Relay] = []
        self.fences = 0
        roster.follow(self)

    def seated(self, seats: Sequence[Seat]) -> None:
        self.seats += seats

    def lost(self, node: NodeId) -> None:
        self.gone.append(node)

    def relayed(self, relay: Relay) -> None:
        self.heard.append(relay)

    def fenced(self) -> None:
        self.fences += 1

    async def close(self) -> None:
        await self.roster.close()
        await self.connection.close()


async def join(url: EngineUrl, limits: ServerLimits = DEFAULT_LIMITS) -> Node:
    connection = await Connection.open(url)
    subjects = await open_roster_stream(connection, url)
    return Node(await NatsRoster.open(connection, subjects, limits=limits), connection)


@asynccontextmanager
async def nodes(count: int = 2, limits: ServerLimits = DEFAULT_LIMITS) -> AsyncIterator[list[Node]]:
    url = parse_url(shared_engine().url(f"roster-{next(_names)}"))
    found = [await join(url, limits) for _ in range(count)]
    try:
        yield found
    finally:
        for node in found:
            await node.close()


async def until(condition: object) -> None:
    """Poll for what can't be waited for in another way."""
    async with asyncio.timeout(20):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.01)


class Time:
    """Goes by for leases and tokens as fast as the nodes keep up, whatever the machine does meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seconds, self._ahead = clock._seconds, 0.0
        monkeypatch.setattr(clock, "_seconds", lambda: seconds() + self._ahead)
        monkeypatch.setattr(lease, "RENEW_SECONDS", 0.02)
        monkeypatch.setattr(lease, "_MARGIN_SECONDS", math.inf)  # the engine's clock does not go faster

    async def pass_by(self, seconds: float, *alive: Node) -> None:
        """Let so many seconds or more go by, a few at a time, in which those who are *alive* renew their leases."""
        for _ in range(math.ceil(seconds / _STEP_SECONDS)):
            self._ahead += _STEP_SECONDS
            await until(lambda: all(node.roster.leases.age < _STEP_SECONDS or node.fences for node in alive))


async def sit(node: Node, name: str, token: str = "t") -> int:
    """Count one connection more, as a hub does."""
    seat = await node.roster.find(user_key(name))
    mine = node.roster.node
    return await node.roster.take(
        evolve(seat, name=name, token=token, nodes={**seat.nodes, mine: seat.nodes.get(mine, 0) + 1})
    )


@on_loop
async def test_a_name_taken_here_is_taken_there() -> None:
    async with nodes() as (here, there):
        assert await here.roster.find(ANN) == Seat(ANN, ANN, "")
        revision = await sit(here, "Ann")
        seat = Seat(ANN, "Ann", "t", {here.roster.node: 1}, revision)
        assert revision > 0
        assert await there.roster.find(ANN) == seat
        assert there.seats[-1:] == [seat]
        second = await sit(there, "Ann")
        assert second > revision
        assert (await here.roster.find(ANN)).nodes == {here.roster.node: 1, there.roster.node: 1}


@on_loop
async def test_of_two_who_take_a_name_at_once_one_gets_it() -> None:
    async with nodes() as both:
        for number in range(20):
            key = user_key(f"u{number}")
            seats = [Seat(key, f"u{number}", f"t{at}", {node.roster.node: 1}) for at, node in enumerate(both)]
            taken = await asyncio.gather(*(node.roster.take(seat) for node, seat in zip(both, seats, strict=True)))
            assert sorted(map(bool, taken)) == [False, True]
            (winner,) = [seat for seat, revision in zip(seats, taken, strict=True) if revision]
            assert {(await node.roster.find(key)).token for node in both} == {winner.token}


@on_loop
async def test_who_leaves_keeps_the_token_for_a_time_and_then_the_name_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time(monkeypatch)
    async with nodes(limits=evolve(DEFAULT_LIMITS, token_seconds=10.0)) as (here, there):
        assert await sit(here, "Ann")
        assert await sit(here, "Ann")
        released, found = here.roster.release(ANN), here.roster.find(ANN)
        _, seat = await asyncio.gather(released, found)
        assert seat.nodes == {here.roster.node: 1}
        await here.roster.release(ANN)
        await here.roster.release(ANN)
        left = await there.roster.find(ANN)
        assert (left.nodes, left.token, left.revision > seat.revision) == ({}, "t", True)
        await time.pass_by(11, here, there)
        assert await there.roster.find(ANN) == Seat(ANN, ANN, "")
        assert await sit(there, "Ann", "new")
        await time.pass_by(11, here, there)
        assert (await here.roster.find(ANN)).token == "new"


@on_loop
async def test_what_vanished_from_the_engine_is_no_obstacle() -> None:
    async with nodes(limits=evolve(DEFAULT_LIMITS, token_seconds=1.0)) as (here, there):
        await sit(here, "Ann")
        await here.roster.release(ANN)
        await asyncio.sleep(2.5)
        assert await there.roster.take(Seat(ANN, "Ann", "x", {there.roster.node: 1}))
        assert (await here.roster.find(ANN)).token == "x"


@on_loop
async def test_a_node_that_says_goodbye_is_gone_at_once() -> None:
    async with nodes() as (here, there):
        await sit(here, "Ann")
        await sit(there, "Ann")
        await here.close()
        await until(lambda: there.gone)
        assert there.gone == [here.roster.node]
        assert (await there.roster.find(ANN)).nodes == {there.roster.node: 1}
        assert there.fences == 0


@on_loop
async def test_a_node_that_is_cut_off_knows_it_before_the_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time(monkeypatch)
    monkeypatch.setattr(roster, "_TIDY_SECONDS", 0.1)
    async with nodes() as (here, there):
        await sit(here, "Ann")
        await sit(there, "Bea")
        await time.pass_by(lease.LEASE_SECONDS + 1, here, there)
        assert (here.fences, there.fences, here.gone, there.gone) == (0, 0, [], [])
        await here.connection.close()
        while here.roster.check():
            await time.pass_by(_STEP_SECONDS, there)
        assert (here.fences, there.gone) == (1, [])
        while not there.gone:
            await time.pass_by(_STEP_SECONDS, there)
        assert (await there.roster.find(ANN)).nodes == {}
        assert (await there.roster.find(user_key("bea"))).nodes == {there.roster.node: 1}
        assert there.fences == 0
        await until(lambda: not there.roster.seats.stale())


@on_loop
async def test_who_starts_learns_who_is_there_and_who_is_not() -> None:
    url = parse_url(shared_engine().url(f"roster-{next(_names)}"))
    here, gone = await join(url), await join(url)
    await sit(here, "Ann")
    await sit(gone, "Bea")
    await gone.close()
    there = await join(url)
    assert {seat.name: dict(seat.nodes) for seat in there.seats} == {"Ann": {here.roster.node: 1}, "Bea": {}}
    await here.close()
    await there.close()


@on_loop
async def test_a_token_is_ended_once_and_whoever_is_connected_hears_of_it() -> None:
    async with nodes() as (here, there):
        assert await here.roster.end(ANN, "new", "why") == 0
        assert await here.roster.find(ANN) == Seat(ANN, ANN, "")
        await sit(here, "Ann")
        await sit(there, "Ann")
        assert await there.roster.end(ANN, "new", "because") == 2
        seat = await here.roster.find(ANN)
        assert (seat.token, seat.why, seat.nodes) == ("new", "because", {here.roster.node: 1, there.roster.node: 1})
        assert (here.seats[-1], there.seats[-1]) == (seat, seat)
        await here.roster.release(ANN)
        assert ((await here.roster.find(ANN)).token, there.seats[-1].why) == ("new", "because")


@on_loop
async def test_what_all_others_are_asked_each_answers_however_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "CALL_SECONDS", 5.0)
    noise = secrets.token_hex(1_000_000)
    async with nodes(4) as (here, there, early, stuck):

        async def answer(request: Mapping[str, Any], who: str) -> Mapping[str, Any]:
            return {"noise": noise, "request": request, "who": who}

        async def fail(request: Mapping[str, Any], who: str) -> Mapping[str, Any]:
            return {"failed": "its disk is full"}

        here.roster.attend(fail)
        there.roster.attend(answer)
        stuck.roster.attend(fail)
        called = await here.roster.call({"act": "who", "here": True}, "root")
        (said,) = called.answers
        assert (said["noise"] == noise, said["request"], said["who"]) == (True, {"act": "who", "here": True}, "root")
        assert called.silent == 2
        await early.close()
        await stuck.connection.close()
        await until(lambda: early.roster.node in here.gone)
        assert (await here.roster.call({"act": "who"}, "root")).silent == 1


@on_loop
async def test_an_operator_finds_a_node_that_answers_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    url = parse_url(shared_engine().url(f"roster-{next(_names)}"))
    chat, connection = RosterSubjects(url.name), await Connection.open(url)
    starting, node = await join(url), await join(url)

    async def answer(request: Mapping[str, Any], who: str) -> Mapping[str, Any]:
        return {"said": request, "who": who}

    async def outcome() -> type[EngineGone] | None:
        try:
            await calls.find_node(connection, chat)
        except EngineGone as error:
            return type(error)
        return None

    with monkeypatch.context() as patch:
        patch.setattr(calls, "_HAIL_SECONDS", 1.0)
        assert await outcome() is EngineGone
    node.roster.attend(answer)
    found = await calls.find_node(connection, chat)
    assert found == node.roster.node
    assert await calls.call(connection, chat.call(found), {"n": 1}, "me", 5.0) == {"said": {"n": 1}, "who": "me"}
    for each in (starting, node):
        await each.roster.close()
    monkeypatch.setattr(calls, "_HAIL_SECONDS", 1.0)
    async with asyncio.timeout(20):
        while await outcome() is not NobodyThere:
            pass  # the engine had not seen yet that they went
    for it in (starting.connection, node.connection, connection):
        await it.close()


@on_loop
async def test_a_text_reaches_the_other_nodes_in_order() -> None:
    async with nodes(3) as (here, there, elsewhere):
        texts = [PublicMessage("ann", f"text {number}", TS) for number in range(50)]
        for text in texts:
            here.roster.relay(Relay(text, None, codec.encode(text)))
        here.roster.relay(Relay(texts[0], (ANN,), codec.encode(texts[0])))
        for node in (there, elsewhere):
            await until(lambda node=node: len(node.heard) == 51)
            assert [relay.message for relay in node.heard] == [*texts, texts[0]]
            assert {relay.users for relay in node.heard[:-1]} == {None}
            assert node.heard[-1].users == (ANN,)
            assert node.heard[3].line == codec.encode(texts[3])
        assert here.heard == []
