"""The contract of a log: pages of events and of names, from every cursor."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from libtchat.effect import PageKind
from libtchat.message.event import Redacted, Said
from libtchat.message.names import group_key
from libtchat.message.request import GroupRequest, Join, Leave
from libtchat.wire import codec
from tchat_server.store.event_log import EncodedPart, NamePage, Page
from tchat_server.testing.book import BIG, TS, Book, create, page, say
from tchat_server.testing.contract.place import Opening, Place, placed

__all__ = ["PagesContract", "Query", "check_pages", "parts_of"]

_HISTORIES, _QUERIES = 5, 40


class PagesContract(Opening):
    """A page is what a plain list of the same events says."""

    @placed
    async def test_public_groups_are_listed_by_key_page_by_page(self, place: Place) -> None:
        log, book = await place.open(), Book()
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

    @placed
    async def test_pages_at_every_limit_from_every_cursor_are_what_a_plain_list_says(self, place: Place) -> None:
        parts = parts_of(["m", "mms", "smsm", "s", "mm"], [5])
        count = sum(len(part.events) for part in parts)
        cursors = [(None, n) for n in range(count + 2)] + [(n, BIG) for n in range(count + 2)] + [(2, count - 2)]
        queries = (
            (kinds, after, before, limit, 1_000_000)
            for kinds in PageKind
            for limit in range(1, count + 2)
            for after, before in cursors
        )
        await check_pages(place, parts, queries)

    @placed
    async def test_a_text_that_an_operator_removed_is_a_tombstone_wherever_it_is_read(self, place: Place) -> None:
        log, book = await place.open(), Book()
        await log.append([book.part(create(), say("first"), say("a secret"), say("last"))])
        assert await log.append([book.told(Redacted("server", "wob", 3, "alice", 5, TS))]) == {}
        for _ in range(2):
            texts = [codec.decode_event(line) for line in (await page(log, kinds=PageKind.MESSAGES)).lines]
            removed = [text for text in texts if isinstance(text, Said) and text.redacted]
            assert [(text.seq, text.sender) for text in removed] == [(3, "alice")]
            every = b"".join((await page(log)).lines)
            assert (b"a secret" in every, b"first" in every, b"last" in every) == (False, True, True)
            assert len((await page(log)).lines) == 5
            log = await place.open()

    def test_every_page_is_what_a_plain_list_says(self, tmp_path: Path) -> None:
        for number in range(_HISTORIES):
            directory = tmp_path / str(number)
            directory.mkdir()
            asyncio.run(self._check_some_pages(directory, random.Random(number)))

    async def _check_some_pages(self, directory: Path, chance: random.Random) -> None:
        appends = ["".join(chance.choices("ms", k=chance.randint(1, 6))) for _ in range(8)]
        cursors = [*range(51), BIG]
        queries: list[Query] = [
            (
                chance.choice(list(PageKind)),
                chance.choice([None, *cursors]),
                chance.choice(cursors),
                chance.randint(1, 50),
                chance.randint(1, 3000),
            )
            for _ in range(_QUERIES)
        ]
        parts = parts_of(appends, [chance.randint(0, 300) for _ in range(5)])
        await check_pages(type(self)().place(directory), parts, queries)


Query = tuple[PageKind, int | None, int, int, int]


def _page_of(entries: list[tuple[int, bytes]], after: int | None, before: int, limit: int, max_bytes: int) -> Page:
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


async def check_pages(place: Place, parts: list[EncodedPart], queries: Iterable[Query]) -> None:
    """Append the parts, ask for pages, and compare with what a plain list says."""
    log = await place.open()
    for part in parts:
        assert await log.append([part]) == {}
    events = [event for part in parts for event in part.events]
    shown: dict[PageKind, list[tuple[int, bytes]]] = {kinds: [] for kinds in PageKind}
    for event in events:
        for kinds in (PageKind.ALL, PageKind.MESSAGES if isinstance(event, Said) else PageKind.STATES):
            shown[kinds].append((event.seq, codec.encode(event)))
    for kinds, after, before, limit, max_bytes in queries:
        found = await page(log, kinds=kinds, after=after, before=before, limit=limit, max_bytes=max_bytes)
        assert found == _page_of(shown[kinds], after, before, limit, max_bytes)
    await place.close()
