"""A node's own copy of what all nodes keep elsewhere: a database as `schema` has it, filled by whoever follows that.

It may be deleted at any time, and is then filled again.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from attrs import define

from libtchat.cluster import Record
from libtchat.group import Group, fold
from libtchat.message.limits import DEFAULT_LIMITS, ServerLimits
from libtchat.message.names import Key, UserKey
from libtchat.message.value import frozen
from tchat_server.clock import Clock
from tchat_server.store.event_log import EncodedPart, LogUnavailable, LogUnusable
from tchat_server.store.sqlite.accounts import barred, invitations
from tchat_server.store.sqlite.cache_file import CopyHarmed, damage, look, remove
from tchat_server.store.sqlite.followed import Followed, FollowedRecord, write_account
from tchat_server.store.sqlite.inspection import refusals
from tchat_server.store.sqlite.lock import Lock, lock_path
from tchat_server.store.sqlite.log import SqliteLog
from tchat_server.store.sqlite.reader import load
from tchat_server.store.sqlite.rows import RowWriter
from tchat_server.store.sqlite.writer import Save

__all__ = ["Cache", "Head"]

_TABLES = (
    """
    CREATE TABLE IF NOT EXISTS followed (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        identity TEXT NOT NULL,              -- of what this is a copy of
        position INTEGER NOT NULL            -- how far
    )""",
    """
    CREATE TABLE IF NOT EXISTS heads (
        subject TEXT PRIMARY KEY,
        seq INTEGER NOT NULL,                -- of its last event
        number INTEGER NOT NULL              -- of its last record
    ) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS damaged (subject TEXT PRIMARY KEY, reason TEXT NOT NULL) WITHOUT ROWID",
)
_MAX_GROUPS = 2000
_PAUSE_SECONDS = 0.25
_CLOSE_SECONDS = 1.0
_LOOK_SECONDS = 1.0


@frozen
class Head:
    """Where a subject stands: the seq of its last event, and the number of its last record."""

    seq: int
    number: int


@define(eq=False)
class _Copy:
    """Copy what was followed up to a position; the result tells whether it is stored."""

    future: asyncio.Future[bool]
    followed: Sequence[Followed]
    heads: dict[str, Head]
    damaged: dict[str, str]
    position: int
    groups: dict[Key, Group]

    def write(self, rows: RowWriter) -> None:
        """Write in the open transaction."""
        for each in self.followed:
            if not isinstance(each, FollowedRecord):
                write_account(rows.connection, each)
            elif rows.append([self._part(rows.connection, each.record)], each.time):
                raise sqlite3.IntegrityError(f"the copy of group {each.record.key} is not what was followed")
        execute = rows.connection.executemany
        execute("INSERT OR REPLACE INTO heads VALUES (?, ?, ?)", [(s, h.seq, h.number) for s, h in self.heads.items()])
        execute("INSERT OR REPLACE INTO damaged VALUES (?, ?)", list(self.damaged.items()))
        rows.connection.execute("UPDATE followed SET position = ?", (self.position,))

    def is_stored(self, connection: sqlite3.Connection) -> bool:
        """Tell, on another connection, whether the transaction was committed."""
        ((position,),) = connection.execute("SELECT position FROM followed")
        return bool(position >= self.position)

    def succeed(self) -> None:
        """Report that it is stored."""
        self.future.set_result(True)

    def fail(self) -> None:
        """Report that nothing is stored."""
        self.groups.clear()  # they are ahead of the file now
        self.future.set_result(False)

    def _part(self, connection: sqlite3.Connection, record: Record) -> EncodedPart:
        group = self.groups.pop(record.key, None)
        if group is None and record.expected:
            loaded = load(connection, record.key)
            group = fold(loaded.tail, loaded.snapshot)
        after = fold(record.events, group)
        assert after is not None, "a record has events"
        if len(self.groups) >= _MAX_GROUPS:
            del self.groups[next(iter(self.groups))]
        self.groups[record.key] = after
        return EncodedPart(record.key, record.expected, record.events, after, record.digests, record.lines)


@define(eq=False)
class _Begin:
    """Make the tables of a copy if there are none; the result is what they hold."""

    future: asyncio.Future[tuple[int, dict[str, Head], dict[str, str]]]
    identity: str
    _found: tuple[int, dict[str, Head], dict[str, str]] = (0, {}, {})

    def write(self, rows: RowWriter) -> None:
        """Write in the open transaction."""
        execute = rows.connection.execute
        for statement in _TABLES:
            execute(statement)
        execute("INSERT OR IGNORE INTO followed VALUES (1, ?, 0)", (self.identity,))
        ((position,),) = execute("SELECT position FROM followed")
        heads = {subject: Head(seq, number) for subject, seq, number in execute("SELECT * FROM heads")}
        self._found = position, heads, dict(execute("SELECT * FROM damaged"))

    def is_stored(self, connection: sqlite3.Connection) -> bool:
        """Tell, on another connection, whether the transaction was committed."""
        return bool(connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'followed'").fetchone()[0])

    def succeed(self) -> None:
        """Report what was found."""
        self.future.set_result(self._found)

    def fail(self) -> None:
        """Report that it can't be written."""
        self.future.set_exception(
            LogUnusable("the node's own copy cannot be written: choose another file with --cache")
        )


class Cache:
    """The copy. Make it with `Cache.open`; what is read is read from `log`.

    Attributes:
        log: the database.
        position: how far it was filled when it was opened.
        heads: where each subject stood then.
        damaged: the subjects of which something could not be read, and why.
        bars, codes: who might not come in then, and until when; the marks of the invitation codes that held.
    """

    def __init__(
        self, path: Path, log: SqliteLog, position: int, heads: dict[str, Head], damaged: dict[str, str]
    ) -> None:
        self._path = path
        self.log, self.position, self.heads, self.damaged = log, position, heads, damaged
        self.bars: dict[UserKey, float] = {}
        self.codes: set[str] = set()
        self._followed: list[Followed] = []
        self._heads: dict[str, Head] = {}
        self._damaged: dict[str, str] = {}
        self._put = self._written = position
        self._groups: dict[Key, Group] = {}
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None
        self._looking: asyncio.Future[bool] | None = None

    @classmethod
    async def open(
        cls,
        path: Path,
        identity: str,
        *,
        now: float,
        clock: Callable[[], float] | None = None,
        limits: ServerLimits = DEFAULT_LIMITS,
    ) -> Cache:
        """Open the copy of what has this identity, or begin one. Blocks for a moment.

        Args:
            now: the time by the clock that all nodes share.
            clock: tells how old retries are; by default it goes on from *now*, or from the last one stored.
        Raises:
            LogUnusable, CopyHarmed: the file is not to be used; the message is one line.
        """
        path = path.resolve()
        with refusals(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = Lock(path, durability="normal")
            try:
                start = look(path, identity)
                lock_path(path).write_bytes(b"")  # what it notes of a copy that was deleted is nothing to go by
            finally:
                lock.release()
        clock = clock or Clock(max(now, start))
        with damage(path):
            log = SqliteLog.open(path, durability="normal", clock=clock, limits=limits, is_cache=True)
        begin = _Begin(asyncio.get_running_loop().create_future(), identity)
        log.submit(begin)
        try:
            cache = cls(path, log, *await begin.future)
            cache.bars, cache.codes = await log.ask(barred), await log.ask(invitations)
            return cache
        except BaseException:
            await log.close()
            raise

    def put(self, followed: Sequence[Followed], heads: dict[str, Head], damaged: dict[str, str], position: int) -> None:
        """Have what was followed up to *position* copied, some time."""
        self._followed += followed
        self._heads |= heads
        self._damaged |= damaged
        self._put = position
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._copy())

    @property
    def backlog(self) -> int:
        """How many entries wait to be copied."""
        return len(self._followed)

    async def settled(self, patience_seconds: float | None = 5.0) -> None:
        """Wait until all that was put is there to be read. Raises LogUnavailable if it takes long; None: it may."""
        if self._written >= self._put:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((self._put, future))
        try:
            await asyncio.wait_for(future, patience_seconds)
        except TimeoutError:
            raise LogUnavailable("this node's own copy is behind: its disk may be full, or slow") from None

    def harm(self) -> str:
        """Return what was done to its file at the last look, "" if nothing, and have it looked at again."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_future()
            self._looking.add_done_callback(
                lambda it: it.cancelled() or it.exception()
            )  # it is known by what `log.harm` says
            self.log.submit(Save(self._looking, lambda _: False, lambda _: True))
        return self.log.harm

    async def close(self) -> None:
        """Copy what waits if that works, and close the file; one that was harmed meanwhile is removed."""
        is_harmed = bool(self.log.harm)
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task], timeout=0 if is_harmed else _CLOSE_SECONDS)
            self._task.cancel()
        is_harmed = is_harmed and self.log.is_in_place
        await self.log.close()
        if is_harmed:
            remove(self._path)

    async def filled(self) -> None:
        """Wait until all that was put is there. Raises CopyHarmed if the file was harmed."""
        while not self.log.harm:
            with suppress(LogUnavailable):
                return await self.settled(_LOOK_SECONDS)
        raise CopyHarmed(self.log.harm)

    async def _copy(self) -> None:
        loop = asyncio.get_running_loop()
        while self._written < self._put:
            followed, heads, damaged, position = self._followed, self._heads, self._damaged, self._put
            self._followed, self._heads, self._damaged = [], {}, {}
            is_stored = False
            while not is_stored:
                job = _Copy(loop.create_future(), followed, heads, damaged, position, self._groups)
                self.log.submit(job)
                is_stored = await job.future
                if not is_stored:
                    await asyncio.sleep(_PAUSE_SECONDS)
            self._written = position
            ready = [future for needed, future in self._waiters if needed <= position]
            self._waiters = [waiter for waiter in self._waiters if waiter[0] > position]
            for future in ready:
                if not future.done():
                    future.set_result(None)
