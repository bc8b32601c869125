"""What a connection pays for its bytes, those it sends and those carried for it: it is not read from for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from libtchat.message.limits import ServerLimits
from libtchat.rate import Bucket
from tchat_server.net.flow import Hold, Turns

__all__ = ["Toll"]

_SMALL_BYTES = 4096
"""Less than this is not counted before more comes."""

_MESSAGE_BYTES = 128
"""What a message counts for its address beside its bytes: about what the server adds to those it keeps."""

_LONGEST_HOLD_SECONDS = 10.0


class Toll:
    """One connection's account (R-op-slow-down), and its part of its address's, which outlives it.

    Args:
        turns: what is held.
        spend: counts bytes for the address, given the time; returns the seconds until it owes nothing.
    """

    __slots__ = ("_carried", "_kept", "_received", "_spend", "_turns", "_uncounted")

    def __init__(self, limits: ServerLimits, turns: Turns, spend: Callable[[int, float], float]) -> None:
        self._turns, self._spend = turns, spend
        self._received = Bucket(limits.burst_bytes, limits.bytes_per_second)
        self._carried = Bucket(limits.delivered_burst_bytes, limits.delivered_bytes_per_second)
        self._uncounted = self._kept = 0
        self._hold(Hold.BYTES, spend(0, self._now()))  # who goes when he owes, and comes again, still owes

    def received(self, size: int, messages: int) -> None:
        """Count bytes it sent, and the messages in them."""
        self._uncounted += size
        self._kept += size + _MESSAGE_BYTES * messages
        if self._kept > _SMALL_BYTES:
            now = self._now()
            self._hold(Hold.BYTES, max(self._received.spend(now, self._uncounted), self._spend(self._kept, now)))
            self._uncounted = self._kept = 0

    def end(self) -> None:
        """Count what was not counted yet: the connection is gone."""
        self._spend(self._kept, self._now())

    def carried(self, size: int) -> None:
        """Count bytes that were put to others, or to itself, because of what it sent."""
        self._turns.spend(size)
        self._hold(Hold.DELIVERIES, self._carried.spend(self._now(), size))

    def _hold(self, why: Hold, seconds: float) -> None:
        if seconds:
            self._turns.hold_for(why, min(seconds, _LONGEST_HOLD_SECONDS))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
