"""The SQLite file itself: its tables, opening it, and refusing one that must not be used.

A file is one of ours by its application id, and of a version by its user version. One process at a time has it to
itself (see `lock`): the index of its `-wal` file is in that process's memory (SQLite's `unix-excl`), so no other
program can cut it, write to the database or lock it meanwhile. What others want to read, `copier` gives them.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tchat_server.log import LogRefused
from tchat_server.log.checksum import fill_in
from tchat_server.log.lock import Durability, Lock, missing, verify

__all__ = [
    "MAX_WAL_BYTES",
    "connect",
    "fence",
    "has_checksums",
    "open_file",
    "open_for_reading",
    "refusals",
    "refused_by_server",
]

_log = logging.getLogger(__name__)

_APPLICATION_ID = 0x74636874
_VERSION = 2
_BUSY_SECONDS = 1.5
_MAX_CHECKED_BYTES = 16 * 1024 * 1024
MAX_WAL_BYTES = 64 * 1024 * 1024
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
    seq INTEGER NOT NULL,                -- of the last event
    checksum INTEGER NOT NULL            -- of the row, as in every table that has one
);
CREATE INDEX groups_by_creator ON groups (creator);
CREATE INDEX public_groups ON groups (key, name) WHERE private = 0;
CREATE TABLE entries (                   -- events as they were sent, several of one append in a row
    id INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL REFERENCES groups (id),
    kind INTEGER NOT NULL,               -- 0: messages, 1: every other event
    last_seq INTEGER NOT NULL,
    seqs TEXT NOT NULL,                  -- of the lines: 'first-last' or 'a,b,c'
    lines BLOB NOT NULL,                 -- joined with LF
    checksum INTEGER NOT NULL
);
CREATE UNIQUE INDEX entries_by_group ON entries (group_id, kind, last_seq);
CREATE TABLE snapshots (
    group_id INTEGER PRIMARY KEY REFERENCES groups (id),
    seq INTEGER NOT NULL,
    state BLOB NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE TABLE standings (
    user TEXT NOT NULL,
    group_id INTEGER NOT NULL REFERENCES groups (id),
    name TEXT NOT NULL,
    standing TEXT NOT NULL,
    invitation BLOB,                     -- the event as it was sent
    checksum INTEGER NOT NULL,
    PRIMARY KEY (user, group_id)
) WITHOUT ROWID;
CREATE TABLE retries (                   -- in the order of time, which is how they are forgotten
    number INTEGER PRIMARY KEY,
    user TEXT NOT NULL,
    id TEXT NOT NULL,
    group_id INTEGER NOT NULL REFERENCES groups (id),
    seq INTEGER NOT NULL,
    time REAL NOT NULL,
    digest TEXT NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE INDEX retries_by_user ON retries (user);
CREATE TABLE users (
    key TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    checksum INTEGER NOT NULL
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
    """Connect to the file, which exists and is this process's. Transactions are explicit. Raises sqlite3.Error."""
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw&vfs=unix-excl",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        factory=factory,
    )
    try:
        connection.execute(f"PRAGMA synchronous = {durability}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA journal_size_limit = {MAX_WAL_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def fence(connection: sqlite3.Connection) -> None:
    """Write something, in the open transaction: once it is committed, nothing earlier can still come or go."""
    connection.execute("UPDATE state SET fence = fence + 1")


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
            _check(path)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            with closing(connect(path, durability=durability)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("BEGIN IMMEDIATE")
                if _is_empty(connection):
                    _create(connection)
                elif not has_checksums(connection):
                    _migrate(path, connection)
                fence(connection)
                connection.execute("COMMIT")
                lock.begin(*_last_entry(connection))
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
            raise LogRefused(missing(path) or f"{path} does not exist: name the database of a tchat-server")
        connection = _connect_for_reading(path)
        try:
            if _is_empty(connection) and (fault := missing(path)):
                raise LogRefused(fault)
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


def has_checksums(connection: sqlite3.Connection) -> bool:
    """Tell whether this database's rows carry checksums: those of schema 1 do not."""
    ((version,),) = connection.execute("PRAGMA user_version")
    return bool(version >= _VERSION)


def _migrate(path: Path, connection: sqlite3.Connection) -> None:
    _log.warning("%s is of schema 1: it becomes one of schema %d, every row gets a checksum", path, _VERSION)
    fill_in(connection)
    connection.execute(f"PRAGMA user_version = {_VERSION}")


def refused_by_server(path: Path, connection: sqlite3.Connection) -> list[str]:
    """Return why a server refuses to start with it, damaged pages aside: truncated, another one, without its end."""
    return [fault for fault in (_cut(path, connection), verify(path, *_last_entry(connection))) if fault]


def _check(path: Path) -> None:
    """Refuse what is not to be used, and leave it as it is: to close a writing connection may empty the -wal file."""
    if not path.exists():
        if fault := missing(path):
            raise LogRefused(fault)
        return
    os.close(os.open(path, os.O_RDWR))
    with closing(_connect_for_reading(path)) as connection:
        if _is_empty(connection):
            if fault := missing(path):
                raise LogRefused(fault)
            return
        _check_version(path, connection)
        if fault := _cut(path, connection):
            raise LogRefused(fault)
        if path.stat().st_size <= _MAX_CHECKED_BYTES:
            ((result,),) = connection.execute("PRAGMA quick_check(1)")
            if result != "ok":
                raise LogRefused(f"{path} {_ADVICE[sqlite3.SQLITE_CORRUPT]}")
        if fault := verify(path, *_last_entry(connection)):
            raise LogRefused(fault)


def _cut(path: Path, connection: sqlite3.Connection) -> str:
    """Return what is wrong with the size of the file, "" if nothing."""
    wal = path.with_name(path.name + "-wal")
    ((pages,),) = connection.execute("PRAGMA page_count")
    ((page_bytes,),) = connection.execute("PRAGMA page_size")
    size = path.stat().st_size
    if size < pages * page_bytes and not (wal.exists() and wal.stat().st_size):
        return f"{path} is truncated, {size} of {pages * page_bytes} bytes: restore a backup"
    return ""


def _last_entry(connection: sqlite3.Connection) -> tuple[str, int]:
    """Return the database's identity, and the number of its last entry."""
    ((identity,),) = connection.execute("SELECT identity FROM state")
    ((last,),) = connection.execute("SELECT coalesce(max(id), 0) FROM entries")
    return str(identity), int(last)
