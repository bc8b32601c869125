"""Fetches what is in the stream, some records at a time: any server of the engine answers, of what is committed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from libtchat.message.value import frozen
from tchat_server.store.nats.connection import Connection
from tchat_server.store.nats.errors import EngineGone

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
    found: list[Entry] = []

    def take(message: Msg) -> bool | None:
        headers: Mapping[str, str] = message.headers or {}
        if "Status" in headers:
            return headers["Status"] == "204" and int(headers.get("Nats-Num-Pending", "0")) > 0
        if found and int(headers["Nats-Last-Sequence"]) != found[-1].number:
            return True  # some were lost on the way
        found.append(entry_of(message))
        return None

    wanted = {"seq": start, "batch": _BATCH, "max_bytes": _BATCH_BYTES, "next_by_subj": subject}
    ask = partial(connection.collect, f"$JS.API.DIRECT.GET.{stream}", wanted, take, seconds=_BATCH_SECONDS)
    for patience in _PATIENCE_SECONDS:
        try:
            return found, await ask(first_seconds=patience)
        except TimeoutError:
            if found:
                return found, True
    raise EngineGone("it does not answer")
