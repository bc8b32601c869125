"""A node's own copy of what all nodes keep elsewhere: a database as `schema` has it, filled by whoever follows that.

It may be deleted at any time, and is then filled again.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from attrs import define, field

from libtchat.cluster import Record
from libtchat.group import Group, fold
from libtchat.message.limits import DEFAULT_LIMITS, ServerLimits
from libtchat.message.names import Key, UserKey
from libtchat.message.value import frozen
from tchat_server.clock import Clock
from tchat_server.store.event_log import EncodedPart, LogUnavailable, LogUnusable
from tchat_server.store.sqlite.accounts import barred, invitations
from tchat_server.store.sqlite.cache_file import CopyHarmed, damage, look, remove
from tchat_server.store.sqlite.inspection import has_table, refusals
from tchat_server.store.sqlite.lock import Lock, lock_path
from tchat_server.store.sqlite.log import SqliteLog
from tchat_server.store.sqlite.reader import load
from tchat_server.store.sqlite.rows import RowWriter
from tchat_server.store.sqlite.worker import NotDone

__all__ = ["Cache", "Followed", "FollowedRecord", "Head"]

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


@frozen
class FollowedRecord:
    """Events to copy, as of *time*."""

    record: Record
    time: float


Followed = FollowedRecord | Callable[[sqlite3.Connection], object]
"""What was followed elsewhere and is to be copied: events, or else what writes it in the open transaction."""


@define
class _Batch:
    """All that was followed up to *position*, and is not copied yet."""

    position: int
    followed: list[Followed] = field(factory=list)
    heads: dict[str, Head] = field(factory=dict)
    damaged: dict[str, str] = field(factory=dict)


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
        self._next = _Batch(position)
        self._written = position
        self._has_written = asyncio.Event()
        self._groups: dict[Key, Group] = {}
        self._task: asyncio.Task[None] | None = None
        self._looking: asyncio.Future[None] | None = None

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
        try:
            begun = await log.write(partial(_begin, identity=identity), lambda found, _: has_table(found, "followed"))
            cache = cls(path, log, *begun)
            cache.bars, cache.codes = await log.ask(barred), await log.ask(invitations)
            return cache
        except NotDone:
            await log.close()
            raise LogUnusable("the node's own copy cannot be written: choose another file with --cache") from None
        except BaseException:
            await log.close()
            raise

    def put(self, followed: Sequence[Followed], heads: dict[str, Head], damaged: dict[str, str], position: int) -> None:
        """Have what was followed up to *position* copied, some time."""
        batch = self._next
        batch.position = position
        batch.followed += followed
        batch.heads |= heads
        batch.damaged |= damaged
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._copy())

    @property
    def backlog(self) -> int:
        """How many entries wait to be copied."""
        return len(self._next.followed)

    async def settled(self, patience_seconds: float | None = 5.0) -> None:
        """Wait until all that was put is there to be read. Raises LogUnavailable if it takes long; None: it may."""
        position = self._next.position
        try:
            async with asyncio.timeout(patience_seconds):
                while self._written < position:
                    await self._has_written.wait()
        except TimeoutError:
            raise LogUnavailable("this node's own copy is behind: its disk may be full, or slow") from None

    def harm(self) -> str:
        """Return what was done to its file at the last look, "" if nothing, and have it looked at again."""
        if self._looking is None or self._looking.done():
            self._looking = self.log.write(lambda _: None, lambda *_: True)
            self._looking.add_done_callback(lambda it: it.cancelled() or it.exception())  # `log.harm` tells
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
        while self._written < self._next.position:
            batch, self._next = self._next, _Batch(self._next.position)
            while not await self._is_copied(batch):
                await asyncio.sleep(_PAUSE_SECONDS)
            self._written = batch.position
            self._has_written.set()  # whoever waits now goes on, and looks whether that is far enough
            self._has_written.clear()

    async def _is_copied(self, batch: _Batch) -> bool:
        try:
            await self.log.write(partial(self._write, batch=batch), _has_come_to)
        except NotDone:
            self._groups.clear()  # they are ahead of the file now
            return False
        return True

    def _write(self, rows: RowWriter, batch: _Batch) -> int:
        """Copy a batch in the open transaction, in the thread that writes; return its position."""
        for each in batch.followed:
            if not isinstance(each, FollowedRecord):
                each(rows.connection)
            elif rows.append([self._part(rows.connection, each.record)], each.time):
                raise sqlite3.IntegrityError(f"the copy of group {each.record.key} is not what was followed")
        execute, heads = rows.connection.executemany, batch.heads.items()
        execute("INSERT OR REPLACE INTO heads VALUES (?, ?, ?)", [(name, it.seq, it.number) for name, it in heads])
        execute("INSERT OR REPLACE INTO damaged VALUES (?, ?)", list(batch.damaged.items()))
        rows.connection.execute("UPDATE followed SET position = ?", (batch.position,))
        return batch.position

    def _part(self, connection: sqlite3.Connection, record: Record) -> EncodedPart:
        group = self._groups.pop(record.key, None)
        if group is None and record.expected:
            loaded = load(connection, record.key)
            group = fold(loaded.tail, loaded.snapshot)
        after = fold(record.events, group)
        assert after is not None, "a record has events"
        if len(self._groups) >= _MAX_GROUPS:
            del self._groups[next(iter(self._groups))]
        self._groups[record.key] = after
        return EncodedPart(record.key, record.expected, record.events, after, record.digests, record.lines)


def _begin(rows: RowWriter, identity: str) -> tuple[int, dict[str, Head], dict[str, str]]:
    """Make the tables of a copy if there are none; return its position, and what the other two hold."""
    execute = rows.connection.execute
    for statement in _TABLES:
        execute(statement)
    execute("INSERT OR IGNORE INTO followed VALUES (1, ?, 0)", (identity,))
    ((position,),) = execute("SELECT position FROM followed")
    heads = {subject: Head(seq, number) for subject, seq, number in execute("SELECT * FROM heads")}
    return position, heads, dict(execute("SELECT * FROM damaged"))


def _has_come_to(connection: sqlite3.Connection, position: int) -> bool:
    ((found,),) = connection.execute("SELECT position FROM followed")
    return bool(found >= position)
