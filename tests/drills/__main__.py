"""Run every drill, or those named, so many times each, and print a table: `make drills CYCLES=10 ONLY="name name"`."""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from drills.harness import Drill, Figures, Stage, all_drills, stage
from drills.network import Network, inside, refusal

HEAD = ("drill", "cycle", "accepted", "lost", "doubled", "gaps", "hit", "others", "verdict")
ROW = "{:<24} {:>7} {:>9} {:>5} {:>8} {:>5} {:>7} {:>7}  {}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="drills", description=__doc__)
    parser.add_argument("names", nargs="*", help="drills; all if none is named")
    parser.add_argument("--cycles", type=int, default=10, help="how often each is done")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    parser.add_argument(
        "--parting", action="store_true", help="those that cut a network, in this one: see drills.network"
    )
    asked = parser.parse_args()
    rows = [row for row in all_drills() if not asked.names or row.name in asked.names]
    if unknown := set(asked.names) - {row.name for row in rows}:
        parser.error(f"no such drill: {', '.join(sorted(unknown))}")
    here = [row for row in rows if row.is_parting == asked.parting]
    faults = play(here, asked.cycles, asked.seed, Network() if asked.parting else None) if here else 0
    parting = [row.name for row in rows if row.is_parting]
    if parting and not asked.parting:
        faults += play_inside(parting, asked.cycles)
    return min(faults, 1)


def play(rows: list[Drill], cycles: int, seed: int, network: Network | None) -> int:
    """Run drills on one cluster; return in how many cycles something was wrong."""
    print(f"seed {seed}; longest waits in seconds: of who used the node that was hit, and of the others")
    print(ROW.format(*HEAD), flush=True)
    sums: list[str] = []
    faults = 0
    with tempfile.TemporaryDirectory() as directory, stage(Path(directory) / "cluster", seed, network=network) as place:
        for row in rows:
            found = [show(place, row, number) for number in range(1, cycles + 1)]
            faults += sum(bool(figures.faults) for figures in found)
            sums.append(sum_up(found))
    print("\n" + ROW.format(*HEAD), *sums, sep="\n", flush=True)
    return faults


def play_inside(names: list[str], cycles: int) -> int:
    """Run drills that cut a network in one of their own."""
    if why := refusal():
        print(f"NOT RUN, this machine allows no network of one's own ({why}): {', '.join(names)}")
        return 0
    print(flush=True)
    command = inside("-m", "drills", "--parting", "--cycles", str(cycles), *names)
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}).returncode


def show(place: Stage, row: Drill, number: int) -> Figures:
    """Run one cycle and print its line."""
    figures = place.run(row)
    print(line([figures], str(number)), flush=True)
    return figures


def sum_up(found: list[Figures]) -> str:
    """Return the line of all cycles of one drill: sums, and the longest stalls."""
    return line(found, str(len(found)))


def line(found: list[Figures], cycle: str) -> str:
    verdicts = [figures.verdict for figures in found]
    counts = [sum(getattr(it, name) for it in verdicts) for name in ("accepted", "lost", "duplicated", "gaps")]
    stalls = [f"{max(stall):.1f}" for stall in ([it.hit for it in found], [it.wait for it in found])]
    faults = [text for figures in found for text in figures.faults]
    unavailable = sum(figures.unavailable for figures in found)
    notes = [f"{unavailable} unavailable"] if unavailable else []
    notes += found[0].notes if len(found) == 1 else []
    said = "; ".join(faults) or "holds"
    said += f" ({'; '.join(notes)})" if notes else ""
    return ROW.format(found[0].name, cycle, *counts, *stalls, said)


if __name__ == "__main__":
    raise SystemExit(main())
