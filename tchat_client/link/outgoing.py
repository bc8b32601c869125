"""What waits to be sent, and when its turn comes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from attrs import define, field

from libtchat.wire.redaction import redact
from tchat_client.link.watcher import Watcher

__all__ = ["Outgoing"]


@define(eq=False)
class Outgoing:
    """The queue of what is to be sent: what a person asked for first, then what the mirror wants.

    Attributes:
        pings: when each unanswered ping was sent, by its id.
    """

    pings: dict[str, float] = field(factory=dict)
    _mine: deque[tuple[bytes, str | None]] = field(factory=deque)
    _quiet: deque[tuple[bytes, str | None]] = field(factory=deque)
    _has_work: asyncio.Event = field(factory=asyncio.Event)
    _progress: asyncio.Event = field(factory=asyncio.Event)

    def put(self, data: bytes, id: str | None, *, quiet: bool = False, is_ping: bool = False) -> None:
        """Send *data*, the request *id*, when its turn comes."""
        (self._quiet if quiet else self._mine).append((data, id))
        self._has_work.set()
        if is_ping and id:
            self.pings[id] = asyncio.get_running_loop().time()

    def move_on(self) -> None:
        """See whether what was sent last is answered now."""
        self._progress.set()

    def clear(self) -> None:
        """Forget what was not sent."""
        self._mine.clear()
        self._quiet.clear()
        self.pings.clear()

    async def write(
        self, writer: asyncio.StreamWriter, watcher: Watcher, pause_seconds: float, is_pending: Callable[[str], bool]
    ) -> None:
        """Send one request per write, the next when the answer has come or a pause has passed (R-client-one-write).

        Runs until it is cancelled, or raises OSError when nothing can be written any more.
        """
        while True:
            await self._has_work.wait()
            queue = self._mine or self._quiet
            if not queue:
                self._has_work.clear()
                continue
            data, id = queue.popleft()
            if watcher.traces:
                for line in redact(data.decode("utf-8", "replace")):
                    watcher.trace(">", line)
            if id in self.pings:
                self.pings[id] = asyncio.get_running_loop().time()
            writer.write(data)
            await writer.drain()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_seconds):
                    while id is None or is_pending(id):
                        self._progress.clear()
                        await self._progress.wait()
