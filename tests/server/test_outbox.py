"""What waits to be written to one peer, without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from logs import TS, on_loop

from libtchat.effect import PeerId, Send
from libtchat.message.limits import DEFAULT_LIMITS
from libtchat.message.reply import PresenceNotice, PublicMessage
from tchat_server.net.delivery import Delivery
from tchat_server.net.flow import GONE, Turns
from tchat_server.net.outbox import Outbox
from tchat_server.net.rota import Rota
from tchat_server.ops.metrics import Metrics
from tchat_server.store.lines import encode_line


class Wire:
    """A carrier that keeps what it carries, and whose outbox it is."""

    address = "here"

    def __init__(self) -> None:
        rota = Rota()
        self.written = b""
        self.outbox = Outbox(self, self, Turns(GONE, lambda _: None, rota), rota, DEFAULT_LIMITS)

    def write(self, data: bytes) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

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


@on_loop
async def test_who_came_and_went_is_not_told_to_who_takes_no_bytes_now() -> None:
    wire = Wire()
    me = PeerId(1)
    delivery = Delivery(Metrics(), None, {me: cast(Any, wire)})
    notice, text = PresenceNotice("server", "connect", "bob"), PublicMessage("bob", "hello", TS)

    def told() -> list[bytes]:
        assert [*delivery.send([Send((me,), notice), Send((me,), text)], encode_line)] == []
        delivery.flush()
        data, wire.written = wire.written, b""
        return data.splitlines(keepends=True)

    wire.outbox.block()
    assert told() == [encode_line(text)]
    wire.outbox.unblock()
    assert told() == [encode_line(notice), encode_line(text)]
