"""Clients of several nodes that are one server: whoever loses one goes to the next, with the token."""

from __future__ import annotations

import contextlib
import json
import socket
import time

from crash.writer import Address, Writer

__all__ = ["NodeWriter"]

_PATIENCE_SECONDS = 60.0
_SILENT_SECONDS = 30.0
_PASSING = ("unavailable", "name-in-use", "rate-limited")


class NodeWriter(Writer):
    """A `Writer` that may use any of *ports*.

    Attributes:
        longest: seconds between two answers, at most.
    """

    def __init__(self, number: int, users: int, ports: list[int], seed: int) -> None:
        super().__init__(number, users, Address(), seed)
        self.ports = ports
        self._turn = number
        self._token: str | None = None
        self._answered = time.monotonic()
        self.longest = 0.0

    @property
    def port(self) -> int:
        """The node it uses now."""
        return self.ports[self._turn % len(self.ports)]

    def _connect(self) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                self._hello(self.port)
                return
            except (OSError, _NotNow):
                self._hang_up()
                self._turn += 1
                assert time.monotonic() < deadline, f"{self.name} is let in nowhere"
                time.sleep(0.05)

    def _hello(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), _SILENT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections += 1
        hello = {"action": "client-hello", "from": self.name}
        self._send(hello if self._token is None else {**hello, "token": self._token})
        while (welcome := json.loads(self._line()))["action"] == "server-broadcast":
            pass
        if welcome["action"] == "error" and welcome["code"] in _PASSING:
            raise _NotNow
        assert welcome["action"] == "server-hello", welcome
        self._token = welcome["token"]
        self._joined = set(welcome["groups"])
        for group, seq in welcome["seqs"].items():
            if seq < self._last.get(group, 0):
                self.record.faults.append(f"{self.name} heard {group} {self._last[group]}, the server is at {seq}")
        self._resent = set(self._asked)
        self.record.retried += len(self._resent)
        for request in self._asked.values():
            self._send(request)

    def _take(self, line: bytes) -> None:
        before = self.record.answers
        request = self._asked.get(json.loads(line).get("id", ""))
        super()._take(line)
        if self.record.answers > before:
            now = time.monotonic()
            self.longest = max(self.longest, now - self._answered)
            self._answered = now
            id = json.loads(line)["id"]
            if self.record.refused.get(id) == "unavailable" and request is not None:
                with contextlib.suppress(KeyError):
                    del self.record.refused[id]  # certain: it is not stored; ask again
                self._asked[id] = request
                time.sleep(0.2)
                self._send(request)


class _NotNow(Exception):
    """This node does not let us in now."""
