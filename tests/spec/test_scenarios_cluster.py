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
from live import TIMEOUT_SECONDS, Server, serving
from scenario import Run
from tester import run

from tchat_server.ops.control import asked


def peers_of(case: dict[str, Any]) -> set[str]:
    """Return the labels of a conversation's connections."""
    return {*case.get("hello", ()), *(step["peer"] for step in case["steps"] if "peer" in step)}


SEVERAL = {name: case for name, case in CASES.items() if len(peers_of(case)) > 1}


class SpreadDriver(SocketDriver):
    """Real sockets, by turns to one node and to the other.

    Who went is gone for the other node a moment later (R-op-several-went): it is waited for, as a person would.
    """

    def __init__(self, nodes: tuple[Server, Server], turn: int) -> None:
        super().__init__(nodes[turn].port)
        self._nodes, self._turn = nodes, turn
        self._names: dict[str, str] = {}
        self._settle()  # nobody of an earlier conversation is there

    def open(self, label: str) -> None:
        self.port = self._nodes[self._turn % 2].port
        self._turn += 1
        super().open(label)

    def next(self, label: str) -> tuple[Any, float] | None:
        came = super().next(label)
        if came is None:
            self._left(label)
        elif came[0].get("action") == "server-hello":
            self._names[label] = came[0]["from"]
        return came

    def close(self, label: str) -> None:
        super().close(label)
        self._left(label)

    def _left(self, label: str) -> None:
        self._names.pop(label, None)
        self._settle()

    def _settle(self) -> None:
        """Wait until no node knows of more users than there are."""
        users, deadline = len({*self._names.values()}), time.monotonic() + TIMEOUT_SECONDS
        while any(online(node) > users for node in self._nodes) and time.monotonic() < deadline:
            time.sleep(0.002)


def online(node: Server) -> int:
    """Return how many users are connected, as a node knows."""
    with asked(node.directory / "copy.db.sock", {"act": "who", "here": True}, TIMEOUT_SECONDS) as answer:
        assert answer is not None, "no server listens"
        return int(answer["users"])


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    places = [tmp_path_factory.mktemp(name) for name in ("engine", "here", "there")]
    with engine(places[0]) as found:
        here, there = (
            ("--db", found.url(), "--cache", str(place / "copy.db"), "--broadcasts-per-second", "0")
            for place in places[1:]
        )
        with serving(places[1], *here) as first, serving(places[2], *there) as second:
            yield first, second


@pytest.mark.parametrize("turn", [0, 1], ids=["here first", "there first"])
@pytest.mark.parametrize("case", SEVERAL.values(), ids=SEVERAL)
def test_over_two_nodes(case: dict[str, Any], turn: int, nodes: tuple[Server, Server]) -> None:
    Run(case, SpreadDriver(nodes, turn)).run()


def conforms(nodes: tuple[Server, Server], *chosen: str) -> None:
    done = run("server", *(node.address for node in nodes), *chosen, "--strict")
    assert "Result: conformant (0 MUST failed; 0 SHOULD failed, 0 waiting, 0 skipped)" in done.stdout, done.stdout
    assert done.returncode == 0


def test_the_tester_finds_that_two_nodes_conform(nodes: tuple[Server, Server]) -> None:
    conforms(nodes, "talk")


@pytest.mark.nightly
def test_the_tester_finds_that_two_nodes_conform_in_all(nodes: tuple[Server, Server]) -> None:
    conforms(nodes)
