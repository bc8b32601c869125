"""Servers of the engine are stopped, killed and frozen: its leader, a follower, all three."""

from __future__ import annotations

import signal
import time

from drills.harness import Drill
from drills.place import Place
from engine import EngineServer

__all__ = ["DRILLS"]

_ELECTION_SECONDS = 12.0


def end(place: Place, server: EngineServer, number: int, seconds: tuple[float, float]) -> None:
    """End a server, and start it again after a while."""
    server.end(number)
    place.pause(*seconds)
    server.start()
    place.waits_for_the_engine()


def freeze(place: Place, server: EngineServer, seconds: float) -> None:
    """Freeze a server for so long."""
    server.send(signal.SIGSTOP)
    time.sleep(seconds)
    server.send(signal.SIGCONT)
    place.waits_for_the_engine()


def kill_all(place: Place) -> None:
    for server in place.engine.servers:
        server.end()
    for server in place.engine.servers:
        server.start()
    place.waits_for_the_engine()


DRILLS = (
    Drill(
        "sigterm-leader",
        "the engine's leader is stopped in good order",
        lambda place: end(place, place.leader(), signal.SIGTERM, (0.5, 1.5)),
        wait_seconds=1.0,
        keeps_clients=True,
        is_quick=True,
    ),
    Drill(
        "kill-leader",
        "kill -9 of the engine's leader",
        lambda place: end(place, place.leader(), signal.SIGKILL, (0.5, 6.0)),
        wait_seconds=_ELECTION_SECONDS,
        keeps_clients=True,
        is_quick=True,
        is_refusing=True,
    ),
    Drill(
        "kill-follower",
        "kill -9 of a server of the engine that leads nothing",
        lambda place: end(place, place.follower(), signal.SIGKILL, (0.5, 3.0)),
        keeps_clients=True,
    ),
    Drill(
        "kill-all-three",
        "kill -9 of all servers of the engine at once",
        kill_all,
        wait_seconds=2 * _ELECTION_SECONDS,
        is_refusing=True,
    ),
    Drill(
        "sigstop-leader-15",
        "the engine's leader is frozen for 15 s",
        lambda place: freeze(place, place.leader(), 15),
        wait_seconds=_ELECTION_SECONDS,
        keeps_clients=True,
        is_refusing=True,
    ),
    Drill(
        "sigstop-leader-40",
        "the engine's leader is frozen for 40 s",
        lambda place: freeze(place, place.leader(), 40),
        wait_seconds=_ELECTION_SECONDS,
        keeps_clients=True,
        is_refusing=True,
    ),
)
