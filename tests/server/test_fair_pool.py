"""Who waits for a thread: `tchat_server.fair_pool`, which passwords use (a real server: row 51)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from logs import on_loop

from tchat_server.fair_pool import FairPool
from tchat_server.net.peer import PeerProtocol


async def order_of(askers: str, run: Callable[[str], Awaitable[Any]]) -> str:
    """Have each of *askers* ask at once; return who was served when."""
    served: list[str] = []

    async def ask(asker: str) -> None:
        await run(asker)
        served.append(asker)

    await asyncio.gather(*map(ask, askers))
    return "".join(served)


@on_loop
async def test_who_asks_for_much_makes_nobody_wait_for_all_of_it() -> None:
    pool = FairPool(1, "test")
    assert await order_of("aaaaabbc", lambda asker: pool.run(asker, lambda: None)) == "aabcabaa"
    pool.close()


@on_loop
async def test_no_more_is_done_at_once_than_there_are_threads_and_a_fault_ends_nothing() -> None:
    pool, both = FairPool(2, "test"), threading.Barrier(2, timeout=5)
    await asyncio.gather(*(pool.run("a", both.wait) for _ in range(6)))
    with pytest.raises(ZeroDivisionError):
        await pool.run("a", lambda: 1 // 0)
    assert await pool.run("a", lambda: 1) == 1
    pool.close()


@on_loop
async def test_who_waits_when_the_pool_is_closed_is_told() -> None:
    pool, may_end = FairPool(1, "test"), threading.Event()
    first, second = (asyncio.ensure_future(pool.run("a", may_end.wait)) for _ in range(2))
    await asyncio.sleep(0)
    pool.close()
    may_end.set()
    assert await first
    with pytest.raises(asyncio.CancelledError):
        await second


@on_loop
async def test_who_goes_when_the_turn_has_come_leaves_the_thread_to_others() -> None:
    pool, may_end = FairPool(1, "test"), threading.Event()

    async def first() -> None:
        await pool.run("a", may_end.wait)  # at its end the second one has its turn
        second.cancel()

    ended = asyncio.ensure_future(first())
    await asyncio.sleep(0)
    second, third = (asyncio.ensure_future(pool.run(asker, may_end.wait)) for asker in "bc")
    await asyncio.sleep(0)
    may_end.set()
    await ended
    assert await asyncio.wait_for(third, 5)
    assert await asyncio.wait_for(pool.run("d", lambda: 1), 5) == 1
    assert second.cancelled()
    pool.close()


def test_who_comes_from_one_ipv6_network_is_one_asker() -> None:
    owner: Any = None
    peers = [PeerProtocol(owner, host, "") for host in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "192.0.2.1")]
    assert [peer.origin for peer in peers] == ["2001:db8::", "2001:db8::", "2001:db8:0:1::", "192.0.2.1"]
