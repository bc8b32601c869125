"""Results as a file that can be compared with a later one, and as tables for people (Markdown)."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen
from load import ROWS, Mode, Row, Run
from micro import Timing

__all__ = ["ANCHOR", "Results", "best", "live_tables", "micro_table", "read", "write"]

ANCHOR = "ngircd"
BUSY_SHARE = 0.9
"""Of a core, used by the generator: above it the row says how fast the generator is, not the server."""


@frozen
class Results:
    """All that one run of the benchmark found."""

    machine: dict[str, str]
    timings: list[Timing]
    runs: list[Run]


def machine() -> dict[str, str]:
    """Say on what was measured."""
    cpu = platform.processor()
    if (info := Path("/proc/cpuinfo")).exists():
        models = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = models[0] if models else cpu
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": f"{os.cpu_count()} x {cpu}",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "load": f"{os.getloadavg()[0]:.1f}",
        "orjson": _version("orjson"),
        "uvloop": _version("uvloop"),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def write(file: Path, results: Results) -> None:
    """Write *results* as JSON."""
    file.write_text(json.dumps(attrs.asdict(results), indent=1) + "\n")


def read(file: Path) -> Results:
    """Read what `write` wrote.

    Raises:
        ValueError: the file is something else.
    """
    try:
        found: dict[str, Any] = json.loads(file.read_text())
        timings = [Timing(**timing) for timing in found["timings"]]
        return Results(found["machine"], timings, [Run(**run) for run in found["runs"]])
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{file} holds no results of this benchmark") from None


def micro_table(timings: Sequence[Timing], previous: Sequence[Timing] = ()) -> str:
    """Return what every part costs; with *previous* also how much faster it got."""
    before = {timing.id: min(timing.samples) / min(timing.reference) for timing in previous}
    rows = []
    for timing in timings:
        ratio = min(timing.samples) / min(timing.reference)
        row = [
            timing.title,
            f"{min(timing.samples):,.2f}",
            f"{statistics.median(timing.samples):,.2f}",
            f"{ratio:,.1f}",
        ]
        if previous:
            row.append(f"{before[timing.id] / ratio:.2f}" if timing.id in before else "-")
        rows.append(row)
    return _table(["", "best, us", "median, us", "x reference", *(["x previous"] if previous else [])], rows)


@frozen
class Column:
    """One figure of a table: the median over the rounds and, if it is `compared`, the best of them and its ratios."""

    title: str
    figure: str
    digits: int = 0
    compared: bool = False
    factor: float = 1.0
    higher_is_better: bool = False


_COST = (Column("server CPU", "server_share", 2), Column("generator CPU", "generator_share", 2))
_PEAK = Column("peak MB", "peak_kb", factor=1 / 1024)
_WAIT = (Column("p50, us", "p50_us", compared=True), Column("p99, us", "p99_us", compared=True))


def _rate(title: str, figure: str) -> Column:
    return Column(title, figure, compared=True, higher_is_better=True)


# The first column is a row's main figure, that of the plot and the notes.
_COLUMNS: dict[Mode, tuple[Column, ...]] = {
    "saturate": (
        _rate("deliveries/s", "deliveries_per_second"),
        Column("CPU ns each", "server_ns_each", compared=True),
        *_COST,
        Column("deliveries a read", "deliveries_per_read"),
        _PEAK,
    ),
    "pace": (*_WAIT, *_COST, _PEAK),
    "contend": (
        _rate("events/s", "events_per_second"),
        Column("least share of a node", "least_share", 2),
        *_WAIT,
        *_COST,
    ),
    "record": (
        _rate("records/s", "records_per_second"),
        Column("write, CPU us", "write_us", compared=True),
        Column("follow, CPU us", "follow_us", compared=True),
        Column("engine, CPU us", "engine_us", compared=True),
    ),
    "ask": (_rate("questions/s", "asks_per_second"), Column("CPU us each", "server_us_each", 1, True), *_WAIT, *_COST),
    "connect": (
        _rate("connections/s", "connects_per_second"),
        Column("CPU us each", "server_us_each", compared=True),
        Column("KB each", "kb_each", 2, compared=True),
        *_WAIT,
        *_COST,
    ),
}


def best(runs: Sequence[Run], row: str, who: str, column: Column | None = None) -> float | None:
    """Return the best figure of one contender in one row, by default the row's main one; None: there is none."""
    if column is None:
        column = _COLUMNS[next(each.mode for each in ROWS if each.id == row)][0]
    figures = [run.figures[column.figure] for run in runs if (run.row, run.who) == (row, who) and not run.error]
    return (max if column.higher_is_better else min)(figures) if figures else None


def live_tables(runs: Sequence[Run], previous: Sequence[Run] = ()) -> str:
    """Return one table per row that was measured."""
    return "\n\n".join(
        f"### {row.title}\n\n{_live_table(row, runs, previous)}"
        for row in ROWS
        if any(run.row == row.id for run in runs)
    )


def _live_table(row: Row, runs: Sequence[Run], previous: Sequence[Run]) -> str:
    titles, lines, is_anchored = [""], list[list[str]](), ANCHOR in row.contenders
    for column in _COLUMNS[row.mode]:
        ratios = [*([f"x {ANCHOR}"] if is_anchored else []), *(["x previous"] if previous else [])]
        compared = ratios if column.compared else []
        titles.extend([column.title, *compared])
    for who in row.contenders:
        mine = [run for run in runs if (run.row, run.who) == (row.id, who)]
        if not mine:
            continue
        cells = [who]
        for column in _COLUMNS[row.mode]:
            cells.append(_cell(column, [run.figures for run in mine if not run.error]))
            if column.compared:
                figure = best(runs, row.id, who, column)
                if is_anchored:
                    cells.append(_ratio(figure, best(runs, row.id, ANCHOR, column)))
                if previous:
                    cells.append(_ratio(figure, best(previous, row.id, who, column)))
        lines.append([*cells, _verdict(mine)])
    return "\n".join([_table([*titles, "lost, disordered"], lines), *_notes(row, runs)])


def _cell(column: Column, figures: Sequence[dict[str, float]]) -> str:
    values = [each[column.figure] * column.factor for each in figures]
    if not values:
        return "-"
    shown = f"{statistics.median(values):,.{column.digits}f}"
    if column.compared and len(values) > 1:
        shown += f" [{(max if column.higher_is_better else min)(values):,.{column.digits}f}]"
    return shown


def _ratio(value: float | None, of: float | None) -> str:
    return f"{value / of:.2f}" if value and of else "-"


def _verdict(runs: Sequence[Run]) -> str:
    if errors := [run.error for run in runs if run.error]:
        return f"FAILED: {errors[0]}"
    if not all("lost" in run.figures for run in runs):
        return "no messages" + _busy(runs)
    lost, disordered = (sum(int(run.figures[name]) for run in runs) for name in ("lost", "disordered"))
    return f"{lost}, {disordered}" + _busy(runs)


def _busy(runs: Sequence[Run]) -> str:
    is_busy = max(run.figures["generator_share"] for run in runs) > BUSY_SHARE
    return " (the generator was the limit)" if is_busy else ""


def _notes(row: Row, runs: Sequence[Run]) -> Iterator[str]:
    """Compare rows with one another, where that is what a row is for."""
    notes: dict[str, Callable[[], Iterator[str]]] = {
        "stalled-100": lambda: (
            f"{who}: {_ratio(best(runs, row.id, who), best(runs, 'fan-100', who))} x its rate when all read"
            for who in row.contenders
        ),
        "pace-10": lambda: (
            f"{who}: {1e-3 * (durable - memory):+.2f} ms p99 with SQLite"
            for who in ("tchat",)
            if (durable := best(runs, row.id, f"{who} durable", _WAIT[1]))
            and (memory := best(runs, row.id, who, _WAIT[1]))
        ),
    }
    if row.id in notes:
        found = [note for note in notes[row.id]() if ": - " not in note]
        if found:
            yield ""
            yield "Best of the rounds: " + "; ".join(found) + "."


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in (titles, *rows)) for i in range(len(titles))]

    def line(cells: Sequence[str]) -> str:
        name, *figures = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join([name.strip().ljust(widths[0]), *figures])} |"

    rule = "|".join("-" * (width + 1) + ":" for width in widths[1:])
    return "\n".join([line(titles), f"|{'-' * (widths[0] + 2)}|{rule}|", *map(line, rows)])
