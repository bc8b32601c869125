"""What is looked at before a database is used, and the one line that says why it is not.

A file is one of ours by its application id, and of a version by its user version.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from tchat_server.store.event_log import LogUnusable
from tchat_server.store.sqlite.lock import beside, missing, verify

__all__ = [
    "APPLICATION_ID",
    "BUSY_SECONDS",
    "CHECK_ADVICE",
    "FIRST_WITH_CHECKSUMS",
    "VERSION",
    "check_file",
    "check_no_copy",
    "has_checksums",
    "has_table",
    "is_copy",
    "is_empty",
    "last_entry",
    "must_exist",
    "open_for_reading",
    "refusals",
    "refused_by_server",
    "version_of",
]

APPLICATION_ID = 0x74636874
VERSION = 3
FIRST_WITH_CHECKSUMS = 2
_FIRST_WITH_REMOVALS = 3
BUSY_SECONDS = 1.5

_MAX_CHECKED_BYTES = 16 * 1024 * 1024
_BACKUP_HEADER = b"SQLite format 3\0\x10\0\1\1"  # pages of 4096 bytes; no -wal file was ever needed to read it

_ADVICE = {
    sqlite3.SQLITE_NOTADB: "is not a database: choose another file with --db",
    sqlite3.SQLITE_CORRUPT: "is damaged: `tchat-server check` says where; restore a backup",
    sqlite3.SQLITE_READONLY: "cannot be written: change its permissions or choose another file with --db",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: check that its directory exists and can be written",
    sqlite3.SQLITE_BUSY: "is locked by another program: stop that one or choose another file with --db",
    sqlite3.SQLITE_FULL: "cannot be written, its disk is full: make room or choose another file with --db",
}
CHECK_ADVICE = _ADVICE | {
    sqlite3.SQLITE_NOTADB: "is not a database: name the database of a tchat-server",
    sqlite3.SQLITE_CORRUPT: "is damaged so that nothing in it can be read: restore a backup",
}


@contextmanager
def refusals(path: Path, advice: Mapping[int, str] = _ADVICE) -> Iterator[None]:
    """Turn what SQLite and the system say about the file into one line that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        raise LogUnusable(f"{path} {advice.get(code, f'cannot be used: {error}')}") from error
    except OSError as error:
        raise LogUnusable(
            f"{path} cannot be opened, {error.strerror}: check its directory or choose another file with --db"
        ) from error


def open_for_reading(path: Path, advice: Mapping[int, str] = _ADVICE) -> sqlite3.Connection:
    """Connect to a database that a server may be using.

    Raises:
        LogUnusable: there is none, or it is not one of this version.
    """
    with refusals(path, advice):
        must_exist(path)
        _check_wal(path)
        connection = _connect_for_reading(path)
        try:
            if is_empty(connection) and (fault := missing(path)):
                raise LogUnusable(fault)
            _check_version(path, connection)
        except BaseException:
            connection.close()
            raise
        return connection


def must_exist(path: Path) -> None:
    """See that there is a file. Raises LogUnusable."""
    if not path.is_file():
        raise LogUnusable(missing(path) or f"{path} does not exist: name the database of a tchat-server")


def check_no_copy(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse a file that is filled from elsewhere: what is changed here would be known nowhere else.

    Raises:
        LogUnusable: it is one, or it cannot be read.
    """
    if is_copy(path, connection):
        raise LogUnusable(f"{path} is a node's own copy of a chat in an engine: name that, nats://HOST/NAME")


def is_copy(path: Path, connection: sqlite3.Connection | None = None) -> bool:
    """Tell whether a file is filled from elsewhere. Raises LogUnusable."""
    with refusals(path), closing(connection or _connect_for_reading(path)) as reading:
        return has_table(reading, "followed")


def _connect_for_reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def is_empty(connection: sqlite3.Connection) -> bool:
    """Tell whether nothing was ever made in this file, or its making was interrupted."""
    ((application,),) = connection.execute("PRAGMA application_id")
    ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_master")
    return (application, tables) == (0, 0)


def _check_version(path: Path, connection: sqlite3.Connection) -> None:
    ((application,),) = connection.execute("PRAGMA application_id")
    if application != APPLICATION_ID:
        raise LogUnusable(f"{path} is another program's database: choose another file with --db")
    if (version := version_of(connection)) > VERSION:
        raise LogUnusable(
            f"{path}: database schema {version} is newer than this server ({VERSION}): install a newer tchat-server"
        )


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Tell whether there is such a table."""
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone() is not None


def has_checksums(connection: sqlite3.Connection) -> bool:
    """Tell whether this database's rows carry checksums: those of schema 1 do not."""
    return version_of(connection) >= FIRST_WITH_CHECKSUMS


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of this database's schema."""
    ((version,),) = connection.execute("PRAGMA user_version")
    return int(version)


def refused_by_server(path: Path, connection: sqlite3.Connection) -> list[str]:
    """Return why a server refuses to start with it, damaged pages aside: truncated, another one, without its end."""
    return [fault for fault in (_cut(path, connection), verify(path, *last_entry(connection))) if fault]


def check_file(path: Path) -> None:
    """Refuse what is not to be used, and leave it as it is: to close a writing connection may empty the -wal file."""
    if not path.exists():
        if fault := missing(path):
            raise LogUnusable(fault)
        return
    os.close(os.open(path, os.O_RDWR))
    _check_wal(path)
    with closing(_connect_for_reading(path)) as connection:
        if is_empty(connection):
            if fault := missing(path):
                raise LogUnusable(fault)
            return
        _check_version(path, connection)
        if fault := _cut(path, connection):
            raise LogUnusable(fault)
        if path.stat().st_size <= _MAX_CHECKED_BYTES:
            ((result,),) = connection.execute("PRAGMA integrity_check(1)")
            if result != "ok":
                raise LogUnusable(f"{path} {_ADVICE[sqlite3.SQLITE_CORRUPT]}")
        if fault := verify(path, *last_entry(connection)):
            raise LogUnusable(fault)


def _check_wal(path: Path) -> None:
    """Refuse a backup put beside the -wal file of what was there before: SQLite would mix them."""
    wal = beside(path, "-wal")
    with path.open("rb") as file:
        is_of_backup = file.read(len(_BACKUP_HEADER)) == _BACKUP_HEADER
    if is_of_backup and wal.exists() and wal.stat().st_size:
        raise LogUnusable(f"{path} is a backup, and {wal} is of another database: delete that one")


def _cut(path: Path, connection: sqlite3.Connection) -> str:
    """Return what is wrong with the size of the file, "" if nothing."""
    wal = beside(path, "-wal")
    ((pages,),) = connection.execute("PRAGMA page_count")
    ((page_bytes,),) = connection.execute("PRAGMA page_size")
    size = path.stat().st_size
    if size < pages * page_bytes and not (wal.exists() and wal.stat().st_size):
        return f"{path} is truncated, {size} of {pages * page_bytes} bytes: restore a backup"
    return ""


def last_entry(connection: sqlite3.Connection) -> tuple[str, int]:
    """Return the database's identity, and the number of its last entry, which may have been removed."""
    has_removals = version_of(connection) >= _FIRST_WITH_REMOVALS
    query = f"SELECT identity, {'last_entry' if has_removals else '0'} FROM state"
    ((identity, removed),) = connection.execute(query)
    ((last,),) = connection.execute("SELECT coalesce(max(id), 0) FROM entries")
    return str(identity), max(int(last), int(removed))
