"""Who has a turn to be read when many have much to say: those first who have cost least so far."""

from __future__ import annotations

import asyncio
import time
from heapq import heappop, heappush, heappushpop
from itertools import count
from typing import Protocol

__all__ = ["MOST_AHEAD_BYTES", "Rota", "Taker"]

_TURN_MESSAGES = 64
_TURN_BYTES = 16 * 1024
_ROUND_BYTES = 64 * 1024
_ROUND_SECONDS = 0.010
_LEAST_ROUND_BYTES = 1024
_LEAST_TURN_MESSAGES = 4
_AT_ONCE_BYTES = 256 * 1024

MOST_AHEAD_BYTES = 64 * 1024
"""Nobody is ahead or behind others by more. Each second so much is forgiven: who costs less is ahead."""


class Taker(Protocol):
    """Who takes turns.

    Attributes:
        spent: what it has cost, in bytes.
    """

    spent: float

    def take_turn(self, most: int, messages: int) -> int:
        """Have a turn: no more than *most* bytes or *messages*; return how many bytes that was."""


class _Turn:
    """A turn that somebody waits for who has *spent* so much; it counts as *size* bytes."""

    def __init__(self, spent: float, size: int) -> None:
        self.spent, self._size = spent, size
        self.has_come: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take_turn(self, most: int, messages: int) -> int:
        if self.has_come.done():  # who waited is gone
            return 0
        self.has_come.set_result(None)
        return self._size


class Rota:
    """Who has a turn next: so many bytes of all together, then whatever else the loop has to do.

    It is fewer bytes while rounds take much of the processor, whatever costs so much in what they ask for. The order is
    that of fair queueing: each has spent the bytes it sent and those carried for it, and who has spent least is next.

    Attributes:
        spent: what whoever has a turn now had spent.
        is_shut: nobody has a turn.
    """

    __slots__ = (
        "_at_once",
        "_began",
        "_forgave_at",
        "_is_due",
        "_numbers",
        "_room",
        "_taken",
        "_waiting",
        "is_shut",
        "spent",
    )

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, Taker]] = []
        self._numbers = count()
        self._room, self._taken, self._at_once = _ROUND_BYTES // 4, 0, 0
        self._is_due = self.is_shut = False
        self._began: float | None = None
        self._forgave_at = 0.0
        self.spent = 0.0

    def admits(self, turns: Taker, size: int) -> bool:
        """Tell whether *turns* may have *size* bytes taken at once.

        That is so if nobody who waits has a better claim, and thousands did not have the same lately.
        """
        if self._waiting and turns.spent > self.forgive():
            return False
        self._at_once += size
        return self._at_once <= _AT_ONCE_BYTES

    def offer(self, turns: Taker) -> None:
        """Give *turns* a turn at once if there is room in this round, else when it comes round."""
        if self._waiting or self._taken >= self._room or self._at_once > _AT_ONCE_BYTES or self.is_shut:
            self.put(turns)
        else:
            self._soon()
            self.count(turns.take_turn(min(self._room, _TURN_BYTES), _TURN_MESSAGES))

    def put(self, turns: Taker) -> None:
        """Give *turns* a turn when it comes round."""
        heappush(self._waiting, (max(turns.spent, self.spent - MOST_AHEAD_BYTES), next(self._numbers), turns))
        self._soon()

    def shut(self) -> None:
        """Give nobody a turn until it is opened."""
        self.is_shut = True

    def open(self) -> None:
        """Go on giving turns."""
        self.is_shut = False
        self._soon()

    def count(self, size: int) -> None:
        """Count what was taken in this round: *size* bytes of texts, or what takes as long as these."""
        self._taken += size

    async def turn(self, spent: float, *, is_whole: bool = False) -> None:
        """Wait for a turn with what is no message; it counts as a turn has bytes, or as all of a round (*is_whole*)."""
        turn = _Turn(spent, _ROUND_BYTES if is_whole else _TURN_BYTES)
        self.put(turn)
        await turn.has_come

    async def newcomer(self) -> None:
        """Wait for a turn as somebody who comes."""
        await self.turn(self.forgive())

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
        self._is_due, self._taken, self._at_once = False, 0, 0
        self.forgive()
        if not self.is_shut:
            self._give_turns()
        if self._waiting or self._taken:
            self._soon()

    def forgive(self) -> float:
        """Let time go by: return what a newcomer begins with."""
        now = asyncio.get_running_loop().time()
        self.spent += (now - self._forgave_at) * MOST_AHEAD_BYTES
        self._forgave_at = now
        return self.spent

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
            self.count(turns.take_turn(most, messages))
            if self._taken >= self._room or self.is_shut:
                return
