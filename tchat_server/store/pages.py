"""What a peer is sent of the log: a page of history, a list of groups, or an event once more."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import assert_never

from libtchat.effect import PageKind, Read, ReadGroups, Resend
from libtchat.message.errors import ErrorCode, TchatError
from libtchat.message.limits import MAX_INTEGER, ServerLimits
from libtchat.message.reply import Error, Groups
from libtchat.paging import fill
from libtchat.wire import codec
from libtchat.wire.connection import CRLF
from tchat_server.store.event_log import EventLog, LogUnavailable, NamePage, Page
from tchat_server.store.lines import encode_line

__all__ = ["reading", "since"]

logger = logging.getLogger("tchat_server")


def reading(effect: Read | ReadGroups | Resend, log: EventLog, limits: ServerLimits) -> Callable[[], Awaitable[bytes]]:
    """Return what gives, when it is called, the line that answers with what is asked for.

    If the storage can't be read it is the error `unavailable`. Names of groups are read now, before the next append: a
    group made by it is not in the list yet, nor in `mine` (R-groups-mine).
    """
    read = _reader(effect, log, limits)

    async def line() -> bytes:
        try:
            return await read() + CRLF
        except (LogUnavailable, TchatError) as error:  # the latter: what was read is damaged
            logger.warning("storage: %s", error)
            return encode_line(Error(ErrorCode.UNAVAILABLE, effect.action if isinstance(effect, Read) else None))

    return line


def _reader(effect: Read | ReadGroups | Resend, log: EventLog, limits: ServerLimits) -> Callable[[], Awaitable[bytes]]:
    match effect:
        case Read():
            return partial(_page, effect, log, limits)
        case Resend():
            return partial(_event, effect, log, limits)
        case ReadGroups(reply=reply, after=start):
            public = log.public_groups(after=start, limit=limits.max_page_entries, max_bytes=limits.max_page_bytes)
            return partial(_groups, reply, public, limits)
        case _:
            assert_never(effect)


async def _page(effect: Read, log: EventLog, limits: ServerLimits) -> bytes:
    page = await log.read(
        effect.key,
        effect.kinds,
        after=effect.after,
        before=effect.before,
        limit=effect.limit,
        max_bytes=limits.max_page_bytes,
    )
    if page.first is not None and page.first < effect.since:
        page = since(page, effect.since)
    return codec.encode_page(
        effect.action,
        effect.group,
        page.lines,
        more=page.more,
        first=page.first,
        last=page.last,
        begins=page.begins,
        id=effect.id,
    )


def since(page: Page, first: int) -> Page:
    """Return the part of *page* that begins at *first*: the user who asks may not read what is below (R-kept-alone)."""
    found = [(codec.decode_event(line).seq, line) for line in page.lines]
    return Page.cut(
        [entry for entry in found if entry[0] >= first],
        ascending=True,
        limit=len(found),
        max_bytes=MAX_INTEGER,
        begins=page.begins,
    )


async def _event(effect: Resend, log: EventLog, limits: ServerLimits) -> bytes:
    seq, room = effect.seq, limits.max_page_bytes
    page = await log.read(effect.key, PageKind.ALL, after=seq - 1, before=seq + 1, limit=1, max_bytes=room)
    if not page.lines and effect.instead is not None and page.begins is not None and seq < page.begins:
        return codec.encode(effect.instead)
    if not page.lines:
        raise LogUnavailable(f"event {seq} of {effect.key} is missing")
    return page.lines[0]


async def _groups(reply: Groups, public: Awaitable[NamePage], limits: ServerLimits) -> bytes:
    names = await public
    return codec.encode(fill(reply, names.names, names.more, limits))
