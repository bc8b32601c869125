"""The command `matrix`: reads the teams, plays what is not played yet, and shows the grid as it grows."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from commands import DONE, FAILED, USAGE, complain
from words import say

from desk import between, matrix, scores, teams, wall
from desk import grid as shown
from desk.cell import Book, Cell, Grid

__all__ = ["test_matrix"]

PAGE_SECONDS = 1.0


def test_matrix(options: argparse.Namespace) -> int:
    """Run `matrix`."""
    try:
        found = teams.load(options.teams)
        if options.bridge:
            found = between.both(found, options.bridge)
        book = Book(options.teams.with_suffix(".results.jsonl"), found, options.resume)
        known = book.read()
    except (OSError, ValueError) as error:
        return complain(say("cannot-read", what=options.teams, why=getattr(error, "strerror", None) or error), USAGE)
    grid = Grid(found, known, {})
    desk = _Desk(grid, book, options.html)
    jobs = options.jobs or max(4, 2 * (os.cpu_count() or 1))
    matrix.play_all(found, tuple(known), options.timeout, jobs, desk.done)
    if options.scores:
        scores.add(grid, options.timeout, desk.told)
    desk.write()
    if options.junit:
        options.junit.write_text(shown.as_junit(grid), "utf-8")
    show = shown.as_json if options.json else shown.as_csv if options.csv else _as_text
    print(show(grid))
    return FAILED if any(cell.missed for cell in grid.cells.values()) else DONE


def _as_text(grid: Grid) -> str:
    """Return the grid; with a bridge, both grids and the difference."""
    plain, bridged = between.halves(grid)
    if not bridged.teams.servers:
        return shown.as_text(grid)
    return "\n\n".join([shown.as_text(plain), shown.as_text(bridged), between.difference(grid)])


class _Desk:
    """The grid while it grows: every cell goes into the book, and the page is written again, not too often."""

    def __init__(self, grid: Grid, book: Book, page: Path) -> None:
        self.grid, self.book, self.page = grid, book, page
        self._written = 0.0
        if page:
            self.write()

    def done(self, cell: Cell) -> None:
        self.grid.cells[cell.client, cell.server] = cell
        self.book.write(cell)
        pairs = len(self.grid.teams.servers) * len(self.grid.teams.clients)
        about = say("on", client=cell.client, server=cell.server, what=shown.told(cell) or say("everything"))
        self.told("%d/%d  %s" % (len(self.grid.cells), pairs, about))
        if time.monotonic() > self._written + PAGE_SECONDS:
            self.write()

    def told(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def write(self) -> None:
        """Write the page in one go, so that nobody ever loads half of it."""
        if self.page:
            new = self.page.with_name(self.page.name + ".new")
            new.write_text(wall.as_html(self.grid), "utf-8")
            new.replace(self.page)
            self._written = time.monotonic()
