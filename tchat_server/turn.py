"""When a connection is read: a turn's worth of messages at a time, and nothing while something holds it.

So a peer that sends faster than its requests can be decided is simply not read from: what it floods with waits on
its own side, and everybody else has a turn in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum

__all__ = ["Hold", "Turns"]

_TURN_MESSAGES = 64
_SHORT_BYTES = _TURN_MESSAGES * len("{}")
"""No more than a turn, whatever it is."""


class Hold(Enum):
    """Why a peer is not read from."""

    BACKLOG = "too much waits for storage"
    QUESTION = "a question of its request is out"
    JOBS = "too many of its answers wait for storage"
    RATE = "it was too fast"
    STOP = "the server stops"


class Turns:
    """What was read from one transport, and is given to *take* turn by turn."""

    __slots__ = ("_end", "_holds", "_is_paused", "_take", "_transport", "_unread")

    def __init__(self, transport: asyncio.Transport, take: Callable[[bytes], None]) -> None:
        self._transport, self._take = transport, take
        self._end: Callable[[bytes], int] = _turn_end
        self._holds: set[Hold] = set()
        self._unread = b""
        self._is_paused = False

    @property
    def is_held(self) -> bool:
        """Nothing is read now, so what the peer sent may be lying about."""
        return bool(self._holds or self._unread)

    def feed(self, data: bytes) -> None:
        """Take in what was read."""
        if self._unread or self._holds:
            self._unread += data
            self._pause()
        elif len(data) <= _SHORT_BYTES:
            self._take(data)
        else:
            self._begin(data)

    def give_to(self, take: Callable[[bytes], None], end: Callable[[bytes], int] | None = None) -> None:
        """Give what comes from now on to *take*; *end* tells where a turn ends in what was read."""
        self._take, self._end = take, end or _turn_end

    def drain(self, take: Callable[[bytes], None]) -> None:
        """Give what was read, and all that comes, to *take* at once, held or not: the connection ends."""
        self._take, self._end = take, len
        self._holds.clear()
        asyncio.get_running_loop().call_soon(self._go_on)

    def hold(self, why: Hold) -> None:
        """Take nothing more until it is released; what still comes is kept, and then nothing more is read."""
        self._holds.add(why)

    def hold_for(self, why: Hold, seconds: float) -> None:
        """Read nothing more for a while; a hold that is on is not made longer."""
        if why not in self._holds:
            self.hold(why)
            asyncio.get_running_loop().call_later(seconds, self.release, why)

    def release(self, why: Hold) -> None:
        """Read on, if nothing else holds it."""
        if why in self._holds:
            self._holds.discard(why)
            asyncio.get_running_loop().call_soon(self._go_on)

    def end(self) -> None:
        """Forget what was read, and whom to give it: the connection is gone."""
        self._unread, self._take = b"", _ignore

    def _begin(self, data: bytes) -> None:
        """Begin a turn; what is beyond it waits until all others had theirs."""
        end = self._end(data)
        if end < len(data):
            self._unread, data = data[end:], data[:end]
            self._pause()
            asyncio.get_running_loop().call_soon(self._go_on)
        self._take(data)

    def _go_on(self) -> None:
        if self._holds:
            return
        if self._unread:
            data, self._unread = self._unread, b""
            self._begin(data)
        if self._is_paused and not self.is_held and not self._transport.is_closing():
            self._is_paused = False
            self._transport.resume_reading()

    def _pause(self) -> None:
        if not self._is_paused and not self._transport.is_closing():
            self._is_paused = True
            self._transport.pause_reading()


def _ignore(data: bytes) -> None:
    pass


def _turn_end(data: bytes) -> int:
    """Return where a turn ends in *data*: behind so many closing braces, for each message ends with one."""
    if data.count(b"}") <= _TURN_MESSAGES:
        return len(data)
    end = 0
    for _ in range(_TURN_MESSAGES):
        end = data.index(b"}", end) + 1
    return data.find(b"\n", end, end + 2) + 1 or end
