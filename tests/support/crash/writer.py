"""A client that never gives up: it asks by id until it is answered, and keeps a record of all it is told."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from attrs import define, field, frozen
from live import Client

__all__ = ["GROUPS", "Address", "Heard", "Record", "Writer", "events_of"]

Json = dict[str, Any]
GROUPS = tuple(f"group{n}" for n in range(5))
_TIMEOUT_SECONDS = 60.0
_WINDOW = 6
_WEIGHTS = {
    "gbroadcast": 60,
    "join": 12,
    "leave": 4,
    "cgroupe": 4,
    "invite": 6,
    "kick": 5,
    "ban": 3,
    "unban": 6,
    "members": 4,
}


@define
class Address:
    """Where the server is now; None while there is none."""

    port: int | None = None
    changed: threading.Condition = field(factory=threading.Condition)

    def move(self, port: int | None) -> None:
        with self.changed:
            self.port = port
            self.changed.notify_all()

    def wait(self) -> int:
        with self.changed:
            assert self.changed.wait_for(lambda: self.port is not None, _TIMEOUT_SECONDS), "no server came"
            assert self.port is not None
            return self.port


@frozen
class Heard:
    """An event as it came over a connection, which has a number; *is_repeated*: it may have come before."""

    connection: int
    group: str
    seq: int
    line: bytes
    is_repeated: bool = False


@define
class Record:
    """What one client, of that *name*, was told.

    Attributes:
        accepted: id -> the event as it came, for each request that made one.
        refused: id -> the code, or "repeated" for an invitation there was already.
        listed: id -> the seq of the list of members that came.
        heard: every event, of oneself and of others.
        sent: id -> the request, and when it was sent first.
        done: id -> when it was answered.
        faults: what was wrong at once, one sentence each.
        retried: how many requests were sent more than once.
    """

    name: str = ""
    accepted: dict[str, bytes] = field(factory=dict)
    refused: dict[str, str] = field(factory=dict)
    listed: dict[str, int] = field(factory=dict)
    heard: list[Heard] = field(factory=list)
    sent: dict[str, tuple[Json, float]] = field(factory=dict)
    done: dict[str, float] = field(factory=dict)
    faults: list[str] = field(factory=list)
    retried: int = 0

    @property
    def answers(self) -> int:
        return len(self.accepted) + len(self.refused) + len(self.listed)


class Writer(threading.Thread):
    """One user who creates, joins, talks, kicks...; `finish` lets what is asked be answered, then ends."""

    def __init__(self, number: int, users: int, address: Address, seed: int) -> None:
        super().__init__(name=f"writer{number}", daemon=True)
        self.record = Record(self.name)
        self.error: BaseException | None = None
        self._others = [f"writer{n}" for n in range(users) if n != number]
        self._random = random.Random(f"{seed}/{number}")
        self._address = address
        self._is_finishing = False
        self._asked: dict[str, Json] = {}
        self._pinged: Counter[str] = Counter()
        self._resent: set[str] = set()
        self._joined: set[str] = set()
        self._last: dict[str, int] = {}
        self._connections = 0
        self._socket: socket.socket | None = None
        self._buffer = b""

    def finish(self) -> None:
        self._is_finishing = True

    def run(self) -> None:
        try:
            while self._asked or not self._is_finishing:
                try:
                    if self._socket is None:
                        self._connect()
                    while len(self._asked) < _WINDOW and self._may_ask():
                        self._ask()
                    self._take(self._line())
                except OSError:
                    self._hang_up()
        except BaseException as error:  # noqa: BLE001 - told to the test, which fails with it
            self.error = error
        finally:
            self._hang_up()

    def _may_ask(self) -> bool:
        return not self._is_finishing

    def _connect(self) -> None:
        self._dial(("127.0.0.1", self._address.wait()), _TIMEOUT_SECONDS)
        self._send({"action": "client-hello", "from": self.name})
        self._welcomed(json.loads(self._line()))

    def _dial(self, address: tuple[str, int], seconds: float) -> None:
        self._socket = socket.create_connection(address, seconds)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections += 1

    def _welcomed(self, welcome: Json) -> None:
        """Compare with what was heard before, and ask once more what was not answered."""
        assert welcome["action"] == "server-hello", welcome
        self._joined = set(welcome["groups"])
        for group, seq in welcome["seqs"].items():
            if seq < self._last.get(group, 0):
                self.record.faults.append(f"{self.name} heard {group} {self._last[group]}, the server is at {seq}")
        self._resent = set(self._asked)
        self.record.retried += len(self._resent)
        for request in self._asked.values():
            self._send(request)

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, self._buffer = None, b""

    def _ask(self) -> None:
        (action,) = self._random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
        group = self._random.choice(sorted(self._joined) if self._joined and action != "join" else GROUPS)
        id = f"{self._random.getrandbits(96):024x}"
        request: Json = {"action": action, "group": group, "id": id}
        if action == "cgroupe":
            request["group"] = self._random.choice(GROUPS)
        elif action == "gbroadcast":
            request["msg"] = f'{self._random.random()} "é" \u2028' * self._random.choice((1, 1, 1, 40))
        elif action not in ("join", "leave", "members"):
            request["dest"] = self._random.choice(self._others)
        self._asked[id] = request
        self.record.sent[id] = request, time.monotonic()
        self._send(request)

    def _send(self, request: Json) -> None:
        assert self._socket is not None
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        if request["action"] == "invite":  # an old invitation is answered with its own id: the ping tells it is over
            self._pinged[request["id"]] += 1
            ping = f"{request['id']}.{self._pinged[request['id']]}"  # not one of an earlier try
            self._socket.sendall(b'{"action":"ping","id":"%b"}\n' % ping.encode())

    def _line(self) -> bytes:
        assert self._socket is not None
        while b"\r\n" not in self._buffer:
            data = self._socket.recv(1 << 16)
            if not data:
                raise ConnectionResetError
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def _take(self, line: bytes) -> None:
        message = json.loads(line)
        action, id = message["action"], message.get("id")
        if action == "ping" and id is not None:
            id, _, number = id.partition(".")
            if number != str(self._pinged[id]):
                return
        if "seq" in message and action != "members":
            self._hear(line, message)
        if id not in self._asked:
            return
        request = self._asked.pop(id)
        self.record.done[id] = time.monotonic()
        if action == "members":
            self.record.listed[id] = message["seq"]
        elif action == "error":
            self.record.refused[id] = message["code"]
            if message["code"] in ("not-member", "banned"):
                self._joined.discard(request["group"])
        elif action == "ping":
            self.record.refused[id] = "repeated"
        else:
            self.record.accepted[id] = line
            if action in ("cgroupe", "join"):
                self._joined.add(message["group"])
            elif action == "leave":
                self._joined.discard(message["group"])

    def _hear(self, line: bytes, message: Json) -> None:
        group, seq, last = message["group"], message["seq"], self._last.get(message["group"], 0)
        is_repeated = message["action"] == "invite" or message.get("id") in self._resent
        self.record.heard.append(Heard(self._connections, group, seq, line, is_repeated))
        if seq > last:
            self._last[group] = seq
        elif not is_repeated:
            self.record.faults.append(f"{self.name} heard {group} {seq} after {last}")


def raw_events(page: bytes) -> Iterator[bytes]:
    """Yield the entries of a page of `states` byte by byte as they are in it."""
    text = page.decode()
    at = text.index('"list":[') + len('"list":[')
    decoder = json.JSONDecoder()
    with contextlib.suppress(ValueError):
        while text[at] != "]":
            _, end = decoder.raw_decode(text, at)
            yield text[at:end].encode()
            at = end + (text[end] == ",")


def events_of(auditor: Client, group: str, after: int = 0) -> Iterator[bytes]:
    """Yield the log of a group, beyond event *after*, as somebody who joins in the end can read it."""
    answer = auditor.ask(action="join", group=group)
    more = answer.get("code") != "group-not-found"
    while more:
        auditor.send(action="states", group=group, all=True, after=after, limit=1000)
        while (line := auditor.line()) is not None and b'"action":"states"' not in line:
            pass
        assert line is not None, f"no page of {group}"
        yield from raw_events(line)
        page = json.loads(line)
        more, after = page["more"], page["last"]
