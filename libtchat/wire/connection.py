"""One peer, either end: bytes <-> messages, and how this peer reads.

Framing and codec together; nothing here knows sockets, time or who the peer is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from libtchat.message.errors import ErrorCode, Violation
from libtchat.message.reply import Foreign, Message, Welcome
from libtchat.message.request import Request
from libtchat.wire.codec import action_of, decode_request, encode_request, read_message
from libtchat.wire.framing import FrameFault, Framer
from libtchat.wire.glance import read_requests
from libtchat.wire.manner import Manner
from libtchat.wire.spelling import ACTIONS

__all__ = ["CRLF", "ClientEnd", "ServerEnd"]

CRLF = b"\r\n"
"""What ends every server message."""

_SPELLED_OTHERWISE = frozenset(ACTIONS.values())
_MAX_SERVER_FRAME_BYTES = 1024 * 1024  # other servers know no pages


class ServerEnd:
    """The server's end of one connection.

    Attributes:
        spells: an action -> how this peer writes it, where that differs.
        mid_frame: bytes of an unfinished request are held.
        spaced: no request of this peer was followed by LF so far: it is to be written to at intervals (R-pace).
    """

    def __init__(self) -> None:
        self.spells: dict[str, str] = {}
        self.mid_frame: bool = False
        self.spaced: bool = True
        self._framer = Framer()

    def receive(self, data: bytes) -> Sequence[Request | Violation]:
        """Feed bytes read from the peer, cut anywhere. Raises nothing for what a peer may send.

        Returns:
            What *data* completed, in wire order. A fatal violation is the last that ever comes.
        Raises:
            TypeError: *data* is no bytes, bytearray or memoryview.
        """
        if type(data) is not bytes:
            data = bytes(memoryview(data))
        framer = self._framer
        lines = framer.lines(data)
        if lines is not None and (requests := self._read_at_a_glance(data, lines)) is not None:
            framer.passed(data)
            self.spaced = not framer.ends_with_newline
            return requests
        frames = framer.receive(data)
        self.mid_frame, self.spaced = framer.mid_frame, not framer.ends_with_newline
        return self._read(frames)

    def receive_texts(self, texts: Sequence[bytes]) -> Sequence[Request | Violation]:
        """Feed whole messages of a transport that keeps them apart, as WebSocket does (R-ws-request).

        Returns:
            One request or violation for each; nothing for an action that begins with `ack-`.
        """
        data = texts[0] if len(texts) == 1 else b"".join(texts)
        requests = self._read_at_a_glance(data, texts)
        return self._read(texts) if requests is None else requests

    def _read_at_a_glance(self, data: bytes, texts: Sequence[bytes]) -> Sequence[Request] | None:
        requests = read_requests(data, texts)
        if requests is not None and self.spells:
            for request in requests:
                self._learn(request.action)
        return requests

    def _read(self, frames: Iterable[bytes | FrameFault]) -> Sequence[Request | Violation]:
        items: list[Request | Violation] = []
        for frame in frames:
            if not isinstance(frame, bytes):
                items.append(Violation(frame.code, frame.fatal, frame.detail, limit=frame.limit))
                continue
            item = decode_request(frame)
            if isinstance(item, Violation):
                if item.code is ErrorCode.UNKNOWN_ACTION and item.request and item.request.startswith("ack-"):
                    continue
                self._learn(item.request)
            elif item.action in _SPELLED_OTHERWISE:
                self._learn(action_of(frame))
            items.append(item)
        return items

    def rewrite(self, lines: bytes) -> bytes:
        """Return encoded messages as this peer is to read them: actions spelled as it spells them (R-create-cgroup).

        A quote inside a JSON string is escaped, so what is replaced here can't be part of anybody's text.
        """
        for action, spelled in self.spells.items():
            lines = lines.replace(b'"request":"%b"' % action.encode(), b'"request":"%b"' % spelled.encode())
            if spelled == "cgroup":
                lines = lines.replace(b'{"action":"cgroupe"', b'{"action":"cgroup"')
        return lines

    def write(self, line: bytes) -> bytes:
        """Return the bytes to send for one encoded message."""
        return (self.rewrite(line) if self.spells else line) + CRLF

    def _learn(self, spelled: str | None) -> None:
        action = ACTIONS.get(spelled or "", spelled)
        if action == spelled:
            if self.spells.get(spelled or "") != "cgroup":  # who said cgroup once is told cgroup from then on
                self.spells.pop(spelled or "", None)
        elif action and spelled:
            self.spells[action] = spelled


class ClientEnd:
    """The client's end: a connection to a server, ours or somebody else's.

    Attributes:
        broken: nothing more can be read.
    """

    def __init__(self) -> None:
        self._framer = Framer(_MAX_SERVER_FRAME_BYTES, max_garbage_runs=2**31)
        self.broken: bool = False
        self._manner: Manner | None = Manner()

    @property
    def mid_frame(self) -> bool:
        """Bytes of an unfinished message are held."""
        return self._framer.mid_frame

    def receive(self, data: bytes) -> list[Message | Foreign]:
        """Feed bytes read from the server, cut anywhere. Once `broken`, nothing more can be read.

        Raises:
            TypeError: *data* is no bytes, bytearray or memoryview.
        """
        if type(data) is not bytes:
            data = bytes(memoryview(data))
        messages: list[Message | Foreign] = []
        for frame in self._framer.receive(data):
            if isinstance(frame, bytes):
                messages.append(read_message(frame))
                self._notice(frame, messages[-1])
            else:
                self.broken = self.broken or frame.fatal
                messages.append(Foreign(f"the server sent what is no message: {frame.detail}", ""))
        return messages

    def send(self, request: Request) -> bytes:
        """Return the bytes to send for one request: one write, ended by LF (R-client-newline)."""
        data = encode_request(request)
        return (data if self._manner is None else self._manner.write(data)) + b"\n"

    def _notice(self, frame: bytes, message: Message | Foreign) -> None:
        """Learn how a server writes until its welcome shows that it is one of this protocol."""
        if isinstance(message, Welcome) and message.version >= 1:
            self._manner = None
        if self._manner is not None:
            self._manner.see(frame.decode("utf-8", "replace"))
