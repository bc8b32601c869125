"""The bytes: one connection, and messages cut out of what comes through it.

Frames are cut by braces, not by lines, so that a peer with bad line ends can still be judged on everything else; what
is wrong with the bytes themselves is noted in `Peer.faults`. No meaning of a message lives here.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from typing import Dict, List, NamedTuple, Tuple

from words import say

__all__ = [
    "Closed",
    "Cutter",
    "Flood",
    "Frame",
    "Garbage",
    "Message",
    "Peer",
    "Silence",
    "parse",
    "write",
]

Message = Dict[str, object]

MAX_FRAME_BYTES = 1 << 20
_MARK = re.compile(rb'[{}"\\]')
MAX_PENDING_BYTES = 8 << 20


class Silence(Exception):
    """Nothing came in time."""


class Closed(Exception):
    """The other end closed the connection."""


class Garbage(Exception):
    """Bytes came that are no message."""


class Flood(Exception):
    """More came than any answer needs."""


class Frame(NamedTuple):
    """One message, its bytes, and when they came (on the clock of `time.monotonic`)."""

    raw: bytes
    message: Message
    at: float


def _no_constant(text: str) -> object:
    raise ValueError(say("no-json-constant", text=text))


def _unique(pairs: List[Tuple[str, object]]) -> Message:
    message = dict(pairs)
    if len(message) != len(pairs):
        raise ValueError(say("key-twice"))
    return message


def parse(raw: bytes) -> Message:
    """Read one JSON object, strictly.

    Raises:
        Garbage: the bytes are no UTF-8, no JSON, or no object; the text says which.
    """
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise Garbage(say("not-utf8", why=error.reason)) from None
    except (ValueError, RecursionError) as error:
        raise Garbage(say("not-json", why=error)) from None
    if not isinstance(value, dict):
        raise Garbage(say("not-object"))
    return value


def write(message: Message) -> bytes:
    """Write one message as one JSON line."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"


class Cutter:
    """Cuts a byte stream into objects, each with the bytes that stood before it."""

    def __init__(self) -> None:
        self.rest = b""
        self._at = 0
        self._start = -1
        self._depth = 0
        self._quoted = False

    def feed(self, data: bytes) -> List[Tuple[bytes, bytes]]:
        """Add *data*; return the pairs (bytes before the object, the object) that are now complete."""
        self.rest += data
        found: List[Tuple[bytes, bytes]] = []
        while True:
            mark = _MARK.search(self.rest, self._at)
            if not mark or (mark.group() == b"\\" and mark.end() == len(self.rest)):
                self._at = mark.start() if mark else len(self.rest)
                return found
            self._at = mark.end()
            sign = mark.group()
            if self._quoted:
                self._quoted = sign != b'"'
                self._at += sign == b"\\"
            elif sign == b'"':
                self._quoted = self._depth > 0
            elif sign == b"{":
                self._start = self._start if self._depth else mark.start()
                self._depth += 1
            elif sign == b"}" and self._depth:
                self._depth -= 1
                if self._depth == 0:
                    found.append((self.rest[: self._start], self.rest[self._start : self._at]))
                    self.rest, self._at, self._start = self.rest[self._at :], 0, -1

    @property
    def inside(self) -> bool:
        """An object has begun that has not ended."""
        return self._depth > 0


class Peer:
    """One connection to a program under test, with a blocking socket and a deadline for every wait.

    A server has to end each message with CR LF and to write it on one line; a client should end it with LF.
    """

    def __init__(self, sock: socket.socket, timeout_seconds: float, is_client: bool = False) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.is_client = is_client
        self.sock = sock
        self.timeout_seconds = timeout_seconds
        self.waiting: List[Frame] = []
        self.faults: List[Tuple[bytes, str]] = []
        self.is_closed = False
        self._cutter = Cutter()
        self._last_raw = b""
        self._bytes_waiting = 0

    def send(self, data: bytes) -> None:
        """Write *data* at once; a server that has closed is no error here, reading will tell."""
        try:
            self.sock.sendall(data)
        except socket.timeout:
            raise Silence(say("does-not-read")) from None
        except OSError:
            pass

    def next(self) -> Frame:
        """Return the next message.

        Raises:
            Silence, Closed, Garbage, Flood: there is none, and why.
        """
        deadline = time.monotonic() + self.timeout_seconds
        while not self.waiting:
            self._read(deadline)
        frame = self.waiting.pop(0)
        self._bytes_waiting -= len(frame.raw)
        return frame

    def finish(self) -> None:
        """Close; first look whether the last message was ended as it should be."""
        is_open = self._last_raw and not self.is_closed and not self._cutter.inside
        if is_open and b"\n" not in self._cutter.rest and not self.faults:
            with contextlib.suppress(Silence, Closed, Garbage, Flood):
                self._read(time.monotonic() + 0.1)
        self._end()
        self.sock.close()

    def _end(self) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        if not self._cutter.inside:
            self._judge_end(self._cutter.rest)

    def _read(self, deadline: float) -> None:
        self.sock.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            data = self.sock.recv(65536)
        except socket.timeout:
            data = None
        except OSError:
            data = b""
        now = time.monotonic()
        if data is None or (now > deadline and not data):
            if self._cutter.inside or self._cutter.rest.strip():
                raise Garbage(say("half-message", what=_shown(self._cutter.rest)))
            raise Silence(say("silence", ms=int(self.timeout_seconds * 1000)))
        if not data:
            self._end()
            raise Closed(say("closed"))
        for before, raw in self._cutter.feed(data):
            self._found(before, raw, now)
        if not self._cutter.inside and self._cutter.rest.strip() and b"\n" in self._cutter.rest:
            raise Garbage(say("no-message", what=_shown(self._cutter.rest)))
        if len(self._cutter.rest) > MAX_FRAME_BYTES or self._bytes_waiting > MAX_PENDING_BYTES:
            raise Flood(say("floods"))

    def _found(self, before: bytes, raw: bytes, now: float) -> None:
        if before.strip():
            raise Garbage(say("between-messages", what=_shown(before)))
        self._judge_end(before)
        if not self.is_client and (b"\n" in raw or b"\r" in raw):
            self.faults.append((raw, say("several-lines")))
        self.waiting.append(Frame(raw, parse(raw), now))
        self._bytes_waiting += len(raw)
        self._last_raw = raw

    def _judge_end(self, end: bytes) -> None:
        """Look at the bytes between the last message and the next."""
        is_good = b"\n" in end if self.is_client else end == b"\r\n"
        if self._last_raw and not is_good:
            seen = repr(end[:10])[1:] if end else say("nothing")
            wanted = "LF" if self.is_client else "CR LF"
            self.faults.append((self._last_raw, say("bad-end", seen=seen, wanted=wanted)))


def _shown(data: bytes) -> str:
    return repr(data[:60])[1:]
