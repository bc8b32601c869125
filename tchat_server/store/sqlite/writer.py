"""The thread that writes to the SQLite file: everything that waits goes into one transaction.

Nothing is reported done before its COMMIT succeeded, and nothing is reported failed while it may still turn out
to be stored. After a fault the connection is given up and the next transaction makes a new one, so writing works
again as soon as the storage does.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from typing import Any, TypeVar

from attrs import define

from libtchat.message.errors import TchatError
from tchat_server.store.event_log import LogUnavailable
from tchat_server.store.sqlite.lock import Lock
from tchat_server.store.sqlite.rows import RowWriter
from tchat_server.store.sqlite.schema import fence
from tchat_server.store.sqlite.watch import Watch
from tchat_server.store.sqlite.worker import Job, NotDone, Worker

__all__ = ["Write", "Writer"]

_T = TypeVar("_T")

_log = logging.getLogger(__name__)

_FIRST_DELAY_SECONDS = 0.01
_MAX_DELAY_SECONDS = 2.0

# A COMMIT that fails for one of these reasons has certainly not happened: the commit record is written last, and a
# write that fails (a quota, a file-size limit) leaves it incomplete. Only a failed sync leaves anything open.
_SURELY_FAILED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY}
_SURELY_FAILED_EXTENDED = {sqlite3.SQLITE_IOERR_WRITE}


@define(eq=False)
class Write(Job[_T]):
    """What is to be written, with others in one transaction; the result is what *act* returns.

    Attributes:
        act: writes in the open transaction.
        is_stored: tells, on another connection and by what *act* returned, whether the transaction was committed. True
            if there was nothing to commit.
    """

    act: Callable[[RowWriter], _T]
    is_stored: Callable[[sqlite3.Connection, _T], bool]


class Writer(Worker[Write[Any]]):
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

    def perform(self, jobs: Sequence[Write[Any]]) -> None:
        """Do *jobs* in one transaction."""
        if (error := self._write(jobs)) is None:
            self.report(jobs)
        else:
            self.refuse(jobs, error)

    def release(self) -> None:
        """Close the connection."""
        self._give_up_rows()

    def _write(self, jobs: Sequence[Write[Any]]) -> LogUnavailable | None:
        """Write *jobs* in one transaction; return what is told to those who wait for them if it is not committed."""
        if self._is_lost:
            return self._not_stored(self._trouble)
        if trouble := self._watch.trouble():
            return self._not_stored(f"nothing can be stored: {trouble}")
        try:
            rows = self._rows or self._new_rows()
            rows.connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                job.result = job.act(rows)
        except (sqlite3.Error, TchatError, ValueError) as error:
            self._give_up_rows()
            return self._not_stored(f"nothing can be stored: {self._watch.explain(error)}")
        try:
            rows.connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._give_up_rows()
            code = getattr(error, "sqlite_errorcode", 0)
            if code & 0xFF in _SURELY_FAILED or code in _SURELY_FAILED_EXTENDED:
                return self._not_stored(f"nothing can be stored: {error}")
            self._tell_trouble(f"not known whether the last append is stored, reading back: {error}")
            return self._read_back(jobs)
        if trouble := self._watch.trouble():
            self._is_lost = True  # should the file come back, this transaction is in it: nothing may follow it untold
            return self._not_stored(f"nothing can be stored until a restart: {trouble}")
        self._lock.note(rows.last_entry)
        if rows.redacted:
            self._wipe(rows)
        self._tell_trouble("")
        return None

    def _wipe(self, rows: RowWriter) -> None:
        """Empty the -wal file, which holds what was taken away until then; while somebody reads it, the next time."""
        with suppress(sqlite3.Error):
            ((is_busy, _, _),) = rows.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            rows.redacted = bool(is_busy)
            self._watch.expect_cut()

    def _read_back(self, jobs: Sequence[Write[Any]]) -> LogUnavailable | None:
        """Find out, on new connections and as often as it takes, whether the transaction was committed.

        A transaction that is not seen may still come back when the file is recovered after a crash, until another
        one is committed: that is what the fence is for.
        """
        delay = _FIRST_DELAY_SECONDS
        while True:
            try:
                with closing(self._connect()) as connection:
                    connection.execute("BEGIN IMMEDIATE")
                    is_stored = all(job.is_stored(connection, job.result) for job in jobs)
                    fence(connection)
                    connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._tell_trouble(f"still not known whether the last append is stored: {error}")
                if self.stopping.wait(delay):
                    return LogUnavailable("it is not known whether the last append is stored")
                delay = min(2 * delay, _MAX_DELAY_SECONDS)
            else:
                return None if is_stored else self._not_stored(self._trouble)

    def _not_stored(self, trouble: str) -> NotDone:
        """Log why, and return what is told to those who wait."""
        self._tell_trouble(trouble)
        return NotDone("nothing was stored")

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
