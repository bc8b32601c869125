"""Where a contract's logs are opened: one place for each test, again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from inspect import isawaitable
from pathlib import Path
from typing import Any

from libtchat.message.names import user_key
from libtchat.stored import Retry
from tchat_server.store.event_log import EventLog
from tchat_server.testing.book import Clock

__all__ = ["Opening", "Place", "found", "placed"]


class Opening:
    """Knows how a log is opened."""

    def open(self, directory: Path, clock: Clock) -> EventLog | Awaitable[EventLog]:
        """Open the log that is kept in *directory*, or begin it; *clock* is what its own clock is to show.

        Opened again, it has what it had. A log in memory is to be the same one each time: a test has an instance of
        this class for itself.
        """
        raise NotImplementedError("say how your log is opened: def open(self, directory, clock) -> EventLog")

    def place(self, directory: Path) -> Place:
        """Return where this test's logs are."""
        return Place(self, directory)


class Place:
    """Where one test's logs are, of which one at a time is open. *clock*: their time, which the test sets."""

    def __init__(self, opening: Opening, directory: Path) -> None:
        self.clock: Clock = Clock()
        self._opening, self._directory = opening, directory
        self._log: EventLog | None = None

    async def open(self) -> EventLog:
        """Open the log, the first time or again: then it is closed before."""
        await self.close()
        opened = self._opening.open(self._directory, self.clock)
        self._log = await opened if isawaitable(opened) else opened
        return self._log

    async def close(self) -> None:
        """Close the log if it is open."""
        log, self._log = self._log, None
        if log is not None:
            await log.close()


def placed(test: Callable[[Any, Place], Coroutine[Any, Any, None]]) -> Callable[[Any, Path], None]:
    """Run a test that awaits, with a place for its logs; what it leaves open is closed."""

    async def run(opening: Opening, directory: Path) -> None:
        place = opening.place(directory)
        try:
            await test(opening, place)
        finally:
            await place.close()

    return lambda self, tmp_path: asyncio.run(run(self, tmp_path))


async def found(log: EventLog, user: str, *ids: str) -> list[Retry | None]:
    """Find what a user's ids made."""
    return [(await log.find_retry(user_key(user), id)).retry for id in ids]
