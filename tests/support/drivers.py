"""A scenario's peers on real sockets."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

from scenario import cases

CASES = {case["id"]: case for case in cases()}


TIMEOUT_SECONDS = 10.0


class SocketDriver:
    """A real server on a real socket."""

    has_clock = True

    def __init__(self, port: int) -> None:
        self.port = port
        self.sockets: dict[str, socket.socket] = {}
        self.buffers: dict[str, bytes] = {}
        self.closed: set[str] = set()

    def open(self, label: str) -> None:
        self.sockets[label] = socket.create_connection(("127.0.0.1", self.port), TIMEOUT_SECONDS)
        self.buffers[label] = b""

    def write(self, label: str, data: bytes) -> None:
        try:
            self.sockets[label].sendall(data)
        except OSError:
            self.closed.add(label)

    def next(self, label: str) -> tuple[Any, float] | None:
        while b"\r\n" not in self.buffers[label]:
            try:
                data = self.sockets[label].recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                self.closed.add(label)
                return None
            self.buffers[label] += data
        line, _, self.buffers[label] = self.buffers[label].partition(b"\r\n")
        message = json.loads(line) if line.startswith(b"{") else {}  # {}: an answer in HTTP
        return message, time.monotonic()

    def is_closed(self, label: str) -> bool:
        return label in self.closed

    def close(self, label: str) -> None:
        self.sockets[label].close()
        time.sleep(0)

    def end(self) -> None:
        for sock in self.sockets.values():
            sock.close()
