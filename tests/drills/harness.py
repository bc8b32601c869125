"""One drill at a time on a cluster under load; what everybody was told is compared after each cycle.

The invariant of every drill: nothing acknowledged is lost, doubled or out of order, nothing that is told is older than
what was acknowledged before, and nobody waits longer for an answer than the row says. A drill is a row (`Drill`) in a
module of `drills.table`; all that are run share one `Stage`.
"""

from __future__ import annotations

import importlib
import pkgutil
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from attrs import define, field, frozen
from crash.checker import Checker, Verdict
from crash.nodes import NodeWriter
from drills.network import Network
from drills.place import Place
from engine import engine

__all__ = ["Drill", "Figures", "Stage", "all_drills", "stage"]


@frozen
class Drill:
    """One row of the table.

    Attributes:
        name: kebab-case, unique; what `make drills ONLY=` takes.
        what: one line for people: what is done.
        act: does it, and returns when everything is there again.
        hit_seconds: how long somebody may wait for an answer who used the node that was hit.
        wait_seconds: how long everybody else may.
        is_quick: it is run once in CI.
        keeps_clients: nobody is disconnected, and nobody is told that somebody came or went.
        is_parting: it cuts a network: each machine needs one of its own (see `drills.network`).
        is_refusing: `unavailable` may be answered: else everything asked is done.
    """

    name: str
    what: str
    act: Callable[[Place], None]
    hit_seconds: float = 2.0
    wait_seconds: float = 2.0
    is_quick: bool = False
    is_refusing: bool = False
    keeps_clients: bool = False
    is_parting: bool = False


@define
class Figures:
    """What one cycle showed; *faults* is empty if all is well.

    *hit* and *wait*: the longest anybody waited for an answer who used the node that was hit, or did not.
    """

    name: str
    verdict: Verdict
    hit: float = 0.0
    wait: float = 0.0
    unavailable: int = 0
    notes: Sequence[str] = ()
    faults: list[str] = field(factory=list)


def all_drills() -> list[Drill]:
    """Return the rows of every module in `drills.table`, in the order of the modules' names."""
    import drills.table as package

    modules = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return [row for name in modules for row in importlib.import_module(f"drills.table.{name}").DRILLS]


class Stage:
    """A cluster under load on which drills are run one after the other."""

    def __init__(self, place: Place) -> None:
        self._place, self._checker = place, Checker()
        self._read = [0 for _ in place.nodes]
        place.quiet()
        verdict = self._checker.check(place.records(), place.newer({})[0])  # what was asked while it began
        assert verdict.is_good, str(verdict)

    def run(self, drill: Drill) -> Figures:
        """Run one cycle of *drill*, and judge it."""
        place = self._place
        place.go_on()
        place.pause()
        broken = ""
        try:
            drill.act(place)
            place.pause()
        except (AssertionError, OSError) as error:
            broken = f"the drill failed: {error!r}"
        place.quiet()
        figures = self._figures(drill)
        figures.faults += [broken] if broken else []
        return figures

    def _figures(self, drill: Drill) -> Figures:
        place = self._place
        hit = [writer for writer in place.writers if writer in place.hit]
        others = [writer for writer in place.writers if writer not in place.hit]
        longest, wait = (max((writer.longest for writer in some), default=0.0) for some in (hit, others))
        unavailable = sum(writer.unavailable for writer in place.writers)
        faults = [*self._too_long(hit, drill.hit_seconds), *self._too_long(others, drill.wait_seconds)]
        disconnected = sum(writer.disconnections for writer in place.writers)
        noticed = sum(writer.noticed for writer in place.writers)
        records = place.records()  # before somebody joins to read the logs
        first, *more = place.newer(self._checker.lengths())
        verdict = self._checker.check(records, first)
        for number, log in enumerate(more, 1):
            unlike = [group for group in first if first[group] != log[group][: len(first[group])]]
            faults += [f"node 0 and node {number} have different histories of {', '.join(unlike)}"] if unlike else []
        faults += [f"{count} {name}" for name, count in verdict.wrong.items()]
        faults += [*verdict.faults, *verdict.examples][:3]
        faults += [] if drill.is_refusing or not unavailable else [f"{unavailable} times unavailable"]
        if drill.keeps_clients and (disconnected or noticed):
            faults.append(f"{disconnected} clients were disconnected, {noticed} presence notices came")
        faults += [] if verdict.accepted > 20 else [f"nothing goes on: {verdict.accepted} accepted"]
        faults += self._said_by_nodes()
        notes, place.notes = place.notes, []
        return Figures(drill.name, verdict, longest, wait, unavailable, notes, faults)

    def _too_long(self, writers: Iterable[NodeWriter], bound: float) -> Iterator[str]:
        for writer in writers:
            if writer.longest > bound:
                trail = [(round(at - writer.trail[-1][0], 1), what) for at, what in [*writer.trail][-12:]]
                yield f"{writer.name} waited {writer.longest:.1f} s, {bound:g} allowed: {trail}"

    def _said_by_nodes(self) -> Iterator[str]:
        """Yield what of the nodes' logs is a fault: a traceback, or a fault that they call their own."""
        for number, node in enumerate(self._place.nodes):
            said, before = node.log(), self._read[number]
            self._read[number] = len(said)
            for sign in ("Traceback", "internal error"):
                if sign in said[before:]:
                    yield f"node {number} says: {said[before:][-1500:]}"
                    break


@contextmanager
def stage(directory: Path, seed: int, *, prelude: str = "", network: Network | None = None) -> Iterator[Stage]:
    """Run a cluster, and end it.

    Args:
        prelude: Python for the nodes' processes, to plan a fault.
        network: between machines, if each is to have its own.
    """
    machines = [network.machines[f"e{number}"] for number in range(3)] if network is not None else []
    with ExitStack() as stack:
        found = stack.enter_context(engine(directory, 3, machines=machines))
        place = Place(directory, found, stack, random.Random(seed), prelude=prelude, network=network)
        yield Stage(place)
        place.finish()
