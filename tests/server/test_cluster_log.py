"""Several nodes, one log in an engine: what each is told of the others, and what befalls the engine and the copies."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from engine import Engine, engine, shared_engine
from files import cut, overwrite
from logs import Book, create, on_loop, page, say, state_of

from libtchat.cluster import Barred, News, Protected, Record
from libtchat.effect import PageKind
from libtchat.message.names import Key, group_key, user_key
from libtchat.message.request import Join
from tchat_server.store.event_log import LogUnavailable, LogUnusable
from tchat_server.store.nats.connection import Connection
from tchat_server.store.nats.errors import EngineGone
from tchat_server.store.nats.fetch import fetch
from tchat_server.store.nats.log import NatsLog
from tchat_server.store.nats.subject import Subjects
from tchat_server.store.nats.url import parse_url
from tchat_server.store.sqlite.log import SqliteLog
from tchat_server.supervisor import end

_names = itertools.count(1)


class Node:
    """A log, and what it was told."""

    def __init__(self, log: NatsLog) -> None:
        self.log = log
        self.told: list[Any] = []
        log.follow(self._take)

    def _take(self, told: Sequence[News]) -> None:
        self.told += told


@asynccontextmanager
async def nodes(directory: Path, count: int = 2, *, on: Engine | None = None) -> AsyncIterator[list[Node]]:
    url = parse_url((on or shared_engine()).url(f"nodes-{next(_names)}"))
    logs = [await NatsLog.open(url, directory / f"{number}.db") for number in range(count)]
    try:
        yield [Node(log) for log in logs]
    finally:
        for log in logs:
            await log.close()


@on_loop
async def test_what_one_node_appends_the_other_is_told_in_the_same_bytes(tmp_path: Path) -> None:
    async with nodes(tmp_path) as (here, there):
        book = Book()
        part = book.part(create(), say("un", id="one"), ("bob", Join("wob")))
        assert await here.log.append([part]) == {}
        await there.log.reached()
        assert there.told == [Record(part.key, 0, part.events, part.digests, part.lines)]
        assert here.told == []
        assert (await page(there.log)).lines == part.lines
        assert (await there.log.find_retry(user_key("alice"), "one")).retry is not None
        assert await there.log.append([book.part(say("deux"))]) == {}
        await here.log.reached()
        assert [record.expected for record in here.told] == [3]
        assert await state_of(here.log) == await state_of(there.log) == book.groups[Key("wob")]


@on_loop
async def test_of_two_appends_at_once_one_is_stored_and_the_other_learns_of_it(tmp_path: Path) -> None:
    async with nodes(tmp_path) as both:
        for number in range(20):
            books = Book(), Book()
            parts = [book.part(create(f"g{number}", by=by)) for book, by in zip(books, ("ann", "bea"), strict=True)]
            outcomes = await asyncio.gather(*(node.log.append([part]) for node, part in zip(both, parts, strict=True)))
            (loser,) = [at for at in (0, 1) if outcomes[at]]
            assert outcomes[loser] == {group_key(f"g{number}"): parts[1 - loser].events}
            assert both[loser].told[-1].events == parts[1 - loser].events


@on_loop
async def test_a_name_is_registered_once_on_all_nodes_and_guests_have_different_numbers(tmp_path: Path) -> None:
    async with nodes(tmp_path) as both:
        saved = await asyncio.gather(*(node.log.save_user(user_key("ann"), "Ann", f"h{id(node)}") for node in both))
        assert sorted(saved) == [False, True]
        hashes = {(await node.log.load_user(user_key("ann"))).password_hash for node in both}
        assert len(hashes) == 1
        (known,) = hashes
        for node, new in ((both[0], "second"), (both[1], "third")):
            assert await node.log.save_user(user_key("ann"), "Ann", new, replaces="no such") is False
            assert await node.log.save_user(user_key("ann"), "Ann", new, replaces=known) is True
            known = new
        changed = await asyncio.gather(
            *(node.log.save_user(user_key("ann"), "Ann", f"x{at}", replaces=known) for at, node in enumerate(both))
        )
        assert sorted(changed) == [False, True]
        known = (await both[0].log.load_user(user_key("ann"))).password_hash
        assert await both[0].log.save_user(user_key("ann"), "Ann", None, replaces=known) is True
        assert (await both[1].log.load_user(user_key("ann"))).password_hash is None
        assert await both[1].log.save_user(user_key("ann"), "Ann", "again") is True
        numbers = [await node.log.number_guest() for _ in range(1100) for node in both]
        assert len(set(numbers)) == 2200


@on_loop
async def test_a_code_is_used_by_one_of_two_who_have_it_at_once_whatever_the_node(tmp_path: Path) -> None:
    async with nodes(tmp_path) as both:
        for number in range(5):
            mark, users = f"mark {number}", (user_key(f"ann{number}"), user_key(f"bea{number}"))
            assert await both[number % 2].log.invite(mark)
            for node in both:
                await node.log.reached()
            saves = [
                node.log.save_user(user, user, "h", invitation=mark) for node, user in zip(both, users, strict=True)
            ]
            saved = await asyncio.gather(*saves)
            assert sorted(saved) == [False, True]
            for node in both:
                stored = [(await node.log.load_user(user)).password_hash for user in users]
                assert stored == ["h" if it else None for it in saved]
            heard = [each for node in both for each in node.told]
            assert heard.count(Protected(users[saved.index(True)], "h")) == 1
            assert Protected(users[saved.index(False)], "h") not in heard


@on_loop
async def test_a_ban_is_told_to_the_other_nodes(tmp_path: Path) -> None:
    async with nodes(tmp_path) as (here, there):
        assert await here.log.save_bar(user_key("ann"), "Ann", inf)
        await there.log.reached()
        assert (here.told, there.told) == ([], [Barred(user_key("ann"), inf)])
        bans = [node.log.save_bar(user_key("ann"), "Ann", float(at)) for at, node in enumerate((here, there))]
        assert await asyncio.gather(*bans) == [True, True]
        assert await here.log.save_bar(user_key("ann"), "Ann", None)
        await there.log.reached()
        assert await there.log.barred() == {}
        assert there.told[-1] == Barred(user_key("ann"), None)
        assert not await there.log.save_bar(user_key("ann"), "Ann", None)


@on_loop
async def test_a_part_too_long_for_one_record_is_stored_all_or_not_at_all(tmp_path: Path) -> None:
    async with nodes(tmp_path) as (here, there):
        book, late = Book(), Book()
        for each in (book, late):
            each.part(create())
        await here.log.append([Book().part(create())])
        part = book.part(*(say("x" * 8000) for _ in range(200)))
        assert await here.log.append([part]) == {}
        await there.log.reached()
        assert [event.seq for record in there.told for event in record.events] == list(range(1, 202))
        failed = await there.log.append([late.part(*(say("y" * 8000) for _ in range(200)))])
        assert failed == {Key("wob"): part.events}


@on_loop
async def test_a_copy_is_filled_again_whatever_became_of_it(tmp_path: Path) -> None:
    url = parse_url(shared_engine().url(f"nodes-{next(_names)}"))
    path, book = tmp_path / "copy.db", Book()
    log = await NatsLog.open(url, path)
    await log.append([book.part(create(), *(say("x" * 500) for _ in range(100)))])
    await log.invite("mark")
    await log.save_user(user_key("ann"), "Ann", "hash", invitation="mark")
    await log.save_bar(user_key("bob"), "Bob", inf)
    await log.close()
    for spoil in (
        lambda: None,
        path.unlink,
        lambda: cut(path, 0),
        lambda: cut(path, 8192),
        lambda: overwrite(path, 4096, b"\0" * 8000),
    ):
        spoil()
        log = await NatsLog.open(url, path)
        assert (await page(log)).last == book.groups[Key("wob")].seq
        assert await state_of(log) == book.groups[Key("wob")]
        assert (await log.load_user(user_key("ann"))).password_hash == "hash"
        assert await log.barred() == {user_key("bob"): inf}
        assert not await log.save_user(user_key("bob"), "Bob", "hash", invitation="mark")
        assert await log.append([book.part(say("more"))]) == {}
        await log.close()


@on_loop
async def test_a_file_that_is_no_copy_of_this_chat_is_refused_and_left_alone(tmp_path: Path) -> None:
    one, other = (parse_url(shared_engine().url(f"nodes-{next(_names)}")) for _ in range(2))
    await (await NatsLog.open(one, tmp_path / "one.db")).close()
    own = SqliteLog.open(tmp_path / "own.db")
    await own.append([Book().part(create())])
    await own.close()
    (tmp_path / "notes.txt").write_text("no database\n" * 100)
    with closing(sqlite3.connect(tmp_path / "else.db")) as connection:
        connection.execute("CREATE TABLE t (a)")
    refused = {
        "one.db": "is the copy of another chat",
        "own.db": "is a database of its own",
        "notes.txt": "is not a database",
        "else.db": "is another program's database",
    }
    for name, message in refused.items():
        before = (tmp_path / name).read_bytes()
        with pytest.raises(LogUnusable, match=message):
            await NatsLog.open(other, tmp_path / name)
        assert (tmp_path / name).read_bytes() == before
    async with nodes(tmp_path, 1):
        with pytest.raises(LogUnusable, match="locked by another tchat-server"):
            await NatsLog.open(other, tmp_path / "0.db")


@on_loop
async def test_a_damaged_record_costs_its_group_and_no_other(tmp_path: Path) -> None:
    chat = f"nodes-{next(_names)}"
    url = parse_url(shared_engine().url(chat))
    log = await NatsLog.open(url, tmp_path / "copy.db")
    book = Book()
    await log.append([book.part(create()), book.part(create("dev"))])
    connection = await Connection.open(url)
    await connection.publish(Subjects(chat, 64).group(Key("wob")), b"no record", {}, seconds=5)
    await connection.close()
    for _ in range(2):
        await log.reached()
        assert await log.append([book.part(say()), book.part(say("hi", "dev"))]) == {Key("wob"): ()}
        for read in (log.load(Key("wob")), page(log)):
            with pytest.raises(LogUnavailable, match="is damaged"):
                await read
        assert (await log.read(Key("dev"), PageKind.ALL, after=0, before=99, limit=9, max_bytes=999)).last is not None
        await log.close()
        log = await NatsLog.open(url, tmp_path / "copy.db")
        book.groups.pop(Key("wob"))
        book.part(create())
    await log.close()


@on_loop
async def test_what_is_appended_while_the_engine_is_killed_is_there_once_or_refused(tmp_path: Path) -> None:
    with engine(tmp_path) as one:
        async with nodes(tmp_path, on=one) as (here, there):
            book = Book()
            await here.log.append([book.part(create())])
            (server,) = one.servers
            for number in range(3):
                appends = [asyncio.create_task(here.log.append([book.part(say(f"{number}.{n}"))])) for n in range(50)]
                await asyncio.sleep(0.01 * number)
                server.end(signal.SIGKILL)
                await asyncio.sleep(0.3)
                server.start()
                assert await asyncio.gather(*appends) == [{}] * 50
            await there.log.reached()
            assert [event.seq for record in there.told for event in record.events] == list(range(1, 152))
            assert (await page(here.log)).lines == (await page(there.log)).lines


@on_loop
async def test_a_task_that_took_no_notice_of_its_end_is_ended() -> None:
    async def wait() -> None:
        for _ in range(2):
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await end([task])
    assert task.done()


@on_loop
async def test_without_an_engine_nothing_is_stored_and_nobody_waits_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tchat_server.store.nats.publisher.GIVE_UP_SECONDS", 0.5)
    with engine(tmp_path) as one:
        async with nodes(tmp_path, 1, on=one) as (node,):
            book = Book()
            await node.log.append([book.part(create())])
            one.servers[0].end()
            while node.log.connection.is_connected:
                await asyncio.sleep(0.01)
            assert await node.log.append([book.part(say())]) == {Key("wob"): ()}
            with pytest.raises(LogUnavailable):
                await node.log.reached()
            monkeypatch.undo()
            one.servers[0].start()
            book.groups.pop(Key("wob"))
            again = Book()
            again.part(create())
            assert await node.log.append([again.part(say("again"))]) == {}


@on_loop
async def test_a_server_of_the_engine_that_does_not_answer_is_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Any of its servers may be the one that is asked for what is missing: the next time another one, perhaps."""
    monkeypatch.setattr("tchat_server.store.nats.fetch._PATIENCE_SECONDS", (0.01, 0.01, 20.0))
    answers: list[Callable[[Any], Awaitable[None]]] = []

    async def unsubscribe() -> None:
        pass

    async def subscribe(_: str, cb: Callable[[Any], Awaitable[None]], **__: object) -> object:
        answers.append(cb)
        return SimpleNamespace(unsubscribe=unsubscribe)

    async def publish(*_: object, **__: object) -> None:
        if len(answers) == 3:
            await answers[-1](SimpleNamespace(headers={"Status": "404"}))

    client: Any = SimpleNamespace(subscribe=subscribe, publish=publish, new_inbox=lambda: "here")
    some = Connection(client)
    assert await fetch(some, "stream", "all.>", 1) == ([], False)
    assert len(answers) == 3
    monkeypatch.setattr("tchat_server.store.nats.fetch._PATIENCE_SECONDS", (0.01, 0.01))
    with pytest.raises(EngineGone, match="does not answer"):
        await fetch(some, "stream", "all.>", 1)
