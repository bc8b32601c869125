"""What waits to be written to one peer, without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from logs import on_loop

from libtchat.message.limits import DEFAULT_LIMITS
from tchat_server.net.flow import GONE, Rota, Turns
from tchat_server.net.outbox import Outbox


class Wire:
    """A carrier that keeps what it carries, and whose outbox it is."""

    def __init__(self) -> None:
        rota = Rota()
        self.written = b""
        self.outbox = Outbox(self, self, Turns(GONE, lambda _: None, rota), rota, DEFAULT_LIMITS)

    def write(self, data: bytes) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None: ...
    def abort(self) -> None: ...

    def guard(self, act: Callable[..., None], *args: Any) -> None:
        act(*args)

    def flush_soon(self) -> None:
        asyncio.get_running_loop().call_soon(self.outbox.flush)

    def fell_behind(self, waiting: int) -> None:
        raise AssertionError(f"{waiting} bytes wait")


@on_loop
async def test_what_comes_at_the_moment_the_last_page_is_gone_is_written() -> None:
    loop, wire = asyncio.get_running_loop(), Wire()

    async def first() -> bytes:
        loop.call_soon(lambda: wire.outbox.put([(None, b"text\n")]))  # in the turn in which the page goes out
        loop.call_soon(wire.outbox.work, second)
        return b"page\n"

    async def second() -> bytes:
        return b"another page\n"

    wire.outbox.work(first)
    for _ in range(20):
        await asyncio.sleep(0)
    assert wire.written == b"page\ntext\nanother page\n"
    assert wire.outbox.is_straight
