"""Puts `tchat bridge` before every server of a matrix, so that it is seen what a translation would change.

The bridge is a command like any other: nothing of it is imported here.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Sequence, Tuple

from words import say

from desk.cell import Grid
from desk.teams import Teams

__all__ = ["both", "difference", "halves", "has_bridge"]

MARK = " + bridge"


def both(teams: Teams, directory: Path) -> Teams:
    """Return *teams* with every server a second time, behind a bridge with the dialects in *directory*.

    The files are those of `tchat learn --teams`: `server-NAME.toml`, `client-NAME.toml`.

    Raises:
        ValueError: there is no dialect of a client, or no bridge.
    """
    clients = [str(path.resolve()) for path in sorted(directory.glob("client-*.toml"))]
    if not clients:
        raise ValueError(say("bridge-no-dialects", directory=directory))
    bridge = shutil.which("tchat") or shutil.which("tchat", path=str(Path(sys.executable).parent))
    if bridge is None:
        raise ValueError(say("bridge-needs"))
    servers = dict(teams.servers)
    for name, command in teams.servers.items():
        own = (directory / ("server-%s.toml" % name)).resolve()
        translated = ["--as", str(own)] if own.exists() else []
        servers[name + MARK] = (
            *(bridge, "bridge", "--listen", "{host}:{port}", *_behind(command)),
            *(*translated, *clients),
        )
    return teams._replace(servers=servers)


def has_bridge(server: str) -> bool:
    """Tell whether *server* is the one of that name behind a bridge."""
    return server.endswith(MARK)


def _behind(command: Sequence[str]) -> Tuple[str, str]:
    """Return the option that names the server: where it is, or its command, whose port the bridge chooses."""
    if len(command) == 1 and ":" in command[0]:
        return "--to", command[0]
    line = " ".join(shlex.quote(part) for part in command)
    return "--run", line.replace("{port}", "{server-port}").replace("{host}", "{server-host}")


def halves(grid: Grid) -> Tuple[Grid, Grid]:
    """Return *grid* without the bridge, and with it."""
    found = []
    for is_bridged in (False, True):
        servers = {name: one for name, one in grid.teams.servers.items() if has_bridge(name) is is_bridged}
        cells = {pair: cell for pair, cell in grid.cells.items() if pair[1] in servers}
        of_clients = () if is_bridged else tuple(grid.teams.clients)
        scores = {
            (kind, name): score
            for (kind, name), score in grid.scores.items()
            if name in (servers if kind == "server" else of_clients)
        }
        found.append(Grid(grid.teams._replace(servers=servers), cells, scores))
    return found[0], found[1]


def difference(grid: Grid) -> str:
    """Say what the bridge changed: how many steps work without it and with it, and the pairs that gain and lose."""
    before, after = halves(grid)
    changes = [
        (client, server, cell.score - before.cells[client, server[: -len(MARK)]].score)
        for (client, server), cell in after.cells.items()
        if (client, server[: -len(MARK)]) in before.cells
    ]
    totals = [sum(cell.score for cell in half.cells.values()) for half in (before, after)]
    lines = [say("bridge-result", before=totals[0], after=totals[1])]
    lines += [
        "%+d  %s" % (change, say("on-many", client=client, servers=server[: -len(MARK)]))
        for client, server, change in sorted(changes, key=lambda one: one[2])
        if change
    ]
    return "\n".join(lines)
