"""The specification's conversations with their peers spread over two nodes that are one server, both ways round.

Those of one peer have nothing to spread: the tester holds them at each of the nodes, some here, and all nightly.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from drivers import CASES, SocketDriver
from engine import engine
from live import serving
from scenario import Run
from tester import run


def peers_of(case: dict[str, Any]) -> set[str]:
    """Return the labels of a conversation's connections."""
    return {*case.get("hello", ()), *(step["peer"] for step in case["steps"] if "peer" in step)}


_MOMENT_SECONDS = 0.05
"""Who went is gone for the other node a moment after the connection is closed: nobody waits for that."""

SEVERAL = {name: case for name, case in CASES.items() if len(peers_of(case)) > 1}


class SpreadDriver(SocketDriver):
    """Real sockets, by turns to one node and to the other."""

    def __init__(self, ports: tuple[int, int], turn: int) -> None:
        super().__init__(ports[turn])
        self._ports, self._turn, self._written = ports, turn, b""

    def open(self, label: str) -> None:
        self.port = self._ports[self._turn % 2]
        self._turn += 1
        super().open(label)

    def next(self, label: str) -> tuple[Any, float] | None:
        while (came := super().next(label)) is not None and self._is_of_before(came[0]):
            pass
        if came is None:
            time.sleep(_MOMENT_SECONDS)
        return came

    def write(self, label: str, data: bytes) -> None:
        self._written += data
        super().write(label, data)

    def _is_of_before(self, message: Any) -> bool:
        """Tell whether somebody of an earlier conversation went: that is told by the other node a moment later."""
        return message.get("event") == "disconnect" and message["name"].encode() not in self._written

    def close(self, label: str) -> None:
        super().close(label)
        time.sleep(_MOMENT_SECONDS)


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    places = [tmp_path_factory.mktemp(name) for name in ("engine", "here", "there")]
    with engine(places[0]) as found:
        here, there = (
            ("--db", found.url(), "--cache", str(place / "copy.db"), "--broadcasts-per-second", "0")
            for place in places[1:]
        )
        with serving(places[1], *here) as first, serving(places[2], *there) as second:
            yield first.port, second.port


@pytest.mark.parametrize("turn", [0, 1], ids=["here first", "there first"])
@pytest.mark.parametrize("case", SEVERAL.values(), ids=SEVERAL)
def test_over_two_nodes(case: dict[str, Any], turn: int, ports: tuple[int, int]) -> None:
    Run(case, SpreadDriver(ports, turn)).run()


def conforms(ports: tuple[int, int], *chosen: str) -> None:
    done = run("server", *(f"127.0.0.1:{port}" for port in ports), *chosen, "--strict")
    assert "Result: conformant (0 MUST failed; 0 SHOULD failed, 0 waiting, 0 skipped)" in done.stdout, done.stdout
    assert done.returncode == 0


def test_the_tester_finds_that_two_nodes_conform(ports: tuple[int, int]) -> None:
    conforms(ports, "talk")


@pytest.mark.nightly
def test_the_tester_finds_that_two_nodes_conform_in_all(ports: tuple[int, int]) -> None:
    conforms(ports)
