"""What runs beside a server, or a part of one; and what ends it: a fault that no single connection is to blame for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any

__all__ = ["Supervisor", "Tasks", "end"]

logger = logging.getLogger("tchat_server")

_AGAIN_SECONDS = 0.1


class Tasks:
    """What runs on the event loop until it ends, or is told to."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run *work* as a task."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def cancel(self) -> None:
        """Cancel all, and wait for nothing."""
        for task in self._running:
            task.cancel()

    async def end(self) -> None:
        """Cancel all, and wait until it has ended; see `end`."""
        await end(self._running)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel *tasks* until they have ended: in Python 3.11 a `wait_for` that ends just then takes no notice of it."""
    running = set(tasks)
    while running:
        for task in running:
            task.cancel()
        done, running = await asyncio.wait(running, timeout=_AGAIN_SECONDS)
        await asyncio.gather(*done, return_exceptions=True)


class Supervisor(Tasks):
    """Runs what may not fail.

    Attributes:
        failed: raises the first fault that may have cost lines. The server is to end then.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def handle(self, _: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        """Take what the event loop could not: its exception handler. A fault in a callback ends the server."""
        error = context.get("exception")
        logger.error("%s", context["message"], exc_info=error)
        if "handle" in context and error is not None:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Take note of a fault that may have cost lines."""
        if not self.failed.done():
            self.failed.set_exception(error)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        super()._ended(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)
