"""Events kept in an SQLite file: `--db PATH`, the default.

One thread writes and one reads, each with its own connection, so a long page of history delays neither a commit
nor the event loop. See `schema` for the file, `writer` for what a commit promises.
"""

from __future__ import annotations

import asyncio
import sqlite3
from asyncio import Future
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeVar

from libtchat.cluster import Record
from libtchat.effect import PageKind
from libtchat.message.event import LogEvent
from libtchat.message.limits import DEFAULT_LIMITS, ServerLimits
from libtchat.message.names import Key, UserKey
from libtchat.stored import Known, Loaded, Retried, StoredUser
from tchat_server.clock import Clock, guest_floor
from tchat_server.ops.control import Control
from tchat_server.store.event_log import EncodedPart, NamePage, Page, Ready, Removed, UserRow
from tchat_server.store.sqlite import accounts, reader, users
from tchat_server.store.sqlite.copier import COPY, Copier, socket_path
from tchat_server.store.sqlite.inspection import check_no_copy, refusals
from tchat_server.store.sqlite.lock import Durability, Lock
from tchat_server.store.sqlite.reader import Query, Reader
from tchat_server.store.sqlite.removal import remove_old
from tchat_server.store.sqlite.rows import RowWriter, is_appended, is_numbered
from tchat_server.store.sqlite.schema import MAX_WAL_BYTES, connect, open_file
from tchat_server.store.sqlite.watch import Watch
from tchat_server.store.sqlite.worker import NotDone
from tchat_server.store.sqlite.writer import Write, Writer

__all__ = ["SqliteLog"]

_T = TypeVar("_T")

_GUESTS_AT_ONCE = 1000
"""How many numbers for guests are taken from the file in one go."""


class SqliteLog:
    """An EventLog in one file. Make it with `SqliteLog.open`."""

    def __init__(
        self,
        path: Path,
        lock: Lock,
        connect: Callable[[], sqlite3.Connection],
        *,
        clock: Callable[[], float],
        limits: ServerLimits,
        is_cache: bool = False,
    ) -> None:
        self._lock = lock
        self.clock: Callable[[], float] = clock
        self._guest_numbers = iter(range(0))
        self._limits = limits
        self._is_closed = False
        keeper = connect()  # as long as it is open, the -wal file stays; and what somebody removes can still be copied
        keeper.execute("SELECT count(*) FROM sqlite_master")
        self._watch = Watch(path, max_wal_bytes=MAX_WAL_BYTES, is_cache=is_cache)
        self._copier = Copier(path, keeper)
        self.control: Control | None = Control(socket_path(path), {COPY: self._copier.act})
        connect = partial(_connect_if_right, self._watch, connect)
        self._writer = Writer(connect, lock, self._watch, clock=clock, retry_seconds=limits.retry_seconds)
        self._reader = Reader(connect)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        durability: Durability = "full",
        clock: Callable[[], float] | None = None,
        limits: ServerLimits = DEFAULT_LIMITS,
        factory: type[sqlite3.Connection] = sqlite3.Connection,
        is_cache: bool = False,
    ) -> SqliteLog:
        """Open the file, making it and its directory if need be, and hold it until `close`.

        Args:
            durability: "full": what was appended survives a power cut; "normal": the end of the process.
            clock: tells how old retries are; by default it goes on from the last one stored.
            factory: makes every connection.
            is_cache: what is in the file is elsewhere too; see `cache`.
        Raises:
            LogUnusable: the file is not to be used; the message is one line.
        """
        path = path.resolve()
        lock = open_file(path, durability=durability)
        connector = partial(connect, path, durability=durability, factory=factory)
        try:
            with refusals(path):
                if not is_cache:
                    check_no_copy(path, connector())
                if clock is None:
                    with closing(connector()) as connection:
                        clock = Clock(users.last_retry_time(connection))
                return cls(path, lock, connector, clock=clock, limits=limits, is_cache=is_cache)
        except BaseException:
            lock.release()
            raise

    async def append(self, parts: Sequence[EncodedPart]) -> Mapping[Key, tuple[LogEvent, ...]]:
        """Append parts; see EventLog.

        Raises:
            LogUnavailable: the log was closed while nothing could be learnt about the outcome.
        """
        try:
            return await self.write(lambda rows: rows.append(parts), partial(is_appended, parts=parts))
        except NotDone:
            return {part.key: () for part in parts}

    def load(self, key: Key) -> Awaitable[Loaded]:
        """Load one group."""
        return self.ask(partial(reader.load, key=key))

    def load_user(self, key: UserKey) -> Awaitable[StoredUser]:
        """Load what is stored of one user."""
        return self.ask(partial(users.load_user, key=key), is_quick=True)

    def find_user(self, key: UserKey) -> Awaitable[Known]:
        """Find whether one user is known; see EventLog."""
        return self.ask(partial(users.find_user, key=key), is_quick=True)

    def find_retry(self, key: UserKey, id: str) -> Awaitable[Retried]:
        """Find what one user's request with an id made; see EventLog."""
        since = self.clock() - self._limits.retry_seconds
        return self.ask(partial(users.find_retry, key=key, id=id, since=since), is_quick=True)

    def save_user(
        self,
        key: UserKey,
        name: str,
        password_hash: str | None,
        *,
        replaces: str | None = None,
        invitation: str | None = None,
    ) -> Awaitable[bool]:
        """Store a password hash; see EventLog."""
        change = partial(
            accounts.save_account,
            key=key,
            name=name,
            password_hash=password_hash,
            replaces=replaces,
            invitation=invitation,
        )
        return self._save(change, lambda connection: accounts.password_of(connection, key) == password_hash)

    def invite(self, mark: str) -> Awaitable[bool]:
        """Let an invitation code hold, once; see EventLog."""
        return self._save(partial(accounts.save_invitation, mark=mark), partial(accounts.has_invitation, mark=mark))

    def save_bar(self, key: UserKey, name: str, until: float | None) -> Awaitable[bool]:
        """Store until when a user may not come in; see EventLog."""
        change = partial(accounts.save_bar, key=key, name=name, until=until)
        return self._save(change, partial(accounts.is_barred, key=key, until=until))

    def barred(self) -> Awaitable[Mapping[UserKey, float]]:
        """Find who may not come in."""
        return self.ask(accounts.barred)

    def users(self) -> Awaitable[tuple[UserRow, ...]]:
        """List everybody who is known, by key."""
        return self.ask(accounts.list_users)

    def logs_of_two(self, key: UserKey) -> Awaitable[tuple[Key, ...]]:
        """List the logs of the texts between a user and another one."""
        return self.ask(partial(users.logs_of_two, key=key))

    def number_guest(self) -> Awaitable[int]:
        """Return a number that no guest had before; one in a thousand is written for."""
        number = next(self._guest_numbers, None)
        return self._number_guests() if number is None else Ready(number)

    async def _number_guests(self) -> int:
        """Take a thousand numbers; return the first. Callers that come meanwhile do so too; the last thousand stays."""
        take = partial(RowWriter.number_guests, at_least=guest_floor(), count=_GUESTS_AT_ONCE)
        first: int = await self.write(take, partial(is_numbered, count=_GUESTS_AT_ONCE))
        self._guest_numbers = iter(range(first + 1, first + _GUESTS_AT_ONCE))
        return first

    def read(
        self, key: Key, kinds: PageKind, *, after: int | None, before: int, limit: int, max_bytes: int
    ) -> Awaitable[Page]:
        """Read a page; see EventLog."""
        return self.ask(
            partial(reader.read, key=key, kinds=kinds, after=after, before=before, limit=limit, max_bytes=max_bytes)
        )

    def public_groups(self, *, after: Key | None, limit: int, max_bytes: int) -> Awaitable[NamePage]:
        """List the public groups that have members, by key."""
        return self.ask(partial(reader.public_groups, after=after, limit=limit, max_bytes=max_bytes))

    def follow(self, told: Callable[[Sequence[Record]], None]) -> None:
        """Do nothing: the file is held, so nobody else appends."""

    def reached(self) -> Ready[None]:
        """Wait for nothing: the file is held, so nobody else appends."""
        return Ready(None)

    def remove_old(self, *, before: str, messages: int | None, after: Key) -> Awaitable[Removed]:
        """Do a step of removing old events; see EventLog. What may not have been committed is done again some time."""
        return self.write(lambda rows: remove_old(rows.connection, before, messages, after), lambda *_: True)

    async def close(self) -> None:
        """Write what waits, close the file and let others have it."""
        if self._is_closed:
            return
        self._is_closed = True
        await asyncio.get_running_loop().run_in_executor(None, self._stop)

    def write(self, act: Callable[[RowWriter], _T], is_stored: Callable[[sqlite3.Connection, _T], bool]) -> Future[_T]:
        """Have *act* called in one transaction with all that waits, and return what it returns; see `Write`.

        It raises NotDone if nothing was stored.
        """
        job = Write(asyncio.get_running_loop().create_future(), act, is_stored)
        self._writer.submit(job)
        return job.future

    @property
    def harm(self) -> str:
        """What has happened to the files, as far as it was looked at; "" if nothing."""
        return self._watch.harm

    @property
    def is_in_place(self) -> bool:
        """Whether the file at the path is the one that was opened."""
        return self._watch.is_in_place()

    def _stop(self) -> None:
        self._reader.stop()
        self._copier.give_up()
        if self.control is not None:
            self.control.stop()
        self._writer.stop()
        self._copier.close()  # whose connection kept the -wal file until then
        self._watch.close()
        self._lock.release()

    def _save(
        self, change: Callable[[sqlite3.Connection], bool], is_there: Callable[[sqlite3.Connection], bool]
    ) -> Awaitable[bool]:
        """Have *change* change something about accounts; *is_there* tells whether that is stored."""
        return self.write(
            lambda rows: change(rows.connection),
            lambda connection, has_changed: not has_changed or is_there(connection),
        )

    def ask(self, question: Callable[[sqlite3.Connection], _T], *, is_quick: bool = False) -> Future[_T]:
        """Have *question* answered in the reading thread, after those asked before."""
        query = Query(asyncio.get_running_loop().create_future(), question, is_quick)
        self._reader.submit(query)
        return query.future


def _connect_if_right(watch: Watch, connect: Callable[[], sqlite3.Connection]) -> sqlite3.Connection:
    """Connect, unless the file at the path is not the one that was opened."""
    if trouble := watch.trouble():
        raise sqlite3.OperationalError(trouble)
    return connect()
