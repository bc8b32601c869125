"""One cause, told once: failures grouped by what came instead of what, with the mistake that is behind it."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from cases.path import EVENTS, part_of
from words import say

from report.outcome import Cause, Outcome

__all__ = ["Group", "group", "headline"]

SHOWN = 3
# The ten mistakes of the text, by the rules that a program breaks when it makes them. The first row that fits counts.
MISTAKES: Tuple[Tuple[int, Tuple[str, ...]], ...] = (
    (2, ("framing/cut-inside-a-character", "reading/cut-character")),
    (1, ("R-in-split", "R-in-coalesced", "R-client-reads-any")),
    (3, ("R-in-no-newline", "R-in-space")),
    (4, ("R-out-frame", "R-client-newline")),
    (5, ("R-sender-other",)),
    (7, ("R-invite-never-adds", "R-invite-banned")),
    (8, ("R-kick-last-word", "R-live-members", "R-live-nobody-else")),
    (9, ("R-page-outsider", "R-members-private", "R-members-inside", "R-groups")),
    (10, ("R-name-key", "R-field-integer")),
    (6, ("R-stamp-echo",)),
)


class Group(NamedTuple):
    """Failures with one cause; `mistake` is one of the ten, 0 if none fits."""

    cause: Cause
    outcomes: Tuple[Outcome, ...]
    mistake: int

    @property
    def part(self) -> int:
        return min(part_of(one.case) for one in self.outcomes)

    @property
    def level(self) -> str:
        return "MUST" if any(one.case.level == "MUST" for one in self.outcomes) else "SHOULD"


def group(outcomes: Sequence[Outcome]) -> List[Group]:
    """Group the failures of *outcomes* by cause: MUST before SHOULD, then along the path, the most frequent first."""
    by_cause: Dict[Tuple[str, ...], List[Outcome]] = {}
    for outcome in outcomes:
        if outcome.state == "failed" and outcome.case.level != "MAY":
            by_cause.setdefault(_key(outcome), []).append(outcome)
    found = [_group(sorted(some, key=lambda one: part_of(one.case))) for some in by_cause.values()]
    return sorted(found, key=lambda one: (one.level, one.part, -len(one.outcomes)))


def _group(outcomes: List[Outcome]) -> Group:
    return Group(outcomes[0].cause, tuple(outcomes), _mistake_of(outcomes[0]))


def headline(one: Group) -> str:
    """Say in one line what came, and what was expected; for a case alone in its own words."""
    cause = one.cause
    if len(one.outcomes) == 1 or not cause.kind:
        return one.outcomes[0].problem or ""
    if cause.kind == "unfit":
        return say("the-client", what=cause.detail)
    after = say("after", action=cause.after) if cause.after else ""
    if cause.kind == "differs" and cause.came != cause.wanted:
        came, wanted = _some(one, "came"), _some(one, "wanted")
        return (after if len(_distinct(one, "after")) == 1 else "") + say("came-wanted", came=came, wanted=wanted)
    if cause.kind == "differs":
        return after + "%s: %s" % (cause.came, cause.detail)
    first = one.outcomes[0].problem or ""
    return after + first.partition(": ")[2] if ": " in first else after + first


def _some(one: Group, field: str) -> str:
    distinct = _distinct(one, field)
    firsts = {word.split(" ")[0] for word in distinct}
    if len(distinct) > SHOWN and len(firsts) == 1:
        return firsts.pop()
    return say("or").join(distinct[:SHOWN]) + (" ..." if len(distinct) > SHOWN else "")


def _distinct(one: Group, field: str) -> List[str]:
    return list(dict.fromkeys(str(getattr(outcome.cause, field)) for outcome in one.outcomes))


def _key(outcome: Outcome) -> Tuple[str, ...]:
    cause = outcome.cause
    if not cause.kind:
        return (outcome.problem or "",)
    if cause.kind == "differs" and cause.came.split(" ")[0] != cause.wanted.split(" ")[0]:
        # A wrong name for all refusals is one cause; what comes in the place of a refusal is one for each code.
        if cause.wanted.partition(" ")[2] in ("", cause.came.partition(" ")[2]):
            return ("differs", cause.came.split(" ")[0], cause.wanted.split(" ")[0])
        return ("differs", cause.came, cause.wanted)
    if cause.kind == "differs":
        return ("differs", cause.after, cause.came, cause.wanted, cause.detail)
    return (cause.kind, cause.after, cause.came, cause.wanted, cause.detail)


def _mistake_of(outcome: Outcome) -> int:
    cause, about = outcome.cause, {outcome.case.id, *outcome.case.cites}
    if (
        cause.kind != "ended"
        and cause.wanted in EVENTS
        and cause.after == cause.wanted
        and (not cause.came or cause.came.startswith("server-"))
    ):
        return 6
    listed: Optional[int] = next((number for number, rules in MISTAKES if about & set(rules)), None)
    return listed or 0
