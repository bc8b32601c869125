"""Fetches what is in the stream, some records at a time: any server of the engine answers, of what is committed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from libtchat.message.value import frozen
from tchat_server.store.nats.connection import Connection, EngineGone

if TYPE_CHECKING:
    from nats.aio.msg import Msg

__all__ = ["Entry", "entry_of", "fetch"]

_BATCH = 500
_BATCH_BYTES = 4 * 1024 * 1024
_BATCH_SECONDS = 3.0


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
    found: list[Entry] = []
    done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def heard(message: Msg) -> None:
        headers: Mapping[str, str] = message.headers or {}
        if done.done():
            return
        if "Status" in headers:
            done.set_result(headers["Status"] == "204" and int(headers.get("Nats-Num-Pending", "0")) > 0)
        elif found and int(headers["Nats-Last-Sequence"]) != found[-1].number:
            done.set_result(True)  # some were lost on the way
        else:
            found.append(entry_of(message))

    inbox = connection.new_inbox()
    body = {"seq": start, "batch": _BATCH, "max_bytes": _BATCH_BYTES, "next_by_subj": subject}
    subscription = await connection.subscribe(inbox, heard)
    try:
        await connection.send(f"$JS.API.DIRECT.GET.{stream}", json.dumps(body).encode(), reply=inbox)
        return found, await asyncio.wait_for(done, _BATCH_SECONDS)
    except TimeoutError:
        if not found:
            raise EngineGone("it does not answer") from None
        return found, True
    finally:
        await connection.unsubscribe(subscription)
