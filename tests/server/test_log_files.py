"""What is done to the files under a server, and to a backup's: nothing is acknowledged that would be lost."""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from files import cut, execute, fill, overwrite
from logs import Book, on_loop, page, say, state_of

from libtchat.effect import PageKind, Part
from libtchat.group import fold
from libtchat.message.direct import Sent, direct_key
from libtchat.message.names import Key, user_key
from libtchat.message.request import Invite
from tchat_server.store.event_log import LogUnavailable, LogUnusable, encode_part
from tchat_server.store.sqlite.log import SqliteLog
from tchat_server.store.sqlite.maintenance import backup, check


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tchat.db"


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def replace(path: Path) -> None:
    shutil.copy(path, beside(path, ".new"))
    beside(path, ".new").replace(path)


def wipe(path: Path) -> None:
    cut(path, 0)


TAKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "removed": (Path.unlink, "is gone|was removed"),
    "replaced": (replace, "is another file now|was removed or replaced"),
    "emptied": (wipe, "was cut to 0 of"),
    "cut": (lambda path: cut(path, 8192), "was cut to 8192 of"),
    "without -wal": (lambda path: beside(path, "-wal").unlink(), "is gone|was removed"),
    "an empty -wal": (lambda path: wipe(beside(path, "-wal")), "was cut to 0 of"),
}


@pytest.mark.parametrize(("take", "message"), TAKEN.values(), ids=TAKEN)
@on_loop
async def test_nothing_is_acknowledged_while_the_file_is_not_the_one_that_was_opened(
    path: Path, take: Callable[[Path], object], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    book = await fill(path)
    log = SqliteLog.open(path)
    assert await log.append([book.part(say("kept"))]) == {}
    take(path)
    part = book.part(say("lost"))
    for _ in range(3):
        assert await log.append([part]) == {Key("wob"): ()}
    assert f"nothing can be stored: {path}" in caplog.text
    assert re.search(message, caplog.text)
    await log.close()


@on_loop
async def test_a_file_that_is_moved_away_and_comes_back_is_written_to_again(path: Path) -> None:
    book = await fill(path)
    log = SqliteLog.open(path)
    part = book.part(say("kept"))
    path.rename(beside(path, ".away"))
    assert await log.append([part]) == {Key("wob"): ()}
    beside(path, ".away").rename(path)
    assert await log.append([part]) == {}
    await log.close()
    assert check(path).faults == []


@on_loop
async def test_a_file_that_goes_while_it_is_written_to_is_not_written_to_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit is in a file without a name: the text is not acknowledged, and nothing else is until a restart."""
    book = await fill(path)
    away = beside(path, ".away")

    class Removing(sqlite3.Connection):
        removes = False

        def execute(self, sql: str, *args: object) -> sqlite3.Cursor:
            if sql == "COMMIT" and Removing.removes:
                os.link(path, away)
                path.unlink()
            return super().execute(sql, *args)  # type: ignore[arg-type]

    monkeypatch.setattr("tchat_server.store.sqlite.watch._MOMENT_SECONDS", -1)
    log = SqliteLog.open(path, factory=Removing)
    Removing.removes = True
    part = book.part(say("perhaps", id="x"))
    assert await log.append([part]) == {Key("wob"): ()}
    Removing.removes = False
    away.rename(path)
    assert await log.append([part]) == {Key("wob"): ()}
    await log.close()
    log = SqliteLog.open(path)
    assert await log.append([part]) == {Key("wob"): part.events}, "a retry is not found"
    await log.close()


@on_loop
async def test_what_was_removed_can_still_be_saved_and_served(path: Path, tmp_path: Path) -> None:
    book = await fill(path)
    log = SqliteLog.open(path)
    assert await log.append([book.part(say("last"))]) == {}
    path.unlink()
    out = tmp_path / "saved.db"
    backup(path, out)
    await log.close()
    with pytest.raises(LogUnusable, match="is gone, or emptied: put it back with its -wal file or restore a backup"):
        SqliteLog.open(path)
    with pytest.raises(LogUnusable, match="is gone, or emptied"):
        check(path)
    assert not path.exists()
    out.rename(path)
    for use in (SqliteLog.open, check):
        with pytest.raises(LogUnusable, match=r"is a backup, and (.*)-wal is of another database: delete that one"):
            use(path)
    beside(path, "-wal").unlink()
    log = SqliteLog.open(path)
    assert await state_of(log) == book.groups[Key("wob")]
    await log.close()


@on_loop
async def test_an_emptied_file_is_refused_by_server_and_check(path: Path) -> None:
    await fill(path)
    cut(path, 0)
    for use in (SqliteLog.open, check, lambda path: backup(path, beside(path, ".out"))):
        with pytest.raises(LogUnusable, match="is gone, or emptied"):
            use(path)
    assert path.stat().st_size == 0


@on_loop
async def test_another_database_is_refused_by_server_and_check(path: Path, tmp_path: Path) -> None:
    await fill(path)
    other = tmp_path / "other.db"
    await fill(other)
    other.replace(path)
    with pytest.raises(LogUnusable, match="is not the database that was used here: put that one back") as refusal:
        SqliteLog.open(path)
    assert check(path).faults == [str(refusal.value)]


@on_loop
async def test_a_database_without_its_end_is_refused_by_server_and_check(path: Path) -> None:
    book = await fill(path)
    before = path.read_bytes()
    log = SqliteLog.open(path)
    assert await log.append([book.part(say())]) == {}
    await log.close()
    path.write_bytes(before)
    with pytest.raises(LogUnusable, match=r"lacks its last entries \(1\)") as refusal:
        SqliteLog.open(path)
    assert check(path).faults == [str(refusal.value)]


def test_what_is_planted_as_the_lock_is_neither_followed_nor_waited_for(path: Path, tmp_path: Path) -> None:
    lock, victim = beside(path, ".lock"), tmp_path / "victim"
    victim.touch()
    lock.symlink_to(victim)
    with pytest.raises(LogUnusable, match="cannot be opened"):
        SqliteLog.open(path)
    assert victim.read_bytes() == b""
    lock.unlink()
    os.mkfifo(lock)
    with pytest.raises(LogUnusable, match=r"lock is no file"):
        SqliteLog.open(path)
    with pytest.raises(LogUnusable, match=r"lock is no file"):
        check(path)


@on_loop
async def test_a_backup_touches_no_other_file_and_is_private(path: Path, tmp_path: Path) -> None:
    await fill(path)
    victim, out = tmp_path / "victim", tmp_path / "out.db"
    victim.write_text("precious")
    victim.chmod(0o644)
    beside(out, ".part").symlink_to(victim)
    before = os.umask(0)
    try:
        backup(path, out)
    finally:
        os.umask(before)
    assert victim.read_text() == "precious"
    assert out.stat().st_mode & 0o777 == 0o600
    assert check(out).faults == []
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "nowhere")
    for there in (link, out, victim):
        with pytest.raises(LogUnusable, match="exists already"):
            backup(path, there)
    assert not (tmp_path / "nowhere").exists()
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".out")]


@on_loop
async def test_what_came_in_the_place_of_a_backup_meanwhile_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(path)
    out = beside(path, ".out")

    def late(*_: object) -> None:
        out.write_text("precious")

    monkeypatch.setattr("tchat_server.store.sqlite.maintenance._refuse_damage", late)
    with pytest.raises(LogUnusable, match="exists already"):
        backup(path, out)
    assert out.read_text() == "precious"


@on_loop
async def test_the_files_of_a_server_are_private_and_go_with_it(tmp_path: Path) -> None:
    path = tmp_path / ("d" * 120) / "tchat.db"  # longer than the address of a socket may be
    book = await fill(path)
    beside(path, ".copy").write_text("left by somebody who was killed")
    log = SqliteLog.open(path)
    assert beside(path, ".sock").stat().st_mode & 0o777 == 0o600
    assert not beside(path, "-shm").exists(), "another program could cut it"
    assert await log.append([book.part(say())]) == {}
    for _ in range(3):
        assert check(path).faults == []
    await log.close()
    left = {file.name for file in path.parent.iterdir()}
    assert left <= {"tchat.db", "tchat.db.lock", "tchat.db-shm", "tchat.db-wal"}, left


DAMAGES = {
    "an event": (
        "UPDATE entries SET lines = replace(lines, 'xxx', 'xxy') WHERE id = 9",
        r"events '9-9' of group wob",
    ),
    "seqs": ("UPDATE entries SET seqs = '8-8' WHERE id = 9", r"events '8-8' of group wob"),
    "a group's end": ("UPDATE groups SET seq = 20 WHERE key = 'wob'", r"the row of group wob"),
    "a group's name": ("UPDATE groups SET name = 'bow' WHERE key = 'wob'", r"the row of group wob"),
    "a snapshot": (
        "UPDATE snapshots SET state = CAST(replace(CAST(state AS TEXT), 'bob', 'eve') AS BLOB)",
        r"the snapshot at 1033 of group wob",
    ),
}


def make_all(path: Path) -> Book:
    return asyncio.run(_make_all(path))


async def _make_all(path: Path) -> Book:
    book = await fill(path)
    log = SqliteLog.open(path)
    assert await log.append([book.part(*(say(f"long {n}", id=f"n{n}") for n in range(1000)))]) == {}
    assert await log.append([book.part(("alice", Invite("wob", "carl")))]) == {}
    assert await log.save_user(user_key("alice"), "alice", "hash")
    await log.close()
    return book


@pytest.mark.parametrize(("statement", "what"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_row_is_unavailable_named_and_the_others_are_served(path: Path, statement: str, what: str) -> None:
    make_all(path)
    execute(path, statement.replace("replace(lines,", "replace(CAST(lines AS TEXT),"))
    execute(path, "UPDATE entries SET lines = CAST(lines AS BLOB)")
    assert any("damaged" in fault for fault in check(path).faults), check(path).faults
    with pytest.raises(LogUnusable, match=r"is damaged, .*: no backup was made"):
        backup(path, beside(path, ".out"))
    assert not beside(path, ".out").exists()

    @on_loop
    async def look() -> None:
        log = SqliteLog.open(path)
        with pytest.raises(LogUnavailable, match=what):
            await (page(log, after=1, limit=20) if "entries" in statement else log.load(Key("wob")))
        assert (await log.load(Key("dev"))).tail
        assert (await page(log, "dev")).lines
        await log.close()

    look()


@pytest.mark.parametrize("after", [None, 1])
@on_loop
async def test_a_page_of_all_events_lacks_none(path: Path, after: int | None) -> None:
    await fill(path)
    execute(path, "DELETE FROM entries WHERE last_seq = 9")
    log = SqliteLog.open(path)
    with pytest.raises(LogUnavailable, match="the index of group wob near event"):
        await page(log, after=after, before=20, limit=20)
    assert (await page(log, after=9, before=20, limit=20)).first == 10
    await log.close()


PERSONAL = {
    "an account": ("UPDATE users SET password_hash = 'mine'", r"the account of alice"),
    "a standing": (
        "UPDATE standings SET name = 'alicf' WHERE user = 'alice' AND group_id = 1",
        r"the standing of alice in group 1",
    ),
    "an id": ("UPDATE retries SET digest = digest || 'x'", r"an id of alice in group wob"),
}


@pytest.mark.parametrize(("statement", "what"), PERSONAL.values(), ids=PERSONAL)
def test_a_damaged_row_about_a_user_costs_that_user_alone(path: Path, statement: str, what: str) -> None:
    make_all(path)
    execute(path, statement)
    assert any("damaged" in fault for fault in check(path).faults)

    async def ask(log: SqliteLog) -> None:
        await log.load_user(user_key("alice"))
        await log.find_retry(user_key("alice"), "n7")

    @on_loop
    async def look() -> None:
        log = SqliteLog.open(path)
        with pytest.raises(LogUnavailable, match=what):
            await ask(log)
        assert (await log.load_user(user_key("bob"))).memberships
        await log.close()

    look()


@pytest.mark.parametrize(("flips", "rounds"), [(1, 60), pytest.param(8, 400, marks=pytest.mark.nightly)])
def test_flipped_bytes_never_reach_anybody_as_another_text(path: Path, flips: int, rounds: int) -> None:
    make_all(path)
    sound, seed = path.read_bytes(), random.SystemRandom().getrandbits(32)
    moments = random.Random(seed)
    outcomes = {"refused": 0, "unavailable": 0, "whole": 0}

    async def lines() -> list[bytes]:
        log = SqliteLog.open(path)
        try:
            found: list[bytes] = []
            while (part := await page(log, kinds=PageKind.ALL, after=len(found), limit=100)).lines:
                found += part.lines
            last = 0
            while (part := await page(log, kinds=PageKind.MESSAGES, after=last, limit=100)).lines:
                found, last = [*found, *part.lines], part.last or 0
            await log.load(Key("wob"))
            return found
        finally:
            await log.close()

    told = asyncio.run(lines())
    assert len(told) > 2000
    for _ in range(rounds):
        path.write_bytes(sound)
        for suffix in ("-wal", "-shm"):
            beside(path, suffix).unlink(missing_ok=True)
        for _ in range(flips):
            at = moments.randrange(4096, len(sound))
            overwrite(path, at, bytes([sound[at] ^ (1 << moments.randrange(8))]))
        try:
            found = asyncio.run(lines())
        except LogUnusable:
            outcomes["refused"] += 1
        except LogUnavailable:
            outcomes["unavailable"] += 1
            assert check(path).faults, f"seed {seed}"
        else:
            outcomes["whole"] += 1
            assert found == told, f"seed {seed}: an altered text was delivered"
    assert outcomes["unavailable"] > 0, outcomes


def make_old(path: Path) -> None:
    """Make a database of schema 1 of one of today's."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        make_schema_2(connection)
        for table in ("groups", "entries", "snapshots", "standings", "retries", "users"):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN checksum")
        connection.execute("PRAGMA user_version = 1")


def make_schema_2(connection: sqlite3.Connection) -> None:
    """Make a database of schema 2 of one of today's: nothing had been removed from it, nothing waited for anybody."""
    connection.execute("ALTER TABLE state DROP COLUMN last_entry")
    connection.execute("DROP TABLE begins")
    connection.execute("PRAGMA user_version = 2")


def test_a_database_of_the_version_before_becomes_one_of_this(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    book = make_all(path)
    make_old(path)
    backup(path, beside(path, ".old"))
    with pytest.raises(LogUnusable, match="is of an older schema: start tchat-server with it once"):
        check(path)

    @on_loop
    async def use() -> None:
        log = SqliteLog.open(path)
        assert await state_of(log) == book.groups[Key("wob")]
        assert await log.append([book.part(say("after"))]) == {}
        assert (await log.find_retry(user_key("alice"), "n999")).retry is not None
        await log.close()

    use()
    assert re.search(r"is of schema 1: it becomes one of schema 3, every row gets a checksum", caplog.text)
    assert check(path).faults == []
    assert (check(path).events, check(path).users) == (1036, 1)


def test_a_database_of_schema_2_is_checked_as_it_is_and_becomes_one_of_this(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    book = make_all(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        make_schema_2(connection)
    assert check(path).faults == []
    backup(path, beside(path, ".old"))

    @on_loop
    async def use() -> None:
        log = SqliteLog.open(path)
        assert await state_of(log) == book.groups[Key("wob")]
        assert (await log.remove_old(before="", messages=5, after=Key(""))).events > 0
        assert await log.append([book.part(say("after"))]) == {}
        await log.close()

    use()
    assert "is of schema 2: it becomes one of schema 3\n" in caplog.text
    assert check(path).faults == []
    assert check(beside(path, ".old")).events > check(path).events


def test_a_database_whose_events_were_all_removed_is_opened_checked_and_copied(path: Path) -> None:
    book = make_all(path)

    @on_loop
    async def empty() -> None:
        log = SqliteLog.open(path)
        assert (await log.remove_old(before="2027", messages=None, after=Key(""))).events == 1035
        await log.close()

    empty()
    report = check(path)
    assert (report.faults, report.groups, report.events, report.messages) == ([], 2, 0, 0)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM entries").fetchone() == (0,)
    backup(path, beside(path, ".copy"))
    assert check(beside(path, ".copy")).faults == []

    @on_loop
    async def use() -> None:
        log = SqliteLog.open(path)
        assert await state_of(log) == book.groups[Key("wob")]
        assert await log.append([book.part(say("after"))]) == {}
        await log.close()

    use()
    use_again = check(path)
    assert (use_again.faults, use_again.events) == ([], 1)


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        ("DELETE FROM snapshots", "and has no snapshot of what was before"),
        ("DELETE FROM begins", "event 1028 does not follow 0"),
        ("UPDATE begins SET seq = 1031", "the beginning of group 1 is damaged"),
        ("DELETE FROM entries WHERE kind = 1", "its events end with 1033, and the table of groups says 1034"),
    ],
)
def test_damage_after_a_removal_is_found(path: Path, damage: str, fault: str) -> None:
    make_all(path)

    @on_loop
    async def remove() -> None:
        log = SqliteLog.open(path)
        await log.remove_old(before="", messages=6, after=Key(""))
        await log.close()

    remove()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(damage)
    assert any(fault in found for found in check(path).faults), check(path).faults


def test_a_step_of_a_removal_is_as_short_where_what_is_old_waits_and_may_not_go(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tchat_server.store.sqlite.removal._MOST_EVENTS", 10)
    steps: list[Key | None] = [Key("")]
    ts = "2020-01-01T00:00:00.000Z"

    @on_loop
    async def remove() -> None:
        log = SqliteLog.open(path)
        for name in ("ann", "ben", "cid"):
            texts = tuple(Sent(name, "dan", "x", ts, None, seq, seq == 1) for seq in range(1, 13))
            key = direct_key(user_key(name), user_key("dan"))
            await log.append([encode_part(Part(key, 0, texts, fold(texts, None), ("",) * len(texts)))])
        while (after := steps[-1]) is not None:
            removed = await log.remove_old(before="2021", messages=None, after=after)
            assert removed.events == 0
            steps.append(removed.after)
        await log.close()

    remove()
    assert len(steps) == 5, "a step for each log, and one that finds no more"
