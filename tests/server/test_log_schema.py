"""Which files the server refuses to use, and what it says."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import get_args

import pytest
from files import cut, execute, fill, overwrite, start_writing
from logs import say

from tchat_server.store.event_log import LogUnusable
from tchat_server.store.sqlite.inspection import refusals
from tchat_server.store.sqlite.lock import Durability
from tchat_server.store.sqlite.log import SqliteLog
from tchat_server.store.sqlite.maintenance import check
from tchat_server.store.sqlite.schema import open_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tchat.db"


def replace_with_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda path: path.write_bytes(b"dear diary\n" * 1000), "is not a database"),
    "short text": (lambda path: path.write_bytes(b"hi"), "is not a database"),
    "no header": (lambda path: overwrite(path, 0, b"\0" * 100), "is not a database"),
    "newer": (lambda path: execute(path, "PRAGMA user_version = 7"), r"schema 7 is newer than this server \(3\)"),
    "foreign": (lambda path: execute(path, "PRAGMA application_id = 5"), "another program's database"),
    "truncated": (lambda path: cut(path, path.stat().st_size // 2), "is damaged|is truncated"),
    "truncated by a page": (lambda path: cut(path, path.stat().st_size - 4096), "is damaged|is truncated"),
    "a page of noise": (lambda path: overwrite(path, 8 * 4096, b"\x55" * 4096), "is damaged"),
    "a directory": (replace_with_directory, "cannot be opened"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_a_file_that_must_not_be_used_is_refused_in_one_line(
    path: Path, damage: Callable[[Path], object], message: str
) -> None:
    asyncio.run(fill(path))
    damage(path)
    with pytest.raises(LogUnusable, match=message) as refusal:
        SqliteLog.open(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    if path.is_file():
        path.unlink()
    else:
        path.rmdir()
    with pytest.raises(LogUnusable, match=r"is gone, or emptied: put it back .*, or delete (.*) to start") as refusal:
        SqliteLog.open(path)
    assert not path.exists()
    Path(str(refusal.value).partition("or delete ")[2].partition(" to start")[0]).unlink()
    open_file(path).release()


def test_a_database_of_somebody_else_is_left_as_it_is(path: Path) -> None:
    execute(path, "CREATE TABLE notes (text)")
    before = path.read_bytes()
    with pytest.raises(LogUnusable, match="another program's database"):
        SqliteLog.open(path)
    assert path.read_bytes() == before


def test_a_file_whose_making_was_interrupted_is_made_again(path: Path) -> None:
    execute(path, "PRAGMA journal_mode = WAL")
    asyncio.run(fill(path))
    assert check(path).faults == []


def test_what_cannot_be_written_or_opened_says_what_to_do(path: Path) -> None:
    execute(path, "CREATE TABLE t (x)")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA query_only = ON")
        with pytest.raises(LogUnusable, match="cannot be written: change its permissions"), refusals(path):
            connection.execute("INSERT INTO t VALUES (1)")
    (path.parent / "file").touch()
    with pytest.raises(LogUnusable, match=r"cannot be opened"):
        SqliteLog.open(path.parent / "file" / "tchat.db")


EVENTS_IN_WAL = 2 + 60 * 6


def leave_a_wal(path: Path) -> None:
    """Make a database whose server was killed."""
    with start_writing(path, appends=60) as process:
        assert process.stdout is not None
        for _ in range(60):
            assert process.stdout.readline()
        process.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("keep", [0, 0.5, 0.9])
@pytest.mark.parametrize("damage", [cut, lambda wal, size: overwrite(wal, size, b"\x55" * 8192)], ids=["cut", "noise"])
def test_a_damaged_wal_is_refused_because_events_are_lost(
    path: Path, keep: float, damage: Callable[[Path, int], object]
) -> None:
    leave_a_wal(path)
    wal = path.with_name(path.name + "-wal")
    sound = wal.read_bytes()
    damage(wal, int(wal.stat().st_size * keep))
    damaged = wal.read_bytes()
    for _ in range(2):
        with pytest.raises(LogUnusable, match=r"lacks its last entries \(\d+\)"):
            SqliteLog.open(path)
    assert wal.read_bytes() == damaged
    wal.write_bytes(sound)
    open_file(path).release()
    assert check(path).events == EVENTS_IN_WAL


def test_who_deletes_the_note_goes_on_without_the_lost_events(path: Path) -> None:
    leave_a_wal(path)
    wal = path.with_name(path.name + "-wal")
    cut(wal, wal.stat().st_size * 3 // 4)
    with pytest.raises(LogUnusable, match=r"or delete (.*) to go on without them") as refusal:
        SqliteLog.open(path)
    note = Path(str(refusal.value).partition("or delete ")[2].partition(" to go on")[0])
    note.unlink()
    open_file(path).release()
    report = check(path)
    assert report.faults == []
    assert 0 < report.events < EVENTS_IN_WAL


def test_an_older_copy_of_the_file_is_refused_unless_a_power_cut_may_have_made_it(path: Path) -> None:
    book = asyncio.run(fill(path))
    for durability in get_args(Durability):
        before = path.read_bytes()

        async def go_on(durability: Durability) -> None:
            log = SqliteLog.open(path, durability=durability)
            assert await log.append([book.part(say())]) == {}
            await log.close()

        asyncio.run(go_on(durability))
        after = path.read_bytes()
        path.write_bytes(before)
        if durability == "full":
            with pytest.raises(LogUnusable, match=r"lacks its last entries \(1\)"):
                SqliteLog.open(path)
        else:
            open_file(path).release()
        path.write_bytes(after)


def test_files_are_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "tchat.db"
    asyncio.run(fill(path))
    assert path.parent.stat().st_mode & 0o777 == 0o700
    for file in path.parent.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
