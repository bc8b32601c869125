"""The server's shell without a network: who is read when, and what is written."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import pytest
from live import Server
from logs import TS, Book, create, on_loop, page, say, turns

from libtchat.hub.hub import Hub
from libtchat.message.event import Event, Said
from libtchat.message.limits import DEFAULT_LIMITS
from libtchat.message.names import Key
from libtchat.message.reply import Message, Welcome
from libtchat.wire import codec
from tchat_server import server as shell
from tchat_server.net.admission import origin_of
from tchat_server.net.ending import CloseReason
from tchat_server.net.peer import PeerProtocol
from tchat_server.store.event_log import EncodedPart
from tchat_server.store.lines import Lines
from tchat_server.store.memory import MemoryLog
from tchat_server.store.sqlite.log import SqliteLog

PING = b'{"action":"ping"}'


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def close(self) -> None: ...


def connect(server: shell.Server) -> tuple[PeerProtocol, Transport]:
    peer, transport = PeerProtocol(server, "127.0.0.1", "127.0.0.1:1"), Transport()
    peer.connection_made(transport)
    return peer, transport


def make_server() -> shell.Server:
    return shell.Server(Hub(), MemoryLog())


@on_loop
async def test_an_event_is_encoded_once_and_told_in_the_bytes_that_are_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[Message] = []
    encode = codec.encode
    monkeypatch.setattr(codec, "encode", lambda message: (encoded.append(message), encode(message))[1])
    log = MemoryLog()
    peer, transport = connect(shell.Server(Hub(), log))
    peer.data_received(b'{"action":"cgroupe","sender":"alice","group":"wob"}\n')
    peer.data_received(b'{"action":"gbroadcast","sender":"alice","group":"WOB","msg":"hello"}\n' * 3)
    await turns()
    assert [event.seq for event in encoded if isinstance(event, Event)] == [1, 2, 3, 4]
    told = [line for line in transport.written.split(b"\r\n") if b'"seq"' in line]
    assert told == [*(await page(log)).lines]


def test_what_is_not_among_the_stored_parts_is_sent_as_itself() -> None:
    book = Book()
    book.part(create())
    stored = book.part(say("un"), say("deux"))
    line = Lines([stored])
    for event, kept in zip(stored.events, stored.lines, strict=True):
        assert line(event) == kept + b"\r\n"
    for other in (
        *Book().part(create()).events,
        Said("alice", "wob", "later", 4, TS),
        Said("alice", "dev", "elsewhere", 2, TS),
        Welcome("alice", 1, "test", "token", (), {}),
    ):
        assert line(other) == codec.encode(other) + b"\r\n"


class Refusing(MemoryLog):
    """Cannot store a text, and says so a while later."""

    def append(self, parts: Sequence[EncodedPart]) -> Any:
        if not any(isinstance(event, Said) for part in parts for event in part.events):
            return super().append(parts)
        return self._refuse(parts)

    async def _refuse(self, parts: Sequence[EncodedPart]) -> dict[Key, tuple[Event, ...]]:
        await asyncio.sleep(0.01)
        return {part.key: () for part in parts}


@on_loop
async def test_who_comes_while_an_append_fails_gets_his_own_answer() -> None:
    server = shell.Server(Hub(), Refusing())
    alice, hers = connect(server)
    alice.data_received(b'{"action":"cgroupe","sender":"alice","group":"wob"}\n')
    await turns()
    alice.data_received(b'{"action":"gbroadcast","sender":"alice","group":"wob","msg":"lost"}\n' * 4)
    await asyncio.sleep(0)
    strangers = [connect(server) for _ in range(8)]
    for number, (peer, _) in enumerate(strangers):
        peer.data_received(b'{"action":"client-hello","sender":"u%d"}\n' % number)
    async with asyncio.timeout(5):
        while hers.written.count(b'"unavailable"') < 4:
            await asyncio.sleep(0.01)
    await turns()
    assert hers.written.count(b'"unavailable"') == 4
    for _, transport in strangers:
        assert b"server-hello" in transport.written
        assert b"lost" not in transport.written


@pytest.mark.parametrize("kind", ["memory", "disk"])
@on_loop
async def test_a_list_of_groups_does_not_show_one_that_is_made_after_it(kind: str, tmp_path: Path) -> None:
    log = MemoryLog() if kind == "memory" else SqliteLog.open(tmp_path / "t.db")
    server = shell.Server(Hub(), log)
    peer, transport = connect(server)
    peer.data_received(b'{"action":"client-hello","sender":"alice"}\n')
    while not transport.written:
        await asyncio.sleep(0.01)
    transport.written = b""
    peer.data_received(b'{"action":"groups","sender":"alice"}\n{"action":"cgroupe","sender":"alice","group":"wob"}\n')
    while transport.written.count(b"\n") < 2:
        await asyncio.sleep(0.01)
    groups, created = map(json.loads, transport.written.splitlines())
    assert (groups["list"], groups["mine"], created["action"]) == ([], [], "cgroupe")
    await log.close()


@on_loop
async def test_who_waits_for_a_backlog_of_questions_only_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "_MAX_BACKLOG", 5)
    peer, transport = connect(make_server())
    peer.data_received((PING + b"\n") * 10)  # above the limit, and no append will come
    await turns()
    assert transport.written.count(b"\n") == 10
    peer.data_received(PING + b"\n")
    await turns()
    assert transport.written.count(b"\n") == 11


@on_loop
async def test_lists_that_a_crowd_asks_for_at_one_moment_are_made_a_few_at_a_time() -> None:
    server = make_server()
    crowd = [connect(server) for _ in range(30)]
    for number, (peer, _) in enumerate(crowd):
        peer.data_received(b'{"action":"client-hello","sender":"u%d"}\n' % number)
    await turns()
    for peer, transport in crowd:
        transport.written = b""
        peer.data_received(b'{"action":"users"}\n' * 60)
    made = [0]
    async with asyncio.timeout(5):
        while made[-1] < 30 * 60:
            await asyncio.sleep(0)
            made.append(sum(transport.written.count(b"\n") for _, transport in crowd))
    assert max(after - before for before, after in pairwise(made)) <= 64


@on_loop
async def test_connections_that_come_at_one_moment_are_accepted_a_few_at_a_time() -> None:
    server = make_server()
    address = await server.listen("127.0.0.1", 0)
    accepted = [0]
    with ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(socket.create_connection(address))
        async with asyncio.timeout(5):
            while accepted[-1] < 60:
                await asyncio.sleep(0)
                accepted.append(server.admission.size)
    await server.stop(0.0)
    assert max(after - before for before, after in pairwise(accepted)) <= 16


@on_loop
async def test_who_alone_has_much_carried_pays_for_it() -> None:
    server = shell.Server(Hub(), MemoryLog(), limits=attrs.evolve(DEFAULT_LIMITS, delivered_burst_bytes=10_000))
    peer, _ = connect(server)
    peer.data_received(b'{"action":"cgroupe","sender":"alice","group":"wob"}\n')
    await turns()
    assert not peer.turns.is_held
    peer.data_received(b'{"action":"gbroadcast","sender":"alice","group":"wob","msg":"%b"}\n' % (b"x" * 8000) * 4)
    async with asyncio.timeout(5):
        while not peer.turns.is_held:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("is_blocked", [True, False])
@on_loop
async def test_no_line_is_lost_or_doubled_when_a_peer_begins_to_end_its_lines(is_blocked: bool) -> None:
    peer, transport = connect(make_server())
    peer.data_received(PING)  # no newline: its lines are spaced
    await asyncio.sleep(0.05)  # the gap behind the answer is over, as a rule
    transport.written = b""
    if is_blocked:
        peer.pause_writing()
    lines = [b"one\r\n", b"two\r\n", b"three\r\n"]
    peer.outbox.put([(None, line) for line in lines])
    peer.data_received(b"\n")
    if is_blocked:
        peer.resume_writing()
    await turns()
    assert transport.written == b"".join(lines)


def test_a_fault_of_ours_costs_one_peer_or_ends_the_server_but_never_goes_unnoticed(tmp_path: Path) -> None:
    prelude = (
        "from libtchat.hub.identity import Identity\n"
        "enter = Identity.enter\n"
        "def faulty(self, peer, hello, *rest):\n"
        "    user = yield from enter(self, peer, hello, *rest)\n"
        "    assert not (hello.sender or '').startswith('faulty'), 'planned'\n"
        "    return user\n"
        "Identity.enter = faulty\n"
    )
    server = Server(tmp_path, prelude=prelude)
    try:
        with server.client("alice") as alice, server.client() as other:
            assert other.ask(action="client-hello", **{"from": "faulty"})["code"] == "internal"
            assert other.rest() == []
            assert alice.ask(action="ping")["action"] == "ping"
        assert server.logs("planned")
    finally:
        server.stop()


@pytest.mark.parametrize("greeting", [b"\n", b""], ids=["at once", "spaced"])
def test_a_fault_of_ours_in_delivering_costs_who_it_was_for(greeting: bytes, tmp_path: Path) -> None:
    prelude = (
        "from tchat_server.net.outbox import Outbox\n"
        "flush, write_spaced = Outbox.flush, Outbox._write_spaced\n"
        "def check(self, data):\n"
        "    assert b'planned' not in data or self.sender.host != '127.0.0.9'\n"
        "Outbox.flush = lambda self: (check(self, b''.join(self.chunks)), flush(self))\n"
        "Outbox._write_spaced = lambda self, line: (check(self, line), write_spaced(self, line))\n"
    )
    server = Server(tmp_path, prelude=prelude)
    try:
        with server.client("alice") as alice, server.client("bob") as bob, server.client(source="127.0.0.9") as other:
            other.write(json.dumps({"action": "client-hello", "from": "faulty"}).encode() + greeting)
            assert other.get()["action"] == "server-hello"
            alice.send(action="client-send", to="faulty", msg="planned")
            other.rest()
            assert alice.get()["action"] == "server-send"
            assert bob.ask(action="ping")["action"] == "ping"
        assert server.logs("AssertionError")
    finally:
        assert server.stop() == 0


@on_loop
async def test_nothing_is_written_to_who_is_gone() -> None:
    peer, transport = connect(make_server())
    peer.data_received(PING + b"\n")
    peer.connection_lost(None)
    await turns()
    peer.outbox.put([(None, b"late\r\n")])
    peer.outbox.flush()
    peer.finish(CloseReason.QUIT)
    peer.abort(CloseReason.SILENT)
    await turns()
    assert transport.written == b""


def test_a_fault_of_ours_in_writing_ends_the_server_with_the_reason_and_tells_nothing(tmp_path: Path) -> None:
    prelude = "from tchat_server.store.sqlite import rows\nrows.RowWriter.append = lambda *_: 1 // 0\n"
    server = Server(tmp_path, "--db", str(tmp_path / "t.db"), prelude=prelude)
    with server.client("alice") as alice:
        alice.send(action="cgroupe", group="wob")
        assert [message["action"] for message in alice.rest()] == ["server-quit"]
    assert server.process.wait(10) not in (0, None)
    assert "ZeroDivisionError" in server.log()


@pytest.mark.parametrize(
    "fault",
    [
        "from tchat_server.store.sqlite import reader; reader.read = lambda *_, **__: 1 // 0",
        "from tchat_server.store import pages; pages.codec.encode_page = lambda *_, **__: 1 // 0",
    ],
)
def test_a_fault_of_ours_in_reading_costs_who_asked_and_nobody_else(fault: str, tmp_path: Path) -> None:
    server = Server(tmp_path, "--db", str(tmp_path / "t.db"), prelude=fault)
    try:
        with server.client("alice") as alice, server.client("bob") as bob:
            alice.ask(action="cgroupe", group="wob")
            assert alice.code(action="msgs", group="wob") in ("unavailable", "internal")
            assert bob.ask(action="ping")["action"] == "ping"
            assert bob.ask(action="join", group="wob")["seq"] == 2
        assert server.logs("ZeroDivisionError")
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::1", "::1"),
    ],
)
def test_one_ipv6_network_counts_as_one_address(host: str, origin: str) -> None:
    assert origin_of(host) == origin
