"""Who writes to one user alone waits while that user reads slowly: nobody is closed for it (R-op-slow-reader).

A group does not wait for a member, for then one would make all wait: only who writes to him directly does.
"""

from __future__ import annotations

import asyncio

from libtchat.message.limits import ServerLimits
from tchat_server.net.flow import Turns
from tchat_server.net.outbox import Outbox

__all__ = ["Patience"]

_LOOK_SECONDS = 0.1
_TURN_BYTES = 16 * 1024
_PATIENCE_SECONDS = 5.0
_LEAST_BYTES = 16 * 1024
"""Who takes less than this in `_PATIENCE_SECONDS` reads nothing: nobody waits for him."""

_LONGEST_HOLD_SECONDS = 30.0


class Patience:
    """Those who wait for one peer, whose *outbox* it is: while it is more than half full; first come, first served."""

    __slots__ = ("_most", "_outbox", "_senders", "_since", "_taken", "_timer")

    def __init__(self, outbox: Outbox, limits: ServerLimits) -> None:
        self._outbox, self._most = outbox, limits.max_out_bytes // 2
        self._senders: dict[Turns, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._taken, self._since = -_LEAST_BYTES, 0.0

    def ask(self, sender: Turns) -> None:
        """Have *sender*, who wrote to the peer, wait if he must: 30 s at most at a time."""
        if self._outbox.waiting <= self._most:
            return
        if self._timer is None:
            taken = self._outbox.taken
            if taken - self._taken < _LEAST_BYTES:  # it read nothing when somebody waited last, nor since
                return
            self._taken, self._since = taken, asyncio.get_running_loop().time()
            self._look_later()
        sender.hold_for(self, _LONGEST_HOLD_SECONDS)
        self._senders.setdefault(sender)

    def end(self) -> None:
        """Have nobody wait: the peer is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._release(len(self._senders))

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Let as many go on as there is room for, or all if the peer reads nothing."""
        now, taken = asyncio.get_running_loop().time(), self._outbox.taken
        if taken - self._taken >= _LEAST_BYTES:
            self._taken, self._since = taken, now
        if now - self._since > _PATIENCE_SECONDS:
            self.end()
            return
        self._release(max(0, -(-(self._most - self._outbox.waiting) // _TURN_BYTES)))
        if self._senders:
            self._look_later()
        else:
            self._timer, self._taken = None, self._taken - _LEAST_BYTES

    def _release(self, count: int) -> None:
        for sender in list(self._senders)[:count]:
            del self._senders[sender]
            sender.release(self)
