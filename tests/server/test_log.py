"""The EventLog contract, held by every adapter: each is a subclass. And the same with histories nobody thought of."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from pathlib import Path

import pytest
from engine import opening, shared_engine
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import BIG, Clock

from libtchat.effect import PageKind
from libtchat.message.request import Ban, Create, GroupRequest, Invite, Join, Kick, Leave, Say, Unban
from tchat_server.store.event_log import EventLog
from tchat_server.store.memory import MemoryLog
from tchat_server.store.sqlite.log import SqliteLog
from tchat_server.testing import LogContract
from tchat_server.testing.contract.pages import Query, check_pages, parts_of
from tchat_server.testing.contract.removal import RemovalContract
from tchat_server.testing.contract.users import USERS, check_history

_numbers = itertools.count(1)


class TestMemory(LogContract, RemovalContract):
    kept: MemoryLog | None = None

    def open(self, directory: Path, clock: Clock) -> EventLog:
        self.kept = self.kept or MemoryLog(clock=clock)
        return self.kept


class TestSqlite(LogContract, RemovalContract):
    def open(self, directory: Path, clock: Clock) -> EventLog:
        return SqliteLog.open(directory / "state" / "tchat.db", clock=clock)


class TestNats(LogContract):
    name: str | None = None

    def open(self, directory: Path, clock: Clock) -> EventLog:
        self.name = self.name or f"contract-{next(_numbers)}"
        return opening(shared_engine().url(self.name), directory / "state" / "tchat.db", clock)


ADAPTERS: list[type[LogContract]] = [TestMemory, TestSqlite, TestNats]

GROUPS = st.sampled_from(("wob", "dev"))
REQUESTS = st.one_of(
    st.builds(Create, GROUPS, st.booleans()),
    *(st.builds(kind, GROUPS) for kind in (Join, Leave)),
    *(st.builds(kind, GROUPS, st.sampled_from(USERS)) for kind in (Invite, Kick, Ban, Unban)),
    st.builds(Say, GROUPS, st.just("hello")),
)


@pytest.mark.parametrize("adapter", ADAPTERS)
@settings(max_examples=40, deadline=None)
@given(history=st.lists(st.tuples(st.sampled_from(USERS), REQUESTS, st.booleans()), max_size=40))
def test_whatever_happens_users_are_told_what_the_fold_of_the_events_says(
    adapter: type[LogContract], history: list[tuple[str, GroupRequest, bool]]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(check_history(adapter().place(Path(directory)), history))


@pytest.mark.parametrize("adapter", ADAPTERS)
@settings(max_examples=40, deadline=None)
@given(
    appends=st.lists(st.text("ms", min_size=1, max_size=6), max_size=8),
    sizes=st.lists(st.integers(0, 300), min_size=1, max_size=5),
    queries=st.lists(
        st.tuples(
            st.sampled_from(PageKind),
            st.none() | st.integers(0, 50) | st.just(BIG),
            st.integers(0, 50) | st.just(BIG),
            st.integers(1, 50),
            st.integers(1, 3000),
        ),
        min_size=10,
    ),
)
def test_every_page_is_what_a_plain_list_says(
    adapter: type[LogContract], appends: list[str], sizes: list[int], queries: list[Query]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(check_pages(adapter().place(Path(directory)), parts_of(appends, sizes), queries))
