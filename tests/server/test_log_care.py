"""`check`, `backup` and `own`."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from files import execute, fill, overwrite
from logs import Book, create, on_loop, page, say

from libtchat.effect import PageKind
from libtchat.wire import codec
from tchat_server.store.event_log import LogUnusable
from tchat_server.store.sqlite.log import SqliteLog
from tchat_server.store.sqlite.maintenance import backup, check


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tchat.db"


def test_check_counts_and_finds_nothing_wrong_with_a_sound_database(path: Path) -> None:
    asyncio.run(fill(path))
    report = check(path)
    assert (report.groups, report.events, report.messages, report.faults) == (2, 34, 31, [])


WRONGS = {
    "a gap": ("DELETE FROM entries WHERE id = 7", "group wob: after event 6: event 8 does not follow 6"),
    "a lost end": ("DELETE FROM entries WHERE last_seq = 33", "group wob: its 32 events do not agree"),
    "no events": ("DELETE FROM entries WHERE group_id = 2", "group dev: has no events"),
    "another seq": ("UPDATE entries SET seqs = '9-9', last_seq = 99 WHERE id = 9", "group wob: .*"),
    "a bad line": ("UPDATE entries SET lines = x'7b7d' WHERE id = 9", "group wob: after event 8: "),
    "a standing": ("UPDATE standings SET standing = 'banned' WHERE user = 'bob'", "group wob: bob is member"),
    "a standing lost": ("DELETE FROM standings WHERE user = 'bob'", "group wob: bob is member"),
    "a standing invented": (
        "INSERT INTO standings VALUES ('eve', 1, 'eve', 'member', NULL, 0)",
        "group wob: eve is none by its events",
    ),
    "a stray": ("UPDATE entries SET group_id = 99 WHERE id = 9", "table entries, row 9: "),
    "a head": ("UPDATE groups SET seq = 40 WHERE id = 1", "group wob: its 33 events do not agree"),
    "a creator": ("UPDATE groups SET creator = 'eve' WHERE id = 1", "group wob: its 33 events do not agree"),
}


@pytest.mark.parametrize(("statement", "message"), WRONGS.values(), ids=WRONGS)
def test_check_says_what_is_wrong(path: Path, statement: str, message: str) -> None:
    asyncio.run(fill(path))
    execute(path, statement)
    faults = check(path).faults
    assert any(re.match(message, fault) for fault in faults), faults


def test_check_finds_a_snapshot_that_is_not_the_fold(path: Path) -> None:
    async def grow() -> None:
        log, book = SqliteLog.open(path), Book()
        await log.append([book.part(create(), *(say() for _ in range(1500)))])
        await log.close()

    asyncio.run(grow())
    assert check(path).faults == []
    execute(path, "UPDATE snapshots SET state = CAST(replace(CAST(state AS TEXT), 'alice', 'alicf') AS BLOB)")
    assert check(path).faults == [
        "the snapshot at 1501 of group wob: damaged",
        "group wob: the snapshot at 1501 is not the fold of its events",
    ]


def test_check_names_a_damaged_page(path: Path) -> None:
    asyncio.run(fill(path))
    overwrite(path, 8 * 4096, b"\x55" * 4096)
    assert any(fault.startswith("Page 9: ") for fault in check(path).faults)


def test_check_and_backup_refuse_what_is_no_database(path: Path) -> None:
    for file in (path, path.parent):
        with pytest.raises(LogUnusable, match="does not exist"):
            check(file)
    path.write_bytes(b"dear diary")
    for act in (lambda: check(path), lambda: backup(path, path.with_name("out.db"))):
        with pytest.raises(LogUnusable, match="is not a database"):
            act()
    assert not path.with_name("out.db").exists()


@on_loop
async def test_a_backup_is_made_while_the_log_is_in_use_and_opens(path: Path) -> None:
    book = await fill(path)
    out = path.with_name("out.db")
    log = SqliteLog.open(path)
    await log.append([book.part(say("last"))])
    backup(path, out)
    await log.append([book.part(say("later"))])
    with pytest.raises(LogUnusable, match="exists already"):
        backup(path, out)
    await log.close()
    copy = SqliteLog.open(out)
    newest = await page(copy, kinds=PageKind.MESSAGES, limit=1)
    assert [getattr(codec.decode_event(line), "msg", "") for line in newest.lines] == ["last"]
    await copy.close()
    assert out.stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in path.parent.iterdir() if "out" in file.name) == ["out.db", "out.db.lock"]
