"""What the hub asks of the log and of slow functions: questions answered, pages read, events encoded once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable
from typing import assert_never

from libtchat import codec
from libtchat.effect import (
    Answer,
    CheckPassword,
    HashPassword,
    Kinds,
    LoadGroup,
    LoadUser,
    NewToken,
    Question,
    Read,
    ReadGroups,
    Resend,
    SaveUser,
)
from libtchat.event import Event
from libtchat.limits import Limits
from libtchat.query import fill
from libtchat.reply import Message
from tchat_server.log import EventLog, Ready
from tchat_server.password import check_password, hash_password

__all__ = ["Encoder", "answer", "read"]


class Encoder:
    """Encodes each event once: for the log, and for whoever hears it when it is durable."""

    def __init__(self) -> None:
        self._kept: dict[int, bytes] = {}

    def __call__(self, event: Event) -> bytes:
        """Encode an event that is about to be stored, without a line end."""
        # Both are copies of the right size: what a JSON encoder returns may sit in a larger piece of memory.
        line = codec.encode(event) + b"\r\n"
        self._kept[id(event)] = line  # the append holds the event until `forget`
        return line[:-2]

    def line(self, message: Message) -> bytes:
        """Return the line that goes out for *message*, CR LF included."""
        return self._kept.pop(id(message), None) or codec.encode(message) + b"\r\n"

    def forget(self) -> None:
        """Drop what was encoded for an append that is over."""
        self._kept.clear()


def answer(question: Question, log: EventLog) -> Awaitable[Answer]:
    """Answer one of the hub's questions; awaiting it raises LogUnavailable if the storage can't be used now."""
    match question:
        case LoadGroup(key=group):
            return log.load(group)
        case LoadUser(key=user):
            return log.load_user(user)
        case SaveUser(key=user, name=name, password_hash=password_hash):
            return log.save_user(user, name, password_hash)
        case HashPassword(password=password):
            return asyncio.to_thread(hash_password, password)
        case CheckPassword(password=password, password_hash=stored):
            return asyncio.to_thread(check_password, password, stored)
        case NewToken():
            return Ready(secrets.token_urlsafe(16))
        case _:
            assert_never(question)


async def read(effect: Read | ReadGroups | Resend, log: EventLog, limits: Limits) -> bytes:
    """Return the line that answers with a page, a list of groups, or an event once more; without a line end.

    Raises:
        LogUnavailable: the storage can't be read now.
    """
    room = limits.max_page_bytes
    match effect:
        case Read(key=key, kinds=kinds, after=after, before=before, limit=limit):
            page = await log.read(key, kinds, after=after, before=before, limit=limit, max_bytes=room)
            return codec.encode_page(
                effect.action,
                effect.group,
                page.lines,
                more=page.more,
                first=page.first,
                last=page.last,
                id=effect.id,
            )
        case ReadGroups(reply=reply, after=start):
            public = await log.public_groups(after=start, limit=limits.max_page_entries, max_bytes=room)
            return codec.encode(fill(reply, public.names, public.more, limits))
        case Resend(key=key, seq=seq):
            page = await log.read(key, Kinds.ALL, after=seq - 1, before=seq + 1, limit=1, max_bytes=room)
            return page.lines[0]
        case _:
            assert_never(effect)
