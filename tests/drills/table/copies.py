"""A node's own copy is deleted, cut, or another chat's: while the node is down, and while it runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from drills.harness import Drill
from drills.place import Place

__all__ = ["DRILLS"]


def delete(copy: Path) -> None:
    copy.unlink()


def cut(copy: Path) -> None:
    with copy.open("r+b") as file:
        file.truncate(copy.stat().st_size // 2)


def while_down(place: Place, harm: Callable[[Path], None]) -> None:
    node = place.busiest()
    node.kill()
    harm(node.copy)
    node.start()


def while_up(place: Place, harm: Callable[[Path], None]) -> None:
    """Harm the copy of a node that runs: it says once what it is, and begins anew by itself."""
    node = place.busiest()
    said = len(node.log())
    harm(node.copy)
    node.waits_for("begins anew", said)
    node.waits_until_it_serves()
    assert node.log()[said:].count("nothing can be stored") == 1, node.log()[said:]


def make_foreign(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("UPDATE followed SET identity = 'another'")
        connection.commit()


def foreign(place: Place) -> None:
    """Have a node find another chat's copy: it refuses to start, in one line."""
    node = place.busiest()
    node.kill()
    make_foreign(node.copy)
    said = len(node.log())
    node.start_in_vain()
    assert "is the copy of another chat" in node.log()[said:].splitlines()[-1], node.log()[said:]
    node.copy.unlink()
    node.start()


DRILLS = (
    Drill("copy-deleted", "a node is killed, and finds no copy", lambda place: while_down(place, delete)),
    Drill("copy-cut", "a node is killed, and finds half of its copy", lambda place: while_down(place, cut)),
    Drill("copy-foreign", "a node is killed, and finds the copy of another chat", foreign),
    Drill("copy-deleted-running", "the copy of a node that runs is deleted", lambda place: while_up(place, delete)),
    Drill(
        "copy-cut-running",
        "the copy of a node that runs is cut to half",
        lambda place: while_up(place, cut),
        is_quick=True,
        is_refusing=True,  # what was cut off may be asked for before that is seen
    ),
)
