"""The EventLog contract, held by every adapter: to test another one, name it in ADAPTERS."""

from __future__ import annotations

import asyncio
import functools
import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import BIG, TS, Book, Clock, create, kept, on_loop, page, say, state_of

from libtchat.direct import Box
from libtchat.effect import Known, Loaded, Membership, PageKind, Part, Retry, StoredUser
from libtchat.group import Standing, decide, evolve, fold
from libtchat.message.direct import Received, Sent
from libtchat.message.errors import Refused
from libtchat.message.event import Said
from libtchat.message.limits import DEFAULT_LIMITS
from libtchat.message.names import Key, group_key, user_key
from libtchat.message.request import Ban, Create, GroupRequest, Invite, Join, Kick, Leave, Say, Unban
from libtchat.wire import codec
from tchat_server.store.event_log import EncodedPart, EventLog, NamePage, Page, encode_part
from tchat_server.store.memory import MemoryLog
from tchat_server.store.sqlite.log import SqliteLog


class Store:
    """A place that logs are opened on, one after another."""

    def __init__(self, directory: Path) -> None:
        self.clock = Clock()
        self.path = directory / "state" / "tchat.db"
        self._kept: EventLog | None = None

    def memory(self) -> EventLog:
        self._kept = self._kept or MemoryLog(clock=self.clock)
        return self._kept

    def sqlite(self) -> EventLog:
        return SqliteLog.open(self.path, clock=self.clock)


ADAPTERS: dict[str, Callable[[Store], EventLog]] = {"memory": Store.memory, "sqlite": Store.sqlite}

Opener = Callable[[], EventLog]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.fixture(params=ADAPTERS)
def opened(request: pytest.FixtureRequest, store: Store) -> Opener:
    return functools.partial(ADAPTERS[request.param], store)


async def found(log: EventLog, user: str, *ids: str) -> list[Retry | None]:
    return [(await log.find_retry(user_key(user), id)).retry for id in ids]


@on_loop
async def test_what_was_appended_is_read_as_it_was_sent_also_after_reopening(opened: Opener) -> None:
    log, book = opened(), Book()
    parts = [
        book.part(create(), say("un"), ("bob", Join("wob")), say("deux; 'trois' \u2028 \"4\"")),
        book.part(create("Été")),
    ]
    assert await log.append(parts) == {}
    assert await log.append([book.part(say("cinq"))]) == {}
    await log.close()
    log = opened()
    events = [*parts[0].events, Said("alice", "wob", "cinq", 5, TS)]
    found = await page(log)
    assert [codec.decode_event(line) for line in found.lines] == events
    assert found.lines == tuple(map(codec.encode, events))
    assert (found.first, found.last, found.more) == (1, 5, False)
    assert await state_of(log) == book.groups[Key("wob")]
    assert await state_of(log, "ÉTÉ") == book.groups[group_key("été")]
    assert await log.load(Key("nowhere")) == Loaded()
    assert await page(log, "nowhere") == Page()
    await log.close()


@on_loop
async def test_a_part_that_does_not_follow_is_left_out_and_the_newer_events_are_told(opened: Opener) -> None:
    log, mine, other = opened(), Book(), Book()
    for book in (mine, other):
        book.part(create())
    await log.append([Book().part(create())])
    ahead = other.part(say("first"), ("bob", Join("wob")), say("third"))
    assert await log.append([ahead]) == {}
    failed = await log.append([mine.part(say("late", id="x")), mine.part(create("dev"))])
    assert failed == {Key("wob"): ahead.events}
    assert len((await page(log)).lines) == 4
    assert (await state_of(log, "dev")) == mine.groups[Key("dev")]
    assert await found(log, "alice", "x") == [None]
    again = Book().part(create(by="bob"))
    assert [event.seq for event in (await log.append([again]))[Key("wob")]] == [1, 2, 3, 4]
    assert (await log.load_user(user_key("bob"))).created == 0
    await log.close()


@on_loop
async def test_who_created_a_group_and_left_it_is_known(opened: Opener) -> None:
    log, book = opened(), Book()
    await log.append([book.part(create(), ("alice", Leave("wob")))])
    alice = await log.load_user(user_key("alice"))
    assert (alice.memberships, alice.created) == ((), 1)
    await log.close()


@on_loop
async def test_a_part_ahead_of_its_log_fails(opened: Opener) -> None:
    log, book = opened(), Book()
    book.part(create())
    ahead = book.part(say())
    assert await log.append([ahead]) == {Key("wob"): ()}
    await log.append([Book().part(create())])
    assert await log.append([book.part(say())]) == {Key("wob"): ()}
    assert len((await page(log)).lines) == 1
    await log.close()


@on_loop
async def test_appends_that_wait_together_are_all_done_and_compared_in_their_order(opened: Opener) -> None:
    log, book, other = opened(), Book(), Book()
    await log.append([book.part(create())])
    other.part(create())
    parts = [book.part(say(str(n))) for n in range(50)]
    late = other.part(say("late"))
    *done, failed = await asyncio.gather(*(log.append([part]) for part in [*parts, late]))
    assert done == [{}] * 50
    assert failed == {Key("wob"): tuple(part.events[0] for part in parts)}
    assert [codec.decode_event(line).seq for line in (await page(log)).lines] == list(range(1, 52))
    await log.close()


@on_loop
async def test_each_user_is_told_every_group_it_is_in_or_invited_to(opened: Opener) -> None:
    log, book = opened(), Book()
    await log.append([book.part(create(), ("alice", Invite("wob", "Bob")), ("alice", Invite("wob", "carl")))])
    invitation = book.groups[Key("wob")].invited[user_key("bob")]
    await log.append([book.part(create("Club", by="dan", private=True), ("dan", Ban("club", "bob")))])
    await log.append([book.part(say(), ("alice", Kick("wob", "carl")))])
    await log.close()
    log = opened()
    assert await log.load_user(user_key("bob")) == StoredUser(
        None, (Membership(Key("wob"), "wob", False, Standing.INVITED, 5, invitation),)
    )
    assert await log.find_user(user_key("bob")) == Known("Bob", 1)
    assert await log.load_user(user_key("carl")) == StoredUser()
    assert await log.find_user(user_key("carl")) == Known()
    await log.append([book.part(("Bob", Join("wob"))), book.part(("dan", Unban("club", "bob")))])
    user = await log.load_user(user_key("BOB"))
    assert user.memberships == (Membership(Key("wob"), "wob", False, Standing.MEMBER, 6),)
    assert await log.find_user(user_key("BOB")) == Known("Bob", 0)
    await log.append([book.part(("Bob", Leave("wob")))])
    assert await log.load_user(user_key("bob")) == StoredUser()
    await log.close()


@on_loop
async def test_a_standing_that_changes_twice_in_one_part_ends_as_the_last_says(opened: Opener) -> None:
    log, book = opened(), Book()
    steps = (("alice", Invite("wob", "bob")), ("alice", Kick("wob", "bob")))
    await log.append([book.part(create(), *steps, steps[0])])
    again = book.groups[Key("wob")].invited[user_key("bob")]
    assert again.seq == 4
    assert (await log.load_user(user_key("bob"))).memberships == (
        Membership(Key("wob"), "wob", False, Standing.INVITED, 4, again),
    )
    await log.append([book.part(steps[1], ("bob", Join("wob")), ("bob", Leave("wob")))])
    assert await log.load_user(user_key("bob")) == StoredUser()
    await log.close()


@on_loop
async def test_the_groups_a_user_created_are_counted_for_ever(opened: Opener) -> None:
    log, book = opened(), Book()
    await log.append([book.part(create(name, by="Alice")) for name in ("a", "b", "c")])
    await log.append([book.part(("Alice", Leave("a")))])
    await log.close()
    log = opened()
    assert (await log.load_user(user_key("alice"))).created == 3
    assert (await log.load_user(user_key("bob"))).created == 0
    await log.close()


@on_loop
async def test_a_retry_id_is_remembered_for_its_sender_until_its_time_is_over(opened: Opener, store: Store) -> None:
    log, book = opened(), Book()
    start = store.clock.now
    await log.append([book.part(create(), say("a", id="one"), say("b"), ("bob", Join("wob", id="two")))])
    store.clock.now += 300
    await log.append([book.part(say("c", id="three"))])
    await log.close()
    log = opened()
    one, three = (
        Retry("one", Key("wob"), 2, start, "digest of one"),
        Retry("three", Key("wob"), 5, start + 300, "digest of three"),
    )
    two = Retry("two", Key("wob"), 4, start, "digest of two")
    assert await found(log, "alice", "one", "two", "three") == [one, None, three]
    assert await found(log, "bob", "one", "two") == [None, two]
    assert [(await log.load_user(user_key(name))).has_retries for name in ("alice", "bob", "carl")] == [
        True,
        True,
        False,
    ]
    store.clock.now = start + 601
    assert await found(log, "alice", "one", "three") == [None, three]
    assert await found(log, "bob", "two") == [None]
    await log.append([book.part(say("d", id="one"))])
    again = Retry("one", Key("wob"), 6, start + 601, "digest of one")
    assert await found(log, "alice", "one", "three") == [again, three]
    await log.close()


@on_loop
async def test_the_last_ids_of_a_user_are_remembered_however_many_there_were(opened: Opener) -> None:
    log, book = opened(), Book()
    most = DEFAULT_LIMITS.max_retries
    await log.append([book.part(create(), *(say("", id=f"{number}") for number in range(most + 1)))])
    assert all(await found(log, "alice", "1", "2", f"{most}"))
    await log.close()


@on_loop
async def test_a_password_is_stored_once(opened: Opener) -> None:
    log, book = opened(), Book()
    assert await log.save_user(user_key("Alice"), "Alice", "hash 1") is True
    assert await log.save_user(user_key("alice"), "alice", "hash 2") is False
    await log.append([book.part(create(by="alice"))])
    await log.close()
    log = opened()
    user = await log.load_user(user_key("ALICE"))
    assert (user.password_hash, len(user.memberships)) == ("hash 1", 1)
    assert (await log.find_user(user_key("alice"))).name == "Alice"
    await log.close()


@on_loop
async def test_texts_that_wait_are_told_to_their_user_and_the_log_of_two_is_no_group(opened: Opener) -> None:
    log, alice, bob = opened(), user_key("alice"), user_key("bob")
    await log.save_user(bob, "Bob", "hash")
    assert await log.find_user(bob) == Known("Bob", 0, True)
    one = kept(None, *(Sent("alice", "Bob", "hi", TS, "x", n, kept=True, reader="Bob") for n in (1, 2)))
    assert await log.append([one]) == {}
    await log.close()
    log = opened()
    key, box = one.key, Box("Bob", "alice", 1, (1, 2), 4)
    assert (await log.load_user(bob)).memberships == (
        Membership(key, one.after.name, True, Standing.WAITING, 2, None, box),
    )
    assert await log.find_user(bob) == Known("Bob", 0, True, senders=1)
    assert (await log.load_user(alice)).created == 0
    assert (await log.load_user(alice)).memberships == ()
    assert await log.public_groups(after=None, limit=10, max_bytes=1000) == NamePage()
    assert await found(log, "alice", "x") == [Retry("x", key, 2, 1_000_000.0, "digest of x")]
    two = kept(one.after, Received("Bob", "alice", 2, 3, TS), Sent("alice", "Bob", "live", TS, seq=4, reader="Bob"))
    assert await log.append([two]) == {}
    assert await log.append([two]) == {key: two.events}
    assert (await log.load_user(bob)).memberships == ()
    assert await log.find_user(bob) == Known("Bob", 0, True)
    loaded = await log.load(key)
    assert fold(loaded.tail, loaded.snapshot) == two.after
    read = await log.read(key, PageKind.MESSAGES, after=None, before=BIG, limit=10, max_bytes=9999)
    assert [codec.decode_event(line) for line in read.lines] == [*one.events, two.events[1]]
    read = await log.read(key, PageKind.STATES, after=None, before=BIG, limit=10, max_bytes=9999)
    assert [codec.decode_event(line) for line in read.lines] == [two.events[0]]
    await log.close()


@on_loop
async def test_no_number_of_a_guest_comes_twice_also_after_reopening(opened: Opener) -> None:
    numbers: list[int] = []
    for _ in range(3):
        log = opened()
        numbers += await asyncio.gather(*[_number(log) for _ in range(1500)])
        await log.close()
    assert len(set(numbers)) == 4500
    assert min(numbers) > 0


async def _number(log: EventLog) -> int:
    return await log.number_guest()


@on_loop
async def test_public_groups_are_listed_by_key_page_by_page(opened: Opener) -> None:
    log, book = opened(), Book()
    names = ["Zoo", "alpha", "Beta", "été", "gamma", "\uff21bc", "x-1", "\U00010400z"]
    await log.append([book.part(create(name)) for name in names])
    await log.append([book.part(create("hidden", private=True))])
    await log.append([book.part(("alice", Leave("zoo")))])
    shown = sorted(set(names) - {"Zoo"}, key=group_key)  # nobody is left in Zoo

    async def listed(after: str | None, limit: int, max_bytes: int = 10_000) -> NamePage:
        return await log.public_groups(after=group_key(after) if after else None, limit=limit, max_bytes=max_bytes)

    for limit in range(1, len(names) + 2):
        for at in range(len(shown) + 1):
            assert await listed(shown[at - 1] if at else None, limit) == NamePage(
                tuple(shown[at : at + limit]), at + limit < len(shown)
            )
    assert await listed("c", 2) == NamePage(("gamma", "x-1"), True)
    assert await listed(None, 1000, 1) == NamePage((shown[0],), True)
    size = sum(len(name.encode()) + 3 for name in shown)
    assert await listed(None, 1000, size) == NamePage(tuple(shown))
    assert await listed(None, 1000, size - 1) == NamePage(tuple(shown[:-1]), True)
    await log.close()


@on_loop
async def test_names_and_texts_with_sql_in_them_are_only_text(opened: Opener) -> None:
    log, book = opened(), Book()
    evil = "'); DROP TABLE entries; --"
    key = Key(evil)
    created = decide(None, Create("wob"), evil, ts=TS)
    group = evolve(None, created)
    assert await log.append([encode_part(Part(key, 0, (created,), group, ("",)))]) == {}
    said = [(2, evil, evil), (3, '%_\\ " ;--', None)]
    assert await log.append([book.part(create(), *(say(text, id=id) for _, text, id in said))]) == {}
    assert (await log.load_user(user_key(evil))).memberships[0].key == key
    assert [retry and retry.id for retry in await found(log, "alice", evil)] == [evil]
    messages = (await page(log, kinds=PageKind.MESSAGES)).lines
    assert list(map(codec.decode_event, messages)) == [
        Said("alice", "wob", text, seq, TS, id) for seq, text, id in said
    ]
    await log.close()


@on_loop
async def test_a_group_of_many_events_loads_as_it_was(opened: Opener) -> None:
    log, book = opened(), Book()
    await log.append([book.part(create(), ("alice", Invite("wob", "bob")), ("alice", Ban("wob", "eve")))])
    for _ in range(12):
        await log.append([book.part(*(say() for _ in range(217)))])
    await log.append([book.part(("bob", Join("wob")))])
    await log.close()
    log = opened()
    loaded = await log.load(Key("wob"))
    assert fold(loaded.tail, loaded.snapshot) == book.groups[Key("wob")]
    assert len(loaded.tail) < 1000
    newest = await page(log, limit=3)
    assert (newest.first, newest.last, newest.more) == (2606, 2608, True)
    await log.close()


USERS = ("alice", "Bob", "carl")
REQUESTS = st.one_of(
    st.builds(Create, st.sampled_from(("wob", "dev")), st.booleans()),
    *(st.builds(kind, st.sampled_from(("wob", "dev"))) for kind in (Join, Leave)),
    *(st.builds(kind, st.sampled_from(("wob", "dev")), st.sampled_from(USERS)) for kind in (Invite, Kick, Ban, Unban)),
    st.builds(Say, st.sampled_from(("wob", "dev")), st.just("hello")),
)


def expected_memberships(book: Book, user: str) -> tuple[Membership, ...]:
    key = user_key(user)
    return tuple(
        Membership(group_key, group.name, group.private, group.standing(key), group.seq, group.invited.get(key))
        for group_key, group in sorted(book.groups.items())
        if group.standing(key) in (Standing.MEMBER, Standing.INVITED)
    )


@pytest.mark.parametrize("adapter", ADAPTERS)
@settings(max_examples=40, deadline=None)
@given(history=st.lists(st.tuples(st.sampled_from(USERS), REQUESTS, st.booleans()), max_size=40))
def test_whatever_happens_users_are_told_what_the_fold_of_the_events_says(
    adapter: str, history: list[tuple[str, GroupRequest, bool]]
) -> None:
    @on_loop
    async def check(store: Store) -> None:
        log, book = ADAPTERS[adapter](store), Book()
        for user, request, is_reopening in history:
            if is_reopening:
                await log.close()
                log = ADAPTERS[adapter](store)
            try:
                part = book.part((user, request))
            except Refused:
                continue
            if not part.events:
                continue
            assert await log.append([part]) == {}
        for user in USERS:
            assert (await log.load_user(user_key(user))).memberships == expected_memberships(book, user)
        for key, group in book.groups.items():
            assert await state_of(log, key) == group
        shown = tuple(group.name for _, group in sorted(book.groups.items()) if group.members and not group.private)
        assert await log.public_groups(after=None, limit=10, max_bytes=1000) == NamePage(shown)
        await log.close()

    with tempfile.TemporaryDirectory() as directory:
        check(Store(Path(directory)))


def expected_page(entries: list[tuple[int, bytes]], after: int | None, before: int, limit: int, max_bytes: int) -> Page:
    """Say what a page must be, the slow and obvious way."""
    nearest = [entry for entry in entries if entry[0] < before and (after is None or entry[0] > after)]
    if after is None:
        nearest.reverse()
    count = min(limit, len(nearest))
    while count > 1 and sum(len(line) + 1 for _, line in nearest[:count]) > max_bytes:
        count -= 1
    shown = sorted(nearest[:count])
    if not shown:
        return Page()
    return Page(tuple(line for _, line in shown), count < len(nearest), shown[0][0], shown[-1][0])


def parts_of(appends: list[str], sizes: list[int]) -> list[EncodedPart]:
    """Make a group's log: per append a word, `m` for a message, `s` for another event."""
    book = Book()
    parts = [book.part(create())]
    texts = itertools.cycle("x" * size for size in sizes)
    changes: Iterator[GroupRequest] = itertools.cycle((Join("wob"), Leave("wob")))
    for kinds in appends:
        parts.append(book.part(*(say(next(texts)) if kind == "m" else ("bob", next(changes)) for kind in kinds)))
    return parts


Query = tuple[PageKind, int | None, int, int, int]


async def check_pages(log: EventLog, parts: list[EncodedPart], queries: Iterable[Query]) -> None:
    """Append the parts, ask for pages, and compare with what a plain list says."""
    for part in parts:
        assert await log.append([part]) == {}
    events = [event for part in parts for event in part.events]
    shown: dict[PageKind, list[tuple[int, bytes]]] = {kinds: [] for kinds in PageKind}
    for event in events:
        for kinds in (PageKind.ALL, PageKind.MESSAGES if isinstance(event, Said) else PageKind.STATES):
            shown[kinds].append((event.seq, codec.encode(event)))
    for kinds, after, before, limit, max_bytes in queries:
        found = await page(log, kinds=kinds, after=after, before=before, limit=limit, max_bytes=max_bytes)
        assert found == expected_page(shown[kinds], after, before, limit, max_bytes)
    await log.close()


@on_loop
async def test_pages_at_every_limit_from_every_cursor_are_what_a_plain_list_says(opened: Opener) -> None:
    parts = parts_of(["m", "mms", "smsm", "s", "mm"], [5])
    count = sum(len(part.events) for part in parts)
    cursors = [(None, n) for n in range(count + 2)] + [(n, BIG) for n in range(count + 2)] + [(2, count - 2)]
    queries = (
        (kinds, after, before, limit, 1_000_000)
        for kinds in PageKind
        for limit in range(1, count + 2)
        for after, before in cursors
    )
    await check_pages(opened(), parts, queries)


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
    adapter: str, appends: list[str], sizes: list[int], queries: list[Query]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        log = ADAPTERS[adapter](Store(Path(directory)))
        asyncio.run(check_pages(log, parts_of(appends, sizes), queries))


async def _remove_all(log: EventLog, *, before: str = "", messages: int | None = None) -> int:
    """Remove old events, in as many steps as that takes; return how many there were."""
    count, after = 0, Key("")
    while True:
        removed = await log.remove_old(before=before, messages=messages, after=after)
        count += removed.events
        if removed.after is None:
            return count
        after = removed.after


@on_loop
async def test_old_texts_are_removed_from_the_beginning_and_what_they_led_to_stays(opened: Opener) -> None:
    log, book = opened(), Book()
    await log.append([book.part(create(), ("bob", Join("wob")), ("alice", Invite("wob", "carol")))])
    await log.append([book.part(*(say(str(n)) for n in range(1, 8)), ("dave", Join("wob")), say("8"))])
    await log.append([book.part(say("9"))])
    await log.append([book.part(create("dev"))])
    assert (await page(log)).begins is None
    assert await _remove_all(log, messages=3) == 9
    for _ in range(2):
        left = await page(log)
        assert [codec.decode_event(line).seq for line in left.lines] == [10, 11, 12, 13]
        assert (left.begins, left.first, left.last, left.more) == (10, 10, 13, False)
        catching_up = await page(log, after=2, limit=2)
        assert (catching_up.begins, catching_up.first, catching_up.last, catching_up.more) == (10, 10, 11, True)
        assert await page(log, before=10) == Page(begins=10)
        texts = await page(log, kinds=PageKind.MESSAGES)
        assert [codec.decode_event(line).seq for line in texts.lines] == [10, 12, 13]
        assert await state_of(log) == book.groups[Key("wob")]
        assert [m.seq for m in (await log.load_user(user_key("bob"))).memberships] == [13]
        assert (await log.load_user(user_key("alice"))).created == 2
        assert (await page(log, "dev")).begins is None
        assert await _remove_all(log, messages=3) == 0
        await log.close()
        log = opened()
    assert await log.append([book.part(say("10"))]) == {}
    assert (await page(log)).last == 14
    await log.close()


@on_loop
async def test_what_is_older_than_some_time_is_removed_to_the_last_event(opened: Opener) -> None:
    log, book = opened(), Book()
    await log.append([book.part(create(), say("un"), say("deux")), book.part(create("dev"))])
    assert await _remove_all(log, before=TS) == 0
    assert await _remove_all(log, before="2026-01-02T03:04:05.679Z") == 4
    for _ in range(2):
        assert await page(log) == Page(begins=4)
        assert await state_of(log) == book.groups[Key("wob")]
        await log.close()
        log = opened()
    assert await log.append([book.part(say("trois"))]) == {}
    found = await page(log)
    assert (found.begins, found.first, found.last) == (4, 4, 4)
    assert await state_of(log) == book.groups[Key("wob")]
    await log.close()


@on_loop
async def test_what_waits_for_somebody_is_not_removed(opened: Opener) -> None:
    log = opened()
    await log.save_user(user_key("bob"), "bob", "hash")
    old = [Sent("alice", "bob", "old", TS, seq=n, reader="bob") for n in (1, 2)]
    part = kept(None, *old, *(Sent("alice", "bob", "hi", TS, seq=n, kept=True, reader="bob") for n in (3, 4)))
    await log.append([part])
    assert await _remove_all(log, before="2027") == 2
    assert await _remove_all(log, messages=1) == 0
    (membership,) = (await log.load_user(user_key("bob"))).memberships
    assert membership.box == part.after.boxes[user_key("bob")]
    found = await log.read(part.key, PageKind.ALL, after=2, before=4, limit=1, max_bytes=9999)
    assert [codec.decode_event(line).seq for line in found.lines] == [3]
    assert await log.append([kept(part.after, Received("bob", "alice", 4, 5, TS))]) == {}
    assert await _remove_all(log, before="2027") == 3
    await log.close()


@on_loop
async def test_much_is_removed_in_steps(opened: Opener) -> None:
    log, book = opened(), Book()
    await log.append([book.part(create(), *(say(str(n)) for n in range(6000)))])
    for number in range(250):
        await log.append([book.part(create(f"g{number:03}"), say("x", f"g{number:03}"), say("y", f"g{number:03}"))])
    assert await _remove_all(log, messages=1) == 6000 + 250 * 2
    assert (await page(log)).begins == 6001
    assert (await page(log, "g249")).begins == 3
    await log.close()
