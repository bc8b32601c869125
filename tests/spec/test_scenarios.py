"""The specification's conversations, run four ways: hub alone, over a log that delays and fails, bytes, sockets."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from drivers import CASES, SocketDriver
from harness import Delay, Shell
from hubdriver import WHOLE, HubDriver
from live import serving
from scenario import Run

from libtchat.wire.connection import ServerEnd


class FailingDriver(HubDriver):
    """The same over a log that fails; a client whose request was `unavailable` asks again."""

    def write(self, label: str, data: bytes) -> None:
        for _ in range(100):
            super().write(label, data)
            self.shell.finish()
            received = self.shell.received[self.peers[label]]
            if not (received and received[-1].get("code") == "unavailable"):
                return
            received.pop()
        raise AssertionError("unavailable for ever")


class BytesDriver(HubDriver):
    """Bytes through a connection, cut into chunks of a size (0: whole)."""

    def __init__(self, shell: Shell, chunk: int) -> None:
        super().__init__(shell)
        self.chunk = chunk
        self.connections: dict[str, ServerEnd] = {}

    def open(self, label: str) -> None:
        super().open(label)
        self.connections[label] = ServerEnd()

    def write(self, label: str, data: bytes) -> None:
        size = self.chunk or len(data)
        for start in range(0, len(data), size):
            self.shell.handle(self.peers[label], *self.connections[label].receive(data[start : start + size]))

    def next(self, label: str) -> tuple[Any, float] | None:
        came = super().next(label)
        if came is None:
            return None
        line = json.dumps(came[0], ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        return json.loads(self.connections[label].write(line)), 0.0


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with serving(tmp_path_factory.mktemp("server"), "--broadcasts-per-second", "0") as server:
        yield server.port


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case["id"])
def test_hub_alone(case: dict[str, Any]) -> None:
    Run(case, HubDriver(Shell())).run()


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case["id"])
def test_over_a_log_that_delays(case: dict[str, Any]) -> None:
    for seed in range(2):
        Run(case, HubDriver(Shell(delay=Delay(random.Random(seed), failing=0)))).run()


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case["id"])
def test_over_a_log_that_fails(case: dict[str, Any]) -> None:
    for seed in range(2):
        Run(case, FailingDriver(Shell(delay=Delay(random.Random(seed), most=0, failing=0.4)))).run()


@pytest.mark.parametrize("case", list(CASES.values()), ids=lambda case: case["id"])
def test_bytes(case: dict[str, Any]) -> None:
    for chunk in (1, 7, 0):
        Run(case, BytesDriver(Shell(), chunk)).run()


@pytest.mark.parametrize("case", list(CASES.values()), ids=lambda case: case["id"])
def test_sockets(case: dict[str, Any], port: int) -> None:
    Run(case, SocketDriver(port)).run()
