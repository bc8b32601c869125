"""Shows a verdict: as text, as JSON. The page is in page.py."""

from __future__ import annotations

import json
from typing import Callable, Dict, List

from case import Requirement
from outcome import Line, Outcome, Verdict

__all__ = ["as_json", "as_text", "summary", "topics"]

LINES_SHOWN = 12
WIDTH = 160
INDENT = "     "


def topics(verdict: Verdict) -> Dict[str, List[Outcome]]:
    """Group the outcomes by topic, in the order in which they first come."""
    found: Dict[str, List[Outcome]] = {}
    for outcome in verdict.outcomes:
        found.setdefault(outcome.case.topic, []).append(outcome)
    return found


def summary(verdict: Verdict, strict: bool) -> str:
    """Say in one sentence whether the server conforms."""
    musts, shoulds, skipped = len(verdict.failed("MUST")), len(verdict.failed("SHOULD")), len(verdict.skipped)
    if verdict.trouble and not verdict.outcomes:
        return "NOT conformant (nothing could be tested)"
    fails = bool(musts or verdict.trouble or (strict and shoulds))
    counts = "%d MUST failed; %d SHOULD failed, %d skipped" % (musts, shoulds, skipped)
    return "%s (%s)" % ("NOT conformant" if fails else "conformant", counts)


def as_text(
    subject: str,
    verdict: Verdict,
    requirements: Dict[str, Requirement],
    again: Callable[[str], str],
    strict: bool,
    trace: bool,
) -> str:
    """Return the whole report; *again* makes the command that runs a case again from its id."""
    out = ["tchat protocol 1 · %s · %d cases" % (subject, len(verdict.outcomes))]
    cells = [_cell(topic, outcomes) for topic, outcomes in topics(verdict).items()]
    out += [" " + "   ".join(cells[at : at + 6]) for at in range(0, len(cells), 6)]
    for outcome in verdict.outcomes:
        if outcome.is_skipped or not (outcome.problem or trace):
            continue
        out += _block(outcome, requirements, again, trace)
    if verdict.trouble:
        out.append("TROUBLE: " + verdict.trouble)
    out.append("Result: %s  %.1f s" % (summary(verdict, strict), verdict.seconds))
    return "\n".join(out)


def as_json(subject: str, verdict: Verdict, strict: bool) -> str:
    """Return one JSON object with every case, its outcome and, if it failed, its conversation."""
    cases = [
        {
            "id": outcome.case.id,
            "level": outcome.case.level,
            "cites": list(outcome.case.cites),
            "title": outcome.case.title,
            "outcome": "skipped" if outcome.is_skipped else "failed" if outcome.problem else "passed",
            "problem": outcome.problem,
            "seconds": round(outcome.seconds, 3),
            "conversation": [list(line) for line in outcome.lines] if outcome.problem else [],
        }
        for outcome in verdict.outcomes
    ]
    return json.dumps(
        {
            "protocol": 1,
            "subject": subject,
            "result": summary(verdict, strict),
            "trouble": verdict.trouble,
            "seconds": round(verdict.seconds, 3),
            "cases": cases,
        },
        ensure_ascii=False,
        indent=1,
    )


def plain(text: str, width: int = WIDTH) -> str:
    """Make text from the network fit for a terminal: no control characters, not too long."""
    clean = "".join(char if char.isprintable() else "\\x%02x" % ord(char) for char in text)
    return clean if len(clean) <= width else "%s... (%d characters)" % (clean[: width - 24], len(clean))


def _cell(topic: str, outcomes: List[Outcome]) -> str:
    passed = sum(not outcome.problem for outcome in outcomes)
    remarks = []
    shoulds = sum(bool(one.problem) and not one.is_skipped and one.case.level == "SHOULD" for one in outcomes)
    skipped = sum(one.is_skipped for one in outcomes)
    if shoulds:
        remarks.append("%d SHOULD" % shoulds)
    if skipped:
        remarks.append("%d skipped" % skipped)
    return "%s %d/%d%s" % (topic, passed, len(outcomes), " (%s)" % ", ".join(remarks) if remarks else "")


def _block(
    outcome: Outcome, requirements: Dict[str, Requirement], again: Callable[[str], str], trace: bool
) -> List[str]:
    case = outcome.case
    word = "FAIL" if outcome.problem else "pass"
    out = ["%s %s   %s: %s" % (word, case.id, case.level, case.title)]
    for cited in case.cites:
        rule = requirements.get(cited)
        if rule and outcome.problem:
            out.append("%s%s: %s   protocol.md#%s" % (INDENT, cited, rule.sentence, rule.anchor))
    lines = outcome.lines
    if not trace and len(lines) > LINES_SHOWN:
        out.append("%s... (%d lines before)" % (INDENT, len(lines) - LINES_SHOWN))
        lines = lines[-LINES_SHOWN:]
    out += [_line(line, trace) for line in lines]
    if outcome.problem:
        out.append("%swrong: %s" % (INDENT, plain(outcome.problem, 400)))
        out.append("%sagain: %s" % (INDENT, again(case.id)))
    return out


def _line(line: Line, trace: bool) -> str:
    return "%s%-7s %s %s" % (INDENT, line.peer, line.sign, plain(line.text, 100000 if trace else WIDTH))
