"""Puts `tchat bridge` before every server of a matrix, so that it is seen what a translation would change.

The bridge is a command like any other: nothing of it is imported here.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Dict, List, Sequence

__all__ = ["bridged", "difference"]

BRIDGE = ("tchat", "bridge", "--listen", "{host}:{port}")


def bridged(servers: Dict[str, List[str]], directory: Path) -> Dict[str, List[str]]:
    """Return the commands of *servers*, each behind a bridge with the dialects in *directory*.

    The files are those of `tchat learn --teams`: `server-NAME.toml`, `client-NAME.toml`.

    Raises:
        ValueError: there is no dialect of a client.
    """
    clients = [str(path) for path in sorted(directory.glob("client-*.toml"))]
    if not clients:
        raise ValueError("%s holds no client-NAME.toml: tchat learn --teams makes them" % directory)
    found = {}
    for name, command in servers.items():
        own = directory / ("server-%s.toml" % name)
        where = ["--to", command[0]] if len(command) == 1 and ":" in command[0] else ["--run", _as_line(command)]
        found[name] = [*BRIDGE, *where, *(["--as", str(own)] if own.exists() else []), *clients]
    return found


def _as_line(command: Sequence[str]) -> str:
    """Return *command* as one word, whose port is the bridge's to choose, not the matrix's."""
    line = " ".join(shlex.quote(part) for part in command)
    return line.replace("{port}", "{server-port}").replace("{host}", "{server-host}")


def difference(without: Dict[str, int], between: Dict[str, int]) -> str:
    """Say in one line what the bridge changed: points by pair, before and after."""
    more = sum(max(0, between[pair] - without.get(pair, 0)) for pair in between)
    less = sum(max(0, without.get(pair, 0) - between[pair]) for pair in between)
    total = (sum(without.values()), sum(between.values()))
    return "With the bridge: %d of the steps instead of %d (%d more, %d less)" % (total[1], total[0], more, less)
