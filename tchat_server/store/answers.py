"""What the hub asks of the log and of slow functions: questions answered, pages read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, assert_never

from libtchat.effect import (
    Answer,
    CheckPassword,
    FindRetry,
    FindUser,
    HashPassword,
    LoadGroup,
    LoadUser,
    NumberGuest,
    PageKind,
    Question,
    Read,
    ReadGroups,
    Resend,
    SaveUser,
)
from libtchat.message.limits import Limits
from libtchat.message.reply import Groups
from libtchat.paging import fill
from libtchat.wire import codec
from tchat_server.password import Passwords
from tchat_server.store.event_log import EventLog, LogUnavailable, NamePage, Ready

__all__ = ["Answers", "reading"]


class Answers:
    """Answers the hub's questions from the log, and by deriving hashes."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._passwords = Passwords()
        self._saves: dict[SaveUser, Awaitable[bool]] = {}

    def answer(self, question: Question) -> Awaitable[Answer]:
        """Answer a question; awaiting it raises LogUnavailable if the storage can't be used now."""
        match question:
            case LoadGroup(key=group):
                return self._log.load(group)
            case LoadUser(key=user):
                return self._log.load_user(user)
            case FindUser(key=user):
                return self._log.find_user(user)
            case FindRetry(key=user, id=id):
                return self._log.find_retry(user, id)
            case SaveUser():
                return self._save(question)
            case HashPassword(password=password):
                return self._passwords.hash(password)
            case CheckPassword(password=password, password_hash=stored):
                return self._passwords.check(password, stored)
            case NumberGuest():
                return self._log.number_guest()
            case _:
                assert_never(question)

    def told(self, question: Question) -> None:
        """Forget what the hub was told the answer of: who asks once more has it done once more."""
        if isinstance(question, SaveUser):
            self._saves.pop(question, None)

    def close(self) -> None:
        """Give up hashes that wait for their turn."""
        self._passwords.close()

    def _save(self, save: SaveUser) -> Awaitable[Answer]:
        """Store a password once, however many wait for it."""
        if (found := self._saves.get(save)) is not None:
            return found
        saved = self._log.save_user(save.key, save.name, save.password_hash)
        if not isinstance(saved, Ready):
            saved = self._saves[save] = asyncio.ensure_future(saved)
        return saved


def reading(
    effect: Read | ReadGroups | Resend, log: EventLog, limits: Limits
) -> Callable[[], Coroutine[Any, Any, bytes]]:
    """Return what gives the line that answers with a page, a list of groups, or an event once more, when called.

    The line has no line end. Awaiting it raises LogUnavailable if the storage can't be read. Names of groups are read
    now, before the next append: a group made by it is not in the list yet, nor in `mine` (R-groups-mine).
    """
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


async def _page(effect: Read, log: EventLog, limits: Limits) -> bytes:
    page = await log.read(
        effect.key,
        effect.kinds,
        after=effect.after,
        before=effect.before,
        limit=effect.limit,
        max_bytes=limits.max_page_bytes,
    )
    return codec.encode_page(
        effect.action, effect.group, page.lines, more=page.more, first=page.first, last=page.last, id=effect.id
    )


async def _event(effect: Resend, log: EventLog, limits: Limits) -> bytes:
    seq, room = effect.seq, limits.max_page_bytes
    page = await log.read(effect.key, PageKind.ALL, after=seq - 1, before=seq + 1, limit=1, max_bytes=room)
    if not page.lines:
        raise LogUnavailable(f"event {seq} of {effect.key} is missing")
    return page.lines[0]


async def _groups(reply: Groups, public: Awaitable[NamePage], limits: Limits) -> bytes:
    names = await public
    return codec.encode(fill(reply, names.names, names.more, limits))
