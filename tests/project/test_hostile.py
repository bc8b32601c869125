"""The short form of every attack in tests/hostile, and a check that the harness can fail."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hostile.harness import Attack, Field, all_attacks, run

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


@pytest.mark.parametrize("attack", all_attacks(), ids=lambda attack: attack.name)
def test_nobody_starves_the_others(attack: Attack, tmp_path: Path) -> None:
    for name in ("first", "again"):  # a machine may stall for a moment; a server that makes others wait does it again
        (directory := tmp_path / name).mkdir()
        faults = run(attack, directory).faults
        if not faults or any("p99" not in fault and "worst" not in fault for fault in faults):
            break
    assert faults == []


def stall(field: Field) -> None:
    field.client().sock.close()
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
