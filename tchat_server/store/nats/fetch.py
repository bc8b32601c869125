"""Fetches what is in the stream, some records at a time: any server of the engine answers, of what is committed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from attrs import define, field

from libtchat.message.value import frozen
from tchat_server.store.nats.connection import Connection, EngineGone

if TYPE_CHECKING:
    from nats.aio.msg import Msg

__all__ = ["Entry", "entry_of", "fetch"]

_BATCH = 500
_BATCH_BYTES = 4 * 1024 * 1024
_BATCH_SECONDS = 3.0
_PATIENCE_SECONDS = (0.5, 0.5, 1.0, 2.0)
"""How long the first word of an answer is waited for: each time any server of the engine may be the one that is asked,
also one that is frozen, or cut off."""


@frozen
class Entry:
    """A record as it stands in the stream, under its number, since *time* by the engine's clock (RFC 3339)."""

    number: int
    subject: str
    data: bytes
    time: str


def entry_of(message: Msg) -> Entry:
    """Return the record that the engine sent."""
    headers: Mapping[str, str] = message.headers or {}
    return Entry(int(headers["Nats-Sequence"]), headers["Nats-Subject"], message.data, headers["Nats-Time-Stamp"])


async def fetch(connection: Connection, stream: str, subject: str, start: int) -> tuple[list[Entry], bool]:
    """Fetch some of the entries on *subject* (it may end in `>`) whose number is *start* or more.

    Between two of them there is nothing on *subject*: what was there has been replaced by later ones.

    Returns:
        The entries, ascending, and whether there are more.
    Raises:
        EngineGone: it does not answer.
    """
    body = {"seq": start, "batch": _BATCH, "max_bytes": _BATCH_BYTES, "next_by_subj": subject}
    for seconds in _PATIENCE_SECONDS:
        batch = _Batch(asyncio.get_running_loop().create_future())
        inbox = connection.new_inbox()
        subscription = await connection.subscribe(inbox, batch.heard)
        try:
            await connection.send(f"$JS.API.DIRECT.GET.{stream}", json.dumps(body).encode(), reply=inbox)
            if await batch.comes(seconds):
                return batch.found, not batch.done.done() or batch.done.result()
        finally:
            await connection.unsubscribe(subscription)
    raise EngineGone("it does not answer")


@define
class _Batch:
    """The entries that come as an answer. *done*: they are all here; the result is whether there are more."""

    done: asyncio.Future[bool]
    found: list[Entry] = field(factory=list)

    async def heard(self, message: Msg) -> None:
        """Take in a message."""
        headers: Mapping[str, str] = message.headers or {}
        if self.done.done():
            return
        if "Status" in headers:
            self.done.set_result(headers["Status"] == "204" and int(headers.get("Nats-Num-Pending", "0")) > 0)
        elif self.found and int(headers["Nats-Last-Sequence"]) != self.found[-1].number:
            self.done.set_result(True)  # some were lost on the way
        else:
            self.found.append(entry_of(message))

    async def comes(self, seconds: float) -> bool:
        """Wait for all of it; tell whether any of it has begun to come after so many *seconds*."""
        await asyncio.wait([self.done], timeout=seconds)
        if self.found and not self.done.done():
            await asyncio.wait([self.done], timeout=_BATCH_SECONDS)
        return self.done.done() or bool(self.found)
