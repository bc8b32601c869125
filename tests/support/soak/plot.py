"""Draw the memory of a server while somebody does not read: numbers on stdin, one a line, in KiB; SVG on stdout.

pytest -m nightly -k row_25 -s | grep '^rss ' | cut -d' ' -f2 | python tests/support/soak/plot.py > rss.svg
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

WIDTH, HEIGHT, MARGIN = 800, 300, 50


def svg(kib: Sequence[float], title: str) -> str:
    """Return a line of *kib* over the run, with its axes."""
    top = max(*kib, 1024.0) * 1.1
    step = (WIDTH - 2 * MARGIN) / max(1, len(kib) - 1)

    def y(value: float) -> float:
        return HEIGHT - MARGIN - value / top * (HEIGHT - 2 * MARGIN)

    points = " ".join(f"{MARGIN + number * step:.1f},{y(value):.1f}" for number, value in enumerate(kib))
    marks = [top * part / 4 for part in range(5)]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{WIDTH / 2}" y="25" text-anchor="middle">{title}</text>',
        *(f'<path d="M{MARGIN},{y(at):.1f}H{WIDTH - MARGIN}" stroke="#ddd"/>' for at in marks),
        *(f'<text x="{MARGIN - 6}" y="{y(at) + 4:.1f}" text-anchor="end">{at / 1024:.1f}</text>' for at in marks),
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 15}" text-anchor="middle">messages, from the first to the last</text>',
        f'<text x="14" y="{HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 14 {HEIGHT / 2})">MiB more</text>',
        f'<polyline points="{points}" fill="none" stroke="#06c" stroke-width="1.5"/>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    values = [float(line) for line in sys.stdin if line.strip()]
    if not values:
        sys.exit("no numbers on stdin")
    sys.stdout.write(svg(values, "Memory of the server while one member does not read"))
