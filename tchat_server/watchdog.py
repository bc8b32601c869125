"""What time does to a server: silent peers, frames that never end, an event loop that is late."""

from __future__ import annotations

import asyncio
import logging
import time

from attrs import define

from tchat_server.net.ending import CloseReason
from tchat_server.server import Server

__all__ = ["Watchdog"]

logger = logging.getLogger("tchat_server")

_LONG_LAG_SECONDS, _DEAD_LOOP_SECONDS = 0.5, 5.0


@define
class Watchdog:
    """Looks at every connection about once a second. `run` is its whole life."""

    server: Server
    _last_seen: float = 0.0

    def is_alive(self) -> bool:
        """Tell whether the event loop turns; may be called from another thread."""
        return time.monotonic() - self._last_seen < _DEAD_LOOP_SECONDS

    async def run(self) -> None:
        """Close connections that are silent or stuck in a frame, and measure the loop; until cancelled."""
        limits, metrics = self.server.limits, self.server.metrics
        pause = max(0.01, min(1.0, limits.silent_seconds / 4, limits.mid_frame_seconds / 4))
        while True:
            self._last_seen = before = time.monotonic()
            await asyncio.sleep(pause)
            metrics.loop_lag_seconds = lag = time.monotonic() - before - pause
            metrics.loop_lag_max_seconds = max(lag, metrics.loop_lag_max_seconds)
            if lag > _LONG_LAG_SECONDS:
                logger.warning("the event loop was %.1f s late", lag)
                self._give_back(lag)
            else:
                self._close_stuck(asyncio.get_running_loop().time())

    def _give_back(self, seconds: float) -> None:
        """Leave the time out in which we did not read: the process was stopped, perhaps, or its machine slept.

        No connection is closed before what it sent meanwhile was read.
        """
        now = asyncio.get_running_loop().time()
        for peer in self.server.peers:
            peer.since = min(now, peer.since + seconds)

    def _close_stuck(self, now: float) -> None:
        limits = self.server.limits
        for peer in self.server.peers:
            waited = now - peer.since
            if peer.ending is not None:
                if waited > limits.mid_frame_seconds:
                    peer.abort(CloseReason.UNREAD)  # it does not even read the end
            elif peer.connection.mid_frame and not peer.turns.is_held and waited > limits.mid_frame_seconds:
                peer.abort(CloseReason.UNFINISHED)
            elif not peer.has_spoken and waited > limits.silent_seconds:
                peer.abort(CloseReason.SILENT)
