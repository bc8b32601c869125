"""What is read from the SQLite file: functions of a connection, and the thread that runs them for the event loop.

The functions raise sqlite3.Error, and TchatError or ValueError for a row that is damaged.
"""

from __future__ import annotations

import logging
import sqlite3
from asyncio import Future
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from heapq import merge
from operator import itemgetter
from typing import Any, Generic, TypeVar

from attrs import define

from libtchat import codec
from libtchat.effect import Kinds, Loaded, Membership, Retry, User
from libtchat.errors import TchatError
from libtchat.event import Invited
from libtchat.group import Standing
from libtchat.names import Key, UserKey
from tchat_server.log import LogUnavailable, NamePage, Page
from tchat_server.log.worker import Worker, succeed

__all__ = [
    "KIND_NUMBERS",
    "Query",
    "Reader",
    "find_group",
    "lines",
    "load",
    "load_user",
    "pack_seqs",
    "public_groups",
    "read",
]

KIND_NUMBERS = {Kinds.MESSAGES: (0,), Kinds.STATES: (1,), Kinds.ALL: (0, 1)}
"""The `kind` column's values for what a page may show."""

_PUBLIC_GROUPS = """
SELECT name FROM groups WHERE private = 0 AND key > ?
AND EXISTS (SELECT 1 FROM standings WHERE group_id = groups.id AND standing = 'member')
ORDER BY key LIMIT ?
"""
_FORWARD = "SELECT seqs, lines FROM entries WHERE group_id = ? AND kind = ? AND last_seq > ? ORDER BY last_seq"
# From the row that holds the seq below the cursor, which may be in its middle, down.
_BACKWARD = """
SELECT seqs, lines FROM entries WHERE group_id = ?1 AND kind = ?2 AND last_seq <= coalesce(
    (SELECT min(last_seq) FROM entries WHERE group_id = ?1 AND kind = ?2 AND last_seq >= ?3), ?3)
ORDER BY last_seq DESC"""
_IS_KNOWN = """
SELECT EXISTS (SELECT 1 FROM users WHERE key = ?1) OR EXISTS (SELECT 1 FROM standings WHERE user = ?1)
    OR EXISTS (SELECT 1 FROM groups WHERE creator = ?1) OR EXISTS (SELECT 1 FROM retries WHERE user = ?1)"""
_MEMBERSHIPS = """
SELECT groups.key, groups.name, private, standing, seq, invitation, standings.name
FROM standings JOIN groups ON groups.id = group_id WHERE user = ? ORDER BY groups.key"""
_RETRIES = """
SELECT retries.id, groups.key, retries.seq, time, digest
FROM retries JOIN groups ON groups.id = group_id WHERE user = ? AND time >= ? ORDER BY number"""


_MAX_TOGETHER = 64
"""How many quick queries are answered together; each waits for the last of them."""

logger = logging.getLogger(__name__)
_T = TypeVar("_T")


@define(eq=False)
class Query(Generic[_T]):
    """A question to the file: what *ask* returns for a connection is the future's result, or it is LogUnavailable.

    Attributes:
        is_quick: it takes microseconds, whatever the file holds.
    """

    future: Future[_T]
    ask: Callable[[sqlite3.Connection], _T]
    is_quick: bool
    _answer: _T | None = None
    _error: LogUnavailable | None = None

    def answer(self, connection: sqlite3.Connection) -> None:
        """Ask. Raises what the functions of this module do."""
        self._answer = self.ask(connection)

    def refuse(self, error: Exception) -> None:
        """Note that it could not be answered."""
        self._error = LogUnavailable(str(error) or type(error).__name__)

    def succeed(self) -> None:
        """Report the answer, or that there is none."""
        if self._error is not None:
            self.future.set_exception(self._error)
        else:
            self.future.set_result(self._answer)  # type: ignore[arg-type]

    def fail(self) -> None:
        """Report that nobody reads any more."""
        self.future.set_exception(LogUnavailable("the log is closed"))


class Reader(Worker[Query[Any]]):
    """Answers queries in the order asked; quick ones that wait together share a transaction and a report.

    A query that fails is unavailable, whatever the reason, and costs its connection; the next one makes another.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        super().__init__("tchat-reader")

    def perform(self, jobs: Sequence[Query[Any]]) -> None:
        """Answer *jobs*, but those nobody waits for any more."""
        answered: list[Query[Any]] = []
        for query in jobs:
            if answered and not (query.is_quick and len(answered) < _MAX_TOGETHER):
                self._finish(answered)
                answered = []
            if not query.future.cancelled():
                self._answer(query)
                answered.append(query)
        self._finish(answered)

    def release(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _answer(self, query: Query[Any]) -> None:
        try:
            query.answer(self._begun())
        except (sqlite3.Error, TchatError, ValueError) as error:
            query.refuse(error)
            self.release()
        except Exception as defect:  # in code or in a damaged file: it costs who asked, and nobody else
            logger.exception("internal error in reading")
            query.refuse(defect)
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
        self.report(answered, succeed)


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
    ((is_known,),) = connection.execute(_IS_KNOWN, (key,))
    if not is_known:  # as most who come for the first time, at a third of the cost
        return User()
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
    """List the public groups that have members, by key (R-groups)."""
    rows = connection.execute(_PUBLIC_GROUPS, (after or "", limit + 1))
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
        if not (type(packed) is str and type(text) is bytes):
            raise ValueError(f"a row of group {group_id} is damaged: tchat-server check tells which")
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
