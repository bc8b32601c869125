"""How a task is ended for certain."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["end"]

_AGAIN_SECONDS = 0.1


async def end(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel *tasks* and wait until they have ended.

    Once may not be enough: where what `asyncio.wait_for` waits for comes at that very moment, it forgets the
    cancellation (Python 3.11), and the engine's client uses it.
    """
    running = {task for task in tasks if task is not None and not task.done()}
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=_AGAIN_SECONDS)
