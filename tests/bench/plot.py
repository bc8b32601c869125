"""One picture of the results: deliveries a second by size of group, as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from load import ROWS, Run
from report import ANCHOR, best

__all__ = ["svg"]

WIDTH, LABEL, BAR, GAP = 760, 150, 18, 6
OURS, THEIRS = "#2563a8", "#9aa3ad"


def svg(runs: Sequence[Run]) -> str:
    """Return bars for the best round of every server, a block for every row that was saturated."""
    marks, top = list[str](), 44.0
    for row in ROWS:
        figures = {who: figure for who in row.contenders if (figure := best(runs, row.id, who))}
        if row.mode != "saturate" or not figures:
            continue
        marks.append(f'<text x="8" y="{top}" font-weight="bold">{escape(row.title)}</text>')
        marks.extend(_bars(figures, top + 10))
        top += 10 + len(figures) * (BAR + GAP) + 30
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top:.0f}" font-family="sans-serif"'
    title = f'<text x="8" y="20">Deliveries a second, server on one core, best round; x: of {ANCHOR}</text>'
    ground = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([f'{head} font-size="13">', ground, title, *marks, "</svg>"]) + "\n"


def _bars(figures: dict[str, float], top: float) -> Iterator[str]:
    scale = (WIDTH - LABEL - 170) / max(figures.values())
    for who, figure in figures.items():
        colour = OURS if who.startswith("tchat") else THEIRS
        said = f"{figure:,.0f}" + (f" ({figure / figures[ANCHOR]:.1f} x)" if ANCHOR in figures else "")
        middle = top + BAR * 0.75
        yield f'<text x="{LABEL - 8}" y="{middle}" text-anchor="end">{escape(who)}</text>'
        yield f'<rect x="{LABEL}" y="{top}" width="{figure * scale:.1f}" height="{BAR}" fill="{colour}"/>'
        yield f'<text x="{LABEL + figure * scale + 6:.1f}" y="{middle}">{said}</text>'
        top += BAR + GAP
