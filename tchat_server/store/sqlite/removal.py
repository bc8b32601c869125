"""Old events are removed from the SQLite file: from the beginning of each log on, in steps that make nobody wait long.

What they led to stays: before anything is removed, the group's newest state becomes its snapshot. What waits for a user
is not removed, nor what came after it.
"""

from __future__ import annotations

import logging
import sqlite3
from itertools import takewhile

from libtchat.effect import PageKind
from libtchat.group import Group, fold
from libtchat.message.errors import TchatError
from libtchat.message.names import Key
from libtchat.wire import codec
from libtchat.wire.snapshot import encode_group
from tchat_server.store.change import first_waiting
from tchat_server.store.event_log import Removed
from tchat_server.store.sqlite.checksum import checksum
from tchat_server.store.sqlite.entry import cut_before, lines, seq_of_nth_last
from tchat_server.store.sqlite.inspection import has_table
from tchat_server.store.sqlite.reader import begins, load

__all__ = ["begin_of", "remove_old"]

_log = logging.getLogger(__name__)

_MOST_GROUPS = 200
_MOST_EVENTS = 5000
"""How much is looked at, and removed, in one step."""

_GROUPS = "SELECT id, key, seq FROM groups WHERE key > ? ORDER BY key LIMIT ?"
_SNAPSHOT = "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?)"
_BEGINS = "INSERT OR REPLACE INTO begins VALUES (?, ?, ?)"
_LAST_ENTRY = "UPDATE state SET last_entry = max(last_entry, (SELECT coalesce(max(id), 0) FROM entries))"


def remove_old(connection: sqlite3.Connection, before: str, messages: int | None, after: Key) -> Removed:
    """Do a step of it in the open transaction; see EventLog. Raises sqlite3.Error."""
    count = looked = 0
    rows = connection.execute(_GROUPS, (after, _MOST_GROUPS)).fetchall()
    for group_id, key, last in rows:
        connection.execute("SAVEPOINT removal")
        try:
            removed, seen = _remove(connection, group_id, Key(key), last, before, messages)
        except (TchatError, ValueError) as damage:  # it costs this group alone: nothing of it is removed
            _log.warning("storage: %s", damage)
            connection.execute("ROLLBACK TO removal")
            removed = seen = 0
        connection.execute("RELEASE removal")
        count, looked = count + removed, looked + seen
        if removed >= _MOST_EVENTS:
            return Removed(count, after)  # there may be more of it
        after = Key(key)
        if looked >= _MOST_EVENTS:
            return Removed(count, after)
    return Removed(count, after if len(rows) == _MOST_GROUPS else None)


def begin_of(connection: sqlite3.Connection, group_id: int) -> int:
    """Return the seq of the first event of a group that is still there, or would be if all are gone."""
    return (begins(connection, group_id) if has_table(connection, "begins") else None) or 1


def _remove(
    connection: sqlite3.Connection, group_id: int, key: Key, last: int, before: str, messages: int | None
) -> tuple[int, int]:
    """Remove what is old of one group; return how many events, and how many were old, whether or not they may go."""
    first = begin_of(connection, group_id)
    end = first
    if before:
        found = lines(connection, group_id, PageKind.ALL, after=first - 1, before=min(last + 1, first + _MOST_EVENTS))
        events = (codec.decode_event(line) for _, line in found)
        end += sum(1 for _ in takewhile(lambda event: event.ts < before, events))
    if messages is not None and last - first >= messages:
        newest_old = seq_of_nth_last(connection, group_id, PageKind.MESSAGES, messages + 1) or 0
        end = max(end, min(newest_old + 1, first + _MOST_EVENTS))
    if end == first:
        return 0, 0
    old = end - first
    loaded = load(connection, key)
    group: Group | None = fold(loaded.tail, loaded.snapshot)
    assert group is not None, "it has a row"
    end = min(end, first_waiting(group))
    if end <= first:
        return 0, old
    row = (group_id, group.seq, encode_group(group))
    connection.execute(_SNAPSHOT, (*row, checksum(*row)))
    connection.execute(_LAST_ENTRY)
    cut_before(connection, group_id, end)
    connection.execute(_BEGINS, (group_id, end, checksum(group_id, end)))
    return end - first, old
