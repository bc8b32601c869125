"""When a connection is read: a turn's worth of messages at a time, and nothing while something holds it.

So a peer that sends faster than its requests can be decided is simply not read from: what it floods with waits on
its own side, and everybody else has a turn in between. Who has little to say has it at once; the others take turns in
a `Rota`, those first who have cost least so far.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from enum import Enum
from heapq import heappop, heappush, heappushpop
from itertools import count

from tchat_server.net.gone import GONE

__all__ = ["Hold", "Rota", "TurnEnd", "Turns", "some"]

_TURN_MESSAGES = 64
_TURN_BYTES = 16 * 1024
_ROUND_BYTES = 64 * 1024
_ROUND_SECONDS = 0.010
_LEAST_ROUND_BYTES = 1024
_LEAST_TURN_MESSAGES = 4
_SHORT_BYTES = 1024
_SHORT_MESSAGES = 2
"""No more than this is taken at once, and not in the rota."""

_FORGIVEN_BYTES_PER_SECOND = 64 * 1024
"""Who costs less than this has never cost more than others; nobody is behind others by more than a second of it."""


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


class _Turn:
    """A turn that somebody waits for who has *spent* so much."""

    def __init__(self, spent: float) -> None:
        self.spent = spent
        self.has_come: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take_turn(self, most: int, messages: int) -> int:
        if self.has_come.done():  # who waited is gone
            return 0
        self.has_come.set_result(None)
        return _TURN_BYTES


class Rota:
    """Who has a turn next: so many bytes of all together, then whatever else the loop has to do.

    It is fewer bytes while rounds take much of the processor, whatever costs so much in what they ask for. The order is
    that of fair queueing: each has spent the bytes it sent and those carried for it, and who has spent least is next.

    Attributes:
        spent: what whoever has a turn now had spent; a newcomer begins with that.
        is_shut: nobody has a turn.
    """

    __slots__ = ("_began", "_forgave_at", "_is_due", "_numbers", "_room", "_taken", "_waiting", "is_shut", "spent")

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, Turns | _Turn]] = []
        self._numbers = count()
        self._room, self._taken = _ROUND_BYTES // 4, 0
        self._is_due = self.is_shut = False
        self._began: float | None = None
        self._forgave_at = 0.0
        self.spent = 0.0

    def is_ahead(self, turns: Turns) -> bool:
        """Tell whether nobody who waits has a better claim than *turns*."""
        return not self._waiting or turns.spent <= self.spent

    def offer(self, turns: Turns) -> None:
        """Give *turns* a turn at once if there is room in this round, else when it comes round."""
        if self._waiting or self._taken >= self._room or self.is_shut:
            self.put(turns)
        else:
            self._soon()
            self._taken += turns.take_turn(min(self._room, _TURN_BYTES), _TURN_MESSAGES)

    def put(self, turns: Turns | _Turn) -> None:
        """Give *turns* a turn when it comes round."""
        heappush(self._waiting, (max(turns.spent, self.spent), next(self._numbers), turns))
        self._soon()

    def shut(self) -> None:
        """Give nobody a turn until it is opened."""
        self.is_shut = True

    def open(self) -> None:
        """Go on giving turns."""
        self.is_shut = False
        self._soon()

    async def turn(self, spent: float) -> None:
        """Wait for a turn with what is no message, and counts as many bytes as a turn has."""
        turn = _Turn(spent)
        self.put(turn)
        await turn.has_come

    def _soon(self) -> None:
        if not self._is_due and not self.is_shut:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._round)

    def _round(self) -> None:
        now = time.thread_time()
        took = 0.0 if self._began is None else now - self._began
        change = min(1.25, max(0.25, _ROUND_SECONDS / (took or 0.001)))
        self._room = min(_ROUND_BYTES, max(_LEAST_ROUND_BYTES, int(self._room * change)))
        self._began = now if self._waiting or self._taken else None
        self._is_due, self._taken = False, 0
        self._forgive()
        if not self.is_shut:
            self._give_turns()
        if self._waiting or self._taken:
            self._soon()

    def _forgive(self) -> None:
        now = asyncio.get_running_loop().time()
        self.spent += (now - self._forgave_at) * _FORGIVEN_BYTES_PER_SECOND
        self._forgave_at = now

    def _give_turns(self) -> None:
        waiting = self._waiting
        if not waiting:
            return
        most = min(self._room, _TURN_BYTES)
        messages = max(_TURN_MESSAGES * most // _TURN_BYTES, _LEAST_TURN_MESSAGES)
        for _ in range(len(waiting)):
            spent, number, turns = heappop(waiting)
            while turns.spent > spent:  # what it had carried was counted meanwhile
                spent, number, turns = heappushpop(waiting, (turns.spent, number, turns))
            self.spent = max(self.spent, spent)
            self._taken += turns.take_turn(most, messages)
            if self._taken >= self._room or self.is_shut:
                return


TurnEnd = Callable[[bytes, int, int], int]
"""Tells where a turn ends in what was read: at most so many bytes, and about so many messages, on."""


class Turns:
    """What was read from one transport, and is given to *take* turn by turn.

    Attributes:
        spent: what it has cost, in bytes; only what it is beyond that of others counts.
    """

    __slots__ = ("_end", "_holds", "_is_paused", "_is_waiting", "_rota", "_take", "_transport", "_unread", "spent")

    def __init__(self, transport: asyncio.Transport, take: Callable[[bytes], None], rota: Rota) -> None:
        self._transport, self._take, self._rota = transport, take, rota
        self._end: TurnEnd = _turn_end
        self._holds: dict[Hashable, asyncio.TimerHandle | None] = {}
        self._unread = b""
        self._is_paused = self._is_waiting = False
        self.spent = 0.0

    @property
    def is_held(self) -> bool:
        """Nothing is read now, so what the peer sent may be lying about."""
        return bool(self._holds or self._unread)

    def feed(self, data: bytes) -> None:
        """Take in what was read."""
        if self._unread or self._holds:
            self._unread += data
            self._pause()
        elif (
            len(data) <= _SHORT_BYTES
            and self._end(data, _SHORT_BYTES, _SHORT_MESSAGES) == len(data)
            and self._rota.is_ahead(self)
        ):
            self.spend(len(data))
            self._take(data)
        else:
            self._unread = data
            self._is_waiting = True
            self._rota.offer(self)

    def spend(self, size: int) -> None:
        """Count *size* bytes, which it sent or had carried."""
        others = self._rota.spent
        self.spent = min(max(self.spent, others) + size, others + _FORGIVEN_BYTES_PER_SECOND)

    def take_turn(self, most: int, messages: int) -> int:
        """Have what a turn may hold taken, no more than *most* bytes or *messages*; return how many bytes that was."""
        self._is_waiting = False
        if self._holds:
            return 0
        data, end = self._unread, self._end(self._unread, most, messages)
        self._unread = data[end:]
        self.spend(end)
        if self._unread:
            self._pause()
        self._take(data[:end])
        self._go_on()
        return end

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
            asyncio.get_running_loop().call_soon(self._go_on)

    def end(self) -> None:
        """Forget what was read, and whom to give it: the connection is gone."""
        self._transport, self._unread, self._take = GONE, b"", _ignore
        self._forget_holds()

    def _forget_holds(self) -> None:
        for timer in self._holds.values():
            if timer is not None:
                timer.cancel()
        self._holds.clear()

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


def some(data: bytes, most: int, messages: int) -> int:
    """Return where a turn ends in bytes that are no lines."""
    return min(len(data), most)


def _ignore(data: bytes) -> None:
    pass


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
