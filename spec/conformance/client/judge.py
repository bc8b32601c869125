"""Tests a client: starts it once for every case of plays.py, on the stage of stage.py."""

from __future__ import annotations

import re
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import List, Sequence

from programs.program import Absent, Unfit
from report.outcome import Cause, Line, Outcome, Verdict
from talk.wire import Flood, Silence
from words import say

from client.plays import Play
from client.stage import Stage

__all__ = ["judge"]

CLIENTS_AT_ONCE = 4
_MARKER = re.compile(r"\bx[0-9a-f]{8}\b|-[0-9a-f]{6}\b")


def judge(command: Sequence[str], chosen: List[Play], timeout_seconds: float, is_hasty: bool = False) -> Verdict:
    """Run the client once for every play; if it does not come to the first one, there is no second.

    Raises:
        OSError: there is no such program.
    """
    began = time.monotonic()
    has_failed = False

    def perform(play: Play) -> Outcome:
        nonlocal has_failed
        if is_hasty and has_failed:
            return Outcome(play.case, say("hasty"), (), (), 0, 0.0, is_skipped=True)
        outcome = _perform(command, play, timeout_seconds)
        has_failed = has_failed or outcome.state == "failed"
        return outcome

    try:
        with Stage(command, "alice-" + secrets.token_hex(3), timeout_seconds) as stage:
            stage.enter()
    except Absent as error:
        return Verdict((), say("the-client", what=error), time.monotonic() - began)
    except (Unfit, Silence, Flood):
        pass  # it comes: what it does wrong is for the cases to say
    with ThreadPoolExecutor(CLIENTS_AT_ONCE) as pool:
        outcomes = tuple(pool.map(perform, chosen))
    return Verdict(outcomes, None, time.monotonic() - began)


def _perform(command: Sequence[str], play: Play, timeout_seconds: float) -> Outcome:
    began = time.monotonic()
    problem, detail = None, ""
    with Stage(command, "alice-" + secrets.token_hex(3), timeout_seconds) as stage:
        try:
            stage.enter()
            play.act(stage)
        except (Unfit, Silence, Flood) as error:
            problem, detail = say("the-client", what=error), _MARKER.sub("x...", str(error))
    lines = list(stage.lines)
    if problem:
        shown = stage.screen.output.decode("utf-8", "replace").strip().splitlines()
        lines += [Line("screen", "|", line) for line in shown[-6:]]
    seconds, cause = time.monotonic() - began, Cause("unfit" if problem else "", "", "", "", detail)
    return Outcome(play.case, problem, tuple(lines), (), stage.received, seconds, cause=cause)
