"""What is about the SQLite file alone: faults, crashes, files to refuse, and the care of a database."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from files import fill, start_writing
from logs import Book, create, on_loop, page, say, state_of

from libtchat.group import fold
from libtchat.message.names import Key, user_key
from libtchat.message.request import Ban, Invite, Join, Leave
from libtchat.stored import Loaded
from tchat_server.store.event_log import EncodedPart, LogUnavailable, LogUnusable
from tchat_server.store.sqlite import reader, users
from tchat_server.store.sqlite.log import SqliteLog
from tchat_server.store.sqlite.maintenance import backup, check
from tchat_server.store.sqlite.reader import Query, Reader
from tchat_server.store.sqlite.rows import RowWriter
from tchat_server.store.sqlite.schema import open_file


class Faults(sqlite3.Connection):
    """A connection that fails as planned; the plan is for all connections of a test."""

    plan: Callable[[str], bool] = staticmethod(lambda statement: False)
    loses_answer = False

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        return self._do(super().execute, sql, *args)

    def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:
        return self._do(super().executemany, sql, *args)

    def _do(self, run: Callable[..., sqlite3.Cursor], sql: str, *args: Any) -> sqlite3.Cursor:
        is_failing = Faults.plan(sql)
        if not is_failing or Faults.loses_answer:
            cursor = run(sql, *args)
        if is_failing:
            raise sqlite3.OperationalError("disk I/O error (planned)")
        return cursor


@pytest.fixture(autouse=True)
def _heal_in_the_end() -> Iterator[None]:
    yield
    heal()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tchat.db"


def fail(is_failing: Callable[[str], bool], *, times: int = 1, loses_answer: bool = False) -> list[str]:
    """Make the next statements fail for which *is_failing* holds; return where those that did are listed."""
    failed: list[str] = []

    def plan(statement: str) -> bool:
        if len(failed) == times or not is_failing(statement):
            return False
        failed.append(statement)
        return True

    Faults.plan = staticmethod(plan)
    Faults.loses_answer = loses_answer
    return failed


def fail_at(step: int) -> list[str]:
    """Make the next statement but *step* - 1 fail; return where it is listed."""
    steps = itertools.count(1)
    return fail(lambda _: next(steps) == step)


def heal() -> None:
    """Make no statement fail."""
    fail(lambda _: False)


def is_commit(statement: str) -> bool:
    return statement == "COMMIT"


@on_loop
async def test_an_append_that_fails_at_any_step_is_unavailable_and_changes_nothing(path: Path) -> None:
    book = await fill(path)
    before = book.groups[Key("wob")]
    log = SqliteLog.open(path, factory=Faults)
    part = book.part(say(id="x"), ("alice", Invite("wob", "carl")), ("bob", Leave("wob")))
    other = book.part(create("new"))
    failed: list[str] = []
    for step in itertools.count(1):
        failing = fail_at(step)
        result = await log.append([part, other])
        if not failing:
            break
        failed += failing
        assert result == {Key("wob"): (), Key("new"): ()}
        assert await state_of(log) == before
        assert await state_of(log, "new") is None
        assert (await log.load_user(user_key("alice"))).created == 2
    heal()
    assert result == {}
    assert len(failed) > 12
    assert failed[-1] == "COMMIT"
    assert await state_of(log) == book.groups[Key("wob")]
    assert (await log.load_user(user_key("alice"))).has_retries
    await log.close()
    assert check(path).faults == []


@pytest.mark.parametrize(("loses_answer", "is_stored"), [(False, False), (True, True)])
@pytest.mark.parametrize("lies", [1, 2, 5])
@on_loop
async def test_a_commit_without_a_clear_answer_is_read_back_until_it_is_certain(
    path: Path, lies: int, loses_answer: bool, is_stored: bool
) -> None:
    book = await fill(path)
    log = SqliteLog.open(path, factory=Faults)
    part = book.part(say("perhaps", id="x"))
    fail(is_commit, times=lies, loses_answer=loses_answer)
    assert await log.append([part]) == ({} if is_stored else {Key("wob"): ()})
    assert len((await page(log)).lines) == part.expected + is_stored
    assert bool((await log.find_retry(user_key("alice"), "x")).retry) is is_stored
    assert await log.append([part]) == ({Key("wob"): part.events} if is_stored else {})
    await log.close()
    assert check(path).faults == []


@on_loop
async def test_appends_in_one_unclear_commit_are_all_found(path: Path) -> None:
    book = await fill(path)
    log = SqliteLog.open(path, factory=Faults)
    parts = [book.part(say(str(n))) for n in range(20)]
    commits = itertools.count()
    fail(lambda statement: is_commit(statement) and next(commits) % 2 == 0, times=20, loses_answer=True)
    assert await asyncio.gather(*(log.append([part]) for part in parts)) == [{}] * 20
    heal()
    assert (await state_of(log)) == book.groups[Key("wob")]
    await log.close()


@pytest.mark.parametrize(("loses_answer", "is_stored"), [(False, False), (True, True)])
@on_loop
async def test_a_password_without_a_clear_answer_is_read_back(path: Path, loses_answer: bool, is_stored: bool) -> None:
    await fill(path)
    log = SqliteLog.open(path, factory=Faults)
    fail(is_commit, times=2, loses_answer=loses_answer)
    if is_stored:
        assert await log.save_user(user_key("bob"), "bob", "hash") is True
    else:
        with pytest.raises(LogUnavailable):
            await log.save_user(user_key("bob"), "bob", "hash")
    assert ((await log.load_user(user_key("bob"))).password_hash == "hash") is is_stored
    await log.close()


@on_loop
async def test_what_waits_behind_a_write_that_fails_is_stored_when_the_log_is_closed(path: Path) -> None:
    book = await fill(path)
    log, has_begun, may_go_on = SqliteLog.open(path), threading.Event(), threading.Event()

    def fail_late(_: RowWriter) -> None:
        has_begun.set()
        assert may_go_on.wait(10)
        raise sqlite3.OperationalError("planned")

    failing = log.write(fail_late, lambda *_: True)
    assert await asyncio.to_thread(has_begun.wait, 10)
    appending = asyncio.ensure_future(log.append([book.part(say())]))
    await asyncio.sleep(0)
    closing_it = asyncio.ensure_future(log.close())
    await asyncio.sleep(0.05)
    may_go_on.set()  # its connection is given up, as the last one perhaps: SQLite would remove the -wal file then
    with pytest.raises(LogUnavailable):
        await failing
    assert await appending == {}
    await closing_it


@on_loop
async def test_a_log_closed_while_nothing_is_certain_says_neither_yes_nor_no(path: Path) -> None:
    book = await fill(path)
    log = SqliteLog.open(path, factory=Faults)
    fail(is_commit, times=1_000_000)
    appending = asyncio.create_task(log.append([book.part(say())]))
    await asyncio.sleep(0)
    await log.close()
    with pytest.raises(LogUnavailable):
        await appending
    assert await log.append([book.part(say())]) == {Key("wob"): ()}
    with pytest.raises(LogUnavailable):
        await log.load(Key("wob"))
    await log.close()


@on_loop
async def test_a_part_that_makes_no_sense_is_refused_and_the_next_ones_are_stored(path: Path) -> None:
    book = await fill(path)
    log = SqliteLog.open(path)
    part = book.part(say())
    senseless = EncodedPart(part.key, part.expected, part.events, part.after, ("x", "y"), part.lines)
    assert await log.append([senseless]) == {Key("wob"): ()}
    assert await log.append([part]) == {}
    await log.close()


@on_loop
async def test_a_defect_in_the_writer_is_raised_nothing_is_stored_and_nobody_waits_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = await fill(path)
    defects: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", defects.append)

    def broken_clock() -> float:
        raise ZeroDivisionError

    log = SqliteLog.open(path, clock=broken_clock)
    part = book.part(say())
    with pytest.raises(ZeroDivisionError):
        await log.append([part])
    assert await log.append([part]) == {Key("wob"): ()}
    assert len((await page(log)).lines) == part.expected
    await log.close()
    assert [defect.exc_type for defect in defects] == [ZeroDivisionError]


@on_loop
async def test_a_full_disk_is_unavailable_until_there_is_room(path: Path) -> None:
    book = await fill(path)

    class Full(sqlite3.Connection):
        is_full = True

        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            if sql.startswith("BEGIN"):
                super().execute(f"PRAGMA max_page_count = {1 if Full.is_full else 1_000_000}")
            return super().execute(sql, *args)

    log = SqliteLog.open(path, factory=Full)
    before = book.groups[Key("wob")]
    part = book.part(*(say("x" * 8000) for _ in range(50)))
    assert await log.append([part]) == {Key("wob"): ()}
    assert await state_of(log) == before
    Full.is_full = False
    assert await log.append([part]) == {}
    await log.close()
    assert check(path).faults == []


@on_loop
async def test_a_locked_database_is_unavailable_until_it_is_free(path: Path) -> None:
    book = await fill(path)
    log = SqliteLog.open(path)
    part = book.part(say())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await log.append([part]) == {Key("wob"): ()}
        assert len((await page(log)).lines) == part.expected
        other.execute("ROLLBACK")
        assert await log.append([part]) == {}
    await log.close()


@on_loop
async def test_a_read_that_fails_is_unavailable_and_the_next_one_works(path: Path) -> None:
    book = await fill(path)
    log = SqliteLog.open(path, factory=Faults)
    reads = (
        lambda: log.load(Key("wob")),
        lambda: log.load_user(user_key("bob")),
        lambda: page(log),
        lambda: log.public_groups(after=None, limit=10, max_bytes=1000),
    )
    for read in reads:
        fail(lambda statement: "SELECT" in statement)
        with pytest.raises(LogUnavailable):
            await read()
        await read()
    assert await state_of(log) == book.groups[Key("wob")]
    await log.close()


@on_loop
async def test_who_comes_does_not_wait_for_what_takes_long_to_read() -> None:
    loop, order, gate = asyncio.get_running_loop(), list[str](), threading.Event()
    thread = Reader(lambda: sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False))

    def ask(name: str, *, is_quick: bool, then: Callable[[], object] = lambda: None) -> asyncio.Future[None]:
        def answer(_: sqlite3.Connection) -> None:
            order.append(name)
            then()

        query = Query(loop.create_future(), answer, is_quick)
        thread.submit(query)
        return query.future

    def late() -> None:
        thread.submit(Query(latecomer, lambda _: order.append("latecomer"), is_quick=True))

    latecomer, has_begun = loop.create_future(), threading.Event()
    asked = [ask("begun", is_quick=False, then=lambda: has_begun.set() or gate.wait(10))]
    assert await loop.run_in_executor(None, has_begun.wait, 10)
    asked += [ask("page 1", is_quick=False, then=late), ask("page 2", is_quick=False), ask("newcomer", is_quick=True)]
    gate.set()
    await asyncio.wait_for(asyncio.gather(*asked, latecomer), 10)
    await loop.run_in_executor(None, thread.stop)
    assert order == ["begun", "newcomer", "page 1", "latecomer", "page 2"]


@on_loop
async def test_a_ban_in_very_many_groups_costs_nothing_when_its_user_comes(path: Path) -> None:
    log, book, groups = SqliteLog.open(path), Book(), [f"g{n}" for n in range(2_000)]
    await log.append([book.part(create(name), ("alice", Ban(name, "bob"))) for name in groups])
    await log.append([book.part(create("in"), ("bob", Join("in")))])
    await log.close()
    steps = itertools.count()
    with closing(sqlite3.connect(path)) as connection:
        connection.set_progress_handler(lambda: next(steps) < 0, 10)  # called after each ten steps of SQLite
        found = users.load_user(connection, user_key("bob"))
    assert [membership.name for membership in found.memberships] == ["in"]
    assert next(steps) < 100


@on_loop
async def test_of_what_is_read_together_only_what_fails_is_unavailable(path: Path) -> None:
    book = await fill(path)
    log = SqliteLog.open(path, factory=Faults)
    await page(log)
    failed = fail(lambda statement: "FROM snapshots" in statement)
    answers = await asyncio.gather(*(log.load(Key(name)) for name in ("dev", "wob", "wob")), return_exceptions=True)
    assert len(failed) == 1
    assert [type(answer) for answer in answers] == [LogUnavailable, Loaded, Loaded]
    assert fold(answers[2].tail, answers[2].snapshot) == book.groups[Key("wob")]
    await log.close()


@on_loop
async def test_what_is_asked_of_a_closed_log_is_unavailable(path: Path) -> None:
    await fill(path)
    log = SqliteLog.open(path)
    last, closing_it = log.load(Key("wob")), asyncio.ensure_future(log.close())
    assert (await last).tail
    await closing_it
    with pytest.raises(LogUnavailable, match="closed"):
        await log.load(Key("wob"))


@on_loop
async def test_a_defect_in_reading_is_unavailable_and_logged_and_the_next_read_works(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    book = await fill(path)
    log = SqliteLog.open(path)
    with monkeypatch.context() as patch:
        patch.setattr(reader, "load", lambda connection, key: 1 // 0)
        with pytest.raises(LogUnavailable):
            await log.load(Key("wob"))
    assert "ZeroDivisionError" in caplog.text
    assert await state_of(log) == book.groups[Key("wob")]
    await log.close()


@on_loop
async def test_a_read_that_nobody_waits_for_any_more_is_not_done(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(path)
    log = SqliteLog.open(path)
    read: list[Key] = []
    started, may_go_on = threading.Event(), threading.Event()

    def slow(connection: sqlite3.Connection, key: Key) -> Loaded:
        read.append(key)
        started.set()
        assert may_go_on.wait(10)
        return Loaded()

    monkeypatch.setattr(reader, "load", slow)
    queries = [asyncio.ensure_future(log.load(Key(name))) for name in ("wob", "dev", "wob")]
    await asyncio.to_thread(started.wait, 10)
    queries[1].cancel()
    may_go_on.set()
    assert await queries[2] == Loaded()
    assert read == ["wob", "wob"]
    await log.close()


@on_loop
async def test_an_answer_does_not_wait_for_a_long_read_behind_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(path)
    log = SqliteLog.open(path)
    started, may_go_on = threading.Event(), threading.Event()

    def slow(connection: sqlite3.Connection, key: Key) -> Loaded:
        started.set()
        assert may_go_on.wait(10)
        return Loaded()

    monkeypatch.setattr(reader, "load", slow)
    first = asyncio.ensure_future(log.load(Key("wob")))
    await asyncio.to_thread(started.wait, 10)
    started.clear()
    user, last = asyncio.ensure_future(log.find_user(user_key("bob"))), asyncio.ensure_future(log.load(Key("wob")))
    may_go_on.set()
    await first
    may_go_on.clear()
    assert (await asyncio.wait_for(user, 5)).name == "bob"
    may_go_on.set()
    await last
    await log.close()


@on_loop
async def test_what_is_submitted_after_the_stop_of_a_writer_that_then_breaks_is_reported_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = await fill(path)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    started, may_go_on = threading.Event(), threading.Event()

    def broken_clock() -> float:
        started.set()
        assert may_go_on.wait(10)
        raise ZeroDivisionError

    log = SqliteLog.open(path, clock=broken_clock)
    part = book.part(say())
    first = asyncio.ensure_future(log.append([part]))
    await asyncio.to_thread(started.wait, 10)
    closing_it = asyncio.ensure_future(log.close())
    await asyncio.sleep(0.05)
    second = asyncio.ensure_future(log.append([part]))
    await asyncio.sleep(0.05)
    may_go_on.set()
    with pytest.raises(ZeroDivisionError):
        await first
    assert await asyncio.wait_for(second, 5) == {Key("wob"): ()}
    await closing_it


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE entries SET lines = cast(lines AS TEXT)",
        "UPDATE entries SET seqs = cast(seqs AS BLOB)",
        "UPDATE entries SET seqs = 'x'",
        "UPDATE snapshots SET state = 5",
    ],
)
@on_loop
async def test_what_is_damaged_is_unavailable(damage: str, path: Path) -> None:
    book = await fill(path)
    log = SqliteLog.open(path)
    assert await log.append([book.part(*(say(group="dev") for _ in range(1100)))]) == {}  # long enough for a snapshot
    await log.close()
    with closing(sqlite3.connect(path)) as file:
        file.execute(damage)
        file.commit()
    log = SqliteLog.open(path)
    with pytest.raises(LogUnavailable):
        await (page(log) if "entries" in damage else log.load(Key("dev")))
    assert (await log.find_user(user_key("nobody"))).name is None
    await log.close()


@on_loop
async def test_a_group_whose_events_are_not_all_there_is_unavailable_and_the_others_are_not(path: Path) -> None:
    await fill(path)
    with closing(sqlite3.connect(path)) as file:
        file.execute("DELETE FROM snapshots")
        file.execute("DELETE FROM entries WHERE kind = 1 AND group_id = (SELECT id FROM groups WHERE key = 'wob')")
        file.commit()
    log = SqliteLog.open(path)
    with pytest.raises(LogUnavailable, match="wob"):
        await log.load(Key("wob"))
    assert (await log.load(Key("dev"))).tail
    await log.close()


@on_loop
async def test_retries_are_deleted_some_time_after_nobody_may_need_them(path: Path) -> None:
    now = 1000.0
    log, book = SqliteLog.open(path, clock=lambda: now), Book()
    await log.append([book.part(create(), *(say(id=f"old {n}") for n in range(30)))])
    now += 601
    for n in range(10):
        await log.append([book.part(say(id=f"new {n}"))])
    await log.close()
    with closing(sqlite3.connect(path)) as connection:
        ids = [id for (id,) in connection.execute("SELECT id FROM retries ORDER BY number")]
    assert ids == [f"new {n}" for n in range(10)]


@on_loop
async def test_a_long_append_is_kept_in_rows_that_a_page_can_afford(path: Path) -> None:
    log, book = SqliteLog.open(path), Book()
    assert await log.append([book.part(create(), *(say("x" * 8000) for _ in range(100)))]) == {}
    found = await page(log, before=50, limit=100, max_bytes=20_000)
    assert (found.first, found.last, found.more) == (48, 49, True)
    await log.close()
    with closing(sqlite3.connect(path)) as connection:
        sizes = [size for (size,) in connection.execute("SELECT length(lines) FROM entries")]
    assert max(sizes) < 70_000
    assert len(sizes) > 10
    assert check(path).faults == []


def test_nothing_reported_durable_is_lost_when_the_process_is_killed(path: Path) -> None:
    for cycle in range(5):
        with start_writing(path) as process:
            assert process.stdout is not None
            for _ in range(20 + 7 * cycle):
                assert process.stdout.readline()
            process.send_signal(signal.SIGKILL)
            told = process.stdout.read().splitlines(keepends=True)
        last = [line for line in told if line.endswith("\n")][-1:]
        seqs = [int(seq) for seq in last[0].split()] if last else [1, 1]

        async def lasts() -> list[int]:
            log = SqliteLog.open(path)
            pages = [await page(log, name, limit=1) for name in ("wob", "dev")]
            await log.close()
            return [found.last or 0 for found in pages]

        kept = asyncio.run(lasts())
        assert all(kept_seq >= seq for kept_seq, seq in zip(kept, seqs, strict=True))
        assert kept[0] == kept[1], "a transaction was kept in part"
        report = check(path)
        assert report.faults == []
        assert report.events == sum(kept)


def test_a_database_has_one_server_and_is_free_when_that_dies(path: Path) -> None:
    with start_writing(path) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        with pytest.raises(LogUnusable, match=r"locked by another tchat-server"):
            SqliteLog.open(path)
        assert check(path).faults == []
        backup(path, path.with_name("copy.db"))
        process.send_signal(signal.SIGKILL)
    assert check(path.with_name("copy.db")).faults == []
    open_file(path).release()


@on_loop
async def test_a_file_of_before_guests_were_numbered_from_it_gives_no_number_it_knows(path: Path) -> None:
    await fill(path)
    known = 10**14  # a clock that was wrong may have given it
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE guests")
        connection.execute("UPDATE groups SET creator = ?", (f"guest-{known}",))
    log = SqliteLog.open(path)
    assert await log.number_guest() == known + 1
    assert await log.number_guest() == known + 2
    await log.close()


@on_loop
async def test_the_clock_goes_on_from_the_last_retry_stored(path: Path) -> None:
    log = SqliteLog.open(path, clock=lambda: 5_000.0)
    book = Book()
    await log.append([book.part(create(), say(id="r"))])
    await log.close()
    log = SqliteLog.open(path)
    assert 5_000 <= log.clock() < 5_060
    await log.close()


@on_loop
async def test_a_list_of_groups_takes_no_longer_for_those_that_nobody_is_in(path: Path) -> None:
    log, book = SqliteLog.open(path), Book()
    await log.append([book.part(create(f"a{number}"), ("alice", Leave(f"a{number}"))) for number in range(2000)])
    await log.append([book.part(create("z"), ("bob", Join("z")), ("alice", Leave("z")))])
    await log.close()
    with closing(sqlite3.connect(path)) as connection:
        steps = 0

        def step() -> int:
            nonlocal steps
            steps += 1
            return 0

        connection.set_progress_handler(step, 100)
        assert reader.public_groups(connection, None, 10, 1000).names == ("z",)
        assert steps < 5, steps


@on_loop
async def test_a_group_is_listed_while_it_has_members_in_files_of_before_too(path: Path) -> None:
    log, book = SqliteLog.open(path), Book()
    await log.append([book.part(create(), ("bob", Join("wob"))), book.part(create("other"))])
    await log.append([book.part(("bob", Leave("wob")))])
    await log.close()
    with closing(sqlite3.connect(path)) as connection:  # as a server left it that knew no such table
        for trigger in ("member_came", "member_went", "member_changed"):
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute("DROP TABLE listed")
    log = SqliteLog.open(path)
    assert (await log.public_groups(after=None, limit=10, max_bytes=1000)).names == ("other", "wob")
    await log.append([book.part(("alice", Leave("wob")))])
    assert (await log.public_groups(after=None, limit=10, max_bytes=1000)).names == ("other",)
    await log.append([book.part(("bob", Join("wob")))])
    assert (await log.public_groups(after=None, limit=10, max_bytes=1000)).names == ("other", "wob")
    await log.close()
    assert check(path).faults == []
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM listed WHERE key = 'wob'")
        connection.commit()
    assert check(path).faults == ["group wob: is not in the list of groups"]
