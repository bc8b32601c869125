"""Copies of a database that its server has to itself: who asks at the socket `<database>.sock` is given one.

The server keeps the index of its -wal file in its own memory, where no other program can cut it (one that did ended the
server), so no other program can read the database beside it. The answer names the file `<database>.copy`, which is
deleted when the one who asked has gone.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from tchat_server.ops.control import Json, asked
from tchat_server.store.event_log import LogUnusable
from tchat_server.store.sqlite.lock import beside

__all__ = ["COPY", "Copier", "copied", "copy_database", "socket_path"]

_log = logging.getLogger(__name__)

_PAGES = 2000

COPY = "copy"
"""What is asked at the socket."""


class Copier:
    """Makes one copy after the other, over a connection of its own, which may be used in any thread."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._copy, self._connection = beside(path, ".copy"), connection
        self._turn = threading.Lock()
        self._is_stopping = False

    def give_up(self) -> None:
        """End the copy that is being made, and make no other."""
        self._is_stopping = True

    def close(self) -> None:
        """Close the connection, when no copy is made any more."""
        with self._turn, suppress(sqlite3.Error):
            self._connection.close()

    @contextmanager
    def act(self, request: Json, who: str) -> Iterator[Json]:
        """Make a copy, and yield the answer that names it; delete it in the end. See `tchat_server.ops.control`."""
        with self._turn:
            try:
                self._copy.unlink(missing_ok=True)
                copy_database(self._connection, self._copy, self._go_on)
            except (sqlite3.Error, OSError, InterruptedError) as error:
                _log.warning("storage: no copy was made: %s", error)
                yield {"failed": str(error)}
                return
            try:
                yield {COPY: str(self._copy)}
            finally:
                with suppress(OSError):
                    self._copy.unlink(missing_ok=True)

    def _go_on(self, *_: int) -> None:
        if self._is_stopping:
            raise InterruptedError("the server stops")


@contextmanager
def copied(path: Path) -> Iterator[Path]:
    """Have the server that uses the database make a copy, and yield its path; *path* itself if none answers.

    Raises:
        LogUnusable: the server cannot make one.
    """
    with asked(socket_path(path), {"act": COPY}) as answer:
        if answer is None:
            yield path
        elif COPY not in answer:
            raise LogUnusable(f"{path} cannot be copied by its server: {answer.get('failed')}")
        else:
            yield beside(path, ".copy")


def socket_path(path: Path) -> Path:
    """Return where the server that uses the database *path* listens for its operator."""
    return beside(path, ".sock")


def copy_database(source: sqlite3.Connection, out: Path, go_on: object = None) -> None:
    """Copy a database as it is at one moment to *out*, which must not exist, in a private file.

    Args:
        go_on: called now and then; what it raises ends the copy.
    Raises:
        OSError: the file exists, or cannot be made.
        sqlite3.Error: it cannot be copied.
    """
    os.close(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    source.execute("BEGIN")
    try:
        source.execute("SELECT count(*) FROM sqlite_master")
        with closing(sqlite3.connect(out, isolation_level=None)) as copy:
            copy.execute("PRAGMA synchronous = OFF")
            source.backup(copy, pages=_PAGES, progress=go_on)  # type: ignore[arg-type]
            copy.execute("PRAGMA journal_mode = DELETE")
    finally:
        source.execute("ROLLBACK")
