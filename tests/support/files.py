"""Database files for tests: filled, written to by a process that is killed, damaged."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from logs import Book, create, say

from libtchat.message.request import Join
from tchat_server.store.sqlite.log import SqliteLog


async def fill(path: Path) -> Book:
    """Make a database with two groups in it."""
    log, book = SqliteLog.open(path), Book()
    assert await log.append([book.part(create(), ("bob", Join("wob")), say()), book.part(create("dev"))]) == {}
    for n in range(30):
        assert await log.append([book.part(say(f"{n} " + "x" * 500))]) == {}
    await log.close()
    return book


WRITING = """
import asyncio, sys
from pathlib import Path
from logs import Book, create, say, state_of
from tchat_server.store.sqlite.log import SqliteLog

async def main():
    log, book = SqliteLog.open(Path(sys.argv[1])), Book()
    names = ("wob", "dev")
    for name in names:
        group = await state_of(log, name)
        if group is None:
            assert await log.append([book.part(create(name))]) == {}
        else:
            book.groups[name] = group
    for _ in range(int(sys.argv[2])):
        parts = [book.part(*(say(group=name) for _ in range(3))) for name in names]
        assert await log.append(parts) == {}
        print(*(part.events[-1].seq for part in parts), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def start_writing(path: Path, appends: int = 1_000_000) -> subprocess.Popen[str]:
    """Start a process that appends 3 messages each to 2 groups, time after time, prints their seqs, and never ends."""
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", WRITING, str(path), str(appends)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": paths},
    )


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def cut(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)
