"""Lines for a peer that ends no message with LF: one at a time, with a gap behind each (R-pace).

The gap is a courtesy to programs that take each read for one message. It is kept while what waits for it is little;
beyond, lines go at once: a peer that reads is never closed because others are faster than the gap.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from libtchat.message.limits import ServerLimits
from libtchat.message.reply import Message, PresenceNotice

__all__ = ["Outgoing", "Spacing"]

Outgoing = tuple[Message | None, bytes]
"""A message and the line that goes out for it, CR LF included; None: a page, whose bytes were never a message here."""


class Spacing:
    """The queue of one peer.

    Args:
        write: called with each line whose turn it is.
        takes: tells whether the peer takes bytes now; call `go_on` when it does again.
        idle: called when the gap behind the last line is over.

    Attributes:
        size: bytes that wait.
    """

    __slots__ = ("_gap", "_idle", "_limits", "_lines", "_room", "_takes", "_write", "size")

    def __init__(
        self, limits: ServerLimits, write: Callable[[bytes], None], takes: Callable[[], bool], idle: Callable[[], None]
    ) -> None:
        self._limits, self._write, self._takes, self._idle = limits, write, takes, idle
        self._room = min(limits.max_spaced_bytes, limits.max_out_bytes)
        self._lines: deque[bytes] = deque()
        self._gap: asyncio.TimerHandle | None = None
        self.size = 0

    def __bool__(self) -> bool:
        """Tell whether a line waits, or the gap behind the last one is not over."""
        return bool(self._lines or self._gap)

    def put(self, lines: Sequence[Outgoing]) -> None:
        """Put lines at the end; presence notices are left out while many wait (R-op-pace-presence)."""
        for message, line in lines:
            if not (isinstance(message, PresenceNotice) and len(self._lines) >= self._limits.max_waiting_notices):
                self._lines.append(line)
                self.size += len(line)
        self.go_on()

    def go_on(self) -> None:
        """Let go what may: the first line if no gap is on, and whatever there is no room for (R-op-pace-full)."""
        while self._lines and self._takes() and (self._gap is None or self.size > self._room):
            line = self._lines.popleft()
            self.size -= len(line)
            self._write(line)
            if self._gap is None:
                seconds = self._limits.spacing_seconds
                self._gap = asyncio.get_running_loop().call_later(seconds, self._end_gap)

    def end(self) -> list[bytes]:
        """Return what waits, and let nothing go any more."""
        if self._gap is not None:
            self._gap.cancel()
            self._gap = None
        lines = list(self._lines)
        self._lines.clear()
        self.size = 0
        return lines

    def _end_gap(self) -> None:
        self._gap = None
        self.go_on()
        if not self:
            self._idle()
