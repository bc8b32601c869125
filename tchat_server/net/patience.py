"""Who writes to one user alone waits while that user reads slowly: nobody is closed for it (R-op-slow-direct).

A group does not wait for a member, for then one would make all wait: only who writes to him directly does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from attrs import define, field

from libtchat.message.limits import ServerLimits
from tchat_server.net.flow import Turns
from tchat_server.net.gone import NOBODY
from tchat_server.net.outbox import Outbox

__all__ = ["Patience", "Reader"]

_LOOK_SECONDS = 0.1
_PATIENCE_SECONDS = 5.0
_LEAST_BYTES = 16 * 1024
"""Who takes less than this in `_PATIENCE_SECONDS` reads nothing: nobody waits for him."""

_LONGEST_WAIT_SECONDS = 30.0
_UNDER_WAY_SECONDS = 1.0
"""For so long what was let go is waited for before more is."""


class Reader(Protocol):
    """Whose patience it is."""

    def crowd(self, is_crowded: bool) -> None:
        """Take note that who writes to it is to wait, or no more."""


@define(eq=False)
class _Waiting:
    """A text that waits."""

    sender: Turns
    size: int
    until: float
    may_go: asyncio.Future[bool] = field(factory=lambda: asyncio.get_running_loop().create_future())


class Patience:
    """Those who wait for one peer, whose *outbox* it is, while a quarter of what may wait for it does.

    That is before much of their texts waits there: what is decided already is on its way. First come, first served.
    """

    __slots__ = ("_due", "_let_go_at", "_most", "_outbox", "_reader", "_since", "_taken", "_texts", "_timer")

    def __init__(self, outbox: Outbox, limits: ServerLimits, reader: Reader) -> None:
        self._outbox, self._most = outbox, limits.max_out_bytes // 4
        self._reader: Reader = reader
        self._texts: deque[_Waiting] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._taken, self._since = -_LEAST_BYTES, 0.0
        self._due, self._let_go_at = 0, 0.0

    def note(self, waiting: int) -> None:
        """Take note that so many bytes wait for the peer: who writes to it is to wait if that is much, and it reads."""
        if waiting <= self._most or self._timer is not None:
            return
        taken = self._outbox.taken
        if taken - self._taken >= _LEAST_BYTES:  # else it read nothing when somebody waited last, nor since
            self._taken, self._since, self._due = taken, asyncio.get_running_loop().time(), 0
            self._look_later()
            self._reader.crowd(True)

    def wait(self, sender: Turns, size: int) -> asyncio.Future[bool]:
        """Return what is done when *sender*, who writes *size* bytes, needs to wait no more: 30 s at most."""
        text = _Waiting(sender, size, asyncio.get_running_loop().time() + _LONGEST_WAIT_SECONDS)
        if self._timer is None:
            text.may_go.set_result(True)
        else:
            self._texts = self._texts or deque()
            self._texts.append(text)
        return text.may_go

    def look(self) -> None:
        """See whether somebody may go on: the peer took something."""
        if self._timer is not None:
            self._timer.cancel()
            self._look()

    def end(self) -> None:
        """Have nobody wait any more: the peer is gone."""
        self._stop()
        self._reader = NOBODY

    def _stop(self) -> None:
        if self._timer is None:
            return
        self._timer.cancel()
        texts, self._texts, self._timer = self._texts, None, None
        self._reader.crowd(False)
        for text in texts or ():
            text.may_go.set_result(True)

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Let go as much as there is room for; if the peer reads nothing, so much as if it had read all."""
        now, taken = asyncio.get_running_loop().time(), self._outbox.taken
        waiting = self._outbox.waiting
        if taken - self._taken >= _LEAST_BYTES:
            self._taken, self._since = taken, now
        has_patience = now - self._since <= _PATIENCE_SECONDS
        if not has_patience:
            self._reader.crowd(False)
        is_under_way = taken + waiting < self._due and now - self._let_go_at < _UNDER_WAY_SECONDS
        room = self._most - waiting if has_patience else self._most
        self._let_go(now, 0 if is_under_way else room, taken + waiting)
        if self._texts or (has_patience and waiting > self._most):
            self._look_later()
            return
        self._stop()
        if has_patience:
            self._taken -= _LEAST_BYTES

    def _let_go(self, now: float, room: int, came: int) -> None:
        left: deque[_Waiting] = deque()
        for text in self._texts or ():
            if text.sender.is_over:
                text.may_go.set_result(True)
            elif room > 0 or text.until <= now:
                text.may_go.set_result(True)
                room -= text.size
                self._due, self._let_go_at = max(self._due, came) + text.size, now
            else:
                left.append(text)
        self._texts = left or None
