"""What is read from the SQLite file: functions of a connection, run wherever that connection lives.

They raise sqlite3.Error, and TchatError or ValueError for a row that is damaged.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from heapq import merge
from operator import itemgetter

from libtchat import codec
from libtchat.effect import Kinds, Loaded, Membership, Retry, User
from libtchat.event import Invited
from libtchat.group import Standing
from libtchat.names import Key, UserKey
from tchat_server.log import NamePage, Page

__all__ = ["KIND_NUMBERS", "find_group", "lines", "load", "load_user", "pack_seqs", "public_groups", "read"]

KIND_NUMBERS = {Kinds.MESSAGES: (0,), Kinds.STATES: (1,), Kinds.ALL: (0, 1)}
"""The `kind` column's values for what a page may show."""

_FORWARD = "SELECT seqs, lines FROM entries WHERE group_id = ? AND kind = ? AND last_seq > ? ORDER BY last_seq"
# From the row that holds the seq below the cursor, which may be in its middle, down.
_BACKWARD = """
SELECT seqs, lines FROM entries WHERE group_id = ?1 AND kind = ?2 AND last_seq <= coalesce(
    (SELECT min(last_seq) FROM entries WHERE group_id = ?1 AND kind = ?2 AND last_seq >= ?3), ?3)
ORDER BY last_seq DESC"""
_MEMBERSHIPS = """
SELECT groups.key, groups.name, private, standing, seq, invitation, standings.name
FROM standings JOIN groups ON groups.id = group_id WHERE user = ? ORDER BY groups.key"""
_RETRIES = """
SELECT retries.id, groups.key, retries.seq, time, digest
FROM retries JOIN groups ON groups.id = group_id WHERE user = ? AND time >= ? ORDER BY number"""


def find_group(connection: sqlite3.Connection, key: Key) -> tuple[int, int] | None:
    """Return the id and the last seq of the group with this key, None if there is none."""
    row: tuple[int, int] | None = connection.execute("SELECT id, seq FROM groups WHERE key = ?", (key,)).fetchone()
    return row


def lines(
    connection: sqlite3.Connection, group_id: int, kinds: Kinds, *, after: int, before: int, ascending: bool = True
) -> Iterator[tuple[int, bytes]]:
    """Yield (seq, line) of a group's events with after < seq < before; draws rows only as it is drawn from."""
    found = [
        _lines_of_kind(connection, group_id, kind, after=after, before=before, ascending=ascending)
        for kind in KIND_NUMBERS[kinds]
    ]
    return merge(*found, key=itemgetter(0), reverse=not ascending)


def load(connection: sqlite3.Connection, key: Key) -> Loaded:
    """Load one group: its last snapshot, if it has one, and the events since."""
    head = find_group(connection, key)
    if head is None:
        return Loaded()
    group_id, last = head
    row = connection.execute("SELECT seq, state FROM snapshots WHERE group_id = ?", (group_id,)).fetchone()
    since, snapshot = (0, None) if row is None else (row[0], codec.decode_group(row[1]))
    found = lines(connection, group_id, Kinds.ALL, after=since, before=last + 1)
    tail = tuple(codec.decode_event(line) for _, line in found)
    if [event.seq for event in tail] != [*range(since + 1, last + 1)]:
        raise ValueError(f"events of {key} are missing: tchat-server check tells which")
    return Loaded(snapshot, tail)


def load_user(connection: sqlite3.Connection, key: UserKey, *, retries_since: float) -> User:
    """Load what is stored of one user."""
    account = connection.execute("SELECT name, password_hash FROM users WHERE key = ?", (key,)).fetchone()
    standings = connection.execute(_MEMBERSHIPS, (key,)).fetchall()
    name, password_hash = account or (standings[0][-1] if standings else None, None)
    ((created,),) = connection.execute("SELECT count(*) FROM groups WHERE creator = ?", (key,))
    return User(
        name,
        password_hash,
        tuple(
            Membership(Key(group), shown, bool(private), Standing(standing), seq, _invitation(line))
            for group, shown, private, standing, seq, line, _ in standings
        ),
        created,
        tuple(
            Retry(id, Key(group), seq, time, digest)
            for id, group, seq, time, digest in connection.execute(_RETRIES, (key, retries_since))
        ),
    )


def read(
    connection: sqlite3.Connection, key: Key, kinds: Kinds, after: int | None, before: int, limit: int, max_bytes: int
) -> Page:
    """Read a page; see EventLog."""
    head = find_group(connection, key)
    if head is None:
        return Page()
    found = lines(connection, head[0], kinds, after=after or 0, before=before, ascending=after is not None)
    return Page.cut(found, ascending=after is not None, limit=limit, max_bytes=max_bytes)


def public_groups(connection: sqlite3.Connection, after: Key | None, limit: int, max_bytes: int) -> NamePage:
    """List public groups by key."""
    rows = connection.execute(
        "SELECT name FROM groups WHERE private = 0 AND key > ? ORDER BY key LIMIT ?", (after or "", limit + 1)
    )
    return NamePage.cut((name for (name,) in rows), limit=limit, max_bytes=max_bytes)


def pack_seqs(seqs: Sequence[int]) -> str:
    """Write the rising seqs of a row's lines: `first-last`, or all of them if there are gaps."""
    if seqs[-1] - seqs[0] + 1 == len(seqs):
        return f"{seqs[0]}-{seqs[-1]}"
    return ",".join(map(str, seqs))


def _unpack_seqs(packed: str) -> Sequence[int]:
    first, dash, last = packed.partition("-")
    return range(int(first), int(last) + 1) if dash else [int(seq) for seq in packed.split(",")]


def _lines_of_kind(
    connection: sqlite3.Connection, group_id: int, kind: int, *, after: int, before: int, ascending: bool
) -> Iterator[tuple[int, bytes]]:
    if ascending:
        rows = connection.execute(_FORWARD, (group_id, kind, after))
    else:
        rows = connection.execute(_BACKWARD, (group_id, kind, before - 1))
    for packed, text in rows:
        entries = list(zip(_unpack_seqs(packed), text.split(b"\n"), strict=True))
        for entry in entries if ascending else reversed(entries):
            if after < entry[0] < before:
                yield entry
            elif (entry[0] >= before) is ascending:
                return


def _invitation(line: bytes | None) -> Invited | None:
    if line is None:
        return None
    event = codec.decode_event(line)
    return event if isinstance(event, Invited) else None
