"""As much of WebSocket (RFC 6455) as a client needs: an opening handshake, and a stream of frames that a `Peer` reads.

Frames can be written as wrong as a case wants them; what comes is read strictly.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import socket
import struct
import time
from typing import Dict, Mapping, NamedTuple, Optional, Tuple

__all__ = ["CLOSE", "PATH", "PING", "PONG", "TEXT", "Answer", "Frames", "Stream", "shake_hands", "written"]

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
PATH, SUBPROTOCOL = "/tchat", "tchat.1"
_FINAL, _MASKED = 0x80, 0x80
_ACCEPT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_MAX_HEAD_BYTES = 64 * 1024
_MAX_FRAME_BYTES = 1 << 20
_GOODBYE_SECONDS = 0.5


class Answer(NamedTuple):
    """What a handshake was answered with; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]

    @property
    def is_right(self) -> bool:
        return self.status == 101 and "sec-websocket-extensions" not in self.headers


def shake_hands(
    sock: socket.socket, host: str, port: int, path: str = PATH, changed: Mapping[str, Optional[str]] = {}
) -> Tuple[Answer, bytes]:
    """Ask for a WebSocket; return the answer, and the bytes that came behind it.

    Args:
        changed: headers that replace those of a right handshake; None leaves one out.
    Raises:
        OSError: what came is no answer in HTTP, or not the one to this key.
    """
    key = base64.b64encode(os.urandom(16)).decode()
    headers: Dict[str, Optional[str]] = {
        "Host": "%s:%d" % ("[%s]" % host if ":" in host else host, port),
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Protocol": SUBPROTOCOL,
        **changed,
    }
    lines = ["GET %s HTTP/1.1" % path] + ["%s: %s" % item for item in headers.items() if item[1] is not None]
    sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    data = b""
    while b"\r\n\r\n" not in data and len(data) < _MAX_HEAD_BYTES:
        more = sock.recv(4096)
        if not more:
            break
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    answer = _read_head(head)
    accept = base64.b64encode(hashlib.sha1((key + _ACCEPT).encode()).digest()).decode()
    if answer.status == 101 and answer.headers.get("sec-websocket-accept") != accept:
        raise ConnectionError("Sec-WebSocket-Accept is not that of the key")
    return answer, rest


def _read_head(head: bytes) -> Answer:
    start, *lines = head.decode("latin-1").split("\r\n")
    words = start.split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdecimal():
        raise ConnectionError("no answer in HTTP: %r" % start[:60])
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(words[1]), headers)


def written(opcode: int, data: bytes, first: Optional[int] = None) -> bytes:
    """Return one whole frame, masked as a client's is; *first* replaces its first byte."""
    mask = os.urandom(4)
    size = len(data)
    if size < 126:
        length = bytes([_MASKED | size])
    elif size < 1 << 16:
        length = struct.pack("!BH", _MASKED | 126, size)
    else:
        length = struct.pack("!BQ", _MASKED | 127, size)
    masked = bytes(byte ^ mask[at & 3] for at, byte in enumerate(data))
    return bytes([_FINAL | opcode if first is None else first]) + length + mask + masked


class Frames:
    """Reads the frames of a server: whole, not masked, without reserved bits."""

    def __init__(self, sock: socket.socket, data: bytes = b"") -> None:
        self.sock, self._data = sock, data

    def next(self) -> Tuple[int, bytes]:
        """Return the kind and the payload of the next frame.

        Raises:
            EOFError: the connection was closed.
            OSError: what comes is no frame of a server, or nothing comes in time.
        """
        self._fill(2)
        first, length = self._data[0], self._data[1]
        if first & 0xF0 != _FINAL or length & _MASKED:
            raise ConnectionError("no frame of a server: %s" % self._data[:8].hex())
        size = {126: 2, 127: 8}.get(length, 0)
        self._fill(2 + size)
        if size:
            length = int.from_bytes(self._data[2 : 2 + size], "big")
        if length > _MAX_FRAME_BYTES:
            raise ConnectionError("a frame of %d bytes" % length)
        self._fill(2 + size + length)  # nothing is taken before all of it is there
        payload, self._data = self._data[2 + size : 2 + size + length], self._data[2 + size + length :]
        return first & 0x0F, payload

    def _fill(self, count: int) -> None:
        while len(self._data) < count:
            more = self.sock.recv(65536)
            if not more:
                raise EOFError
            self._data += more


class Stream:
    """What `talk.wire.Peer` takes for a socket: a line written is a frame, a frame that comes is a line."""

    def __init__(self, sock: socket.socket, rest: bytes) -> None:
        self._sock, self._frames = sock, Frames(sock, rest)
        self._ends = False

    def setsockopt(self, level: int, name: int, value: int) -> None:
        self._sock.setsockopt(level, name, value)

    def settimeout(self, seconds: float) -> None:
        self._sock.settimeout(seconds)

    def sendall(self, data: bytes) -> None:
        self._sock.sendall(written(TEXT, data.rstrip(b"\n")))

    def recv(self, most: int) -> bytes:
        """Return the next text as a line, empty at the end. Pings are answered meanwhile."""
        deadline = time.monotonic() + (self._sock.gettimeout() or 0.0)
        while not self._ends:
            if time.monotonic() > deadline:  # pings are no message
                raise socket.timeout
            try:
                kind, payload = self._frames.next()
            except EOFError:
                break
            if kind == TEXT:
                return payload + b"\r\n"
            if kind == PING:
                self._sock.sendall(written(PONG, payload))
            elif kind == CLOSE:
                self._ends = True
                self._say_goodbye(payload)
        return b""

    def close(self) -> None:
        """Say goodbye, and wait a little for the server's."""
        if not self._ends:
            self._say_goodbye(struct.pack("!H", 1000))
            with contextlib.suppress(OSError, EOFError):
                self._sock.settimeout(_GOODBYE_SECONDS)
                deadline = time.monotonic() + _GOODBYE_SECONDS
                while time.monotonic() < deadline:
                    self._frames.next()
        self._sock.close()

    def _say_goodbye(self, payload: bytes) -> None:
        with contextlib.suppress(OSError):
            self._sock.sendall(written(CLOSE, payload))
