"""The grid as a page for the wall: one coloured number for each pair, readable from the last row at 1280 pixels."""

from __future__ import annotations

import html
from typing import List, Optional

from report import page
from words import say

from desk.cell import Cell, Grid, percent
from desk.chat import STEPS
from desk.grid import by_step, by_team, reasons, told

__all__ = ["as_html"]

REFRESH_SECONDS = 5
STYLE = """
main { max-width: none; padding: .6rem 1.25rem 3rem; } h1 { font-size: 1.35rem; } p.about { margin: 0 0 .3rem; }
table.grid { border-collapse: separate; border-spacing: 3px; background: none; width: 100%; table-layout: fixed; }
.grid th, .grid td { border: 0; padding: .16rem .1rem; text-align: center; }
.grid thead th { font-size: .86rem; } .grid thead th:first-child { width: 6.2rem; }
.grid th { font-size: .95rem; overflow-wrap: anywhere; vertical-align: bottom; line-height: 1.15; }
.grid tbody th { text-align: right; padding-right: .6rem; vertical-align: middle; }
.grid td { font-size: 1.35rem; font-weight: 700; color: #fff; border-radius: .3rem; position: relative; }
.grid td.full { background: #14733f; color: #fff; } .grid td.part { background: #e0a100; color: #1c1c1c; }
.grid td.none { background: #b3261e; color: #fff; } .grid td.open { background: var(--line); color: var(--soft); }
.grid td.sum, .grid th.sum { background: none; color: var(--ink); font-size: 1.05rem; }
.grid details { background: none; border: 0; margin: 0; } .grid summary { padding: 0; list-style: none; }
.grid summary::-webkit-details-marker { display: none; }
.grid details p { position: absolute; z-index: 1; top: 100%; left: 0; width: 17rem; margin: 0; padding: .6rem .8rem;
  background: var(--card); color: var(--ink); font: 1rem/1.35 system-ui, sans-serif; text-align: left;
  border: 2px solid var(--soft); border-radius: .4rem; overflow-wrap: anywhere; }
.grid td:nth-last-child(-n+5) details p { left: auto; right: 0; }
.tables { display: flex; flex-wrap: wrap; gap: 2rem; align-items: flex-start; }
.tables td:not(:first-child), .tables th:not(:first-child) { text-align: right; }
.legend b { display: inline-block; min-width: 1.6rem; text-align: center; border-radius: .3rem; color: #fff; }
@media print { @page { size: A4 landscape; margin: 10mm; } main { padding: 0; } body { background: #fff; color: #000; }
  .grid td { font-size: 12pt; } .grid td, .legend b { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .grid details p { display: none; } tr, li { break-inside: avoid; } }
"""


def as_html(grid: Grid) -> str:
    """Return the page; while pairs are missing it asks to be loaded again."""
    servers = list(grid.teams.servers)
    scores = {
        side: {one: score for (kind, one), score in grid.scores.items() if kind == side}
        for side in ("server", "client")
    }
    head = "".join("<th>%s%s</th>" % (html.escape(name), _score(scores["server"].get(name))) for name in servers)
    out = [
        '<table class="grid"><thead><tr><th>%s</th>%s<th class="sum">%s</th></tr></thead><tbody>'
        % (html.escape(say("corner")), head, html.escape(say("total")))
    ]
    for client in grid.teams.clients:
        cells = "".join(_td(grid.cells.get((client, server))) for server in servers)
        name = html.escape(client) + _score(scores["client"].get(client))
        out.append('<tr><th>%s</th>%s<td class="sum">%d %%</td></tr>' % (name, cells, percent(grid.row(client))))
    sums = "".join('<td class="sum">%d %%</td>' % percent(grid.column(server)) for server in servers)
    out.append('<tr><th class="sum">%s</th>%s</tr></tbody></table>' % (html.escape(say("total")), sums))
    out.append('<div class="tables">%s%s</div>' % (_teams(grid), _steps(grid)))
    out += _troubles(grid)
    count, pairs = len(grid.cells), len(servers) * len(grid.teams.clients)
    about = say("wall-about", done=count, pairs=pairs, steps=len(STEPS))
    return page.document(say("wall-title"), about, "\n".join(out), STYLE, 0 if grid.is_whole else REFRESH_SECONDS)


def _score(score: Optional[int]) -> str:
    return "" if score is None else "<br><small>%d %%</small>" % score


def _td(cell: Optional[Cell]) -> str:
    if cell is None:
        return '<td class="open">·</td>'
    if not cell.missed:
        return '<td class="full">%d</td>' % cell.score
    kind = "part" if cell.done else "none"
    words = "<p>%s</p>" % html.escape(say("on", client=cell.client, server=cell.server, what=told(cell)))
    return '<td class="%s"><details><summary>%d</summary>%s</details></td>' % (kind, cell.score, words)


def _teams(grid: Grid) -> str:
    columns = ("client", "server", "total")
    head = "".join("<th>%s</th>" % html.escape(say("column-" + column)) for column in columns)
    rows = []
    for name, found in sorted(by_team(grid).items(), key=lambda item: -item[1]["total"]):
        values = "".join("<td>%s</td>" % ("%d %%" % found[column] if column in found else "") for column in columns)
        rows.append("<tr><td>%s</td>%s</tr>" % (html.escape(name), values))
    return "<table><tr><th>%s</th>%s</tr>%s</table>" % (html.escape(say("team")), head, "".join(rows))


def _steps(grid: Grid) -> str:
    pairs = max(1, len(grid.cells))
    rows = "".join(
        "<tr><td>%s</td><td>%d</td><td>%d %%</td></tr>"
        % (html.escape(say("step " + step)), count, 100 * count // pairs)
        for step, count in by_step(grid).items()
    )
    return "<table><tr><th>%s</th><th>%s</th><th></th></tr>%s</table>" % (
        html.escape(say("command")),
        html.escape(say("column-pairs")),
        rows,
    )


def _troubles(grid: Grid) -> List[str]:
    """What does not work, in words, for those who do not click."""
    items = ["<li><b>%s</b> %s</li>" % (html.escape(where), html.escape(what)) for where, what in reasons(grid)]
    words = "<summary>%s</summary><ul>%s</ul>" % (html.escape(say("what-fails")), "".join(items))
    return ["<details>%s</details>" % words] if items else []
