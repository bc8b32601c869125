"""Messages as they are sent: an event that was stored goes out in the bytes that were stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from libtchat.message.direct import KEPT
from libtchat.message.event import EVENTS, LogEvent
from libtchat.message.reply import Message
from libtchat.wire import codec
from libtchat.wire.connection import CRLF
from tchat_server.store.event_log import EncodedPart

__all__ = ["Lines", "encode_line"]

_EVENTS = frozenset((*EVENTS.values(), *KEPT.values()))


def encode_line(message: Message) -> bytes:
    """Return the line that goes out for *message*, CR LF included."""
    return codec.encode(message) + CRLF


class Lines:
    """What an append made durable, as lines. An event is named by its group and its seq: no other one has both."""

    def __init__(self, parts: Iterable[EncodedPart]) -> None:
        self._parts = {part.after.name: part for part in parts}

    def __call__(self, message: Message) -> bytes:
        """Return the line that goes out for *message*; only what these parts do not hold is encoded now."""
        if type(message) in _EVENTS:
            event = cast(LogEvent, message)
            part = self._parts.get(event.group)
            if part is not None and 0 <= (at := event.seq - part.expected - 1) < len(part.lines):
                return part.lines[at] + CRLF
        return encode_line(message)
