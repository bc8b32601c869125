"""What the desk writes down: one cell for each pair, and a book of them that survives being stopped."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

from desk.chat import STEPS
from desk.teams import Teams

__all__ = ["Book", "Cell", "Grid", "percent"]

Pair = Tuple[str, str]


class Cell(NamedTuple):
    """One client on one server: what worked and what did not; `trouble` is why nothing could be tried."""

    client: str
    server: str
    done: Tuple[str, ...]
    missed: Tuple[str, ...]
    trouble: Optional[str]
    seconds: float = 0.0

    @property
    def score(self) -> int:
        return len(self.done)


class Grid(NamedTuple):
    """All there is to show: the teams, the cells so far, and the scores of programs on the whole test, in percent."""

    teams: Teams
    cells: Dict[Pair, Cell]
    scores: Dict[Pair, int]

    @property
    def is_whole(self) -> bool:
        return len(self.cells) == len(self.teams.servers) * len(self.teams.clients)

    def row(self, client: str) -> List[Cell]:
        return [cell for (one, _), cell in self.cells.items() if one == client]

    def column(self, server: str) -> List[Cell]:
        return [cell for (_, one), cell in self.cells.items() if one == server]

    def names(self) -> List[str]:
        """Every team, once."""
        return list(dict.fromkeys([*self.teams.clients, *self.teams.servers]))


def percent(cells: List[Cell]) -> int:
    """Return how much of what was tried in *cells* worked, 100 for all only."""
    return 100 * sum(cell.score for cell in cells) // (len(cells) * len(STEPS)) if cells else 0


class Book:
    """A file with one JSON line for each cell, written as the cells are done."""

    def __init__(self, path: Path, teams: Teams, is_resumed: bool) -> None:
        self._path = path
        self._teams = teams
        if not is_resumed:
            path.write_text("", "utf-8")

    def read(self) -> Dict[Pair, Cell]:
        """Return the cells of pairs whose commands are what they were."""
        found: Dict[Pair, Cell] = {}
        lines = self._path.read_text("utf-8").splitlines() if self._path.exists() else []
        for line in lines:
            with contextlib.suppress(ValueError, KeyError, TypeError):  # the last line may be half written
                row = json.loads(line)
                client, server = row["client"], row["server"]
                if row["commands"] == self._commands(client, server):
                    done, missed = tuple(row["done"]), tuple(row["missed"])
                    found[client, server] = Cell(client, server, done, missed, row["trouble"], row["seconds"])
        return found

    def write(self, cell: Cell) -> None:
        """Add one cell."""
        row = {**cell._asdict(), "commands": self._commands(cell.client, cell.server)}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def _commands(self, client: str, server: str) -> List[List[str]]:
        return [list(self._teams.clients[client]), list(self._teams.servers[server])]
