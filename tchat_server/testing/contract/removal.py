"""The contract of a log that can remove old events: from its beginning on, and what they led to stays."""

from __future__ import annotations

from libtchat.effect import PageKind
from libtchat.message.direct import Received, Sent
from libtchat.message.names import Key, user_key
from libtchat.message.request import Invite, Join
from libtchat.wire import codec
from tchat_server.store.event_log import EventLog, Page, RemovesOld
from tchat_server.testing.book import TS, Book, create, kept, page, say, state_of
from tchat_server.testing.contract.place import Opening, Place, placed

__all__ = ["RemovalContract"]


async def remove_all(log: EventLog, *, before: str = "", messages: int | None = None) -> int:
    """Remove old events, in as many steps as that takes; return how many there were."""
    assert isinstance(log, RemovesOld)
    count, after = 0, Key("")
    while True:
        removed = await log.remove_old(before=before, messages=messages, after=after)
        count += removed.events
        if removed.after is None:
            return count
        after = removed.after


class RemovalContract(Opening):
    """Pages begin later; numbers, members, bans, invitations and what waits stay."""

    @placed
    async def test_old_texts_are_removed_from_the_beginning_and_what_they_led_to_stays(self, place: Place) -> None:
        log, book = await place.open(), Book()
        await log.append([book.part(create(), ("bob", Join("wob")), ("alice", Invite("wob", "carol")))])
        await log.append([book.part(*(say(str(n)) for n in range(1, 8)), ("dave", Join("wob")), say("8"))])
        await log.append([book.part(say("9"))])
        await log.append([book.part(create("dev"))])
        assert (await page(log)).begins is None
        assert await remove_all(log, messages=3) == 9
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
            assert await remove_all(log, messages=3) == 0
            log = await place.open()
        assert await log.append([book.part(say("10"))]) == {}
        assert (await page(log)).last == 14

    @placed
    async def test_what_is_older_than_some_time_is_removed_to_the_last_event(self, place: Place) -> None:
        log, book = await place.open(), Book()
        await log.append([book.part(create(), say("un"), say("deux")), book.part(create("dev"))])
        assert await remove_all(log, before=TS) == 0
        assert await remove_all(log, before="2026-01-02T03:04:05.679Z") == 4
        for _ in range(2):
            assert await page(log) == Page(begins=4)
            assert await state_of(log) == book.groups[Key("wob")]
            log = await place.open()
        assert await log.append([book.part(say("trois"))]) == {}
        found = await page(log)
        assert (found.begins, found.first, found.last) == (4, 4, 4)
        assert await state_of(log) == book.groups[Key("wob")]

    @placed
    async def test_what_waits_for_somebody_is_not_removed(self, place: Place) -> None:
        log = await place.open()
        await log.save_user(user_key("bob"), "bob", "hash")
        old = [Sent("alice", "bob", "old", TS, seq=n, reader="bob") for n in (1, 2)]
        part = kept(None, *old, *(Sent("alice", "bob", "hi", TS, seq=n, kept=True, reader="bob") for n in (3, 4)))
        await log.append([part])
        assert await remove_all(log, before="2027") == 2
        assert await remove_all(log, messages=1) == 0
        (membership,) = (await log.load_user(user_key("bob"))).memberships
        assert membership.box == part.after.boxes[user_key("bob")]
        found = await log.read(part.key, PageKind.ALL, after=2, before=4, limit=1, max_bytes=9999)
        assert [codec.decode_event(line).seq for line in found.lines] == [3]
        assert await log.append([kept(part.after, Received("bob", "alice", 4, 5, TS))]) == {}
        assert await remove_all(log, before="2027") == 3

    @placed
    async def test_much_is_removed_in_steps(self, place: Place) -> None:
        log, book = await place.open(), Book()
        await log.append([book.part(create(), *(say(str(n)) for n in range(6000)))])
        for number in range(250):
            await log.append([book.part(create(f"g{number:03}"), say("x", f"g{number:03}"), say("y", f"g{number:03}"))])
        assert await remove_all(log, messages=1) == 6000 + 250 * 2
        assert (await page(log)).begins == 6001
        assert (await page(log, "g249")).begins == 3
