"""The contract of a log: what is appended, compared and read again."""

from __future__ import annotations

import asyncio

from libtchat.effect import PageKind, Part
from libtchat.group import evolve, fold
from libtchat.message.event import Said
from libtchat.message.names import Key, group_key, user_key
from libtchat.message.request import Ban, Create, Invite, Join
from libtchat.rules import decide
from libtchat.stored import Loaded
from libtchat.wire import codec
from tchat_server.store.event_log import Page, encode_part
from tchat_server.testing.book import TS, Book, create, page, say, state_of
from tchat_server.testing.contract.place import Opening, Place, found, placed

__all__ = ["AppendingContract"]


class AppendingContract(Opening):
    """Events are appended all or none, in their order, and are there for ever."""

    @placed
    async def test_what_was_appended_is_read_as_it_was_sent_also_after_reopening(self, place: Place) -> None:
        log, book = await place.open(), Book()
        parts = [
            book.part(create(), say("un"), ("bob", Join("wob")), say("deux; 'trois' \u2028 \"4\"")),
            book.part(create("Été")),
        ]
        assert await log.append(parts) == {}
        assert await log.append([book.part(say("cinq"))]) == {}
        log = await place.open()
        events = [*parts[0].events, Said("alice", "wob", "cinq", 5, TS)]
        found = await page(log)
        assert [codec.decode_event(line) for line in found.lines] == events
        assert found.lines == tuple(map(codec.encode, events))
        assert (found.first, found.last, found.more) == (1, 5, False)
        assert await state_of(log) == book.groups[Key("wob")]
        assert await state_of(log, "ÉTÉ") == book.groups[group_key("été")]
        assert await log.load(Key("nowhere")) == Loaded()
        assert await page(log, "nowhere") == Page()

    @placed
    async def test_a_part_that_does_not_follow_is_left_out_and_the_newer_events_are_told(self, place: Place) -> None:
        log, mine, other = await place.open(), Book(), Book()
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

    @placed
    async def test_a_part_ahead_of_its_log_fails(self, place: Place) -> None:
        log, book = await place.open(), Book()
        book.part(create())
        ahead = book.part(say())
        assert await log.append([ahead]) == {Key("wob"): ()}
        await log.append([Book().part(create())])
        assert await log.append([book.part(say())]) == {Key("wob"): ()}
        assert len((await page(log)).lines) == 1

    @placed
    async def test_appends_that_wait_together_are_all_done_and_compared_in_their_order(self, place: Place) -> None:
        log, book, other = await place.open(), Book(), Book()
        await log.append([book.part(create())])
        other.part(create())
        parts = [book.part(say(str(n))) for n in range(50)]
        late = other.part(say("late"))
        *done, failed = await asyncio.gather(*(log.append([part]) for part in [*parts, late]))
        assert done == [{}] * 50
        assert failed == {Key("wob"): tuple(part.events[0] for part in parts)}
        assert [codec.decode_event(line).seq for line in (await page(log)).lines] == list(range(1, 52))

    @placed
    async def test_names_and_texts_with_sql_in_them_are_only_text(self, place: Place) -> None:
        log, book = await place.open(), Book()
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

    @placed
    async def test_a_group_of_many_events_loads_as_it_was(self, place: Place) -> None:
        log, book = await place.open(), Book()
        await log.append([book.part(create(), ("alice", Invite("wob", "bob")), ("alice", Ban("wob", "eve")))])
        for _ in range(12):
            await log.append([book.part(*(say() for _ in range(217)))])
        await log.append([book.part(("bob", Join("wob")))])
        log = await place.open()
        loaded = await log.load(Key("wob"))
        assert fold(loaded.tail, loaded.snapshot) == book.groups[Key("wob")]
        assert len(loaded.tail) < 1000
        newest = await page(log, limit=3)
        assert (newest.first, newest.last, newest.more) == (2606, 2608, True)
