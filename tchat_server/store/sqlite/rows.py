"""What an append writes into the open transaction of the SQLite file, row by row."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from libtchat.effect import PageKind
from libtchat.group import Standing
from libtchat.message.direct import Sent
from libtchat.message.event import LogEvent, Said
from libtchat.message.names import Key
from libtchat.wire import codec
from libtchat.wire.snapshot import encode_box, encode_group
from tchat_server.store.change import changed_users, displayed_name, new_retries, redactions, tombstone
from tchat_server.store.event_log import EncodedPart
from tchat_server.store.sqlite.checksum import Damaged, begun, checksum, complete
from tchat_server.store.sqlite.entry import KIND_NUMBERS, lines, pack_seqs, replace_line
from tchat_server.store.sqlite.inspection import last_entry
from tchat_server.store.sqlite.reader import creator, find_group

__all__ = ["RowWriter", "is_appended", "is_numbered"]

_log = logging.getLogger(__name__)

_SNAPSHOT_EVENTS = 1000
_MAX_ROW_BYTES = 64 * 1024
_MAX_HEADS = 100_000

_NEW_GROUP = "INSERT INTO groups VALUES (?, ?, ?, ?, ?, ?, ?)"
_MOVE_HEAD = "UPDATE groups SET seq = ?, checksum = ? WHERE id = ? AND seq = ?"
_NEW_ENTRY = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)"
_SNAPSHOT = "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?)"
_SET_STANDING = "INSERT OR REPLACE INTO standings VALUES (?, ?, ?, ?, ?, ?)"
_FORGET_STANDING = "DELETE FROM standings WHERE user = ? AND group_id = ?"
_NEW_RETRY = "INSERT INTO retries (user, id, group_id, seq, time, digest, checksum) VALUES (?, ?, ?, ?, ?, ?, ?)"
_OLDEST_RETRY = "SELECT time FROM retries ORDER BY number LIMIT 1"
_FORGET_RETRIES = """
DELETE FROM retries WHERE number <=
    (SELECT max(number) FROM (SELECT number, time FROM retries ORDER BY number LIMIT ?) WHERE time < ?)"""

_NEXT_GUEST = "SELECT next FROM guests"
_LAST_GUEST_KNOWN = """
SELECT max(CAST(substr(user, 7) AS INTEGER)) FROM
    (SELECT user FROM standings UNION ALL SELECT creator FROM groups) WHERE user GLOB 'guest-[0-9]*'"""
_SET_NEXT_GUEST = "INSERT OR REPLACE INTO guests VALUES (1, ?)"

_TEXTS = (Said, Sent)
(_MESSAGES,), (_OTHERS,) = KIND_NUMBERS[PageKind.MESSAGES], KIND_NUMBERS[PageKind.STATES]

# In the order foreign keys ask for.
_ROW_WRITES = (_NEW_GROUP, _MOVE_HEAD, _NEW_ENTRY, _SNAPSHOT, _SET_STANDING, _FORGET_STANDING, _NEW_RETRY)


class RowWriter:
    """One connection for writing, and what it knows without asking because nobody else writes.

    After an error it knows nothing for certain: give it up, with its connection.

    Attributes:
        last_entry: the number of the last row of `entries`.
        redacted: a stored text was taken away, and what the file may still hold of it is to be wiped.
    """

    last_entry: int

    def __init__(self, connection: sqlite3.Connection, now: Callable[[], float], retry_seconds: float) -> None:
        self.connection = connection
        self._now = now
        self._retry_seconds = retry_seconds
        self.redacted: bool = False
        self._heads: dict[Key, tuple[int, int, int]] = {}
        self._rows: dict[str, list[tuple[Any, ...]]] = {statement: [] for statement in _ROW_WRITES}
        ((self._last_group,),) = connection.execute("SELECT coalesce(max(id), 0) FROM groups")
        _, self.last_entry = last_entry(connection)

    def append(self, parts: Sequence[EncodedPart], now: float | None = None) -> dict[Key, tuple[LogEvent, ...]]:
        """Write the parts that follow their groups' logs, as of *now*; return the newer events of the others."""
        failed = {}
        now = self._now() if now is None else now
        for part in parts:
            try:
                newer = self._stage(part, now)
            except Damaged as damage:  # noticed before anything was staged: it costs this group alone
                _log.warning("storage: %s", damage)
                newer = ()
            if newer is not None:
                failed[part.key] = newer
        self._write_rows(now)
        return failed

    def number_guests(self, at_least: int, count: int) -> int:
        """Take *count* numbers that no guest had, from *at_least* on; return the first."""
        row = self.connection.execute(_NEXT_GUEST).fetchone()
        if row is None:  # the file is new, or of before numbers were taken from it
            ((last,),) = self.connection.execute(_LAST_GUEST_KNOWN)
            row = ((last or 0) + 1,)
        first = max(int(row[0]), at_least)
        self.connection.execute(_SET_NEXT_GUEST, (first + count,))
        return first

    def _stage(self, part: EncodedPart, now: float) -> tuple[LogEvent, ...] | None:
        head = self._heads.get(part.key) or find_group(self.connection, part.key)
        last, after, rows = part.events[-1].seq, part.after, self._rows
        if head is None:
            if part.expected != 0:
                return ()
            self._last_group = group_id = self._last_group + 1
            row = (group_id, part.key, after.name, int(after.private), creator(part.events[0]))
            group = begun(*row)
            rows[_NEW_GROUP].append((*row, last, complete(group, last)))
        elif head[1] == part.expected:
            group_id, _, group = head
            for seq in redactions(part.events):
                self.redacted |= replace_line(self.connection, group_id, _MESSAGES, seq, tombstone)
            rows[_MOVE_HEAD].append((last, complete(group, last), group_id, part.expected))
        else:
            newer = lines(self.connection, head[0], PageKind.ALL, after=part.expected, before=head[1] + 1)
            return tuple(codec.decode_event(line) for _, line in newer)
        if len(self._heads) >= _MAX_HEADS:
            self._heads.clear()
        self._heads[part.key] = (group_id, last, group)
        self._stage_entries(part, group_id)
        if part.expected // _SNAPSHOT_EVENTS != last // _SNAPSHOT_EVENTS:
            self._add(_SNAPSHOT, group_id, last, encode_group(after))
        for user in changed_users(part.events):
            standing = after.standing(user)
            if standing is Standing.NONE:
                rows[_FORGET_STANDING].append((user, group_id))
            else:
                invited, box = after.invited.get(user), after.boxes.get(user)
                about = None if invited is None else part.lines[invited.seq - part.expected - 1]
                about = about if box is None else encode_box(box)
                self._add(_SET_STANDING, user, group_id, displayed_name(after, user), str(standing), about)
        if any(part.digests):
            for user, retry in new_retries(part, now):
                self._add(_NEW_RETRY, user, retry.id, group_id, retry.seq, float(now), retry.digest)
        return None

    def _stage_entries(self, part: EncodedPart, group_id: int) -> None:
        if len(part.events) == 1:  # what most parts are, at a third of the cost
            kind, seq = _MESSAGES if isinstance(part.events[0], _TEXTS) else _OTHERS, part.events[0].seq
            self._add_entry(group_id, kind, seq, f"{seq}-{seq}", part.lines[0])
            return
        messages: list[tuple[int, bytes]] = []
        others: list[tuple[int, bytes]] = []
        for event, line in zip(part.events, part.lines, strict=True):
            (messages if isinstance(event, _TEXTS) else others).append((event.seq, line))
        for kind, entries in ((_MESSAGES, messages), (_OTHERS, others)):
            for row in _cut_rows(entries) if entries else ():
                seqs, row_lines = zip(*row, strict=True)
                self._add_entry(group_id, kind, seqs[-1], pack_seqs(seqs), b"\n".join(row_lines))

    def _add_entry(self, group_id: int, kind: int, last_seq: int, seqs: str, lines: bytes) -> None:
        self.last_entry += 1
        check = complete(begun(group_id, kind, seqs), lines)
        self._rows[_NEW_ENTRY].append((self.last_entry, group_id, kind, last_seq, seqs, lines, check))

    def _add(self, statement: str, *row: Any) -> None:
        self._rows[statement].append((*row, checksum(*row)))

    def _write_rows(self, now: float) -> None:
        retries = len(self._rows[_NEW_RETRY])
        for statement, rows in self._rows.items():
            if rows:
                written = self.connection.executemany(statement, rows).rowcount
                if statement is _MOVE_HEAD and written != len(rows):
                    raise sqlite3.IntegrityError("another program has written to the database")
                rows.clear()
        oldest = self.connection.execute(_OLDEST_RETRY).fetchone()
        if oldest is not None and oldest[0] < now - self._retry_seconds:
            # At most twice as many as came: the table shrinks to the last `retry_seconds` without a long pause.
            self.connection.execute(_FORGET_RETRIES, (2 * retries + 10, now - self._retry_seconds))


def is_appended(
    connection: sqlite3.Connection, failed: Mapping[Key, tuple[LogEvent, ...]], parts: Sequence[EncodedPart]
) -> bool:
    """Tell, on another connection, whether `RowWriter.append` of *parts*, which returned *failed*, was committed."""
    heads = ((part, find_group(connection, part.key)) for part in parts if part.key not in failed)
    return all(head is not None and head[1] >= part.events[-1].seq for part, head in heads)


def is_numbered(connection: sqlite3.Connection, first: int, count: int) -> bool:
    """Tell, on another connection, whether `RowWriter.number_guests`, which returned *first*, was committed."""
    row = connection.execute(_NEXT_GUEST).fetchone()
    return row is not None and int(row[0]) >= first + count


def _cut_rows(entries: Sequence[tuple[int, bytes]]) -> Iterator[Sequence[tuple[int, bytes]]]:
    """Yield the rows for one append and kind: one, unless it would be too long to be read for one page."""
    if len(entries) == 1 or sum(len(line) for _, line in entries) <= _MAX_ROW_BYTES:
        yield entries
        return
    start = size = 0
    for index, (_, line) in enumerate(entries):
        size += len(line)
        if size > _MAX_ROW_BYTES and index > start:
            yield entries[start:index]
            start, size = index, len(line)
    yield entries[start:]
