"""What runs beside a node, and how it comes to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

__all__ = ["Tasks", "end"]

_AGAIN_SECONDS = 0.1


class Tasks:
    """What runs beside a part of a node until it ends, or is told to."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run *work* as a task."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def cancel(self) -> None:
        """Cancel all, and wait for nothing."""
        for task in self._running:
            task.cancel()

    async def end(self) -> None:
        """Cancel all, and wait until it has ended; see `end`."""
        await end(self._running)


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel *tasks* until they have ended: in Python 3.11 a `wait_for` that ends just then takes no notice of it."""
    running = set(tasks)
    while running:
        for task in running:
            task.cancel()
        done, running = await asyncio.wait(running, timeout=_AGAIN_SECONDS)
        await asyncio.gather(*done, return_exceptions=True)
