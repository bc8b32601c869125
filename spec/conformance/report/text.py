"""Shows a verdict as text: at most a screen of it, or everything."""

from __future__ import annotations

from typing import Callable, List, NamedTuple, Sequence

from cases.case import Case
from cases.path import PARTS
from cases.rules import Text
from words import language, say

from report.cause import Group, group, headline
from report.outcome import Line, Outcome, Verdict
from report.score import Part, next_step, parts, summary, waiting

__all__ = ["Style", "as_text", "plain", "title"]

SCREEN_LINES = 40
LINES_SHOWN = 12
LACKS_SHOWN = 6
WIDTH = 160
INDENT = "     "


class Style(NamedTuple):
    """How much to show: causes on one screen, every failure (verbose), every message of every case (trace)."""

    strict: bool = False
    verbose: bool = False
    trace: bool = False


def as_text(subject: str, verdict: Verdict, text: Text, again: Callable[[str], str], style: Style) -> str:
    """Return the whole report; *again* makes the command that runs a case again from its id."""
    groups = group(verdict.outcomes)
    head = [say("head", subject=subject, n=len(verdict.outcomes), seconds="%.1f" % verdict.seconds)]
    head += [_part(part) for part in parts(verdict.outcomes)]
    foot = _foot(verdict, groups, text, style)
    if style.verbose or style.trace:
        body = [
            line
            for outcome in verdict.outcomes
            if outcome.state == "failed" or (style.trace and outcome.state == "passed")
            for line in _block(outcome, text, again, style.trace)
        ]
    else:
        body = _causes(groups, text, again, SCREEN_LINES - len(head) - len(foot))
    return "\n".join(head + body + foot)


def plain(text: str, width: int = WIDTH) -> str:
    """Make text from the network fit for a terminal: no control characters, not too long."""
    clean = "".join(char if char.isprintable() else "\\x%02x" % ord(char) for char in text)
    return clean if len(clean) <= width else "%s... (%s)" % (clean[: width - 24], say("characters", n=len(clean)))


def title(case: Case, text: Text) -> str:
    """Say what a case is about: its English title, or in another language the first rule it cites."""
    rule = next((text.rules[cited] for cited in case.cites if cited in text.rules), None)
    return case.title if language() == "en" or rule is None else rule.sentence


def _part(part: Part) -> str:
    bad = [
        say("count-" + state, n=part.counts[state]) for state in ("failed", "waiting", "skipped") if part.counts[state]
    ]
    about = say("of", passed=part.counts["passed"], total=part.total)
    name = say("part", number=part.number, title=say("part-%d" % part.number))
    return " %-34s %3d %%  %2d/20   %s" % (name, part.percent, part.grade, ", ".join([about, *bad]))


def _causes(groups: Sequence[Group], text: Text, again: Callable[[str], str], room: int) -> List[str]:
    """Return as many causes as there is room for, and a line about the others."""
    out: List[str] = []
    for at, one in enumerate(groups):
        lines = _cause(at + 1, one, text, again)
        if len(out) + len(lines) > room - 1:
            return [*out, say("more-causes", n=len(groups) - at)]
        out += lines
    return out


def _cause(number: int, one: Group, text: Text, again: Callable[[str], str]) -> List[str]:
    first = one.outcomes[0]
    more = say("and-more", n=len(one.outcomes) - 1) if len(one.outcomes) > 1 else ""
    levels = [outcome.case.level for outcome in one.outcomes]
    counts = [(levels.count(level), level) for level in ("MUST", "SHOULD") if level in levels]
    counted = say("cases", counts=", ".join("%d %s" % each for each in counts))
    out = ["%d. %s · %s%s" % (number, counted, first.case.id, more)]
    out.append(INDENT + plain(headline(one), WIDTH - len(INDENT)))
    out += [INDENT + rule for rule in _rules(first.case, text)[:1]]
    out += _advice(one.mistake, text)
    said = [line for line in first.lines if line.sign in "<>"]
    out += [_line(line, False) for line in (said[-2:] if said and said[-1].sign == "<" else said[-1:])]
    out.append(INDENT + say("again", command=again(first.case.id)))
    return out


def _advice(number: int, text: Text) -> List[str]:
    if number not in text.mistakes:
        return []
    mistake = text.mistakes[number]
    named = say("mistake", number=number, title=mistake.title, place=mistake.place)
    return ["%s%s %s" % (INDENT, named, say("fix-%d" % number))]


def _foot(verdict: Verdict, groups: Sequence[Group], text: Text, style: Style) -> List[str]:
    out = []
    wanted = waiting(verdict)
    reasons = {lack.action: lack for lack in verdict.lacks}
    for action, count in list(wanted.items())[:LACKS_SHOWN]:
        out.append(say("waits", n=count, action=action, why=plain(reasons[action].why, 400)))
        out += _advice(6, text) if reasons[action].kind == "no-echo" and action == next(iter(wanted)) else []
    out += [say("remark", what=plain(remark, 400)) for remark in verdict.remarks[:3]]
    may = [one for one in verdict.outcomes if one.case.level == "MAY" and one.state in ("passed", "failed")]
    out += [
        say("may-yes" if one.state == "passed" else "may-no", rule=one.case.cites[0], title=title(one.case, text))
        for one in may
    ]
    if verdict.trouble:
        out.append(say("trouble", what=plain(verdict.trouble, 800)))
    step = next_step(verdict, groups, text)
    if step:
        out.append(say("next", what=step))
    unsaid = sum(rule.startswith("R-op-") for rule in text.rules)
    is_server = any(one.case.steps for one in verdict.outcomes)
    if is_server and unsaid and {part.number for part in parts(verdict.outcomes)} == set(PARTS):
        out.append(say("unsaid", n=unsaid))
    out.append(say("result", what=summary(verdict, style.strict)))
    return out


def _rules(case: Case, text: Text) -> List[str]:
    found = [text.rules[cited] for cited in case.cites if cited in text.rules]
    return ["%s: %s   %s" % (rule.id, rule.sentence, rule.place) for rule in found]


def _block(outcome: Outcome, text: Text, again: Callable[[str], str], trace: bool) -> List[str]:
    case = outcome.case
    word = say("fail") if outcome.problem else say("pass")
    out = ["%s %s   %s: %s" % (word, case.id, case.level, title(case, text))]
    if outcome.problem:
        out += [INDENT + rule for rule in _rules(case, text)]
    lines = outcome.lines
    if not trace and len(lines) > LINES_SHOWN:
        out.append(INDENT + say("lines-before", n=len(lines) - LINES_SHOWN))
        lines = lines[-LINES_SHOWN:]
    out += [_line(line, trace) for line in lines]
    if outcome.problem:
        out.append(INDENT + say("wrong", what=plain(outcome.problem, 400)))
        out.append(INDENT + say("again", command=again(case.id)))
    return out


def _line(line: Line, trace: bool) -> str:
    return "%s%-7s %s %s" % (INDENT, line.peer, line.sign, plain(line.text, 100000 if trace else WIDTH))
