"""What is read from the SQLite file: functions of a connection, and the thread that runs them for the event loop.

The functions raise sqlite3.Error, and TchatError or ValueError for a row that is damaged.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from attrs import define

from libtchat.effect import PageKind
from libtchat.message.errors import TchatError
from libtchat.message.event import Created, LogEvent
from libtchat.message.names import Key, UserKey, user_key
from libtchat.stored import Loaded
from libtchat.wire import codec
from libtchat.wire.snapshot import decode_group
from tchat_server.store.event_log import LogUnavailable, NamePage, Page
from tchat_server.store.sqlite.checksum import Damaged, begun, checksum, complete
from tchat_server.store.sqlite.entry import lines
from tchat_server.store.sqlite.worker import Job, Worker

__all__ = [
    "Query",
    "Reader",
    "begins",
    "check_group",
    "creator",
    "find_group",
    "load",
    "public_groups",
    "read",
]

_FIND = "SELECT id, name, private, creator, seq, checksum FROM groups WHERE key = ?"
_PUBLIC = """
SELECT id, groups.key, name, private, creator, seq, checksum FROM listed CROSS JOIN groups ON id = group_id
WHERE listed.key > ? ORDER BY listed.key LIMIT ?"""


_MAX_TOGETHER = 64
"""How many quick queries are answered together; each waits for the last of them."""

logger = logging.getLogger(__name__)
_T = TypeVar("_T")


@define(eq=False)
class Query(Job[_T]):
    """A question to the file: the result is what *ask* returns for a connection, or there is none (LogUnavailable).

    Attributes:
        is_quick: it takes microseconds, whatever the file holds.
    """

    ask: Callable[[sqlite3.Connection], _T]
    is_quick: bool


class Reader(Worker[Query[Any]]):
    """Answers quick queries and slow ones in turns: who comes does not wait for all the pages that others asked for.

    Either kind is answered in the order asked; quick ones that wait together share a transaction and a report.

    A query that fails is unavailable, whatever the reason, and costs its connection; the next one makes another.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._quick: deque[Query[Any]] = deque()
        self._slow: deque[Query[Any]] = deque()
        self._is_quick_next = False
        super().__init__("tchat-reader")

    def choose(self, found: Sequence[Query[Any]]) -> Sequence[Query[Any]]:
        """Return some quick queries, and next time the slow one that waits longest."""
        for query in found:
            (self._quick if query.is_quick else self._slow).append(query)
        self._is_quick_next = bool(self._quick) and not (self._is_quick_next and self._slow)
        if self._is_quick_next:
            return [self._quick.popleft() for _ in range(min(len(self._quick), _MAX_TOGETHER))]
        return [self._slow.popleft()] if self._slow else []

    def perform(self, jobs: Sequence[Query[Any]]) -> None:
        """Answer *jobs*, but those nobody waits for any more."""
        answered = [query for query in jobs if not query.future.cancelled()]
        for query in answered:
            self._answer(query)
        self._finish(answered)

    def release(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _answer(self, query: Query[Any]) -> None:
        try:
            query.result = query.ask(self._begun())
        except (sqlite3.Error, TchatError, ValueError) as error:
            self._give_up(query, error)
        except Exception as defect:  # in code or in a damaged file: it costs who asked, and nobody else
            logger.exception("internal error in reading")
            self._give_up(query, defect)

    def _give_up(self, query: Query[Any], error: Exception) -> None:
        query.error = LogUnavailable(str(error) or type(error).__name__)
        self.release()

    def _begun(self) -> sqlite3.Connection:
        """Return the connection, in a transaction."""
        if self._connection is None:
            self._connection = self._connect()
            self._connection.execute("PRAGMA query_only = ON")
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN")
        return self._connection

    def _finish(self, answered: Sequence[Query[Any]]) -> None:
        if self._connection is not None and self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                self.release()
        self.report(answered)


def find_group(connection: sqlite3.Connection, key: Key) -> tuple[int, int, int] | None:
    """Return the id of the group with this key, its last seq, and what the checksum of its row begins with, or None."""
    row = connection.execute(_FIND, (key,)).fetchone()
    if row is None:
        return None
    id, name, private, creator, seq, stored = row
    return id, seq, check_group(id, key, name, private, creator, seq, stored)


def creator(first: LogEvent) -> UserKey:
    """Return who created a group whose log begins so, "" for the log of two users: nobody did."""
    return user_key(first.sender) if isinstance(first, Created) else UserKey("")


def load(connection: sqlite3.Connection, key: Key) -> Loaded:
    """Load one group: its last snapshot, if it has one, and the events since."""
    head = find_group(connection, key)
    if head is None:
        return Loaded()
    group_id, last, _ = head
    row = connection.execute("SELECT seq, state, checksum FROM snapshots WHERE group_id = ?", (group_id,)).fetchone()
    if row is not None and checksum(group_id, row[0], row[1]) != row[2]:
        raise Damaged(f"the snapshot at {row[0]!r} of group {key}")
    since, snapshot = (0, None) if row is None else (row[0], decode_group(row[1]))
    found = lines(connection, group_id, PageKind.ALL, after=since, before=last + 1)
    tail = tuple(codec.decode_event(line) for _, line in found)
    if [event.seq for event in tail] != [*range(since + 1, last + 1)]:
        raise ValueError(f"events of {key} are missing: tchat-server check tells which")
    return Loaded(snapshot, tail)


def read(
    connection: sqlite3.Connection,
    key: Key,
    kinds: PageKind,
    after: int | None,
    before: int,
    limit: int,
    max_bytes: int,
) -> Page:
    """Read a page; see EventLog."""
    head = find_group(connection, key)
    if head is None:
        return Page()
    begin = begins(connection, head[0])
    ascending, lowest, highest = after is not None, max((after or 0) + 1, begin or 1), min(before - 1, head[1])
    found = lines(connection, head[0], kinds, after=lowest - 1, before=highest + 1, ascending=ascending)
    if kinds is PageKind.ALL:
        expected = range(lowest, highest + 1) if ascending else range(highest, lowest - 1, -1)
        found = _gapless(found, expected, key)
    return Page.cut(found, ascending=ascending, limit=limit, max_bytes=max_bytes, begins=begin)


def begins(connection: sqlite3.Connection, group_id: int) -> int | None:
    """Return the seq of the first event of a group that is still there, None if none was removed."""
    row = connection.execute("SELECT seq, checksum FROM begins WHERE group_id = ?", (group_id,)).fetchone()
    if row is not None and checksum(group_id, row[0]) != row[1]:
        raise Damaged(f"the beginning of group {group_id}")
    return None if row is None else int(row[0])


def public_groups(connection: sqlite3.Connection, after: Key | None, limit: int, max_bytes: int) -> NamePage:
    """List the public groups that have members, by key (R-groups)."""
    rows = connection.execute(_PUBLIC, (after or "", limit + 1))
    return NamePage.cut((_public_name(*row) for row in rows), limit=limit, max_bytes=max_bytes)


def _gapless(found: Iterator[tuple[int, bytes]], expected: range, key: Key) -> Iterator[tuple[int, bytes]]:
    """Yield what was found; where an index is damaged, rows are not."""
    seqs = iter(expected)
    for entry in found:
        if entry[0] != next(seqs, None):
            raise Damaged(f"the index of group {key} near event {entry[0]}")
        yield entry
    if (missing := next(seqs, None)) is not None:
        raise Damaged(f"the index of group {key} near event {missing}")


def check_group(id: int, key: str, name: str, private: int, creator: str, seq: int, stored: int) -> int:
    """Check the row of a group; return what its checksum begins with."""
    group = begun(id, key, name, private, creator)
    if complete(group, seq) != stored:
        raise Damaged(f"the row of group {key}")
    return group


def _public_name(id: int, key: str, name: str, *more: Any) -> str:
    check_group(id, key, name, *more)
    return name
