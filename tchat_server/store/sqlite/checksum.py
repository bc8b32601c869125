"""The checksum each stored row carries: what the disk changed is noticed when the row is read, and never delivered.

CRC-32 finds every flip of up to three bits and every burst of up to 32, and other damage but once in 4 thousand million
times; a hash costs twice as much. It is no seal: who may write to the file may write checksums too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any
from zlib import crc32

__all__ = ["Damaged", "begun", "checksum", "complete", "damaged_rows", "fill_in"]

_COLUMNS = {
    "groups": ("id, key, name, private, creator, seq", "'group ' || name"),
    "entries": ("group_id, kind, seqs, lines", "'events ' || seqs || ' of group ' || {group}"),
    "snapshots": ("group_id, seq, state", "'the snapshot at ' || seq || ' of group ' || {group}"),
    "standings": (
        "user, group_id, name, standing, invitation",
        "'the standing of ' || user || ' in group ' || {group}",
    ),
    "retries": ("user, id, group_id, seq, time, digest", "'an id of ' || user || ' in group ' || {group}"),
    "users": ("key, name, password_hash", "'the account of ' || key"),
    "begins": ("group_id, seq", "'the beginning of group ' || {group}"),
    "bars": ("key, name, until", "'the ban of ' || key"),
    "invitations": ("mark", "'an invitation code'"),
}
"""Table -> the columns that `checksum` is of (`last_seq` says again what `seqs` says); what a row is called (SQL)."""

_GROUP = "coalesce((SELECT groups.name FROM groups WHERE groups.id = group_id), group_id)"


class Damaged(ValueError):
    """A row is not what was stored. The message says which."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is damaged on disk: `tchat-server check` tells more; restore a backup")


def begun(*fields: str | bytes | float | None) -> int:
    """Begin the checksum of a row: all its columns but the last."""
    return crc32(ascii(fields).encode())


def complete(begun: int, last: str | bytes | float | None) -> int:
    """Complete the checksum of a row with its last column, which may be long."""
    return crc32(last if type(last) is bytes else b"\0" + ascii(last).encode(), begun)


def checksum(*fields: Any) -> int:
    """Return the checksum of a row's columns, in their order."""
    return complete(begun(*fields[:-1]), fields[-1])


def damaged_rows(connection: sqlite3.Connection, most: int) -> Iterator[str]:
    """Yield what each row is called whose checksum does not hold, at most *most* of each table."""
    connection.create_function("row_checksum", -1, checksum, deterministic=True)
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table, (columns, name) in _COLUMNS.items():
        if table not in there:
            continue  # a file that no server of this version has had
        name = name.format(group=_GROUP)
        wrong = f"SELECT {name} FROM {table} WHERE checksum IS NOT row_checksum({columns}) LIMIT ?"
        for (what,) in connection.execute(wrong, (most,)):
            yield str(what)


def fill_in(connection: sqlite3.Connection) -> None:
    """Give every row of tables that have no checksums one, in the open transaction."""
    connection.create_function("row_checksum", -1, checksum, deterministic=True)
    for table in ("groups", "entries", "snapshots", "standings", "retries", "users"):
        columns, _ = _COLUMNS[table]
        connection.execute(f"ALTER TABLE {table} ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0")
        connection.execute(f"UPDATE {table} SET checksum = row_checksum({columns})")
