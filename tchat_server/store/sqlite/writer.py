"""The thread that writes to the SQLite file: everything that waits goes into one transaction.

Nothing is reported done before its COMMIT succeeded, and nothing is reported failed while it may still turn out
to be stored. After a fault the connection is given up and the next transaction makes a new one, so writing works
again as soon as the storage does.
"""

from __future__ import annotations

import logging
import sqlite3
from asyncio import Future
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from typing import Protocol

from attrs import define, field

from libtchat.message.errors import TchatError
from libtchat.message.event import LogEvent
from libtchat.message.names import Key
from tchat_server.store.event_log import EncodedPart, LogUnavailable, Removed
from tchat_server.store.sqlite import worker
from tchat_server.store.sqlite.lock import Lock
from tchat_server.store.sqlite.reader import find_group
from tchat_server.store.sqlite.removal import remove_old
from tchat_server.store.sqlite.rows import RowWriter
from tchat_server.store.sqlite.schema import fence
from tchat_server.store.sqlite.watch import Watch
from tchat_server.store.sqlite.worker import Worker, fail, succeed

__all__ = ["AppendParts", "Job", "NumberGuests", "RemoveOld", "Save", "Writer"]

_log = logging.getLogger(__name__)

_FIRST_DELAY_SECONDS = 0.01
_MAX_DELAY_SECONDS = 2.0

# A COMMIT that fails for one of these reasons has certainly not happened: the commit record is written last, and a
# write that fails (a quota, a file-size limit) leaves it incomplete. Only a failed sync leaves anything open.
_SURELY_FAILED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY}
_SURELY_FAILED_EXTENDED = {sqlite3.SQLITE_IOERR_WRITE}


@define(eq=False)
class AppendParts:
    """Append parts; the result is EventLog.append's."""

    future: Future[Mapping[Key, tuple[LogEvent, ...]]]
    parts: Sequence[EncodedPart]
    _failed: Mapping[Key, tuple[LogEvent, ...]] = field(factory=dict)

    def write(self, rows: RowWriter) -> None:
        """Write in the open transaction."""
        self._failed = rows.append(self.parts)

    def is_stored(self, connection: sqlite3.Connection) -> bool:
        """Tell, on another connection, whether the transaction was committed. True if there was nothing to commit."""
        heads = ((part, find_group(connection, part.key)) for part in self.parts if part.key not in self._failed)
        return all(head is not None and head[1] >= part.events[-1].seq for part, head in heads)

    def succeed(self) -> None:
        """Report what is committed."""
        self.future.set_result(self._failed)

    def fail(self) -> None:
        """Report that nothing is stored."""
        self.future.set_result({part.key: () for part in self.parts})


@define(eq=False)
class Save:
    """Change something about accounts; the result is what *change* returns: whether it changed anything.

    *is_there* tells on another connection whether that was committed.
    """

    future: Future[bool]
    change: Callable[[sqlite3.Connection], bool]
    is_there: Callable[[sqlite3.Connection], bool]
    _has_changed: bool = False

    def write(self, rows: RowWriter) -> None:
        """Write in the open transaction."""
        self._has_changed = self.change(rows.connection)

    def is_stored(self, connection: sqlite3.Connection) -> bool:
        """Tell, on another connection, whether the transaction was committed. True if there was nothing to commit."""
        return not self._has_changed or self.is_there(connection)

    def succeed(self) -> None:
        """Report what is committed."""
        self.future.set_result(self._has_changed)

    def fail(self) -> None:
        """Report that nothing is stored."""
        self.future.set_exception(LogUnavailable("nothing was stored"))


@define(eq=False)
class NumberGuests:
    """Take *count* numbers for guests, from *at_least* on; the result is the first."""

    future: Future[int]
    at_least: int
    count: int
    _first: int = 0

    def write(self, rows: RowWriter) -> None:
        """Write in the open transaction."""
        self._first = rows.number_guests(self.at_least, self.count)

    def is_stored(self, connection: sqlite3.Connection) -> bool:
        """Tell, on another connection, whether the transaction was committed."""
        row = connection.execute("SELECT next FROM guests").fetchone()
        return row is not None and int(row[0]) >= self._first + self.count

    def succeed(self) -> None:
        """Report what is committed."""
        self.future.set_result(self._first)

    def fail(self) -> None:
        """Report that no number was taken."""
        self.future.set_exception(LogUnavailable("no number for a guest was stored"))


@define(eq=False)
class RemoveOld:
    """Remove old events; the arguments and the result are EventLog.remove_old's."""

    future: Future[Removed]
    before: str
    messages: int | None
    after: Key
    _removed: Removed = field(factory=lambda: Removed(0, None))

    def write(self, rows: RowWriter) -> None:
        """Write in the open transaction."""
        self._removed = remove_old(rows.connection, self.before, self.messages, self.after)

    def is_stored(self, connection: sqlite3.Connection) -> bool:
        """Tell, on another connection, whether the transaction was committed: if not, it is done again some time."""
        return True

    def succeed(self) -> None:
        """Report what is committed."""
        self.future.set_result(self._removed)

    def fail(self) -> None:
        """Report that nothing was removed."""
        self.future.set_exception(LogUnavailable("no old events were removed"))


class Job(worker.Job, Protocol):
    """What is to be written, with others in one transaction."""

    def write(self, rows: RowWriter) -> None:
        """Write in the open transaction."""

    def is_stored(self, connection: sqlite3.Connection) -> bool:
        """Tell, on another connection, whether the transaction was committed. True if there was nothing to commit."""


class Writer(Worker[Job]):
    """Writes what waits in one transaction after the other."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        lock: Lock,
        watch: Watch,
        *,
        clock: Callable[[], float],
        retry_seconds: float,
    ) -> None:
        self._connect = connect
        self._lock = lock
        self._watch = watch
        self._is_lost = False
        self._clock = clock
        self._retry_seconds = retry_seconds
        self._rows: RowWriter | None = None
        self._trouble = ""
        super().__init__("tchat-writer")

    def perform(self, jobs: Sequence[Job]) -> None:
        """Do *jobs* in one transaction."""
        self.report(jobs, self._write(jobs))

    def release(self) -> None:
        """Close the connection."""
        self._give_up_rows()

    def _write(self, jobs: Sequence[Job]) -> Callable[[Job], None]:
        """Write *jobs* in one transaction; return how to report them."""
        if self._is_lost:
            return fail
        if trouble := self._watch.trouble():
            self._tell_trouble(f"nothing can be stored: {trouble}")
            return fail
        try:
            rows = self._rows or self._new_rows()
            rows.connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                job.write(rows)
        except (sqlite3.Error, TchatError, ValueError) as error:
            self._tell_trouble(f"nothing can be stored: {self._watch.explain(error)}")
            self._give_up_rows()
            return fail
        try:
            rows.connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._give_up_rows()
            code = getattr(error, "sqlite_errorcode", 0)
            if code & 0xFF in _SURELY_FAILED or code in _SURELY_FAILED_EXTENDED:
                self._tell_trouble(f"nothing can be stored: {error}")
                return fail
            self._tell_trouble(f"not known whether the last append is stored, reading back: {error}")
            return self._read_back(jobs)
        if trouble := self._watch.trouble():
            self._tell_trouble(f"nothing can be stored until a restart: {trouble}")
            self._is_lost = True  # should the file come back, this transaction is in it: nothing may follow it untold
            return fail
        self._lock.note(rows.last_entry)
        if rows.redacted:
            self._wipe(rows)
        self._tell_trouble("")
        return succeed

    def _wipe(self, rows: RowWriter) -> None:
        """Empty the -wal file, which holds what was taken away until then; while somebody reads it, the next time."""
        with suppress(sqlite3.Error):
            ((is_busy, _, _),) = rows.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            rows.redacted = bool(is_busy)
            self._watch.expect_cut()

    def _read_back(self, jobs: Sequence[Job]) -> Callable[[Job], None]:
        """Find out, on new connections and as often as it takes, whether the transaction was committed.

        A transaction that is not seen may still come back when the file is recovered after a crash, until another
        one is committed: that is what the fence is for.
        """
        delay = _FIRST_DELAY_SECONDS
        while True:
            try:
                with closing(self._connect()) as connection:
                    connection.execute("BEGIN IMMEDIATE")
                    is_stored = all(job.is_stored(connection) for job in jobs)
                    fence(connection)
                    connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._tell_trouble(f"still not known whether the last append is stored: {error}")
                if self.stopping.wait(delay):
                    return _leave_unknown
                delay = min(2 * delay, _MAX_DELAY_SECONDS)
            else:
                return succeed if is_stored else fail

    def _tell_trouble(self, trouble: str) -> None:
        """Log what is wrong when it begins, changes or ends ("")."""
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble:
            _log.warning(trouble)
        else:
            _log.warning("storing works again")

    def _new_rows(self) -> RowWriter:
        connection = self._connect()
        try:
            self._rows = RowWriter(connection, self._clock, self._retry_seconds)
        except BaseException:
            connection.close()
            raise
        return self._rows

    def _give_up_rows(self) -> None:
        """Close the connection, which rolls back what was begun."""
        if self._rows is not None:
            with suppress(sqlite3.Error):
                self._rows.connection.close()
            self._rows = None


def _leave_unknown(job: Job) -> None:
    job.future.set_exception(LogUnavailable("it is not known whether the last append is stored"))
