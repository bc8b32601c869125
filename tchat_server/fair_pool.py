"""Threads for what takes long, in turns of those who ask: who asks for much makes nobody else wait for all of it.

The event loop has `tchat_server.net.rota`, which gives turns while there is room in a round; here one is given when a
thread is free.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["FairPool"]

T = TypeVar("T")


class FairPool:
    """Some *threads*, called *name*; each begins with *initializer*.

    Whoever asks has one thing done, then all others who wait have, each one thing, before it is its turn again.
    """

    def __init__(self, threads: int, name: str, initializer: Callable[[], None] | None = None) -> None:
        self._pool = ThreadPoolExecutor(threads, name, initializer)
        self._idle = threads
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}

    async def run(self, asker: Hashable, act: Callable[[], T]) -> T:
        """Have *act* called when it is the turn of *asker*, and return what it returns."""
        await self._turn(asker)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, act)
        finally:
            self._end_turn()

    def close(self) -> None:
        """Give up what waits for its turn."""
        waiting, self._waiting = self._waiting, {}
        for line in waiting.values():
            for turn in line:
                turn.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _turn(self, asker: Hashable) -> None:
        if self._idle:
            self._idle -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(asker, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it had come
                self._end_turn()
            raise

    def _end_turn(self) -> None:
        self._idle += 1
        while self._idle and self._waiting:
            asker = next(iter(self._waiting))
            line = self._waiting.pop(asker)
            turn = line.popleft()
            if line:
                self._waiting[asker] = line  # behind all others
            if not turn.done():  # who waited is gone
                self._idle -= 1
                turn.set_result(None)
