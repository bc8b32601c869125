"""Nodes and servers of the engine die, freeze and come back under load: nothing acknowledged is lost or doubled.

The drills are in tests/drills; what is compared after each is in tests/support/crash. CI does each quick one once, and
sees on the same cluster that what is wrong would be found.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from attrs import evolve
from drills.__main__ import line, play_inside
from drills.harness import Drill, Stage, all_drills, stage
from drills.network import refusal
from drills.place import Place

NIGHTLY_CYCLES = 100

TOLD_AND_NOT_STORED = """
from pathlib import Path
from tchat_server.store.nats.publisher import Publisher
append, is_first = Publisher.append, any("{directory}" in argument for argument in sys.argv)
async def faulty(self, subject, *args, **more):
    if ".log.g." in subject and is_first and Path({flag!r}).exists():
        return 1
    return await append(self, subject, *args, **more)
Publisher.append = faulty
"""


@pytest.mark.alone
def test_nothing_acknowledged_is_lost_whatever_dies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed, flag = random.SystemRandom().getrandbits(32), tmp_path / "flag"
    quick = {row.name: row for row in all_drills() if row.is_quick}
    prelude = TOLD_AND_NOT_STORED.format(flag=str(flag), directory="node0")
    with stage(tmp_path / "cluster", seed, prelude=prelude) as place:
        for drill in quick.values():
            if drill.name != "sigstop-node-1":
                run(place, drill, 1, seed, capsys)
        stalled = place.run(evolve(quick["sigstop-node-1"], hit_seconds=0.5)).faults
        assert stalled, "a stall is not found"
        assert [fault for fault in stalled if " waited " not in fault] == []
        wrong = place.run(lose(flag)).faults
        for sign in (" lost", " unavailable", " clients were disconnected"):
            assert any(sign in fault for fault in wrong), f"not found:{sign}"


def lose(flag: Path) -> Drill:
    """Return a drill in which a node tells for a moment what it does not store."""

    def act(place: Place) -> None:
        flag.touch()
        time.sleep(0.2)
        flag.unlink()
        time.sleep(0.3)
        place.nodes[0].kill()  # what it told is nowhere
        place.nodes[0].start()

    return Drill("lose", "", act, keeps_clients=True)


@pytest.mark.nightly
@pytest.mark.parametrize("drill", all_drills(), ids=lambda drill: drill.name)
def test_nothing_acknowledged_is_lost_when_it_dies_again_and_again(
    drill: Drill, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if drill.is_parting:
        if why := refusal():
            pytest.skip(f"drills that cut a network not run: this machine allows none of one's own ({why})")
        with capsys.disabled():
            assert play_inside([drill.name], NIGHTLY_CYCLES) == 0
        return
    seed = random.SystemRandom().getrandbits(32)
    with stage(tmp_path / "cluster", seed) as place:
        run(place, drill, NIGHTLY_CYCLES, seed, capsys)


def run(place: Stage, drill: Drill, cycles: int, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Do *drill* so many times; once more where it was only slow: a machine may stall for a moment."""
    begun = time.monotonic()
    found = []
    for _ in range(cycles):
        figures = place.run(drill)
        is_slow = figures.faults and all(" waited " in fault for fault in figures.faults)
        found.append(place.run(drill) if is_slow else figures)
    with capsys.disabled():
        print(f"\n{line(found, str(cycles))} (seed {seed}, {time.monotonic() - begun:.0f} s)", end="")
    assert [fault for figures in found for fault in figures.faults] == [], f"seed {seed}"
