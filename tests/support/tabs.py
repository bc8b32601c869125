"""Users of a program that has a chat inside it: what their browsers send and read, without a browser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any

from tchat_server import Chat, Peer

SECONDS = 10.0


class Tab:
    """A user's connection: `async with Tab(chat, "alice") as alice`."""

    def __init__(self, chat: Chat, user: str | None, **options: Any) -> None:
        self.peer: Peer = chat.peer(user, **options)
        self.out: asyncio.Queue[str] = asyncio.Queue()
        self._in: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self.pumping: asyncio.Task[None] | None = None
        self.closed: list[int] = []

    async def __aenter__(self) -> Tab:
        await self.peer.__aenter__()
        self.pumping = asyncio.create_task(self.peer.pump(self.receive(), self.send_text, self.close))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self.pumping is not None
        if not self.pumping.done():
            self.pumping.cancel()
        await asyncio.wait([self.pumping])
        await self.peer.__aexit__(kind, error, traceback)

    async def receive(self) -> AsyncIterator[str | bytes]:
        while (text := await self._in.get()) is not None:
            yield text

    async def send_text(self, text: str) -> None:
        self.out.put_nowait(text)

    async def close(self, code: int) -> None:
        self.closed.append(code)

    def write(self, text: str | bytes | None) -> None:
        """Send a text; None: go away."""
        self._in.put_nowait(text)

    def send(self, **message: Any) -> None:
        self.write(json.dumps(message))

    async def get(self) -> dict[str, Any]:
        """Return the next message that is no presence notice."""
        while True:
            text = await asyncio.wait_for(self.out.get(), SECONDS)
            message: dict[str, Any] = json.loads(text)
            if message.get("event") not in ("connect", "disconnect"):
                return message

    async def ask(self, **message: Any) -> dict[str, Any]:
        self.send(**message)
        return await self.get()

    async def ended(self) -> None:
        """Wait until it is over, and raise what `pump` raised."""
        assert self.pumping is not None
        await asyncio.wait_for(self.pumping, SECONDS)
