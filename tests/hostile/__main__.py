"""Run the long form of every attack, or of those named, and print a table: `make hostile ONLY="name name"`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from hostile.harness import MIB, Figures, all_attacks, run

HEAD = ("attack", "p99 before", "during", "worst", "RSS before", "peak", "after", "done", "verdict")
ROW = "{:<32} {:>10} {:>8} {:>8} {:>10} {:>6} {:>6} {:>9}  {}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="hostile", description=__doc__)
    parser.add_argument("names", nargs="*", help="attacks; all if none is named")
    parser.add_argument("--quick", action="store_true", help="the short forms, as pytest runs them")
    asked = parser.parse_args()
    rows = [row for row in all_attacks() if not asked.names or row.name in asked.names]
    rows = [row for row in rows if row.quick is not None or not asked.quick]
    if unknown := set(asked.names) - {row.name for row in rows}:
        parser.error(f"no such attack: {', '.join(sorted(unknown))}")
    print(ROW.format(*HEAD), flush=True)
    faults = 0
    for row in rows:
        with tempfile.TemporaryDirectory() as directory:
            figures = run(row, Path(directory), is_long=not asked.quick)
        print(line(figures), flush=True)
        faults += len(figures.faults)
    return min(faults, 1)


def line(it: Figures) -> str:
    times = [f"{seconds * 1000:.1f} ms" for seconds in (it.quiet_p99, it.p99, it.worst)]
    sizes = [f"{size / MIB:.0f}M" for size in (it.rss_before, it.rss_peak, it.rss_after)]
    return ROW.format(it.name, *times, *sizes, "" if it.done is None else it.done, "; ".join(it.faults) or "holds")


if __name__ == "__main__":
    raise SystemExit(main())
