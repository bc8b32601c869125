"""When a connection is read: a turn's worth of messages at a time, and nothing while something holds it.

So a peer that sends faster than its requests can be decided is simply not read from: what it floods with waits on
its own side, and everybody else has a turn in between. Who has little to say has it at once; the others take turns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from enum import Enum

from tchat_server.net.gone import GONE, ignore
from tchat_server.net.rota import MOST_AHEAD_BYTES, Rota

__all__ = ["Hold", "TurnEnd", "Turns", "some"]

_SHORT_BYTES = 1024
_SHORT_MESSAGES, _LATE_MESSAGES = 2, 16
"""No more than this is taken at once, and not in turn; the latter from who could not be read meanwhile."""


class Hold(Enum):
    """Why a peer is not read from, unless that is who does not read what it sends (`tchat_server.net.patience`)."""

    BACKLOG = "too much waits for storage"
    QUESTION = "a question of its request is out"
    JOBS = "too many of its answers wait for storage"
    RATE = "it was too fast"
    BYTES = "it sent too many bytes"
    UNREAD = "it does not read what waits for it"
    DELIVERIES = "what it said was too much to carry"
    STOP = "the server stops"


TurnEnd = Callable[[bytes, int, int], int]
"""Tells where a turn ends in what was read: at most so many bytes, and about so many messages, on."""


class Turns:
    """What was read from one transport, and is given to *take* turn by turn.

    Attributes:
        spent: what it has cost, in bytes; only what it is beyond that of others counts.
    """

    __slots__ = (
        "_at_end",
        "_end",
        "_holds",
        "_is_paused",
        "_is_waiting",
        "_rota",
        "_take",
        "_transport",
        "_unread",
        "spent",
    )

    def __init__(self, transport: asyncio.Transport, take: Callable[[bytes], None], rota: Rota) -> None:
        self._transport, self._take, self._rota = transport, take, rota
        self._end: TurnEnd = _turn_end
        self._holds: dict[Hashable, asyncio.TimerHandle | None] = {}
        self._unread = b""
        self._at_end: Callable[[], None] | None = None
        self._is_paused = self._is_waiting = False
        self.spent = rota.forgive()

    @property
    def is_held(self) -> bool:
        """Nothing is read now, so what the peer sent may be lying about."""
        return bool(self._holds or self._unread)

    @property
    def is_over(self) -> bool:
        """The connection is gone."""
        return self._transport is GONE

    def feed(self, data: bytes) -> None:
        """Take in what was read."""
        if self._unread or self._holds:
            self._unread += data
            self._pause()
        elif (
            len(data) <= _SHORT_BYTES
            and self._end(data, _SHORT_BYTES, _SHORT_MESSAGES) == len(data)
            and self._rota.admits(self, len(data))
        ):
            self.spend(len(data))
            self._take(data)
        else:
            self._unread = data
            self._is_waiting = True
            self._rota.offer(self)
            if self._is_waiting:
                self._pause()  # over TLS an end that is read now would end what waits, too

    def spend(self, size: int) -> None:
        """Count *size* bytes, which it sent or had carried."""
        others, most = self._rota.spent, MOST_AHEAD_BYTES
        self.spent = min(max(self.spent, others - most) + size, others + most)

    def take_turn(self, most: int, messages: int) -> int:
        """Have what a turn may hold taken, no more than *most* bytes or *messages*; return how many bytes that was."""
        self._is_waiting = False
        if self._holds or not self._unread:
            return 0
        data, end = self._unread, self._end(self._unread, most, messages)
        self._unread = data[end:]
        self.spend(end)
        if self._unread:
            self._pause()
        self._take(data[:end])
        self._go_on()
        return end

    def feed_end(self, act: Callable[[], None]) -> None:
        """Take in that nothing more will come: *act* is called once all that came before is taken."""
        if self._unread:
            self._at_end = act
        else:
            act()

    def give_to(self, take: Callable[[bytes], None], end: TurnEnd | None = None) -> None:
        """Give what comes from now on to *take*; *end* tells where a turn ends in it."""
        self._take, self._end = take, end or _turn_end

    def drain(self, take: Callable[[bytes], None]) -> None:
        """Give what was read, and all that comes, to *take* at once, held or not: the connection ends."""
        self.give_to(take, some)
        self._forget_holds()
        asyncio.get_running_loop().call_soon(self._go_on)

    def hold(self, why: Hashable) -> None:
        """Take nothing more until it is released; what still comes is kept, and then nothing more is read."""
        self._holds.setdefault(why)

    def hold_for(self, why: Hashable, seconds: float) -> None:
        """Read nothing more for a while; a hold that is on is not made longer."""
        if why not in self._holds:
            self._holds[why] = asyncio.get_running_loop().call_later(seconds, self.release, why)

    def release(self, why: Hashable) -> None:
        """Read on, if nothing else holds it."""
        if why in self._holds:
            if (timer := self._holds.pop(why)) is not None:
                timer.cancel()
            asyncio.get_running_loop().call_soon(self._catch_up if why is Hold.BACKLOG else self._go_on)

    def end(self) -> None:
        """Forget what was read, and whom to give it: the connection is gone."""
        self._transport, self._unread, self._at_end = GONE, b"", None
        self.give_to(ignore)
        self._forget_holds()

    def _forget_holds(self) -> None:
        for timer in filter(None, self._holds.values()):
            timer.cancel()
        self._holds.clear()

    def _catch_up(self) -> None:
        """Take a little at once, as if it came now: meanwhile a crowd may have come to stand in the rota."""
        if self._unread and not self._holds and self._rota.admits(self, _SHORT_BYTES):
            data, end = self._unread, self._end(self._unread, _SHORT_BYTES, _LATE_MESSAGES)
            self._unread = data[end:]
            self.spend(end)
            self._take(data[:end])
        self._go_on()

    def _wait(self) -> None:
        if not self._is_waiting:
            self._is_waiting = True
            self._rota.put(self)

    def _go_on(self) -> None:
        if self._holds:
            return
        if self._unread:
            self._wait()
            return
        if self._at_end is not None:
            act, self._at_end = self._at_end, None
            act()
        if self._is_paused and not self._transport.is_closing():
            self._is_paused = False
            self._transport.resume_reading()

    def _pause(self) -> None:
        if not self._is_paused and not self._transport.is_closing():
            self._is_paused = True
            self._transport.pause_reading()


def some(data: bytes, most: int, messages: int) -> int:
    """Return where a turn ends in bytes that are no lines."""
    return min(len(data), most)


def _turn_end(data: bytes, most: int, messages: int) -> int:
    """Return where a turn ends in *data*: behind so many closing braces, for each message ends with one, or bytes."""
    if len(data) > most:
        most = data.rfind(b"\n", 0, most) + 1 or most
    if data.count(b"}", 0, most) <= messages:
        return min(most, len(data))
    end = 0
    for _ in range(messages):
        end = data.index(b"}", end) + 1
    return data.find(b"\n", end, end + 2) + 1 or end
