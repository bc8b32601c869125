"""Copies of a database in use: who asks gets one of one moment, and keeps no server from its end."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from files import fill
from logs import on_loop, say

from tchat_server.store.event_log import LogUnusable
from tchat_server.store.sqlite.copier import copied
from tchat_server.store.sqlite.log import SqliteLog
from tchat_server.store.sqlite.maintenance import backup, check


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tchat.db"


@contextmanager
def opened_files(count: int) -> Iterator[None]:
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(count)]
    try:
        yield
    finally:
        for file in files:
            os.close(file)


@on_loop
async def test_a_copy_is_of_one_moment_while_others_write(path: Path) -> None:
    book = await fill(path)
    log = SqliteLog.open(path)
    appending = True

    async def append() -> int:
        count = 0
        while appending:
            assert await log.append([book.part(*(say("x" * 500) for _ in range(10)))]) == {}
            count += 1
        return count

    writing = asyncio.create_task(append())
    for number in range(5):
        out = path.with_name(f"out{number}.db")
        await asyncio.to_thread(backup, path, out)
        assert check(out).faults == []
    appending = False
    assert await writing > 5
    await log.close()
    assert [file.name for file in path.parent.iterdir() if ".copy" in file.name] == []


@on_loop
async def test_who_keeps_a_copy_keeps_no_server_from_its_end(path: Path) -> None:
    await fill(path)
    log = SqliteLog.open(path)
    with copied(path) as copy:
        assert check(copy).faults == []
        with socket.socket(socket.AF_UNIX) as second:
            second.connect(str(path) + ".sock")
            await asyncio.wait_for(log.close(), 10)
            with suppress(ConnectionResetError):
                assert second.recv(10) == b""
    assert not copy.exists()
    log = SqliteLog.open(path)
    await log.close()


@on_loop
async def test_many_connections_do_not_matter_and_no_free_descriptor_is_waited_for(path: Path) -> None:
    await fill(path)
    log = SqliteLog.open(path)
    with opened_files(800 if os.sysconf("SC_OPEN_MAX") < 2048 else 1100):
        assert (await asyncio.to_thread(check, path)).faults == []
    await log.close()


@on_loop
async def test_a_server_that_cannot_copy_says_why_and_goes_on(path: Path) -> None:
    book = await fill(path)
    log = SqliteLog.open(path)
    copy = path.with_name(path.name + ".copy")
    copy.mkdir()
    with pytest.raises(LogUnusable, match=r"cannot be copied by its server: "):
        await asyncio.to_thread(check, path)
    copy.rmdir()
    assert (await asyncio.to_thread(check, path)).faults == []
    assert await log.append([book.part(say())]) == {}
    await log.close()


@on_loop
async def test_what_is_in_the_place_of_the_socket_stays_and_is_told(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    book = await fill(path)
    place = path.with_name(path.name + ".sock")
    place.write_text("precious")
    log = SqliteLog.open(path)
    assert "check and backup must wait until the server ends" in caplog.text
    assert await log.append([book.part(say())]) == {}
    await log.close()
    assert place.read_text() == "precious"
    assert check(path).faults == []


def test_no_thread_is_left(path: Path) -> None:
    @on_loop
    async def use() -> None:
        book = await fill(path)
        log = SqliteLog.open(path)
        assert await log.append([book.part(say())]) == {}
        await log.close()

    use()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("tchat-")]
