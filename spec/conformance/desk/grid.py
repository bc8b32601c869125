"""Shows the pairs as a grid: text, JSON, CSV, JUnit. The page is in wall.py."""

from __future__ import annotations

import json
from typing import Dict, List, Tuple

from report.machine import junit, table
from report.text import plain
from words import say

from desk.cell import Cell, Grid, percent
from desk.chat import STEPS

__all__ = ["as_csv", "as_json", "as_junit", "as_text", "by_step", "by_team", "reasons", "told"]


def told(cell: Cell) -> str:
    """Say what did not work in a cell; an empty text if everything did."""
    missed = say("not") + " " + ", ".join(say("step " + step) for step in cell.missed) if cell.missed else ""
    return plain(cell.trouble or missed, 400)


def by_team(grid: Grid) -> Dict[str, Dict[str, int]]:
    """Return for each team the percents of its client, of its server, of both, and its scores on the whole test."""
    found: Dict[str, Dict[str, int]] = {}
    for name in grid.names():
        row, column = grid.row(name), grid.column(name)
        sides = {"client": row, "server": column}
        found[name] = {side: percent(cells) for side, cells in sides.items() if cells}
        found[name]["total"] = percent(row + column)
        found[name].update({"%s_score" % kind: score for (kind, one), score in grid.scores.items() if one == name})
    return found


def by_step(grid: Grid) -> Dict[str, int]:
    """Return for each step in how many pairs it works."""
    return {step: sum(step in cell.done for cell in grid.cells.values()) for step in STEPS}


def as_text(grid: Grid) -> str:
    """Return the grid, the totals, and below them what did not work."""
    servers, clients = list(grid.teams.servers), list(grid.teams.clients)
    width = max([len(name) for name in clients] + [len(say("corner"))])
    columns = [max(len(name), 3) for name in servers]
    out = [say("grid-head", clients=len(clients), servers=len(servers), steps=len(STEPS))]
    head = [name.rjust(column) for name, column in zip(servers, columns)]
    out.append("  ".join([say("corner").ljust(width), *head, say("total")]))
    for client in clients:
        cells = [grid.cells.get((client, server)) for server in servers]
        row = [(str(cell.score) if cell else "-").rjust(column) for cell, column in zip(cells, columns)]
        out.append("  ".join([client.ljust(width), *row, "%d %%" % percent(grid.row(client))]))
    totals = [("%d%%" % percent(grid.column(server))).rjust(column) for server, column in zip(servers, columns)]
    out.append("  ".join([say("total").ljust(width), *totals]))
    pairs = len(grid.cells)
    out += ["%s: %d/%d" % (say("step " + step), count, pairs) for step, count in by_step(grid).items()]
    out += [say("score-of", kind=kind, name=name, percent=score) for (kind, name), score in grid.scores.items()]
    out += ["%s %s" % (where, what) for where, what in reasons(grid)]
    full = sum(not cell.missed for cell in grid.cells.values())
    out.append(say("grid-result", full=full, pairs=pairs))
    return "\n".join(out)


def as_json(grid: Grid) -> str:
    """Return the pairs and the totals, in numbers, as one JSON object."""
    document = {
        "protocol": 1,
        "steps": list(STEPS),
        "pairs": [{**cell._asdict(), "score": cell.score, "of": len(STEPS)} for cell in grid.cells.values()],
        "teams": by_team(grid),
        "by_step": by_step(grid),
    }
    return json.dumps(document, ensure_ascii=False, indent=1)


def as_csv(grid: Grid) -> str:
    """Return a row for each pair, under a row of headings: 1 for each step that works, else 0."""
    rows = [
        [cell.client, cell.server, cell.score, *(int(step in cell.done) for step in STEPS), cell.trouble or ""]
        for cell in grid.cells.values()
    ]
    return table(("client", "server", "score", *STEPS, "trouble"), rows)


def as_junit(grid: Grid) -> str:
    """Return a test case for each pair."""
    rows = [
        ("%s/%s" % (cell.server, cell.client), "failed" if cell.missed else "passed", told(cell), "", cell.seconds)
        for cell in grid.cells.values()
    ]
    return junit("matrix", rows)


def reasons(grid: Grid) -> List[Tuple[str, str]]:
    """Return what does not work, in words: who on which servers, and what; the most frequent first."""
    found: Dict[Tuple[str, str], List[str]] = {}
    for cell in grid.cells.values():
        if cell.missed:
            found.setdefault((cell.client, told(cell)), []).append(cell.server)
    ordered = sorted(found.items(), key=lambda item: -len(item[1]))
    return [(say("on-many", client=one, servers=", ".join(servers)), what) for (one, what), servers in ordered]
