"""A server that is one of several: what the log and the roster tell goes out, but not when its lease is over."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import pytest
from logs import TS, Book, create, on_loop, say

from libtchat.cluster import NodeId, Record, Relay, Seat
from libtchat.hub.node import Node
from libtchat.message.event import Said
from libtchat.message.names import Key, UserKey
from libtchat.message.reply import PublicMessage
from libtchat.ruling import CloseGroup
from libtchat.stored import Loaded
from libtchat.wire import codec
from tchat_server.net.ending import CloseReason
from tchat_server.net.peer import PeerProtocol
from tchat_server.operator.desk import Denied, Desk
from tchat_server.roster.port import RosterListener, RosterUnavailable
from tchat_server.server import Server
from tchat_server.store.event_log import EncodedPart, LogUnavailable, Ready
from tchat_server.store.memory import MemoryLog

ME, OTHER = NodeId("here"), NodeId("there")


class Transport(asyncio.Transport):
    """Keeps what is written, and whether it was cut off."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.is_aborted = b"", False

    def write(self, data: Any) -> None:
        self.written += data

    def abort(self) -> None:
        self.is_aborted = True

    def is_closing(self) -> bool:
        return self.is_aborted

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def close(self) -> None: ...


class FollowedLog(MemoryLog):
    """Remembers whom to tell."""

    told: Callable[[Sequence[Record]], None]

    def follow(self, told: Callable[[Sequence[Record]], None]) -> None:
        self.told = told


class OneRoster:
    """A roster of this node alone, which keeps what is relayed."""

    node = ME

    def __init__(self) -> None:
        self.holds, self.is_there, self.is_closed = True, True, False
        self.relays: list[Relay] = []
        self.seats: dict[UserKey, Seat] = {}
        self.listener: RosterListener

    def follow(self, listener: RosterListener) -> None:
        self.listener = listener

    def check(self) -> bool:
        if not self.holds:
            self.listener.fenced()
        return self.holds

    async def find(self, key: UserKey, *, known: bool = False) -> Seat:
        if not self.is_there:
            raise RosterUnavailable("there is no roster now")
        return self.seats.get(key) or Seat(key, "", "")

    async def take(self, seat: Seat) -> int:
        self.seats[seat.key] = seat
        return len(self.seats)

    async def release(self, key: UserKey) -> None:
        del self.seats[key]

    async def end(self, key: UserKey, token: str, why: str) -> int:
        return 0

    def relay(self, relay: Relay) -> None:
        self.relays.append(relay)

    def reached(self) -> Ready[None]:
        return Ready(None)

    async def close(self) -> None:
        self.is_closed = True


class Site:
    """A server that is a node, with one connection."""

    def __init__(self) -> None:
        self.log, self.roster = FollowedLog(), OneRoster()
        self.server = Server(Node("test", node=ME), self.log, roster=self.roster)
        self.peer, self.transport = PeerProtocol(self.server, "127.0.0.1", "127.0.0.1:1"), Transport()
        self.peer.connection_made(self.transport)

    async def say(self, *requests: Any) -> list[Any]:
        """Send requests, and return what was heard by then."""
        self.peer.data_received(b"".join(json.dumps(request).encode() + b"\n" for request in requests))
        return await self.heard()

    async def append(self, part: EncodedPart) -> None:
        """Append at another node."""
        await self.log.append([part])
        self.log.told([Record(part.key, part.expected, part.events, part.digests, part.lines)])

    async def heard(self) -> list[Any]:
        await asyncio.sleep(0.02)
        return [json.loads(line) for line in self.transport.written.split(b"\r\n") if line]


HELLO = {"action": "client-hello", "sender": "alice"}
CREATE = {"action": "cgroupe", "group": "wob"}


@on_loop
async def test_what_another_node_appended_goes_out_in_its_bytes() -> None:
    site = Site()
    await site.say(HELLO, CREATE)
    line = b'{"action":"gbroadcast","sender":"zoe","group":"wob","msg":"hi","seq":2,"words":"of another version"}'
    site.log.told([Record(Key("wob"), 1, (Said("zoe", "wob", "hi", 2, TS, None),), ("",), (line,))])
    await site.heard()
    assert site.transport.written.endswith(line + b"\r\n")


@on_loop
async def test_texts_go_to_other_nodes_and_come_from_them() -> None:
    site = Site()
    await site.say(HELLO)
    site.roster.listener.seated([Seat(UserKey(Key("bob")), "bob", "t", {OTHER: 1}, 9)])
    heard = await site.say({"action": "client-send", "to": "bob", "msg": "psst"})
    assert [(it.users, json.loads(it.line)["msg"]) for it in site.roster.relays] == [(("bob", "alice"), "psst")]
    assert heard[-1]["msg"] == "psst"
    message = PublicMessage("bob", "all", TS, None)
    site.roster.listener.relayed(Relay(message, None, codec.encode(message)))
    site.roster.listener.lost(OTHER)
    heard = await site.heard()
    assert [it.get("event") or it["msg"] for it in heard[-2:]] == ["all", "disconnect"]


@on_loop
async def test_what_comes_while_an_operator_has_a_group_loaded_is_not_passed_over() -> None:
    site, book = Site(), Book()
    await site.log.append([book.part(create())])
    desk, load, go = Desk(site.server), site.log.load, asyncio.Event()

    async def slow(key: Key) -> Loaded:
        loaded = await load(key)
        await go.wait()
        return loaded

    site.log.load = slow  # type: ignore[method-assign, assignment]
    ruling = asyncio.create_task(desk.rule(CloseGroup("wob", undo=True)))
    await asyncio.sleep(0)
    await site.append(book.part(say("of another node")))
    go.set()
    with pytest.raises(Denied):
        await ruling
    await site.append(book.part(say("and one more")))
    assert (await desk.rule(CloseGroup("wob"))).seq == 4


@on_loop
async def test_a_group_that_cannot_be_loaded_for_an_operator_holds_nothing_up() -> None:
    site, book = Site(), Book()
    await site.say(HELLO, CREATE)

    async def broken(key: Key) -> Loaded:
        raise LogUnavailable("the disk is gone")

    site.log.load, load = broken, site.log.load  # type: ignore[method-assign, assignment]
    with pytest.raises(LogUnavailable):
        await Desk(site.server).rule(CloseGroup("dev"))
    site.log.load = load  # type: ignore[method-assign]
    await site.append(book.part(create("dev", by="zoe")))
    assert (await Desk(site.server).rule(CloseGroup("dev"))).seq == 2


@on_loop
async def test_a_name_is_kept_out_at_all_nodes_while_it_is_removed_and_no_other_ban_is_undone() -> None:
    site, bob = Site(), UserKey(Key("bob"))
    desk = Desk(site.server)
    async with desk.keeping_out(bob, "bob", "it is removed"):
        assert 500 < (await site.log.barred())[bob] - time.time() < 700
    assert await site.log.barred() == {}
    async with desk.keeping_out(bob, "bob", "it is removed"):
        await site.log.save_bar(bob, "bob", inf)  # by an operator at another node
    assert await site.log.barred() == {bob: inf}


@on_loop
async def test_a_name_is_unavailable_while_the_roster_is() -> None:
    site = Site()
    site.roster.is_there = False
    assert [it["code"] for it in await site.say(HELLO)] == ["unavailable"]
    site.roster.is_there = True
    assert (await site.say(HELLO))[-1]["action"] == "server-hello"
    assert site.roster.seats[UserKey(Key("alice"))].nodes == {ME: 1}


@on_loop
async def test_when_the_lease_is_over_nothing_is_read_or_told_any_more() -> None:
    site = Site()
    heard = await site.say(HELLO, CREATE)
    assert site.server.neighbours is not None
    assert not site.server.neighbours.over.done()
    site.roster.holds = False
    assert await site.say({"action": "gbroadcast", "group": "wob", "msg": "too late"}) == heard
    site.log.told([Record(Key("wob"), 1, (Said("zoe", "wob", "hi", 2, TS, None),), ("",), (b"{}",))])
    assert await site.heard() == heard
    assert site.transport.is_aborted
    assert site.peer.ending is not None
    assert site.peer.ending.reason is CloseReason.FENCED
    await site.server.neighbours.over
