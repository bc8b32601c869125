"""Tests a client: starts it once for every case of plays.py, on the stage of stage.py."""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import List, Sequence

from outcome import Line, Outcome, Verdict
from plays import Play
from screen import Absent, Unfit
from stage import Stage
from wire import Silence

__all__ = ["judge"]

CLIENTS_AT_ONCE = 4


def judge(command: Sequence[str], chosen: List[Play], timeout_seconds: float) -> Verdict:
    """Run the client once for every play; if it does not come to the first one, there is no second.

    Raises:
        OSError: there is no such program.
    """
    began = time.monotonic()
    try:
        outcomes = [_perform(command, chosen[0], timeout_seconds)]
        with ThreadPoolExecutor(CLIENTS_AT_ONCE) as pool:
            outcomes += pool.map(lambda play: _perform(command, play, timeout_seconds), chosen[1:])
    except Absent as error:
        return Verdict((), "the client %s" % error, time.monotonic() - began)
    return Verdict(tuple(outcomes), None, time.monotonic() - began)


def _perform(command: Sequence[str], play: Play, timeout_seconds: float) -> Outcome:
    began = time.monotonic()
    problem = None
    with Stage(command, "alice-" + secrets.token_hex(3), timeout_seconds) as stage:
        try:
            stage.enter()
            play.act(stage)
        except Absent:
            raise
        except (Unfit, Silence) as error:
            problem = "the client %s" % error
    lines = list(stage.lines)
    if problem:
        shown = stage.screen.output.decode("utf-8", "replace").strip().splitlines()
        lines += [Line("screen", "|", line) for line in shown[-6:]]
    return Outcome(play.case, problem, tuple(lines), (), stage.received, time.monotonic() - began)
