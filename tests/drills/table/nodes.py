"""Nodes are killed, stopped and frozen."""

from __future__ import annotations

import time

from drills.harness import Drill
from drills.place import Place

__all__ = ["DRILLS"]


def kill(place: Place) -> None:
    node = place.busiest()
    node.kill()
    place.pause(0.5, 1.5)
    node.start()


def restart_in_turn(place: Place) -> None:
    for node in place.nodes:
        place.hits(node)
        begun = time.monotonic()
        node.stop()
        stopped = time.monotonic()
        node.start()
        place.notes.append(f"stopped in {stopped - begun:.1f} s, started in {time.monotonic() - stopped:.1f} s")
        place.pause()


def freeze(place: Place, seconds: float) -> None:
    node = place.busiest()
    node.freeze()
    time.sleep(seconds)
    node.thaw()
    node.waits_until_it_serves()


DRILLS = (
    Drill("kill-node", "kill -9 of the node that most use", kill, is_quick=True),
    Drill("rolling-restart", "one node after the other is stopped and started", restart_in_turn, is_quick=True),
    Drill(
        "sigstop-node-1",
        "the node that most use is frozen for 1 s",
        lambda place: freeze(place, 1),
        hit_seconds=3.0,
        is_quick=True,
    ),
    Drill("sigstop-node-15", "the same for 15 s", lambda place: freeze(place, 15), hit_seconds=20.0, is_refusing=True),
    Drill(
        "sigstop-node-40",
        "the same for 40 s, beyond its lease",
        lambda place: freeze(place, 40),
        hit_seconds=42.0,
        is_refusing=True,
    ),
)
