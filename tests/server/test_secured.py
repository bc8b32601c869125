"""A TLS connection that is gone is gone: what it took is free at once, and not when garbage is collected."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from certificates import certificate
from logs import on_loop
from tls import first_flight, sealed, trusting

from tchat_server import Chat
from tchat_server.net.secured import Secured


def begun(port: int) -> None:
    """Begin a handshake, and go when it is answered."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(first_flight())
        assert sock.recv(1)


def used(port: int) -> None:
    """Ask something, and go when it is answered."""
    with trusting().wrap_socket(socket.create_connection(("127.0.0.1", port))) as sock:
        sock.sendall(b'{"action":"ping"}\n')
        assert sock.recv(1)


@pytest.mark.parametrize("act", [begun, used])
def test_a_tls_connection_that_is_gone_leaves_nothing_large_to_the_garbage_collector(
    act: Callable[[int], None], tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path), tmp_path / "key.pem")

    @on_loop
    async def come_and_go() -> None:
        async with Chat() as chat:
            _, port = await chat.listen(tls=context)
            gc.collect()
            gc.disable()
            for _ in range(5):
                await asyncio.to_thread(act, port)
            for _ in range(1000):
                if not any(isinstance(it, Secured) for it in gc.get_objects()):
                    return
                await asyncio.sleep(0.005)
            pytest.fail("a connection is still there")

    try:
        come_and_go()
    finally:
        gc.enable()


def test_what_a_crowd_asks_before_it_half_closes_is_answered(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path), tmp_path / "key.pem")
    questions, crowd = b'{"action":"ping"}\n' * 60, 30

    def ask(socks: list[socket.socket]) -> list[int]:
        """Ask on all *socks* at one moment, end them, and return how many bytes each is answered."""
        asked = [sealed(sock, (questions,)) for sock in socks]
        for sock, data in zip(socks, asked, strict=True):
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        return [sum(map(len, iter(lambda sock=sock: sock.recv(1 << 16), b""))) for sock in socks]

    @on_loop
    async def all_at_once() -> None:
        async with Chat() as chat:
            _, port = await chat.listen(tls=context)
            with ExitStack() as stack:
                socks = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 20)) for _ in range(crowd)]
                answered = await asyncio.to_thread(ask, socks)
        assert min(answered) > 3 * len(questions), answered

    all_at_once()
