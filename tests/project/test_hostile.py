"""The short form of every attack in tests/hostile, and a check that the harness can fail."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile.harness import Attack, Field, Stage, all_attacks, run

pytestmark = pytest.mark.alone

STALL = """
import time
from tchat_server import server
tick = server.Server._tick
def slow(self):
    if any(peer.host == "127.0.0.2" for peer in self._peers.values()):
        time.sleep(1.0)
    tick(self)
server.Server._tick = slow
"""


def in_stages() -> list[Attack]:
    """Return the attacks that have a short form, those together that may use one server."""
    attacks = sorted(
        [it for it in all_attacks() if it.quick is not None], key=lambda it: it.rss_mib
    )  # the largest last
    return [
        attack for stage in dict.fromkeys(it.stage for it in attacks) for attack in attacks if attack.stage == stage
    ]


class Theatre:
    """Has one stage at a time."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._kind: object = None
        self._stage: Stage | None = None

    def run(self, attack: Attack) -> list[str]:
        """Run *attack* on the stage of the last one if that will do, else on a new one; return its faults."""
        if self._stage is None or self._kind != attack.stage:
            self.close()
            self._kind, self._stage = attack.stage, Stage(attack, self._factory.mktemp("stage"))
        return self._stage.run(attack).faults

    def close(self) -> None:
        """End the stage, which must not have failed."""
        stage, self._stage = self._stage, None
        assert stage is None or stage.end() == []

    def drop(self) -> None:
        """End the stage, however it is."""
        stage, self._stage = self._stage, None
        if stage is not None:
            stage.end()


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    theatre = Theatre(tmp_path_factory)
    yield theatre
    theatre.close()


@pytest.mark.parametrize("attack", in_stages(), ids=lambda attack: attack.name)
def test_nobody_starves_the_others(attack: Attack, theatre: Theatre) -> None:
    for _ in range(2):  # a machine may stall for a moment; a server that makes others wait does it again
        if not (faults := theatre.run(attack)):
            return
        theatre.drop()
        if any("p99" not in fault and "worst" not in fault for fault in faults):
            break
    assert faults == []


def stall(field: Field) -> None:
    field.client(host=2).sock.close()
    time.sleep(1.5)


def kill(field: Field) -> None:
    time.sleep(0.5)
    field.server.kill()


def test_a_server_that_stalls_for_a_second_is_noticed(tmp_path: Path) -> None:
    faults = run(Attack("stall", "", stall, prelude=STALL), tmp_path).faults
    assert any(fault.startswith("p99") for fault in faults), faults


def test_a_server_that_ends_is_noticed(tmp_path: Path) -> None:
    faults = run(Attack("kill", "", kill), tmp_path).faults
    assert any(fault.startswith("the server ended") for fault in faults), faults
