"""The server's shell without a network: who is read when, and what is written."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from live import Server
from test_log import on_loop

from libtchat.hub import Hub
from libtchat.limits import DEFAULT_LIMITS
from tchat_server import server as shell
from tchat_server.log.memory import MemoryLog
from tchat_server.peer import PeerProtocol
from tchat_server.storage import Encoder

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
    encoder = Encoder()
    return shell.Server(Hub(), MemoryLog(encode=encoder, limits=DEFAULT_LIMITS), encoder)


@on_loop
async def test_who_waits_for_a_backlog_of_questions_only_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "_MAX_BACKLOG", 5)
    peer, transport = connect(make_server())
    peer.data_received((PING + b"\n") * 10)  # above the limit, and no append will come
    await asyncio.sleep(0.01)
    assert transport.written.count(b"\n") == 10
    peer.data_received(PING + b"\n")
    await asyncio.sleep(0.01)
    assert transport.written.count(b"\n") == 11


@pytest.mark.parametrize("is_blocked", [True, False])
@on_loop
async def test_no_line_is_lost_or_doubled_when_a_peer_begins_to_end_its_lines(is_blocked: bool) -> None:
    peer, transport = connect(make_server())
    peer.data_received(PING)  # no newline: its lines are spaced
    await asyncio.sleep(0.05)
    transport.written = b""
    if is_blocked:
        peer.pause_writing()
    lines = [b"one\r\n", b"two\r\n", b"three\r\n"]
    peer.deliver([(None, line) for line in lines])
    peer.data_received(b"\n")
    if is_blocked:
        peer.resume_writing()
    await asyncio.sleep(0.1)
    assert transport.written == b"".join(lines)


def test_a_fault_of_ours_costs_one_peer_or_ends_the_server_but_never_goes_unnoticed(tmp_path: Path) -> None:
    prelude = (
        "from libtchat.identity import Identity\n"
        "enter = Identity.enter\n"
        "def faulty(self, peer, hello, now):\n"
        "    session = enter(self, peer, hello, now)\n"
        "    assert not (hello.sender or '').startswith('faulty'), 'planned'\n"
        "    return session\n"
        "Identity.enter = faulty\n"
    )
    server = Server(tmp_path, prelude=prelude)
    try:
        with server.client("alice") as alice, server.client() as other:
            assert other.ask(action="client-hello", **{"from": "faulty"})["code"] == "internal"
            assert other.rest() == []
            assert alice.ask(action="ping")["action"] == "ping"
        assert "planned" in server.log()
    finally:
        server.stop()
