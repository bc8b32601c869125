"""What an operator changes about users, kept by every log: passwords, bans, invitation codes, who is known."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from math import inf
from pathlib import Path

import pytest
from engine import opening, shared_engine
from logs import Clock, on_loop

from libtchat.message.names import user_key
from tchat_server.store.event_log import EventLog, UserRow
from tchat_server.store.memory import MemoryLog
from tchat_server.store.sqlite.log import SqliteLog
from tchat_server.store.sqlite.maintenance import check

ALICE, BOB = user_key("alice"), user_key("bob")

Open = Callable[[], EventLog]
_names = itertools.count(1)


@pytest.fixture(params=["memory", "sqlite", "engine"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Return what opens the log; that in memory is one and the same."""
    if request.param == "sqlite":
        return lambda: SqliteLog.open(tmp_path / "tchat.db")
    if request.param == "engine":
        url = shared_engine().url(f"accounts-{next(_names)}")
        return lambda: opening(url, tmp_path / "copy.db", Clock())
    log = MemoryLog()
    return lambda: log


def test_a_hash_is_stored_in_place_of_the_one_that_is_there(opened: Open) -> None:
    @on_loop
    async def run() -> None:
        log = opened()
        assert await log.save_user(ALICE, "alice", "one")
        assert not await log.save_user(ALICE, "alice", "two")
        assert not await log.save_user(ALICE, "alice", "two", replaces="other")
        assert await log.save_user(ALICE, "alice", "two", replaces="one")
        await log.close()
        log = opened()
        assert (await log.load_user(ALICE)).password_hash == "two"
        assert not await log.save_user(ALICE, "alice", None)
        assert await log.save_user(ALICE, "alice", None, replaces="two")
        assert (await log.load_user(ALICE)).password_hash is None
        await log.close()

    run()


def test_a_code_holds_once_and_only_if_all_else_is_right(opened: Open) -> None:
    @on_loop
    async def run() -> None:
        log = opened()
        assert await log.invite("mark")
        assert not await log.save_user(ALICE, "alice", "one", invitation="other")
        assert not await log.save_user(ALICE, "alice", "one", replaces="other", invitation="mark")
        await log.close()
        log = opened()
        assert await log.save_user(ALICE, "alice", "one", invitation="mark")
        assert not await log.save_user(BOB, "bob", "one", invitation="mark")
        await log.close()

    run()


def test_a_ban_is_kept_until_it_is_lifted_and_users_are_listed_with_it(opened: Open, tmp_path: Path) -> None:
    @on_loop
    async def run() -> None:
        log = opened()
        assert await log.barred() == {}
        assert not await log.save_bar(BOB, "Bob", None)
        assert await log.save_bar(BOB, "Bob", 123.5)
        assert await log.save_bar(BOB, "Bob", inf)
        assert await log.save_user(ALICE, "Alice", "one")
        await log.close()
        log = opened()
        assert await log.barred() == {BOB: inf}
        assert await log.users() == (UserRow("Alice", True, 0, 0), UserRow("Bob", False, 0, 0, inf))
        assert await log.save_bar(BOB, "Bob", None)
        assert await log.users() == (UserRow("Alice", True, 0, 0),)
        await log.close()

    run()
    path = tmp_path / "tchat.db"
    assert not path.exists() or check(path).faults == []
