"""What a connection pays for its bytes, those it sends and those carried for it: it is not read from for a while."""

from __future__ import annotations

import asyncio

from libtchat.message.limits import ServerLimits
from libtchat.rate import Bucket
from tchat_server.net.flow import Hold, Turns

__all__ = ["Toll"]

_SMALL_BYTES = 4096
"""Less than this is not counted before more comes."""

_LONGEST_HOLD_SECONDS = 10.0


class Toll:
    """One connection's account (R-op-slow-down); *turns* is what is held."""

    __slots__ = ("_carried", "_received", "_turns", "_uncounted")

    def __init__(self, limits: ServerLimits, turns: Turns) -> None:
        self._turns = turns
        self._received = Bucket(limits.burst_bytes, limits.bytes_per_second)
        self._carried = Bucket(limits.delivered_burst_bytes, limits.delivered_bytes_per_second)
        self._uncounted = 0

    def received(self, size: int) -> None:
        """Count bytes it sent."""
        self._uncounted += size
        if self._uncounted > _SMALL_BYTES:
            self._pay(Hold.BYTES, self._received, self._uncounted)
            self._uncounted = 0

    def carried(self, size: int) -> None:
        """Count bytes that were put to others, or to itself, because of what it sent."""
        self._pay(Hold.DELIVERIES, self._carried, size)

    def _pay(self, why: Hold, bucket: Bucket, size: int) -> None:
        if seconds := bucket.spend(asyncio.get_running_loop().time(), size):
            self._turns.hold_for(why, min(seconds, _LONGEST_HOLD_SECONDS))
