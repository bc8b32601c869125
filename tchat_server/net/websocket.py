"""A peer behind WebSocket: frames <-> what the rest of the server takes for a TCP connection (R-ws-...).

`WebSocketConnection` stands where `libtchat.wire.connection.ServerEnd` stands, `FramedTransport` where asyncio's
transport does. What a frame is, and what is wrong with one, is the `websockets` package's to know.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from websockets.frames import Frame, Opcode
from websockets.protocol import CLOSING, OPEN
from websockets.server import ServerProtocol

from libtchat.message.errors import ErrorCode, Violation
from libtchat.message.limits import MAX_FRAME_BYTES, ServerLimits
from libtchat.message.request import Request
from libtchat.rate import Bucket
from libtchat.wire.connection import ServerEnd
from tchat_server.net.ending import CloseReason, close_code
from tchat_server.net.frames import MASKED, is_between_frames, is_utf8, kept_frames, plain_texts, text_frames
from tchat_server.net.gone import ignore
from tchat_server.net.linger import Lingering

__all__ = ["SILENT", "FramedTransport", "WebSocketConnection"]

SILENT = logging.Logger("websockets", logging.CRITICAL + 1)
"""What the package would log is the peer's doing, and told by the cause of its end."""

_BAD_DATA, _TOO_BIG, _BINARY, _BROKEN = 1007, 1009, 1003, 1002

_MID_FRAME_BYTES = 1024
_MOST_FRAGMENTS = 256
"""Of one message: fragments of nothing would else never pass its size (R-ws-fragments)."""

_KEPT_BYTES = 256 * 1024
"""More than is told to many in one tick; it bounds what is kept."""


class WebSocketConnection(ServerEnd):
    """The server's end of one connection whose messages come in frames.

    Args:
        heard: called with each text as it came, for the trace, if given.
        reply: called with the bytes of control frames that answer control frames.
        hurry: called when there are too many control frames or fragments.
        clock: the time, for that.
    Attributes:
        closing: the close frame to send, once there is one.
    """

    def __init__(
        self,
        limits: ServerLimits,
        *,
        heard: Callable[[bytes], None] | None,
        reply: Callable[[bytes], None],
        hurry: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        super().__init__()
        self._limits = limits
        self.spaced = False
        self.closing = b""
        self._protocol = ServerProtocol(state=OPEN, max_size=MAX_FRAME_BYTES, logger=SILENT)
        self._heard, self._reply, self._hurry, self._clock = heard, reply, hurry, clock
        self._parts: list[bytes] = []
        self._failed = False
        self._bucket: Bucket | None = None

    @property
    def has_said_goodbye(self) -> bool:
        """The peer sent its close frame."""
        return self._protocol.close_rcvd is not None

    def receive(self, data: bytes) -> Sequence[Request | Violation]:
        """Feed bytes read from the peer, cut anywhere. Raises nothing for what a peer may send.

        Returns:
            What *data* completed, in wire order. A fatal violation is the last that ever comes.
        """
        protocol = self._protocol
        items: list[Request | Violation] = []
        if protocol.state is not OPEN:
            return items
        if not self.mid_frame:  # nor in a message that comes in fragments
            texts, end = plain_texts(data)
            if texts:
                self._read_texts(texts, items)
                data = data[end:]
        if data and protocol.state is OPEN:
            protocol.receive_data(data)
            self._take_frames(items)
            self.mid_frame = bool(self._parts) or not is_between_frames(protocol)
        return items

    def end_of_turn(self, data: bytes, most: int, messages: int) -> int:
        """Return where a turn ends in *data*: behind so many frames, or bytes; see `tchat_server.net.flow`."""
        size = min(len(data), most)
        if not is_between_frames(self._protocol):
            return min(size, _MID_FRAME_BYTES)  # nobody knows how many frames that is
        at = 0
        for _ in range(messages):
            if at + 2 > size:
                break
            length = data[at + 1] & ~MASKED
            extra = {126: 2, 127: 8}.get(length, 0)
            if extra:
                length = int.from_bytes(data[at + 2 : at + 2 + extra])
            at += 6 + extra + length
        return min(at, size) or size

    def close(self, cause: str) -> bytes:
        """Return the close frame to send for this cause, empty if it was sent already."""
        if self._protocol.state is OPEN:
            self._protocol.send_close(close_code(cause), "" if cause == CloseReason.QUIT else cause[:60])
            self.closing = b"".join(self._protocol.data_to_send())
        closing, self.closing = self.closing, b""
        return closing

    def drain(self, data: bytes) -> None:
        """Take what still comes after the close frame, only to see whether the peer says goodbye too."""
        if self._protocol.state is CLOSING:
            self._protocol.receive_data(data)
            self._protocol.events_received()

    def end(self) -> None:
        """Let go of what holds this too, for nothing more will come: else it waits for the garbage collector."""
        self._protocol.parser.close()
        self._reply = self._hurry = ignore

    def _take_frames(self, items: list[Request | Violation]) -> None:
        """Take what the package made of bytes that were no plain texts."""
        protocol = self._protocol
        for frame in protocol.events_received():
            assert isinstance(frame, Frame)
            self._take(frame, items)
        if protocol.close_sent is not None:
            self._end(items)
        elif out := b"".join(protocol.data_to_send()):
            self._reply(out)

    def _take(self, frame: Frame, items: list[Request | Violation]) -> None:
        if self._failed:
            return
        match frame.opcode:
            case Opcode.BINARY:
                self._fail(items, _BINARY, "a message is text, in text frames")
            case Opcode.TEXT | Opcode.CONT:
                self._parts.append(bytes(frame.data))
                if frame.fin:
                    text, self._parts = b"".join(self._parts), []
                    self._read_texts((text,), items)
                    return
                self._count()
                if len(self._parts) > _MOST_FRAGMENTS:
                    self._fail(
                        items, _TOO_BIG, f"a message has at most {_MOST_FRAGMENTS} fragments", ErrorCode.TOO_LARGE
                    )
            case _:
                self._count()

    def _read_texts(self, texts: Sequence[bytes], items: list[Request | Violation]) -> None:
        if self._heard is not None:
            self._heard(b"\n".join(texts))
        wrong = next((at for at, text in enumerate(texts) if not is_utf8(text)), len(texts))
        items += self.receive_texts(texts[:wrong]) if wrong else ()
        if wrong < len(texts):
            self._fail(items, _BAD_DATA, "a message is UTF-8")

    def _count(self) -> None:
        """Count what costs work and says nothing: it may come as often as requests."""
        limits, now = self._limits, self._clock()
        if self._bucket is None:
            self._bucket = Bucket(limits.request_burst, limits.requests_per_second)
        if self._bucket.take(now):
            self._hurry()

    def _fail(
        self, items: list[Request | Violation], code: int, detail: str, error: ErrorCode = ErrorCode.BAD_JSON
    ) -> None:
        """End it: what came behind is not read."""
        self._failed = True
        self._parts = []
        if self._protocol.state is OPEN:
            self._protocol.fail(code, detail)
            self.closing = b"".join(self._protocol.data_to_send())
        items.append(Violation(error, True, detail))

    def _end(self, items: list[Request | Violation]) -> None:
        """Keep the close frame until what was asked is answered, and say why it comes."""
        self.closing += b"".join(self._protocol.data_to_send())
        self._parts = []
        error = self._protocol.parser_exc
        if error is None or self._failed:
            return
        if self._protocol.close_sent is not None and self._protocol.close_sent.code == _TOO_BIG:
            limit = MAX_FRAME_BYTES
            items.append(Violation(ErrorCode.TOO_LARGE, True, f"a message has at most {limit} bytes", limit=limit))
        else:
            items.append(Violation(ErrorCode.BAD_JSON, True, f"this is no WebSocket frame: {error}"))


class FramedTransport(Lingering):
    """What a peer writes lines to, when it reads frames.

    Args:
        cause: tells why the peer's connection ends.
        drain: called when it does, with what is to take the bytes that still come.
        left: called when it does: for everybody else the peer is gone then.
    """

    def __init__(
        self,
        inner: asyncio.Transport,
        connection: WebSocketConnection,
        cause: Callable[[], str],
        drain: Callable[[Callable[[bytes], None]], None],
        left: Callable[[], None],
    ) -> None:
        super().__init__(inner)
        self._connection, self._cause, self._drain, self._left = connection, cause, drain, left

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write lines, each as a text frame of its own (R-ws-message)."""
        lines = bytes(data)
        super().write(kept_frames(lines) if len(lines) <= _KEPT_BYTES else text_frames(lines))

    def close(self) -> None:
        """Say goodbye, and close when the peer did too, or does not in time (RFC 6455, 7.1.1)."""
        if self.is_closing():
            return
        super().write(self._connection.close(self._cause()))
        if self._connection.has_said_goodbye:
            self._is_ending = True
            self._inner.close()
        else:
            super().close()
            self._drain(self._take_end)
        self._left()

    def abort(self) -> None:
        """Close at once. Who has read everything is told why (R-ws-close), the others have had their time."""
        if self.is_closing() or self.get_write_buffer_size():
            super().abort()
            return
        super().write(self._connection.close(self._cause()))
        self._is_ending = True
        self._inner.close()

    def end(self) -> None:
        """Forget everything: the connection is gone."""
        super().end()
        self._connection.end()

    def _take_end(self, data: bytes) -> None:
        """Take what comes behind the close frame."""
        self._connection.drain(data)
        if self._connection.has_said_goodbye:
            self._inner.close()
