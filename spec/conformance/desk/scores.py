"""How much of the whole test each program passes, beside the grid: the same cases as `server` and `client` run."""

from __future__ import annotations

from typing import Callable, Sequence

from cases.case import load_cases
from client import judge as clients
from client.plays import plays
from programs.program import HOST, Absent, Program
from report.outcome import Verdict
from server import judge as servers
from server.target import Target
from server.whole import CHECKS
from talk.address import Address, parse
from words import say

from desk.cell import Grid

__all__ = ["add"]


def add(grid: Grid, timeout_seconds: float, told: Callable[[str], None]) -> None:
    """Test every program by itself and note its percentage in *grid*; a program that does not start has 0."""
    for name, command in grid.teams.servers.items():
        grid.scores["server", name] = _percent(lambda: _server(command, timeout_seconds))  # noqa: B023 (called at once)
        told(say("score-of", kind="server", name=name, percent=grid.scores["server", name]))
    for name, command in grid.teams.clients.items():
        grid.scores["client", name] = _percent(lambda: clients.judge(command, plays(), timeout_seconds))  # noqa: B023
        told(say("score-of", kind="client", name=name, percent=grid.scores["client", name]))


def _percent(judge: Callable[[], Verdict]) -> int:
    try:
        outcomes = judge().outcomes
    except (OSError, Absent):
        return 0
    counted = [one for one in outcomes if one.case.level != "MAY"]
    return 100 * sum(one.state == "passed" for one in counted) // len(counted) if counted else 0


def _server(command: Sequence[str], timeout_seconds: float) -> Verdict:
    running = parse(command[0]) if len(command) == 1 else None
    program = None if running else Program(command)
    try:
        if program:
            program.start()
        address = running or Address(HOST, program.port if program else 0)
        return servers.judge(Target([address], timeout_seconds, program), load_cases(), list(CHECKS))
    finally:
        if program:
            program.stop()
