"""What is looked at before a file is used as a node's own copy (see `cache`).

One that is damaged is put aside, to be filled again; one that was filled from elsewhere, or is no copy at all, is
refused.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tchat_server.store.event_log import LogUnavailable, LogUnusable
from tchat_server.store.sqlite.inspection import APPLICATION_ID, BUSY_SECONDS, has_table, is_empty
from tchat_server.store.sqlite.lock import beside
from tchat_server.store.sqlite.users import last_retry_time

__all__ = ["CopyHarmed", "damage", "look", "remove"]

_HEADER_BYTES = 100
_MAX_CHECKED_BYTES = 16 * 1024 * 1024

_log = logging.getLogger(__name__)


class CopyHarmed(LogUnavailable):
    """The file was cut, replaced or damaged; when it is closed it is removed."""


def look(path: Path, identity: str) -> float:
    """See what is at *path*, put it aside if it is damaged; return when its last retry was. Raises LogUnusable."""
    if not path.exists() or not path.stat().st_size:
        _put_aside(path)
        return 0.0
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)) as connection:
            ((application,),) = connection.execute("PRAGMA application_id")
            if application == 0 and is_empty(connection):
                return 0.0
            if application != APPLICATION_ID:
                raise LogUnusable(f"{path} is another program's database: name another file with --cache")
            if _is_damaged(path, connection):
                _put_aside(path)
                return 0.0
            return _whose(path, identity, connection)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        _put_aside(path)
        return 0.0


@contextmanager
def damage(path: Path) -> Iterator[None]:
    """Put the file aside if it turns out to be damaged. Raises CopyHarmed then."""
    try:
        yield
    except LogUnusable as error:
        if getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        _put_aside(path)
        raise CopyHarmed(str(error)) from None


def _whose(path: Path, identity: str, connection: sqlite3.Connection) -> float:
    if not has_table(connection, "followed"):
        if connection.execute("SELECT 1 FROM groups UNION ALL SELECT 1 FROM users").fetchone():
            raise LogUnusable(f"{path} is a database of its own, and no node's copy: name another file with --cache")
        return 0.0
    found = connection.execute("SELECT identity FROM followed").fetchone()
    if found is not None and found[0] != identity:
        raise LogUnusable(f"{path} is the copy of another chat: name another file with --cache, or delete it")
    return last_retry_time(connection) or 0.0


def _is_damaged(path: Path, connection: sqlite3.Connection) -> bool:
    size = path.stat().st_size
    if size < _noted_bytes(path):
        return True
    if size > _MAX_CHECKED_BYTES:
        return False
    return bool(connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",))


def _noted_bytes(path: Path) -> int:
    """Return how long the file notes it is itself, whatever the -wal file says (https://sqlite.org/fileformat2.html)."""
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    page_bytes = int.from_bytes(header[16:18], "big")
    return int.from_bytes(header[28:32], "big") * (page_bytes if page_bytes > 1 else 65_536)


def _put_aside(path: Path) -> None:
    """Take the file away, so that a new one is filled; the last damaged one is kept beside it, for a look."""
    if path.exists() and path.stat().st_size:
        _log.warning("%s is damaged: it is put aside, and filled again", path)
        path.replace(beside(path, ".damaged"))
    remove(path)


def remove(path: Path) -> None:
    """Remove the file, and what SQLite has beside it."""
    for suffix in ("", "-wal", "-shm"):
        beside(path, suffix).unlink(missing_ok=True)
