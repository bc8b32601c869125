"""The contract of a log: what is known of users, who write nothing of it themselves."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from pathlib import Path

from libtchat.group import Standing
from libtchat.message.errors import Refused
from libtchat.message.limits import DEFAULT_LIMITS
from libtchat.message.names import Key, user_key
from libtchat.message.request import Ban, Create, GroupRequest, Invite, Join, Kick, Leave, Say, Unban
from libtchat.stored import Known, Membership, Retry, StoredUser
from tchat_server.store.event_log import EventLog, NamePage
from tchat_server.testing.book import Book, create, say, state_of
from tchat_server.testing.contract.place import Opening, Place, found, placed

__all__ = ["USERS", "UsersContract", "check_history"]

USERS = ("alice", "Bob", "carl")
_HISTORIES, _STEPS = 5, 40


class UsersContract(Opening):
    """What a log knows of users is what the fold of the events says."""

    @placed
    async def test_who_created_a_group_and_left_it_is_known(self, place: Place) -> None:
        log, book = await place.open(), Book()
        await log.append([book.part(create(), ("alice", Leave("wob")))])
        alice = await log.load_user(user_key("alice"))
        assert (alice.memberships, alice.created) == ((), 1)

    @placed
    async def test_each_user_is_told_every_group_it_is_in_or_invited_to(self, place: Place) -> None:
        log, book = await place.open(), Book()
        await log.append([book.part(create(), ("alice", Invite("wob", "Bob")), ("alice", Invite("wob", "carl")))])
        invitation = book.groups[Key("wob")].invited[user_key("bob")]
        await log.append([book.part(create("Club", by="dan", private=True), ("dan", Ban("club", "bob")))])
        await log.append([book.part(say(), ("alice", Kick("wob", "carl")))])
        log = await place.open()
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

    @placed
    async def test_a_standing_that_changes_twice_in_one_part_ends_as_the_last_says(self, place: Place) -> None:
        log, book = await place.open(), Book()
        steps = (("alice", Invite("wob", "bob")), ("alice", Kick("wob", "bob")))
        await log.append([book.part(create(), *steps, steps[0])])
        again = book.groups[Key("wob")].invited[user_key("bob")]
        assert again.seq == 4
        assert (await log.load_user(user_key("bob"))).memberships == (
            Membership(Key("wob"), "wob", False, Standing.INVITED, 4, again),
        )
        await log.append([book.part(steps[1], ("bob", Join("wob")), ("bob", Leave("wob")))])
        assert await log.load_user(user_key("bob")) == StoredUser()

    @placed
    async def test_the_groups_a_user_created_are_counted_for_ever(self, place: Place) -> None:
        log, book = await place.open(), Book()
        await log.append([book.part(create(name, by="Alice")) for name in ("a", "b", "c")])
        await log.append([book.part(("Alice", Leave("a")))])
        log = await place.open()
        assert (await log.load_user(user_key("alice"))).created == 3
        assert (await log.load_user(user_key("bob"))).created == 0

    @placed
    async def test_a_retry_id_is_remembered_for_its_sender_until_its_time_is_over(self, place: Place) -> None:
        log, book = await place.open(), Book()
        start = place.clock.now
        await log.append([book.part(create(), say("a", id="one"), say("b"), ("bob", Join("wob", id="two")))])
        place.clock.now += 300
        await log.append([book.part(say("c", id="three"))])
        log = await place.open()
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
        place.clock.now = start + 601
        assert await found(log, "alice", "one", "three") == [None, three]
        assert await found(log, "bob", "two") == [None]
        await log.append([book.part(say("d", id="one"))])
        again = Retry("one", Key("wob"), 6, start + 601, "digest of one")
        assert await found(log, "alice", "one", "three") == [again, three]

    @placed
    async def test_the_last_ids_of_a_user_are_remembered_however_many_there_were(self, place: Place) -> None:
        log, book = await place.open(), Book()
        most = DEFAULT_LIMITS.max_retries
        await log.append([book.part(create(), *(say("", id=f"{number}") for number in range(most + 1)))])
        assert all(await found(log, "alice", "1", "2", f"{most}"))

    @placed
    async def test_a_password_is_stored_once(self, place: Place) -> None:
        log, book = await place.open(), Book()
        assert await log.save_user(user_key("Alice"), "Alice", "hash 1") is True
        assert await log.save_user(user_key("alice"), "alice", "hash 2") is False
        await log.append([book.part(create(by="alice"))])
        log = await place.open()
        user = await log.load_user(user_key("ALICE"))
        assert (user.password_hash, len(user.memberships)) == ("hash 1", 1)
        assert (await log.find_user(user_key("alice"))).name == "Alice"

    @placed
    async def test_no_number_of_a_guest_comes_twice_also_after_reopening(self, place: Place) -> None:
        numbers: list[int] = []
        for _ in range(3):
            log = await place.open()
            numbers += await asyncio.gather(*[_number(log) for _ in range(1500)])
            await place.close()
        assert len(set(numbers)) == 4500
        assert min(numbers) > 0

    def test_whatever_happens_users_are_told_what_the_fold_of_the_events_says(self, tmp_path: Path) -> None:
        for number in range(_HISTORIES):
            directory = tmp_path / str(number)
            directory.mkdir()
            asyncio.run(check_history(type(self)().place(directory), a_history(random.Random(number))))


def a_history(chance: random.Random) -> Iterable[tuple[str, GroupRequest, bool]]:
    """Make up who asks for what, and whether the log is opened again before."""
    for _ in range(_STEPS):
        group, dest = chance.choice(("wob", "dev")), chance.choice(USERS)
        requests: tuple[GroupRequest, ...] = (
            *(Create(group, chance.random() < 0.5), Join(group), Leave(group), Say(group, "hello")),
            *(kind(group, dest) for kind in (Invite, Kick, Ban, Unban)),
        )
        yield chance.choice(USERS), chance.choice(requests), chance.random() < 0.2


async def check_history(place: Place, history: Iterable[tuple[str, GroupRequest, bool]]) -> None:
    """Append what users ask for, as far as it is allowed, and compare the log with the fold of the events."""
    try:
        log, book = await place.open(), Book()
        for user, request, is_reopening in history:
            if is_reopening:
                log = await place.open()
            try:
                part = book.part((user, request))
            except Refused:
                continue
            if part.events:
                assert await log.append([part]) == {}
        for user in USERS:
            assert (await log.load_user(user_key(user))).memberships == _memberships(book, user)
        for key, group in book.groups.items():
            assert await state_of(log, key) == group
        shown = tuple(group.name for _, group in sorted(book.groups.items()) if group.members and not group.private)
        assert await log.public_groups(after=None, limit=10, max_bytes=1000) == NamePage(shown)
    finally:
        await place.close()


def _memberships(book: Book, user: str) -> tuple[Membership, ...]:
    key = user_key(user)
    return tuple(
        Membership(group_key, group.name, group.private, group.standing(key), group.seq, group.invited.get(key))
        for group_key, group in sorted(book.groups.items())
        if group.standing(key) in (Standing.MEMBER, Standing.INVITED)
    )


async def _number(log: EventLog) -> int:
    return await log.number_guest()
