"""What is done to a database by hand: `check` and `backup`. Plain functions; each raises LogUnusable."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from attrs import define, field

from libtchat.direct import Box
from libtchat.effect import PageKind
from libtchat.group import Group, Standing, evolve
from libtchat.message.direct import Sent, is_direct
from libtchat.message.errors import TchatError
from libtchat.message.event import LogEvent, Said
from libtchat.message.names import group_key
from libtchat.wire import codec
from libtchat.wire.snapshot import decode_box, decode_group
from tchat_server.store.change import displayed_name, redactions
from tchat_server.store.event_log import LogUnusable
from tchat_server.store.sqlite.checksum import damaged_rows
from tchat_server.store.sqlite.copier import copied, copy_database
from tchat_server.store.sqlite.entry import lines
from tchat_server.store.sqlite.inspection import (
    CHECK_ADVICE,
    has_checksums,
    has_table,
    open_for_reading,
    refusals,
    refused_by_server,
)
from tchat_server.store.sqlite.reader import creator as creator_of
from tchat_server.store.sqlite.removal import begin_of

__all__ = ["Report", "backup", "check"]

_MAX_FAULTS = 100


@define
class Report:
    """What `check` found.

    Attributes:
        faults: one line each, at most 100 of either sort: damaged pages, then groups whose tables do not agree
            with their events. Empty: the database is sound.
    """

    groups: int = 0
    events: int = 0
    messages: int = 0
    users: int = 0
    redacted: int = 0
    closed: int = 0
    faults: list[str] = field(factory=list)


def check(path: Path) -> Report:
    """Verify a database: its pages, and for every group that its events have no gap and fold to what the tables say.

    A server may be using it meanwhile; nothing is changed. Takes a time proportional to the number of events.
    """
    path = path.resolve()
    report = Report()
    advice = CHECK_ADVICE
    with refusals(path, advice), copied(path) as file, closing(open_for_reading(file, advice)) as connection:
        if not has_checksums(connection):
            raise LogUnusable(f"{path} is of an older schema: start tchat-server with it once, or `backup` it as it is")
        connection.execute("BEGIN")
        report.faults += _find_damaged_pages(connection)
        try:
            if file == path:
                report.faults += refused_by_server(path, connection)
            strays = connection.execute("PRAGMA foreign_key_check").fetchmany(_MAX_FAULTS)
            report.faults += [f"table {table}, row {row}: of a group that does not exist" for table, row, *_ in strays]
            report.faults += [f"{what}: damaged" for what in damaged_rows(connection, _MAX_FAULTS)]
            report.faults += _wrongly_listed(connection)
            connection.execute("CREATE TEMP TABLE told AS SELECT * FROM standings")
            connection.execute("CREATE INDEX temp.told_by_group ON told (group_id)")
            ((report.users,),) = connection.execute("SELECT count(*) FROM users")
            for row in connection.execute("SELECT id, key, name, private, creator, seq FROM groups ORDER BY key"):
                is_group = not is_direct(row[1])
                report.groups += is_group
                about = f"group {row[2]}" if is_group else f"texts {row[2]}"
                report.faults += [f"{about}: {fault}" for fault in _check_group(connection, row, report)]
                if len(report.faults) >= 2 * _MAX_FAULTS:
                    break
        except sqlite3.Error as error:
            report.faults.append(f"cannot be read further: {error}")
    return report


def backup(path: Path, out: Path) -> None:
    """Copy a database, as it is at one moment, to *out*, which must not exist. A server may be using it meanwhile.

    The copy has its name once it is whole, on disk, and no row of it is damaged.
    """
    path, out = path.resolve(), out.absolute()
    if os.path.lexists(out):
        raise LogUnusable(f"{out} exists already: name another file for the backup")
    with refusals(path), copied(path) as file, closing(open_for_reading(file)) as source, refusals(out):
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as directory:
            part = Path(directory) / "part"
            copy_database(source, part)
            _refuse_damage(path, part)
            try:
                os.link(part, out, follow_symlinks=False)  # not a rename, which would replace what came meanwhile
            except FileExistsError:
                raise LogUnusable(f"{out} exists already: name another file for the backup") from None
        with _opened(out.parent) as directory_file:
            os.fsync(directory_file)


def _refuse_damage(path: Path, copy: Path) -> None:
    """See that the copy is whole, and on disk."""
    with closing(open_for_reading(copy)) as connection:
        if has_checksums(connection) and (damage := [*damaged_rows(connection, 1)]):
            raise LogUnusable(
                f"{path} is damaged, {damage[0]}: no backup was made; `tchat-server check` lists all; restore a backup"
            )
    with _opened(copy) as file:
        os.fsync(file)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDONLY)
    try:
        yield file
    finally:
        os.close(file)


def _find_damaged_pages(connection: sqlite3.Connection) -> list[str]:
    """Return SQLite's own complaints. It gives up where a page can't be read at all, hence the growing attempts."""
    complaints: list[str] = []
    for most in (1, 10, _MAX_FAULTS):
        try:
            found = connection.execute(f"PRAGMA integrity_check({most})").fetchall()
        except sqlite3.DatabaseError:
            break
        complaints = [line for (text,) in found for line in text.splitlines() if line != "ok" and line[:3] != "***"]
        if len(complaints) < most:
            break
    return complaints


def _wrongly_listed(connection: sqlite3.Connection) -> list[str]:
    """Compare the table of groups that are listed with the members there are, if the file has that table already."""
    if not has_table(connection, "listed"):
        return []
    wrong = """
    SELECT name, private = 0 AND EXISTS (SELECT 1 FROM standings WHERE group_id = groups.id AND standing = 'member')
        AS is_due FROM groups WHERE is_due <> EXISTS (SELECT 1 FROM listed WHERE key = groups.key) LIMIT ?"""
    found = connection.execute(wrong, (_MAX_FAULTS,))
    listed = ("is in the list of groups", "is not in the list of groups")
    return [f"group {name}: {listed[is_due]}" for name, is_due in found]


def _about(standing: str, stored: bytes) -> LogEvent | Box:
    return decode_box(stored) if standing == Standing.WAITING else codec.decode_event(stored)


def _events(connection: sqlite3.Connection, group_id: int, begin: int, last: int, report: Report) -> Iterator[LogEvent]:
    """Go through the events of a group from *begin* on, and count them. Raises ValueError where one is missing."""
    before = begin - 1
    for seq, line in lines(connection, group_id, PageKind.ALL, after=before, before=last + 2):
        event = codec.decode_event(line)
        if event.seq != seq:
            raise ValueError(f"the event stored as {seq} says {event.seq}")
        if seq != before + 1:
            raise ValueError(f"event {seq} does not follow {before}")
        before = seq
        report.events += 1
        report.messages += isinstance(event, Said | Sent)
        yield event


def _check_group(
    connection: sqlite3.Connection, row: tuple[int, str, str, int, str, int], report: Report
) -> Iterator[str]:
    """Yield what is wrong with one group; count its events."""
    group_id, key, name, private, creator, last = row
    saved = connection.execute("SELECT seq, state FROM snapshots WHERE group_id = ?", (group_id,)).fetchone()
    state: Group | None = None
    first: LogEvent | None = None
    removed: set[int] = set()
    tombstones: set[int] = set()
    reached = 0
    try:
        begin = begin_of(connection, group_id)
        if begin > 1:  # what was removed is known by what it led to
            state = None if saved is None else decode_group(saved[1])
            if state is None or state.seq < begin - 1:
                yield f"begins with event {begin}, and has no snapshot of what was before"
                return
        for event in _events(connection, group_id, begin, last, report):
            if state is None or event.seq > state.seq:
                state = evolve(state, event)
            first, reached = first or event, event.seq
            removed.update(redactions((event,)))
            if isinstance(event, Said) and event.redacted:
                tombstones.add(event.seq)
            if saved is not None and begin == 1 and event.seq == saved[0] and decode_group(saved[1]) != state:
                yield f"the snapshot at {event.seq} is not the fold of its events"
    except (TchatError, ValueError) as error:
        yield f"after event {0 if state is None else state.seq}: {error}"
        return
    if state is None:
        yield "has no events"
        return
    if 1 < begin <= last != reached:
        yield f"its events end with {reached}, and the table of groups says {last}"
    made_by = creator if first is None or begin > 1 else creator_of(first)
    if (state.seq, state.name, state.private, made_by) != (last, name, bool(private), creator):
        yield f"its {state.seq} events do not agree with the table of groups, which says {last}"
    if saved is not None and saved[0] > state.seq:
        yield f"the snapshot at {saved[0]} is beyond the last event, {state.seq}"
    if (name if is_direct(key) else group_key(name)) != key:
        yield f"is stored as {key}"
    report.redacted += len(tombstones)
    report.closed += state.closed
    yield from _check_texts(connection, group_id, removed, tombstones)
    yield from _check_standings(connection, group_id, state)


def _check_texts(
    connection: sqlite3.Connection, group_id: int, removed: set[int], tombstones: set[int]
) -> Iterator[str]:
    """Compare the texts that events have *removed* with those that are *tombstones*."""
    for seq in sorted(removed - tombstones):
        if any(lines(connection, group_id, PageKind.MESSAGES, after=seq - 1, before=seq + 1)):
            yield f"the text {seq} was removed, and is still there"
    for seq in sorted(tombstones - removed):
        yield f"the text {seq} is not there, and nothing says that it was removed"


def _check_standings(connection: sqlite3.Connection, group_id: int, state: Group) -> Iterator[str]:
    """Compare the table of standings with what a group's events lead to."""
    found = connection.execute("SELECT user, name, standing, invitation FROM told WHERE group_id = ?", (group_id,))
    told = {user: (*known, line and _about(known[1], line)) for user, *known, line in found}
    waiting = [user for user, box in state.boxes.items() if box.waiting]
    users = (*state.members, *state.invited, *state.banned, *waiting)
    folded = {
        user: (displayed_name(state, user), state.standing(user), state.invited.get(user) or state.boxes.get(user))
        for user in users
    }
    for user in sorted({user for user, _ in told.items() ^ folded.items()}):
        standing = folded[user][1] if user in folded else Standing.NONE
        yield f"{user} is {standing} by its events, not so in the table of standings"
