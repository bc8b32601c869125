"""What stands for a socket when a program carries a connection itself: whole messages in, whole messages out."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from libtchat.message.errors import ErrorCode, Violation
from libtchat.message.limits import MAX_FRAME_BYTES
from libtchat.message.request import Request
from libtchat.wire.connection import CRLF, ServerEnd

__all__ = ["Channel", "TextEnd", "end_of_turn", "line_of"]

_HIGH_BYTES, _LOW_BYTES = 64 * 1024, 16 * 1024
"""As in asyncio's transports: so much waits before whoever writes is told so, and so little when no more."""


class Channel(asyncio.Transport):
    """A transport whose other end is in this process: lines that are written wait here until they are sent.

    Attributes:
        is_lost: the connection ends at once.
        ending: done when nothing more is written.
        gone: done when the connection is no more.
    """

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._is_full = False
        self.is_lost: bool = False
        self._something, self._may_read = asyncio.Event(), asyncio.Event()
        self._may_read.set()
        self._wanted: tuple[bytes, asyncio.Future[bytes]] | None = None
        self.ending: asyncio.Future[None] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep lines until they are sent."""
        if self.ending.done():
            return
        lines = bytes(data[: -len(CRLF)]).split(CRLF)
        if self._wanted is not None and self._wanted[0] in data:
            lines = self._pick(*self._wanted, lines)
        self._lines.extend(lines)
        self._size += sum(map(len, lines))
        self._something.set()
        if self._size > _HIGH_BYTES and not self._is_full:
            self._is_full = True
            self._protocol.pause_writing()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait."""
        return self._size

    def is_closing(self) -> bool:
        """Tell whether nothing more is taken."""
        return self.ending.done()

    def close(self) -> None:
        """Send what waits, and be gone then."""
        self._end()
        if not self._lines:
            self.lose()

    def abort(self) -> None:
        """Be gone at once; what waits is lost."""
        self.lose()

    def pause_reading(self) -> None:
        """Have `readable` wait."""
        self._may_read.clear()

    def resume_reading(self) -> None:
        """Have `readable` wait no more."""
        self._may_read.set()

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Return *default*: there is no socket."""
        return default

    async def readable(self) -> None:
        """Wait until more may be given to the protocol."""
        await self._may_read.wait()

    async def next(self) -> bytes | None:
        """Wait for the next line, and return it without its end; None: no more will come. `sent` is due for it."""
        while not self._lines:
            if self.ending.done():
                return None
            self._something.clear()
            await self._something.wait()
        return self._lines[0]

    def sent(self) -> None:
        """Take note that the line that was next is sent."""
        self._size -= len(self._lines.popleft())
        if self._is_full and self._size < _LOW_BYTES:
            self._is_full = False
            self._protocol.resume_writing()
        if self.ending.done() and not self._lines:
            self.lose()

    async def over(self) -> None:
        """Wait until the connection is gone."""
        await asyncio.wait([self.gone])

    def want(self, mark: bytes) -> asyncio.Future[bytes]:
        """Return what the next line with *mark* in it becomes, instead of being sent."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._wanted = mark, future
        return future

    def waiting(self) -> Sequence[bytes]:
        """Return the lines that wait."""
        return tuple(self._lines)

    def lose(self) -> None:
        """End the connection at once."""
        if not self.is_lost:
            self.is_lost = True
            self._end()
            asyncio.get_running_loop().call_soon(self._go)

    def _end(self) -> None:
        self._something.set()
        if not self.ending.done():
            self.ending.set_result(None)

    def _go(self) -> None:
        self._protocol.connection_lost(None)
        self.gone.set_result(None)

    def _pick(self, mark: bytes, future: asyncio.Future[bytes], lines: list[bytes]) -> list[bytes]:
        found = next((line for line in lines if mark in line), None)
        if found is not None:
            self._wanted = None
            if not future.done():
                future.set_result(found)
        return [line for line in lines if line is not found]


class TextEnd(ServerEnd):
    """The server's end of a channel: each message is a text of its own, as over WebSocket (R-ws-request)."""

    def __init__(self) -> None:
        super().__init__()
        self.spaced = False

    def receive(self, data: bytes) -> Sequence[Request | Violation]:
        """Read lines that `line_of` made."""
        texts = data[:-1].split(b"\n")
        large = next((at for at, text in enumerate(texts) if len(text) > MAX_FRAME_BYTES), len(texts))
        items = [*self.receive_texts(texts[:large])] if large else []
        if large < len(texts):
            limit = MAX_FRAME_BYTES
            items.append(Violation(ErrorCode.TOO_LARGE, True, f"a message has at most {limit} bytes", limit=limit))
        return items


def line_of(text: str | bytes) -> bytes:
    """Return *text* as one line: JSON has line ends only where any other white space may be, too."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
    return data.replace(b"\n", b"\r") + b"\n"


def end_of_turn(data: bytes, most: int, messages: int) -> int:
    """Return where a turn ends in lines: behind so many, or so many bytes, one at least; see `TurnEnd`."""
    end = 0
    for _ in range(messages):
        found = data.find(b"\n", end) + 1
        if not found or (end and found > most):
            break
        end = found
    return end
