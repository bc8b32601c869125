"""The score: by part of the path, with a grade out of 20, and what to do next."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Sequence

from cases.path import PARTS, PATH, part_of
from cases.rules import Text
from words import say

from report.cause import Group
from report.outcome import Lack, Outcome, Verdict

__all__ = ["Part", "conforms", "next_step", "parts", "summary", "waiting"]

STATES = ("passed", "failed", "waiting", "skipped")


class Part(NamedTuple):
    """How a run did in one part: how many cases ended in each state. Permissions (MAY) do not count."""

    number: int
    counts: Dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def percent(self) -> int:
        """Whole percents, 100 for all only."""
        return 100 * self.counts["passed"] // self.total

    @property
    def grade(self) -> int:
        """Out of 20, 20 for all only."""
        return 20 * self.counts["passed"] // self.total


def parts(outcomes: Sequence[Outcome]) -> List[Part]:
    """Return the parts that have cases, in order."""
    found = []
    for number in PARTS:
        states = [one.state for one in outcomes if one.case.level != "MAY" and part_of(one.case) == number]
        if states:
            found.append(Part(number, {state: states.count(state) for state in STATES}))
    return found


def waiting(verdict: Verdict) -> Dict[str, int]:
    """Return how many cases wait for each action that the server lacks, the most wanted first within a part."""
    counts: Dict[str, int] = {}
    for outcome in verdict.in_state("waiting"):
        counts[outcome.waits_for] = counts.get(outcome.waits_for, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (PATH[item[0]], -item[1])))


def next_step(verdict: Verdict, groups: Sequence[Group], text: Text) -> Optional[str]:
    """Say what to do next: what most cases of the earliest part wait for, else the first cause of failures."""
    lacks: Dict[str, Lack] = {lack.action: lack for lack in verdict.lacks}
    earliest = min([group.part for group in groups], default=99)
    for action, count in waiting(verdict).items():
        if PATH[action] <= earliest or not groups:
            place = text.actions.get(action, "")
            return say("next-" + lacks[action].kind, action=action) + say("wait-for-it", n=count, place=place)
    if groups:
        return say("next-cause", n=len(groups[0].outcomes), number=1)
    if any(one.state == "skipped" for one in verdict.outcomes) or not verdict.outcomes:
        return None
    last = max((part.number for part in parts(verdict.outcomes)), default=PARTS[-1])
    return say("next-part", part=last + 1) if last < PARTS[-1] else say("next-others")


def summary(verdict: Verdict, strict: bool) -> str:
    """Say in one sentence whether the program conforms."""
    if verdict.trouble and not verdict.outcomes:
        return say("nothing-tested")
    counts = {state: len(verdict.in_state(state)) for state in ("waiting", "skipped")}
    counts.update(musts=len(verdict.failed("MUST")), shoulds=len(verdict.failed("SHOULD")))
    return say("conformant" if conforms(verdict, strict) else "not-conformant", **counts)


def conforms(verdict: Verdict, strict: bool) -> bool:
    """Say whether no MUST failed or waits (with *strict*, no SHOULD either), and nothing kept cases from running."""
    bad = [one for one in verdict.outcomes if one.state in ("failed", "waiting") and one.case.level != "MAY"]
    return not verdict.trouble and not any(strict or one.case.level == "MUST" for one in bad)
