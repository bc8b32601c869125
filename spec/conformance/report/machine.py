"""Verdicts for programs: JSON, CSV and JUnit XML. Always in English."""

from __future__ import annotations

import csv
import io
import json
from typing import Dict, List, Sequence, Tuple
from xml.sax.saxutils import quoteattr

from cases.path import part_of
from cases.rules import load_text

from report.cause import group, headline
from report.outcome import Verdict
from report.score import conforms, next_step, parts, summary
from report.text import plain

__all__ = ["as_csv", "as_json", "as_junit", "junit", "table"]

Row = Tuple[str, str, str, str, float]


def as_json(subject: str, verdict: Verdict, strict: bool) -> str:
    """Return one JSON object with every case, its outcome and, if it failed, its conversation."""
    groups = group(verdict.outcomes)
    return json.dumps(
        {
            "protocol": 1,
            "subject": subject,
            "result": summary(verdict, strict),
            "conformant": conforms(verdict, strict),
            "trouble": verdict.trouble,
            "remarks": list(verdict.remarks),
            "seconds": round(verdict.seconds, 3),
            "parts": [
                {"part": part.number, **part.counts, "total": part.total, "percent": part.percent, "grade": part.grade}
                for part in parts(verdict.outcomes)
            ],
            "lacks": [lack._asdict() for lack in verdict.lacks],
            "causes": [
                {
                    "cause": headline(one),
                    "level": one.level,
                    "mistake": one.mistake or None,
                    "cases": [outcome.case.id for outcome in one.outcomes],
                }
                for one in groups
            ],
            "next": next_step(verdict, groups, load_text("en")),
            "cases": _cases(verdict),
        },
        ensure_ascii=False,
        indent=1,
    )


def _cases(verdict: Verdict) -> List[Dict[str, object]]:
    return [
        {
            "id": outcome.case.id,
            "level": outcome.case.level,
            "part": part_of(outcome.case),
            "cites": list(outcome.case.cites),
            "title": outcome.case.title,
            "outcome": outcome.state,
            "waits_for": outcome.waits_for or None,
            "problem": outcome.problem,
            "seconds": round(outcome.seconds, 3),
            "conversation": [list(line) for line in outcome.lines] if outcome.problem else [],
        }
        for outcome in verdict.outcomes
    ]


def as_csv(verdict: Verdict) -> str:
    """Return a row for each case, under a row of headings."""
    rows = [
        (one.case.id, part_of(one.case), one.case.level, one.state, one.problem or "", "%.3f" % one.seconds)
        for one in verdict.outcomes
    ]
    return table(("case", "part", "level", "outcome", "problem", "seconds"), rows)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return rows as CSV, without the last line end."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([head, *rows])
    return out.getvalue().rstrip("\n")


def as_junit(subject: str, verdict: Verdict) -> str:
    """Return the cases as JUnit XML: what waits or was skipped is skipped there; trouble is one more failure."""
    rows: List[Row] = [
        (one.case.id, one.state, one.problem or "", "", one.seconds)
        if one.state != "failed"
        else (
            one.case.id,
            one.state,
            one.problem or "",
            "\n".join("%s %s %s" % line for line in one.lines),
            one.seconds,
        )
        for one in verdict.outcomes
    ]
    if verdict.trouble:
        rows.append(("run/alive", "failed", verdict.trouble, "", 0.0))
    return junit(subject, rows)


def junit(subject: str, rows: Sequence[Row]) -> str:
    """Return rows of (id, state, problem, details, seconds) as one JUnit test suite."""
    failed = sum(state == "failed" for _, state, *_ in rows)
    skipped = sum(state in ("waiting", "skipped") for _, state, *_ in rows)
    counts = 'tests="%d" failures="%d" errors="0" skipped="%d"' % (len(rows), failed, skipped)
    out = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuite name=%s %s>" % (_attribute(subject), counts)]
    for id, state, problem, details, seconds in rows:
        topic, _, slug = id.partition("/")
        out.append("<testcase classname=%s name=%s time='%.3f'>" % (_attribute(topic), _attribute(slug or id), seconds))
        if state == "failed":
            out.append("<failure message=%s>%s</failure>" % (_attribute(problem), _attribute(details)[1:-1]))
        elif state != "passed":
            out.append("<skipped message=%s/>" % _attribute(problem))
        out.append("</testcase>")
    return "\n".join([*out, "</testsuite>", ""])


def _attribute(text: str) -> str:
    return quoteattr(plain(text, 2000)) if "\n" not in text else quoteattr("\n".join(map(plain, text.splitlines())))
