"""Clients of several nodes that are one server: whoever loses one goes to the next, with the token."""

from __future__ import annotations

import contextlib
import json
import time
from collections import deque

from crash.writer import Address, Record, Writer

__all__ = ["NodeWriter"]

_PATIENCE_SECONDS = 60.0
_SILENT_SECONDS = 30.0
_PASSING = ("unavailable", "name-in-use", "rate-limited")


class NodeWriter(Writer):
    """A `Writer` that may use any of *addresses*, as (host, port), and may be paused.

    Attributes:
        longest: seconds from a request to its answer, at most; over as many connections as it took.
        unavailable: how often it was told to ask again.
        noticed: how often it was told that another writer came or went.
        trail: when what happened last.
    """

    def __init__(self, number: int, users: int, addresses: list[tuple[str, int]], seed: int) -> None:
        super().__init__(number, users, Address(), seed)
        self.addresses = addresses
        self.longest = 0.0
        self.unavailable = self.noticed = self._before = 0
        self.trail: deque[tuple[float, str]] = deque(maxlen=60)
        self._turn = number
        self._token: str | None = None
        self._is_paused = False

    @property
    def address(self) -> tuple[str, int]:
        """The node it uses now."""
        return self.addresses[self._turn % len(self.addresses)]

    def pause(self) -> None:
        """Ask nothing more for now: see `is_quiet`."""
        self._is_paused = True

    @property
    def is_quiet(self) -> bool:
        """Whether it is paused, and everything is answered."""
        return self._is_paused and not self._asked

    def take_record(self) -> Record:
        """Return what was recorded so far, and record anew; it must be quiet."""
        assert self.is_quiet
        found, self.record = self.record, Record(self.name)
        self.longest, self.unavailable, self.noticed, self._before = 0.0, 0, 0, self._connections
        return found

    @property
    def disconnections(self) -> int:
        """How often it had to connect again."""
        return self._connections - self._before

    def go_on(self) -> None:
        """Ask again."""
        self._is_paused = False
        with contextlib.suppress(OSError, AttributeError):  # it waits for a line, or connects just now
            self._socket.sendall(b'{"action":"ping"}\n')  # type: ignore[union-attr]

    def note(self, what: str) -> None:
        """Note what happens, for whoever wonders why something took long."""
        self.trail.append((time.monotonic(), what))

    def _may_ask(self) -> bool:
        return super()._may_ask() and not self._is_paused

    def _hang_up(self) -> None:
        super()._hang_up()
        self._turn += 1

    def _connect(self) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                self._hello(self.address)
                return
            except (OSError, _NotNow) as error:
                self.note(f"{self.address[1]}: {error}")
                self._hang_up()
                assert time.monotonic() < deadline, f"{self.name} is let in nowhere: {[*self.trail][-5:]}"
                time.sleep(0.05)

    def _hello(self, address: tuple[str, int]) -> None:
        self._dial(address, _SILENT_SECONDS)
        self.note(f"{address[1]}: connected")
        hello = {"action": "client-hello", "from": self.name}
        self._send(hello if self._token is None else {**hello, "token": self._token})
        while (welcome := json.loads(self._line()))["action"] == "server-broadcast":
            pass
        if welcome["action"] == "error" and welcome["code"] in _PASSING:
            raise _NotNow(welcome["code"])
        self._welcomed(welcome)
        self.note(f"{address[1]}: welcome")
        self._token = welcome["token"]

    def _take(self, line: bytes) -> None:
        message = json.loads(line)
        self.noticed += "event" in message and message["name"] in self._others
        id = message.get("id", "").partition(".")[0]
        request = self._asked.get(id)
        super()._take(line)
        if request is None or id in self._asked:
            return
        if self.record.refused.get(id) == "unavailable":
            del self.record.refused[id], self.record.done[id]  # certain: it is not stored; ask again
            self.unavailable += 1
            self.note("unavailable")
            self._asked[id] = request
            time.sleep(0.2)
            self._send(request)
            return
        self.longest = max(self.longest, self.record.done[id] - self.record.sent[id][1])


class _NotNow(Exception):
    """This node does not let us in now."""
