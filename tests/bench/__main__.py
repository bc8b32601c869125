"""Measure how fast libtchat and tchat-server are, beside other servers: see README.md in this directory.

Exit status: 0 all was measured, nothing lost, nothing out of order; 1 something was; 2 usage, or no compiler.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from contender import CONTENDERS, ROOT
from load import ROWS, CompilerMissing, Run, build_generator, cores, measure
from micro import measure as measure_parts
from plot import svg
from report import Results, live_tables, machine, micro_table, read, write

QUICK = "tchat,tchat durable,ngircd,redis,two nodes"
PARTS = ["micro", "live", "cluster"]
DEFAULT_OUT = ROOT / "build" / "bench"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; what --quick shortens is what was not given."""
    parser = argparse.ArgumentParser(prog="tests/bench", description="How fast is tchat?")
    parser.add_argument(
        "part", nargs="*", help="micro (inside this process), live (servers), cluster (two nodes); all if not given"
    )
    parser.add_argument("--quick", action="store_true", help=f"in about a minute, less exact; only {QUICK}")
    parser.add_argument("--rounds", type=int, help="how often each live row is measured (3, quick: 1)")
    parser.add_argument("--seconds", type=float, help="how long each live row is measured (1.2, quick: 0.25)")
    parser.add_argument("--connections", type=int, help="for the row of idle connections (5000, quick: 1000)")
    parser.add_argument("--repeats", type=int, help="how often each part is timed (300, quick: 60)")
    parser.add_argument("--only", help="contenders, with commas between: " + ", ".join(CONTENDERS))
    parser.add_argument("--rows", help="live rows: " + ", ".join(row.id for row in ROWS))
    parser.add_argument("--previous", type=Path, metavar="FILE", help="results.json of an earlier run to compare with")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="directory for results.json and plot.svg")
    options = parser.parse_args(arguments)
    for name, usual, quick in (
        ("rounds", 3, 1),
        ("seconds", 1.2, 0.25),
        ("connections", 5000, 1000),
        ("repeats", 300, 60),
    ):
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else usual)
    options.part = options.part or PARTS
    if options.quick and options.only is None:
        options.only = QUICK
    for name, known in (("part", PARTS), ("only", list(CONTENDERS)), ("rows", [row.id for row in ROWS])):
        chosen = getattr(options, name)
        chosen = chosen.split(",") if isinstance(chosen, str) else chosen or known
        if unknown := sorted(set(chosen) - set(known)):
            parser.error(f"unknown: {', '.join(unknown)}; there is {', '.join(known)}")
        setattr(options, name, chosen)
    return options


def main() -> int:
    """Run the benchmark; return the exit status."""
    options = parse()
    try:
        previous = read(options.previous) if options.previous else Results({}, [], [])
        generator = build_generator(options.out) if options.part != ["micro"] else None
    except (CompilerMissing, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    results = Results(machine(), [], [])
    print("; ".join(f"{name}: {value}" for name, value in results.machine.items()))
    if "micro" in options.part:
        results.timings.extend(measure_parts(options.repeats))
        print(f"\n## Inside the process\n\n{micro_table(results.timings, previous.timings)}")
    if generator is not None:
        results.runs.extend(_measure_live(generator, options))
        print(f"\n## Servers\n\n{live_tables(results.runs, previous.runs)}")
    options.out.mkdir(parents=True, exist_ok=True)
    write(options.out / "results.json", results)
    (options.out / "plot.svg").write_text(svg(results.runs))
    print(f"\n{options.out / 'results.json'}, {options.out / 'plot.svg'}")
    return 0 if all(run.is_sound for run in results.runs) else 1


def _measure_live(generator: Path, options: argparse.Namespace) -> list[Run]:
    rows, contenders = [row for row in ROWS if row.id in options.rows and row.part in options.part], []
    for who in options.only:
        if not any(who in row.contenders for row in rows):
            continue
        if CONTENDERS[who].missing:
            print(f"left out: {who} ({CONTENDERS[who].missing})")
        else:
            contenders.append(who)
    if cores() == (None, None):
        print("one core only: servers and generator share it, and ratios say little")
    total = options.rounds * sum(who in contenders for row in rows for who in row.contenders)
    runs = []
    for run in measure(
        generator, rows, contenders, rounds=options.rounds, seconds=options.seconds, connections=options.connections
    ):
        runs.append(run)
        if sys.stderr.isatty():
            print(f"\r{len(runs)}/{total} {run.row}, {run.who}\x1b[K", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    return runs


if __name__ == "__main__":
    sys.exit(main())
