"""What the messages of all cases have in common: their bytes, and their shape."""

from __future__ import annotations

from typing import List, Tuple

from cases.case import Case
from report.outcome import Cause, Fault, Line, Outcome
from words import say

__all__ = ["CHECKS", "judge_whole"]

SHOWN = 5
CHECKS = (
    Case(
        "wire/frame", "MUST", ("R-out-frame",), "every message is one JSON line in UTF-8 that ends with CR LF", (), ()
    ),
    Case(
        "wire/shape",
        "MUST",
        ("R-out-msg", "R-stamp-fields"),
        "every message has the fields and types that its schema asks for",
        (),
        (),
    ),
)


def judge_whole(case: Case, outcomes: List[Outcome]) -> Outcome:
    """Judge one of CHECKS over all that came in *outcomes*: the first fault of each sort is shown."""
    kind = case.id.split("/")[1]
    seen: List[Tuple[Outcome, Fault]] = []
    for outcome in outcomes:
        for fault in outcome.faults:
            if fault.kind == kind and not any(fault.problem == other.problem for _, other in seen):
                seen.append((outcome, fault))
    received = sum(outcome.received for outcome in outcomes)
    if not received:
        return Outcome(case, say("no-message-came"), (), (), 0, 0.0, is_skipped=True)
    if not seen:
        return Outcome(case, None, (), (), received, 0.0)
    lines = []
    for outcome, fault in seen[:SHOWN]:
        lines += [Line(outcome.case.id, "<", fault.text), Line("", "!", fault.problem)]
    problem = "; ".join(fault.problem for _, fault in seen[:SHOWN])
    return Outcome(case, problem, tuple(lines), (), received, 0.0, cause=Cause(kind, "", "", "", problem))
