"""Follows the stream: every record once, in order, without a gap.

The engine tells each record on a subject of its own once it is on a majority (RePublish). Telling may fail when a
server of the engine dies; then the records are fetched (`DIRECT.GET`), which is looked for every half second.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from tchat_server.store.nats.connection import Connection
from tchat_server.store.nats.errors import EngineGone
from tchat_server.store.nats.fetch import Entry, entry_of, fetch
from tchat_server.store.nats.subject import Feed
from tchat_server.supervisor import Tasks

if TYPE_CHECKING:
    from nats.aio.msg import Msg

__all__ = ["Follower"]

_LOOK_SECONDS = 0.5
_MAX_AHEAD = 10_000

logger = logging.getLogger("tchat_server")


class Follower:
    """Hands entries over, from *position* on.

    Args:
        take: called with what follows what it was called with before.
        ease: waited for now and then while much is fetched, so that it does not pile up.
    """

    def __init__(
        self,
        connection: Connection,
        feed: Feed,
        position: int,
        take: Callable[[Sequence[Entry]], None],
        ease: Callable[[], Awaitable[None]],
    ) -> None:
        self.position = position
        self._connection, self._feed, self._take, self._ease = connection, feed, take, ease
        self._ahead: dict[int, Entry] = {}
        self._has_passed = asyncio.Event()
        self._is_due = asyncio.Event()
        self._tasks = Tasks()
        self.fetched = 0

    async def start(self) -> None:
        """Begin to follow. What is in the stream already comes soon: see `passed`."""
        await self._connection.subscribe(self._feed.told, self._heard)
        self._tasks.start(self._look_for_ever())

    def look(self) -> None:
        """Look for what is missing now."""
        self._is_due.set()

    async def passed(self, number: int) -> None:
        """Wait until everything up to this number is taken."""
        while self.position < number:
            await self._has_passed.wait()

    async def close(self) -> None:
        """Follow no more."""
        await self._tasks.end()

    async def _heard(self, message: Msg) -> None:
        entry = entry_of(message)
        if entry.number <= self.position:
            return
        if entry.number == self.position + 1:
            self._pass([entry])
        elif len(self._ahead) < _MAX_AHEAD:
            self._ahead[entry.number] = entry
            self._is_due.set()

    def _pass(self, entries: Sequence[Entry], position: int = 0) -> None:
        """Hand over what comes next, and what was heard before its turn. Up to *position* there is nothing else."""
        found = [*entries]
        at = max(position, found[-1].number if found else 0)
        while (entry := self._ahead.pop(at + 1, None)) is not None:
            found.append(entry)
            at += 1
        self.position = at
        if found:
            self._take(found)
        if self._ahead:
            for number in [number for number in self._ahead if number <= at]:
                del self._ahead[number]
        self._has_passed.set()  # whoever waits now goes on, and looks whether that is far enough
        self._has_passed.clear()

    async def _look_for_ever(self) -> None:
        while True:
            self._is_due.clear()
            try:
                while await self._fetch():
                    await self._ease()
            except EngineGone as error:
                logger.debug("engine: nothing can be fetched: %s", error)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._is_due.wait()

    async def _fetch(self) -> bool:
        """Fetch some of what is missing; tell whether there is more."""
        start = self.position + 1
        found, more = await fetch(self._connection, self._feed.stream, self._feed.all, start)
        new = [entry for entry in found if entry.number > self.position]
        if new:  # what has no entry between them was replaced by later ones: nothing of it is missing
            self.fetched += len(new)
            self._pass(new)
        return more
