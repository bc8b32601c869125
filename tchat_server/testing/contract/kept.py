"""The contract of a log: the texts between two users, whose log is no group."""

from __future__ import annotations

from libtchat.direct import Box
from libtchat.effect import PageKind
from libtchat.group import Standing, fold
from libtchat.message.direct import Received, Sent
from libtchat.message.names import user_key
from libtchat.stored import Known, Membership, Retry
from libtchat.wire import codec
from tchat_server.store.event_log import NamePage
from tchat_server.testing.book import BIG, TS, kept
from tchat_server.testing.contract.place import Opening, Place, found, placed

__all__ = ["KeptContract"]


class KeptContract(Opening):
    """What waits for a user is told to that user, and to nobody as a group."""

    @placed
    async def test_texts_that_wait_are_told_to_their_user_and_the_log_of_two_is_no_group(self, place: Place) -> None:
        log, alice, bob = await place.open(), user_key("alice"), user_key("bob")
        await log.save_user(bob, "Bob", "hash")
        assert await log.find_user(bob) == Known("Bob", 0, True)
        one = kept(None, *(Sent("alice", "Bob", "hi", TS, "x", n, kept=True, reader="Bob") for n in (1, 2)))
        assert await log.append([one]) == {}
        log = await place.open()
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

    @placed
    async def test_a_removed_user_has_no_part_in_the_log_of_two_any_more(self, place: Place) -> None:
        log, bob = await place.open(), user_key("bob")
        await log.save_user(bob, "Bob", "hash")
        one = kept(None, Sent("alice", "Bob", "hi", TS, "x", 1, kept=True, reader="Bob"))
        other = kept(None, Sent("Bob", "bobby", "hi", TS, "y", 1, reader="Bob"))
        foreign = kept(None, Sent("alice", "bobby", "hi", TS, "z", 1, reader="alice"))
        assert await log.append([one, other, foreign]) == {}
        assert await log.logs_of_two(bob) == (one.key, other.key)
        assert await log.logs_of_two(user_key("bo")) == ()
        two = kept(one.after, Received("Bob", "alice", 1, 2, TS, removed=True))
        assert await log.append([two]) == {}
        log = await place.open()
        assert (await log.load_user(bob)).memberships == ()
        assert await log.find_user(bob) == Known("Bob", 0, True)
        loaded = await log.load(one.key)
        group = fold(loaded.tail, loaded.snapshot)
        assert group is not None
        assert group.boxes == {}
