"""Shows the pairs of matrix.py as a grid: text, JSON, a page."""

from __future__ import annotations

import html
import json
from typing import List, Sequence, Tuple

import page
from matrix import STEPS, Cell

__all__ = ["as_html", "as_json", "as_text"]


def as_text(cells: Sequence[Cell]) -> str:
    """Return the grid, and below it what did not work."""
    servers, clients = _sides(cells)
    score = {(cell.client, cell.server): cell.score for cell in cells}
    width = max([len(name) for name in clients] + [len("client \\ server")])
    columns = [max(len(name), 5) for name in servers]
    head = "client \\ server".ljust(width)
    out = ["tchat protocol 1 · %d clients on %d servers" % (len(clients), len(servers))]
    out.append("  ".join([head] + [name.ljust(column) for name, column in zip(servers, columns)]))
    for client in clients:
        row = [score[client, server].ljust(column) for server, column in zip(servers, columns)]
        out.append("  ".join([client.ljust(width), *row]))
    for cell in cells:
        if cell.missed:
            out.append("%s on %s: %s" % (cell.client, cell.server, cell.trouble or "not " + ", ".join(cell.missed)))
    full = sum(not cell.missed for cell in cells)
    out.append("Result: %d of %d pairs can talk" % (full, len(cells)))
    return "\n".join(out)


def as_json(cells: Sequence[Cell]) -> str:
    """Return the pairs as one JSON object."""
    return json.dumps({"protocol": 1, "pairs": [cell._asdict() for cell in cells]}, ensure_ascii=False, indent=1)


def as_html(cells: Sequence[Cell]) -> str:
    """Return the grid as a page."""
    servers, clients = _sides(cells)
    by_pair = {(cell.client, cell.server): cell for cell in cells}
    rows = ["<tr><th></th>%s</tr>" % "".join("<th>%s</th>" % html.escape(name) for name in servers)]
    for client in clients:
        row = "".join(_td(by_pair[client, server]) for server in servers)
        rows.append("<tr><th>%s</th>%s</tr>" % (html.escape(client), row))
    about = "Each client (row) had one small chat on each server (column): %s." % ", ".join(STEPS)
    return page.document("Who can talk to whom", about, "<table>%s</table>" % "".join(rows))


def _td(cell: Cell) -> str:
    kind = "full" if not cell.missed else "part" if cell.done else "none"
    title = cell.trouble or ("not " + ", ".join(cell.missed) if cell.missed else "everything works")
    return '<td class="%s" title="%s">%s<br><small>%s</small></td>' % (
        kind,
        html.escape(title),
        cell.score,
        html.escape("" if kind == "full" else title),
    )


def _sides(cells: Sequence[Cell]) -> Tuple[List[str], List[str]]:
    return list(dict.fromkeys(cell.server for cell in cells)), list(dict.fromkeys(cell.client for cell in cells))
