"""The SQLite file itself: its tables, opening it, and refusing one that must not be used.

A file is one of ours by its application id, and of a version by its user version. One process at a time has it
open for writing: it holds a lock on the file `<database>.lock` beside it, which the system releases however the
process ends. The same file notes the number of the last entry committed. It is never ahead of the database, so a
database behind it has lost entries (a truncated `-wal` file, which SQLite cannot tell from a crash).
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Literal

from tchat_server.log import LogRefused

__all__ = ["Durability", "Lock", "connect", "fence", "open_file", "open_for_reading", "refusals"]

Durability = Literal["full", "normal"]

_APPLICATION_ID = 0x74636874
_VERSION = 1
_BUSY_SECONDS = 1.5
_MAX_CHECKED_BYTES = 16 * 1024 * 1024
_MAX_WAL_BYTES = 64 * 1024 * 1024
_CACHE_KIB = 16 * 1024

_TABLES = """
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    identity TEXT NOT NULL,              -- drawn once: tells this database from another one at the same path
    fence INTEGER NOT NULL               -- raised to find out whether the file can be written
);
CREATE TABLE groups (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    private INTEGER NOT NULL,
    creator TEXT NOT NULL,
    seq INTEGER NOT NULL                 -- of the last event
);
CREATE INDEX groups_by_creator ON groups (creator);
CREATE INDEX public_groups ON groups (key, name) WHERE private = 0;
CREATE TABLE entries (                   -- events as they were sent, several of one append in a row
    id INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL REFERENCES groups (id),
    kind INTEGER NOT NULL,               -- 0: messages, 1: every other event
    last_seq INTEGER NOT NULL,
    seqs TEXT NOT NULL,                  -- of the lines: 'first-last' or 'a,b,c'
    lines BLOB NOT NULL                  -- joined with LF
);
CREATE UNIQUE INDEX entries_by_group ON entries (group_id, kind, last_seq);
CREATE TABLE snapshots (
    group_id INTEGER PRIMARY KEY REFERENCES groups (id),
    seq INTEGER NOT NULL,
    state BLOB NOT NULL
);
CREATE TABLE standings (
    user TEXT NOT NULL,
    group_id INTEGER NOT NULL REFERENCES groups (id),
    name TEXT NOT NULL,
    standing TEXT NOT NULL,
    invitation BLOB,                     -- the event as it was sent
    PRIMARY KEY (user, group_id)
) WITHOUT ROWID;
CREATE INDEX members_by_group ON standings (group_id) WHERE standing = 'member';
CREATE TABLE retries (                   -- in the order of time, which is how they are forgotten
    number INTEGER PRIMARY KEY,
    user TEXT NOT NULL,
    id TEXT NOT NULL,
    group_id INTEGER NOT NULL REFERENCES groups (id),
    seq INTEGER NOT NULL,
    time REAL NOT NULL,
    digest TEXT NOT NULL
);
CREATE INDEX retries_by_user ON retries (user);
CREATE TABLE users (
    key TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL
) WITHOUT ROWID;
"""

_ADVICE = {
    sqlite3.SQLITE_NOTADB: "is not a database: choose another file with --db",
    sqlite3.SQLITE_CORRUPT: "is damaged: `tchat-server check` says where; restore a backup",
    sqlite3.SQLITE_READONLY: "cannot be written: change its permissions or choose another file with --db",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: check that its directory exists and can be written",
    sqlite3.SQLITE_BUSY: "is locked by another program: stop that one or choose another file with --db",
    sqlite3.SQLITE_FULL: "cannot be written, its disk is full: make room or choose another file with --db",
}


@contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say about the file into one line that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        raise LogRefused(f"{path} {_ADVICE.get(code, f'cannot be used: {error}')}") from error
    except OSError as error:
        raise LogRefused(
            f"{path} cannot be opened, {error.strerror}: check its directory or choose another file with --db"
        ) from error


def connect(
    path: Path,
    *,
    durability: Durability = "full",
    factory: type[sqlite3.Connection] = sqlite3.Connection,
) -> sqlite3.Connection:
    """Connect to the file, which exists. Transactions are explicit. Raises sqlite3.Error."""
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, timeout=_BUSY_SECONDS, isolation_level=None, factory=factory
    )
    try:
        connection.execute(f"PRAGMA synchronous = {durability}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA journal_size_limit = {_MAX_WAL_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def fence(connection: sqlite3.Connection) -> None:
    """Write something, in the open transaction: once it is committed, nothing earlier can still come or go."""
    connection.execute("UPDATE state SET fence = fence + 1")


class Lock:
    """The right to write to a database, held until `release` or the end of the process."""

    def __init__(self, path: Path, *, durability: Durability = "full") -> None:
        """Take the lock. Only with "full" is anything noted: otherwise a power cut may lose what was committed.

        Raises:
            LogRefused: another process has it.
            OSError: the lock's file cannot be made.
        """
        self.path = path.with_name(path.name + ".lock")
        self._is_noting = durability == "full"
        self._identity = ""
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise LogRefused(
                f"{path}: database is locked by another tchat-server: stop that one or choose another file with --db"
            ) from error

    def noted(self, identity: str) -> int:
        """Return the number noted for the database with this identity, 0 if none is; later notes are for it."""
        self._identity = identity
        whose, _, number = os.pread(self._file, 128, 0).decode("ascii", "replace").strip().partition(" ")
        return int(number) if whose == identity and number.isdigit() else 0

    def note(self, number: int) -> None:
        """Note the number of the last entry that is committed. A note that fails costs nothing but a check."""
        if not self._is_noting:
            return
        with suppress(OSError):
            os.pwrite(self._file, f"{self._identity} {number:020}\n".encode(), 0)

    def release(self) -> None:
        """Let another process have the database."""
        os.close(self._file)


def open_file(path: Path, *, durability: Durability = "full") -> Lock:
    """Lock the database and see that it can be used; make it, and its directory, if there is none.

    Takes a time that does not grow with the database.

    Raises:
        LogRefused: it is locked, damaged, not ours, newer than this program, or can't be written.
    """
    with refusals(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = Lock(path, durability=durability)
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            _check(path, lock)
            with closing(connect(path, durability=durability)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("BEGIN IMMEDIATE")
                if _is_empty(connection):
                    _create(connection)
                fence(connection)
                connection.execute("COMMIT")
                _check_entries(path, connection, lock)
        except BaseException:
            lock.release()
            raise
    return lock


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Connect to a database that a server may be using.

    Raises:
        LogRefused: there is none, or it is not one of this version.
    """
    with refusals(path):
        if not path.is_file():
            raise LogRefused(f"{path} does not exist: name the database of a tchat-server")
        connection = _connect_for_reading(path)
        try:
            _check_version(path, connection)
        except BaseException:
            connection.close()
            raise
        return connection


def _connect_for_reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS, isolation_level=None)


def _is_empty(connection: sqlite3.Connection) -> bool:
    """Tell whether nothing was ever made in this file, or its making was interrupted."""
    ((application,),) = connection.execute("PRAGMA application_id")
    ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_master")
    return (application, tables) == (0, 0)


def _create(connection: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";\n"):
        connection.execute(statement)
    connection.execute("INSERT INTO state VALUES (1, lower(hex(randomblob(16))), 0)")
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")


def _check_version(path: Path, connection: sqlite3.Connection) -> None:
    ((application,),) = connection.execute("PRAGMA application_id")
    ((version,),) = connection.execute("PRAGMA user_version")
    if application != _APPLICATION_ID:
        raise LogRefused(f"{path} is another program's database: choose another file with --db")
    if version > _VERSION:
        raise LogRefused(
            f"{path}: database schema {version} is newer than this server ({_VERSION}): install a newer tchat-server"
        )


def _check(path: Path, lock: Lock) -> None:
    """Refuse what is not to be used, and leave it as it is: to close a writing connection may empty the -wal file."""
    with closing(_connect_for_reading(path)) as connection:
        if not _is_empty(connection):
            _check_version(path, connection)
            _check_pages(path, connection)
            _check_entries(path, connection, lock)


def _check_pages(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse a truncated file, and a damaged one as far as that shows in a bounded time."""
    wal = path.with_name(path.name + "-wal")
    ((pages,),) = connection.execute("PRAGMA page_count")
    ((page_bytes,),) = connection.execute("PRAGMA page_size")
    size = path.stat().st_size
    if size < pages * page_bytes and not (wal.exists() and wal.stat().st_size):
        raise LogRefused(f"{path} is truncated, {size} of {pages * page_bytes} bytes: restore a backup")
    if size <= _MAX_CHECKED_BYTES:
        ((result,),) = connection.execute("PRAGMA quick_check(1)")
        if result != "ok":
            raise LogRefused(f"{path} {_ADVICE[sqlite3.SQLITE_CORRUPT]}")


def _check_entries(path: Path, connection: sqlite3.Connection, lock: Lock) -> None:
    ((identity,),) = connection.execute("SELECT identity FROM state")
    ((last,),) = connection.execute("SELECT coalesce(max(id), 0) FROM entries")
    noted = lock.noted(identity)
    if noted > last:
        raise LogRefused(
            f"{path} lacks its last entries ({noted - last}): "
            f"restore its -wal file or a backup, or delete {lock.path} to go on without them"
        )
    lock.note(last)
