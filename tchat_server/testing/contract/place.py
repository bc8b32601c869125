"""Where a contract's logs are opened: one place for each test, again and again."""

from __future__ import annotations

from collections.abc import Awaitable
from inspect import isawaitable
from pathlib import Path

from libtchat.message.names import user_key
from libtchat.stored import Retry
from tchat_server.store.event_log import EventLog
from tchat_server.testing.book import Clock

__all__ = ["Opening", "Place", "found"]


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
    """Where one test's logs are. *clock*: their time, which the test sets."""

    def __init__(self, opening: Opening, directory: Path) -> None:
        self.clock: Clock = Clock()
        self._opening, self._directory = opening, directory

    async def open(self) -> EventLog:
        """Open the log, the first time or again."""
        opened = self._opening.open(self._directory, self.clock)
        return await opened if isawaitable(opened) else opened


async def found(log: EventLog, user: str, *ids: str) -> list[Retry | None]:
    """Find what a user's ids made."""
    return [(await log.find_retry(user_key(user), id)).retry for id in ids]
