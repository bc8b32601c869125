"""When a connection is read: a turn's worth of messages at a time, and nothing while something holds it.

So a peer that sends faster than its requests can be decided is simply not read from: what it floods with waits on
its own side, and everybody else has a turn in between. Who has little to say has it at once; the others take turns in
a `Rota`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum

__all__ = ["GONE", "Hold", "Rota", "Turns", "some"]

_TURN_MESSAGES = 64
_TURN_BYTES = 16 * 1024
_ROUND_BYTES = 64 * 1024
_LONG_ROUND_SECONDS = 0.020
_SHORT_BYTES = 1024
"""No more than this is taken at once, and not in the rota."""


class Hold(Enum):
    """Why a peer is not read from."""

    BACKLOG = "too much waits for storage"
    QUESTION = "a question of its request is out"
    JOBS = "too many of its answers wait for storage"
    RATE = "it was too fast"
    BYTES = "it sent too many bytes"
    DELIVERIES = "what it said was too much to carry"
    STOP = "the server stops"


class _Gone(asyncio.Transport):
    """Stands for the transport of a connection that is gone: one event loop raises at what is done with that."""

    def write(self, data: bytes | bytearray | memoryview) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...

    def is_closing(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return 0


GONE = _Gone()


class _Turn:
    """A turn that somebody waits for."""

    def __init__(self) -> None:
        self.has_come: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take_turn(self, most: int) -> int:
        if self.has_come.done():  # who waited is gone
            return 0
        self.has_come.set_result(None)
        return _TURN_BYTES


class Rota:
    """Who has a turn next: so many bytes of all together, then whatever else the loop has to do.

    It is fewer bytes while rounds take long, whatever takes so long in what they ask for.
    """

    __slots__ = ("_began", "_is_due", "_room", "_taken", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[Turns | _Turn] = deque()
        self._room, self._taken = _ROUND_BYTES, 0
        self._is_due = False
        self._began: float | None = None

    def offer(self, turns: Turns) -> None:
        """Give *turns* a turn at once if there is room in this round, else when it comes round."""
        if self._waiting or self._taken >= self._room:
            self.put(turns)
        else:
            self._soon()
            self._taken += turns.take_turn(min(self._room, _TURN_BYTES))

    def put(self, turns: Turns | _Turn) -> None:
        """Give *turns* a turn when it comes round."""
        self._waiting.append(turns)
        self._soon()

    async def turn(self) -> None:
        """Wait for a turn with what is no message, and counts as many bytes as a turn has."""
        turn = _Turn()
        self.put(turn)
        await turn.has_come

    def _soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._round)

    def _round(self) -> None:
        now, waiting = asyncio.get_running_loop().time(), self._waiting
        if self._began is not None and now - self._began > _LONG_ROUND_SECONDS:
            self._room = max(self._room // 2, _SHORT_BYTES)
        else:
            self._room = min(self._room * 2, _ROUND_BYTES)
        self._began = now if waiting or self._taken else None
        self._is_due, self._taken = False, 0
        for _ in range(len(waiting)):
            self._taken += waiting.popleft().take_turn(min(self._room, _TURN_BYTES))
            if self._taken >= self._room:
                break
        if waiting or self._taken:
            self._soon()


class Turns:
    """What was read from one transport, and is given to *take* turn by turn."""

    __slots__ = ("_end", "_holds", "_is_paused", "_is_waiting", "_rota", "_take", "_transport", "_unread")

    def __init__(self, transport: asyncio.Transport, take: Callable[[bytes], None], rota: Rota) -> None:
        self._transport, self._take, self._rota = transport, take, rota
        self._end: Callable[[bytes, int], int] = _turn_end
        self._holds: set[Hold] = set()
        self._unread = b""
        self._is_paused = self._is_waiting = False

    @property
    def is_held(self) -> bool:
        """Nothing is read now, so what the peer sent may be lying about."""
        return bool(self._holds or self._unread)

    def feed(self, data: bytes) -> None:
        """Take in what was read."""
        if self._unread or self._holds:
            self._unread += data
            self._pause()
        elif len(data) <= _SHORT_BYTES and self._end(data, _SHORT_BYTES) == len(data):
            self._take(data)
        else:
            self._unread = data
            self._is_waiting = True
            self._rota.offer(self)

    def take_turn(self, most: int) -> int:
        """Have what a turn may hold taken, no more than *most* bytes; return how many that was."""
        self._is_waiting = False
        if self._holds:
            return 0
        data, end = self._unread, self._end(self._unread, most)
        self._unread = data[end:]
        if self._unread:
            self._pause()
        self._take(data[:end])
        self._go_on()
        return end

    def give_to(self, take: Callable[[bytes], None], end: Callable[[bytes, int], int] | None = None) -> None:
        """Give what comes from now on to *take*; *end* tells where a turn of at most so many bytes ends in it."""
        self._take, self._end = take, end or _turn_end

    def drain(self, take: Callable[[bytes], None]) -> None:
        """Give what was read, and all that comes, to *take* at once, held or not: the connection ends."""
        self.give_to(take, some)
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
        self._transport, self._unread, self._take = GONE, b"", _ignore

    def _wait(self) -> None:
        if not self._is_waiting:
            self._is_waiting = True
            self._rota.put(self)

    def _go_on(self) -> None:
        if self._holds:
            return
        if self._unread:
            self._wait()
        elif self._is_paused and not self._transport.is_closing():
            self._is_paused = False
            self._transport.resume_reading()

    def _pause(self) -> None:
        if not self._is_paused and not self._transport.is_closing():
            self._is_paused = True
            self._transport.pause_reading()


def some(data: bytes, most: int) -> int:
    """Return where a turn ends in bytes that are no lines."""
    return min(len(data), most)


def _ignore(data: bytes) -> None:
    pass


def _turn_end(data: bytes, most: int) -> int:
    """Return where a turn ends in *data*: behind so many closing braces, for each message ends with one, or bytes."""
    if len(data) > most:
        most = data.rfind(b"\n", 0, most) + 1 or most
    if data.count(b"}", 0, most) <= _TURN_MESSAGES:
        return min(most, len(data))
    end = 0
    for _ in range(_TURN_MESSAGES):
        end = data.index(b"}", end) + 1
    return data.find(b"\n", end, end + 2) + 1 or end
