"""Databases as a server leaves them after hours of heaping up, made in a second."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path

from logs import Book, create, say

from libtchat.message.direct import Sent
from libtchat.message.names import user_key
from libtchat.message.request import Join, Leave
from tchat_server.password import hash_password
from tchat_server.store.event_log import EncodedPart
from tchat_server.store.sqlite.log import SqliteLog
from tchat_server.testing.book import TS, kept

AT_ONCE = 1000


def fill(path: Path, parts: Iterable[EncodedPart]) -> None:
    """Make a database of these parts."""

    async def run() -> None:
        log = SqliteLog.open(path)
        for some in batches(parts):
            assert await log.append(some) == {}
        await log.close()

    asyncio.run(run())


def batches(parts: Iterable[EncodedPart]) -> Iterator[list[EncodedPart]]:
    some: list[EncodedPart] = []
    for part in parts:
        some.append(part)
        if len(some) == AT_ONCE:
            yield some
            some = []
    yield some


def large_group(path: Path, *, group: str, members: int) -> None:
    """A group of so many members, all of them away."""
    names = [f"member-of-large-{number:05}" for number in range(members)]
    fill(path, [Book().part(create(group, by="large.owner"), *((name, Join(group)) for name in names))])


def left_groups(path: Path, *, groups: int, per_user: int) -> None:
    """So many public groups, each created and left, under as many names as it takes."""
    book = Book()

    def parts() -> Iterator[EncodedPart]:
        for number in range(groups):
            user, group = f"leaver.{number // per_user}", f"left.{number}"
            yield book.part(create(group, by=user), (user, Leave(group)))

    fill(path, parts())


def many_ids(path: Path, *, user: str, ids: int) -> None:
    """A user who said so many texts, each with an id."""
    book = Book()

    def parts() -> Iterator[EncodedPart]:
        yield book.part(create("hoard", by=user))
        for at in range(0, ids, 100):
            yield book.part(*(say("x", "hoard", by=user, id=f"{n:064}") for n in range(at, at + 100)))

    fill(path, parts())


def absent(number: int) -> str:
    """Return the name of one of those who are away, and have a password."""
    return f"kept.away.{number}"


def waiting(path: Path, *, user: str, senders: int, texts: int, others: int = 0) -> None:
    """A user whose password is its name, for whom texts of so many others wait; and so many who are away, too."""
    hashed = hash_password(user)

    def parts() -> Iterator[EncodedPart]:
        for sender in range(senders):
            msg, by = "x" * 600, f"kept.sender.{sender}"
            yield kept(None, *(Sent(by, user, msg, TS, seq=n, kept=True, reader=user) for n in range(1, texts + 1)))

    async def accounts() -> None:
        log = SqliteLog.open(path)
        for name in (user, *map(absent, range(others))):
            await log.save_user(user_key(name), name, hashed)
        await log.close()

    asyncio.run(accounts())
    fill(path, parts())
