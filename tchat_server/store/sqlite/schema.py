"""The SQLite file itself: its tables, making it and opening it.

One process at a time has it to
itself (see `lock`): the index of its `-wal` file is in that process's memory (SQLite's `unix-excl`), so no other
program can cut it, write to the database or lock it meanwhile. What others want to read, `copier` gives them.
"""

from __future__ import annotations

import logging
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

from tchat_server.store.sqlite.checksum import fill_in
from tchat_server.store.sqlite.inspection import (
    APPLICATION_ID,
    BUSY_SECONDS,
    FIRST_WITH_CHECKSUMS,
    VERSION,
    check_file,
    is_empty,
    last_entry,
    refusals,
    version_of,
)
from tchat_server.store.sqlite.lock import Durability, Lock, beside

__all__ = ["MAX_WAL_BYTES", "connect", "fence", "open_file"]

_log = logging.getLogger(__name__)

MAX_WAL_BYTES = 64 * 1024 * 1024
_CACHE_KIB = 16 * 1024

_TABLES = """
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    identity TEXT NOT NULL,              -- drawn once: tells this database from another one at the same path
    fence INTEGER NOT NULL,              -- raised to find out whether the file can be written
    last_entry INTEGER NOT NULL DEFAULT 0  -- the number of the last row of entries that was removed, or a larger one
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
    invitation BLOB,                     -- the event as it was sent; of who has texts waiting, which
    checksum INTEGER NOT NULL,
    PRIMARY KEY (user, group_id)
) WITHOUT ROWID;
CREATE INDEX standings_by_kind ON standings (user, standing);
CREATE INDEX members_by_group ON standings (group_id) WHERE standing = 'member';
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
CREATE INDEX retries_by_id ON retries (user, id);
CREATE TABLE users (
    key TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    checksum INTEGER NOT NULL
) WITHOUT ROWID;
"""

# What a file of this version that is older may lack, or have in another form.
_LATER = (
    "CREATE INDEX IF NOT EXISTS retries_by_id ON retries (user, id)",
    "CREATE INDEX IF NOT EXISTS standings_by_kind ON standings (user, standing)",
    "DROP INDEX IF EXISTS retries_by_user",
    "DROP INDEX IF EXISTS public_groups",
    "CREATE INDEX IF NOT EXISTS members_by_group ON standings (group_id) WHERE standing = 'member'",
    """
    CREATE TABLE IF NOT EXISTS guests (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        next INTEGER NOT NULL                -- the number from which on none was given to a guest
    )""",
    # The public groups that have members, kept by the file itself: many may have none, and are not gone through.
    """
    CREATE TABLE IF NOT EXISTS listed (
        key TEXT PRIMARY KEY,
        group_id INTEGER NOT NULL REFERENCES groups (id)
    ) WITHOUT ROWID""",
    """
    INSERT INTO listed SELECT key, id FROM
        (SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'member_came')) CROSS JOIN groups
        WHERE private = 0 AND EXISTS (SELECT 1 FROM standings WHERE group_id = groups.id AND standing = 'member')""",
    """
    CREATE TRIGGER IF NOT EXISTS member_came AFTER INSERT ON standings WHEN new.standing = 'member' BEGIN
        INSERT OR IGNORE INTO listed SELECT key, id FROM groups WHERE id = new.group_id AND private = 0;
    END""",
    *(
        f"""
    CREATE TRIGGER IF NOT EXISTS {name} AFTER {change} ON standings WHEN {row}.standing {kind} BEGIN
        DELETE FROM listed WHERE key = (SELECT key FROM groups WHERE id = {row}.group_id)
            AND NOT EXISTS (SELECT 1 FROM standings WHERE group_id = {row}.group_id AND standing = 'member');
    END"""
        for name, change, row, kind in (
            ("member_went", "DELETE", "old", "= 'member'"),
            ("member_changed", "INSERT", "new", "<> 'member'"),  # a row that is replaced is not deleted for triggers
        )
    ),
    """
    CREATE TABLE IF NOT EXISTS begins (      -- of the groups whose oldest events were removed
        group_id INTEGER PRIMARY KEY REFERENCES groups (id),
        seq INTEGER NOT NULL,                -- of the first event that is still there
        checksum INTEGER NOT NULL
    )""",
    """
    CREATE TABLE IF NOT EXISTS bars (        -- who may not come in
        key TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        until REAL NOT NULL,                 -- seconds since the epoch
        checksum INTEGER NOT NULL
    ) WITHOUT ROWID""",
    """
    CREATE TABLE IF NOT EXISTS invitations ( -- codes that hold, for one use each
        mark TEXT PRIMARY KEY,               -- a hash of the code
        checksum INTEGER NOT NULL
    ) WITHOUT ROWID""",
)


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
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        factory=factory,
    )
    try:
        connection.execute(f"PRAGMA synchronous = {durability}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # what is taken away is not left in free pages
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
        LogUnusable: it is locked, damaged, not ours, newer than this program, or can't be written.
    """
    with refusals(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = Lock(path, durability=durability)
        try:
            check_file(path)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            with closing(connect(path, durability=durability)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("BEGIN IMMEDIATE")
                if is_empty(connection):
                    _create(connection)
                elif (version := version_of(connection)) < VERSION:
                    _migrate(path, connection, version)
                for statement in _LATER:
                    connection.execute(_short(statement))
                fence(connection)
                connection.execute("COMMIT")
                lock.begin(*last_entry(connection))
                beside(path, "-shm").unlink(missing_ok=True)  # nobody else has the database open, and we need none
        except BaseException:
            lock.release()
            raise
    return lock


def _create(connection: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";\n"):
        connection.execute(_short(statement))
    connection.execute("INSERT INTO state VALUES (1, lower(hex(randomblob(16))), 0, 0)")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _short(statement: str) -> str:
    """Return *statement* as it is kept in the file, whose first page has room for all of them: without comments."""
    return " ".join(re.sub("--.*", "", statement).split())


def _migrate(path: Path, connection: sqlite3.Connection, version: int) -> None:
    lacks = version < FIRST_WITH_CHECKSUMS
    more = ", every row gets a checksum" * lacks
    _log.warning("%s is of schema %d: it becomes one of schema %d%s", path, version, VERSION, more)
    if lacks:
        fill_in(connection)
    connection.execute("ALTER TABLE state ADD COLUMN last_entry INTEGER NOT NULL DEFAULT 0")
    connection.execute(f"PRAGMA user_version = {VERSION}")
