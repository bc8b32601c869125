"""Events kept in an SQLite file: `--db PATH`, the default.

One thread writes and one reads, each with its own connection, so a long page of history delays neither a commit
nor the event loop. See `schema` for the file, `writer` for what a commit promises.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from libtchat import codec
from libtchat.effect import Kinds, Loaded, Part, User
from libtchat.event import Event
from libtchat.limits import DEFAULT_LIMITS, Limits
from libtchat.names import Key, UserKey
from tchat_server.log import NamePage, Page, reader
from tchat_server.log.reader import Query, Reader
from tchat_server.log.schema import Durability, Lock, connect, open_file
from tchat_server.log.writer import AppendParts, SavePassword, Writer

__all__ = ["SqliteLog"]

_T = TypeVar("_T")


class SqliteLog:
    """An EventLog in one file. Make it with `SqliteLog.open`."""

    def __init__(
        self,
        lock: Lock,
        connect: Callable[[], sqlite3.Connection],
        *,
        encode: Callable[[Event], bytes],
        clock: Callable[[], float],
        limits: Limits,
    ) -> None:
        self._lock = lock
        self._encode = encode
        self._clock = clock
        self._limits = limits
        self._is_closed = False
        self._writer = Writer(connect, lock, clock=clock, retry_seconds=limits.retry_seconds)
        self._reader = Reader(connect)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        durability: Durability = "full",
        encode: Callable[[Event], bytes] = codec.encode,
        clock: Callable[[], float] = time.time,
        limits: Limits = DEFAULT_LIMITS,
        factory: type[sqlite3.Connection] = sqlite3.Connection,
    ) -> SqliteLog:
        """Open the file, making it and its directory if need be, and hold it until `close`.

        Args:
            durability: "full": what was appended survives a power cut; "normal": the end of the process.
            encode: makes a line of an event; called on the loop, once per event.
            clock: seconds since the epoch, for retries.
            factory: makes every connection.
        Raises:
            LogRefused: the file is not to be used; the message is one line.
        """
        path = path.resolve()
        lock = open_file(path, durability=durability)
        connector = partial(connect, path, durability=durability, factory=factory)
        return cls(lock, connector, encode=encode, clock=clock, limits=limits)

    async def append(self, parts: Sequence[Part]) -> Mapping[Key, tuple[Event, ...]]:
        """Append parts; see EventLog.

        Raises:
            LogUnavailable: the log was closed while nothing could be learnt about the outcome.
        """
        lines = [[self._encode(event) for event in part.events] for part in parts]
        job = AppendParts(asyncio.get_running_loop().create_future(), parts, lines)
        self._writer.submit(job)
        return await job.future

    def load(self, key: Key) -> Awaitable[Loaded]:
        """Load one group."""
        return self._ask(partial(reader.load, key=key))

    def load_user(self, key: UserKey) -> Awaitable[User]:
        """Load what is stored of one user."""
        since = self._clock() - self._limits.retry_seconds
        return self._ask(partial(reader.load_user, key=key, retries_since=since), is_quick=True)

    async def save_user(self, key: UserKey, name: str, password_hash: str) -> bool:
        """Store a password hash; False if the user has one already."""
        job = SavePassword(asyncio.get_running_loop().create_future(), key, name, password_hash)
        self._writer.submit(job)
        return await job.future

    def read(
        self, key: Key, kinds: Kinds, *, after: int | None, before: int, limit: int, max_bytes: int
    ) -> Awaitable[Page]:
        """Read a page; see EventLog."""
        return self._ask(
            partial(reader.read, key=key, kinds=kinds, after=after, before=before, limit=limit, max_bytes=max_bytes)
        )

    def public_groups(self, *, after: Key | None, limit: int, max_bytes: int) -> Awaitable[NamePage]:
        """List the public groups that have members, by key."""
        return self._ask(partial(reader.public_groups, after=after, limit=limit, max_bytes=max_bytes))

    async def close(self) -> None:
        """Write what waits, close the file and let others have it."""
        if self._is_closed:
            return
        self._is_closed = True
        await asyncio.get_running_loop().run_in_executor(None, self._stop)

    def _stop(self) -> None:
        self._reader.stop()
        self._writer.stop()
        self._lock.release()

    def _ask(self, question: Callable[[sqlite3.Connection], _T], *, is_quick: bool = False) -> asyncio.Future[_T]:
        """Have *question* answered in the reading thread, after those asked before."""
        future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._reader.submit(Query(future, question, is_quick))
        return future
