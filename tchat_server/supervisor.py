"""What ends a server: a fault of ours that no single connection is to blame for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any

__all__ = ["Supervisor"]

logger = logging.getLogger("tchat_server")


class Supervisor:
    """Runs what takes time on the event loop.

    Attributes:
        failed: raises the first fault that may have cost lines. The server is to end then.
    """

    def __init__(self) -> None:
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run *work* as a task."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def handle(self, _: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        """Take what the event loop could not: its exception handler. A fault in a callback ends the server."""
        error = context.get("exception")
        logger.error("%s", context["message"], exc_info=error)
        if "handle" in context and error is not None:
            self.fail(error)

    async def end(self) -> None:
        """Cancel what still runs, and wait until it has ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def fail(self, error: BaseException) -> None:
        """Take note of a fault that may have cost lines."""
        if not self.failed.done():
            self.failed.set_exception(error)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)
