"""The rows of `entries`: how a group's events are packed into them, and come out again, each row as it was stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from operator import itemgetter

from libtchat.effect import PageKind
from tchat_server.store.sqlite.checksum import Damaged, begun, complete

__all__ = ["KIND_NUMBERS", "cut_before", "lines", "pack_seqs", "replace_line", "seq_of_nth_last"]

KIND_NUMBERS = {PageKind.MESSAGES: (0,), PageKind.STATES: (1,), PageKind.ALL: (0, 1)}
"""The `kind` column's values for what a page may show."""

_FORWARD = """
SELECT seqs, lines, checksum FROM entries WHERE group_id = ? AND kind = ? AND last_seq > ?
ORDER BY last_seq"""
# From the row that holds the seq below the cursor, which may be in its middle, down.
_BACKWARD = """
SELECT seqs, lines, checksum FROM entries WHERE group_id = :group AND kind = :kind AND last_seq <= coalesce(
    (SELECT min(last_seq) FROM entries WHERE group_id = :group AND kind = :kind AND last_seq >= :last), :last)
ORDER BY last_seq DESC"""

_SEQS = "SELECT seqs FROM entries WHERE group_id = ? AND kind = ? ORDER BY last_seq DESC"
_FIRST = "SELECT id, seqs, lines, checksum FROM entries WHERE group_id = ? AND kind = ? ORDER BY last_seq LIMIT 1"
_REMOVE = "DELETE FROM entries WHERE group_id = ? AND kind = ? AND last_seq < ?"
_HOLDING = """
SELECT id, seqs, lines, checksum FROM entries WHERE group_id = ? AND kind = ? AND last_seq >= ?
ORDER BY last_seq LIMIT 1"""


def lines(
    connection: sqlite3.Connection, group_id: int, kinds: PageKind, *, after: int, before: int, ascending: bool = True
) -> Iterator[tuple[int, bytes]]:
    """Yield (seq, line) of a group's events with after < seq < before; draws rows only as it is drawn from."""
    found = [
        _lines_of_kind(connection, group_id, kind, after=after, before=before, ascending=ascending)
        for kind in KIND_NUMBERS[kinds]
    ]
    return merge(*found, key=itemgetter(0), reverse=not ascending)


def pack_seqs(seqs: Sequence[int]) -> str:
    """Write the rising seqs of a row's lines: `first-last`, or all of them if there are gaps."""
    if seqs[-1] - seqs[0] + 1 == len(seqs):
        return f"{seqs[0]}-{seqs[-1]}"
    return ",".join(map(str, seqs))


def seq_of_nth_last(connection: sqlite3.Connection, group_id: int, kinds: PageKind, number: int) -> int | None:
    """Return the seq of the last line but *number* - 1 of one kind, None if there are fewer."""
    (kind,) = KIND_NUMBERS[kinds]
    for (packed,) in connection.execute(_SEQS, (group_id, kind)):
        seqs = _unpack_seqs(packed)
        if len(seqs) >= number:
            return seqs[-number]
        number -= len(seqs)
    return None


def cut_before(connection: sqlite3.Connection, group_id: int, seq: int) -> None:
    """Remove all lines below *seq*, in the open transaction. Raises Damaged for a row that is cut."""
    for kind in KIND_NUMBERS[PageKind.ALL]:
        connection.execute(_REMOVE, (group_id, kind, seq))
        row = connection.execute(_FIRST, (group_id, kind)).fetchone()
        if row is None or (seqs := _unpack_seqs(row[1]))[0] >= seq:
            continue
        if complete(begun(group_id, kind, row[1]), row[2]) != row[3]:
            raise Damaged(f"the row of events {row[1]!r} of {_name_of(connection, group_id)}")
        keep = [(at, line) for at, line in zip(seqs, row[2].split(b"\n"), strict=True) if at >= seq]
        packed, text = pack_seqs([at for at, _ in keep]), b"\n".join([line for _, line in keep])
        check = complete(begun(group_id, kind, packed), text)
        connection.execute(
            "UPDATE entries SET seqs = ?, lines = ?, checksum = ? WHERE id = ?", (packed, text, check, row[0])
        )


def replace_line(
    connection: sqlite3.Connection, group_id: int, kind: int, seq: int, change: Callable[[bytes], bytes]
) -> bool:
    """Put what *change* makes of the line *seq* in its place, in the open transaction.

    Returns:
        Whether the line was another one before.
    Raises:
        Damaged: there is no such line, or its row is damaged.
    """
    row = connection.execute(_HOLDING, (group_id, kind, seq)).fetchone()
    if row is None or complete(begun(group_id, kind, row[1]), row[2]) != row[3]:
        raise Damaged(f"the row of event {seq} of {_name_of(connection, group_id)}")
    id, packed, text, _ = row
    texts = text.split(b"\n")
    seqs = _unpack_seqs(packed)
    if seq not in seqs:
        raise Damaged(f"the row of event {seq} of {_name_of(connection, group_id)}")
    texts[seqs.index(seq)] = change(texts[seqs.index(seq)])
    changed = b"\n".join(texts)
    check = complete(begun(group_id, kind, packed), changed)
    connection.execute("UPDATE entries SET lines = ?, checksum = ? WHERE id = ?", (changed, check, id))
    return bool(changed != text)


def _unpack_seqs(packed: str) -> Sequence[int]:
    first, dash, last = packed.partition("-")
    return range(int(first), int(last) + 1) if dash else [int(seq) for seq in packed.split(",")]


def _lines_of_kind(
    connection: sqlite3.Connection, group_id: int, kind: int, *, after: int, before: int, ascending: bool
) -> Iterator[tuple[int, bytes]]:
    if ascending:
        rows = connection.execute(_FORWARD, (group_id, kind, after))
    else:
        rows = connection.execute(_BACKWARD, {"group": group_id, "kind": kind, "last": before - 1})
    for packed, text, stored in rows:
        if complete(begun(group_id, kind, packed), text) != stored:
            raise Damaged(f"the row of events {packed!r} of {_name_of(connection, group_id)}")
        entries = list(zip(_unpack_seqs(packed), text.split(b"\n"), strict=True))
        for entry in entries if ascending else reversed(entries):
            if after < entry[0] < before:
                yield entry
            elif (entry[0] >= before) is ascending:
                return


def _name_of(connection: sqlite3.Connection, group_id: int) -> str:
    row = connection.execute("SELECT key FROM groups WHERE id = ?", (group_id,)).fetchone()
    return f"group number {group_id}" if row is None else f"group {row[0]}"
