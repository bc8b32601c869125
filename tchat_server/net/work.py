"""Answers of one connection that take time: done one after another, and what was told after them waits for them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from tchat_server.net.spacing import Outgoing

__all__ = ["Job", "Work"]

Job = Callable[[], Awaitable[bytes]]
"""Gives the line that answers, CR LF included."""


class Work:
    """A queue of jobs and lines, from its first job until it is empty.

    Args:
        ready: awaited before each job.
        pass_on: called with each line when all before it are gone.
        over: called when nothing is left; what is told after that is not for this queue any more.
        ended: called with the task once it is done, cancelled or has failed.

    Attributes:
        size: bytes of the lines that wait; a job counts when it is done.
    """

    __slots__ = ("_items", "_over", "_pass_on", "_ready", "_worker", "size")

    def __init__(
        self,
        ready: Callable[[], Awaitable[None]],
        pass_on: Callable[[Sequence[Outgoing]], None],
        over: Callable[[], None],
        ended: Callable[[asyncio.Task[None]], None],
    ) -> None:
        self._ready, self._pass_on, self._over = ready, pass_on, over
        self._items: deque[Outgoing | Job] = deque()
        self.size = 0
        self._worker = asyncio.get_running_loop().create_task(self._run())
        self._worker.add_done_callback(ended)

    def __len__(self) -> int:
        return len(self._items)

    def put(self, lines: Sequence[Outgoing]) -> None:
        """Put lines at the end."""
        self._items.extend(lines)
        self.size += sum(len(line) for _, line in lines)

    def add(self, job: Job) -> None:
        """Put a job at the end."""
        self._items.append(job)

    def cancel(self) -> None:
        """Do nothing more."""
        self._worker.cancel()

    async def _run(self) -> None:
        items = self._items
        while items:
            item = items[0]
            if isinstance(item, tuple):
                self.size -= len(item[1])
            else:
                await self._ready()
                item = (None, await item())
            items.popleft()
            self._pass_on((item,))
        self._over()  # at once: what is put before the task counts as done would be lost
