"""Tests a server: action after action along the path, the conversations of each several at once."""

from __future__ import annotations

import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Dict, List, Optional, Sequence

from cases import path
from cases.case import SPEC, Case
from programs.program import Absent
from report.outcome import Cause, Lack, Line, Outcome, Verdict
from talk import shapes
from talk.address import dial
from talk.matcher import Names
from words import say

from server.conversation import FaultsOf, hold
from server.frames import hold_frames
from server.probe import Prober
from server.target import Target
from server.whole import judge_whole

__all__ = ["judge"]

AT_ONCE = 8
TRIES = 3
SUSPECTS_SHOWN = 3
MAX_RETRY_AFTER_SECONDS = 3.0


def judge(
    target: Target, cases: List[Case], checks: List[Case], is_hasty: bool = False, is_kept: bool = False
) -> Verdict:
    """Run *cases* against *target*, then judge *checks* over everything that came.

    Args:
        is_hasty: stop at the first failure.
        is_kept: leave the members in the groups that the cases made.
    """
    began = time.monotonic()
    illness = target.illness()
    if illness:
        return Verdict((), say("ill", what=illness) + target.last_words(), time.monotonic() - began)
    run = _Run(target, is_hasty, is_kept)
    outcomes = [outcome for action, some in path.sort(cases).items() for outcome in run.step(action, some)]
    order = {case.id: at for at, case in enumerate(cases)}
    outcomes.sort(key=lambda outcome: order[outcome.case.id])
    outcomes += [judge_whole(case, outcomes) for case in checks]
    if run.ends:
        run.remarks.insert(0, say("restarted" if target.program else "came-back", n=run.ends))
    return Verdict(
        tuple(outcomes), run.trouble, time.monotonic() - began, tuple(run.lacks.values()), tuple(run.remarks)
    )


class _Run:
    """One run's shared state: what the server lacks, and whether it is still there."""

    def __init__(self, target: Target, is_hasty: bool, is_kept: bool) -> None:
        self.target = target
        self.is_hasty = is_hasty
        self.is_kept = is_kept
        self.trouble: Optional[str] = None
        self.lacks: Dict[str, Lack] = {}
        self.remarks: List[str] = []
        self.ends = 0
        server_shapes = shapes.load(SPEC / "schema", "server.json")
        self._faults_of: FaultsOf = server_shapes.faults if server_shapes else lambda message: []
        self._prober = Prober(target)
        self._looked = {"client-hello"}
        self._lock = threading.Lock()
        self._is_down = False
        self._has_failed = False

    def step(self, action: str, cases: List[Case]) -> List[Outcome]:
        """Look whether the actions these cases need are answered, and run those that need not wait."""
        if not cases:
            return []
        for needed in path.PATH:
            if needed not in self._looked and any(needed in path.needs(case) for case in cases):
                self._looked.add(needed)
                self._look(needed)
        outcomes = [_waiting(case, lack) for case in cases for lack in [self._lack_of(case)] if lack]
        waiting = {outcome.case.id for outcome in outcomes}
        ready = [case for case in cases if case.id not in waiting]
        timed = [case for case in ready if case.is_timed]
        cut = [case for case in ready if case.is_cut and not case.is_timed]
        rest = [case for case in ready if not case.is_timed and not case.is_cut]
        for at_once, some in ((AT_ONCE, rest), (3, cut), (1, timed)):
            with ThreadPoolExecutor(at_once) as pool:
                outcomes += self._acquit(list(pool.map(self._one, some)))
        return outcomes

    def _look(self, action: str) -> None:
        if self.trouble:
            return
        lack: Optional[Lack] = None
        illness: Optional[str] = None
        try:
            lack = self._prober.look(action, [one.action for one in self.lacks.values() if one.kind != "no-echo"])
        except OSError as error:
            illness = say("refuses", why=error.strerror or error)
        if lack or illness:
            illness = self.target.illness()
        if illness:
            lack = Lack(action, "ends", say("lack-ends", action=action) + self.target.last_words())
            self._revive(say("request", action=action), illness)
        if lack:
            self.lacks[action] = lack

    def _lack_of(self, case: Case) -> Optional[Lack]:
        """Return the first thing on the path that *case* needs and the server lacks."""
        needed, echoes = path.needs(case), path.echoes(case)
        for action in path.PATH:
            lack = self.lacks.get(action)
            if lack and action in (echoes if lack.kind == "no-echo" else needed):
                return lack
        return None

    def _one(self, case: Case) -> Outcome:
        if self.trouble or self._is_down:
            return _skipped(case, self.trouble or "")
        if self.is_hasty and self._has_failed:
            return _skipped(case, say("hasty"))
        outcome = self._hold(case)
        if outcome.problem:
            with self._lock:
                self._has_failed = True
                if outcome.may_be_dead and not self._is_down:
                    self._is_down = self.target.illness() is not None
        return outcome

    def _hold(self, case: Case) -> Outcome:
        """Hold *case* once for each address, so that its peers are spread over them every way round."""
        outcome = self._hold_at(case, 0)
        for first in range(1, len(self.target.addresses)):
            if outcome.state == "passed":
                outcome = _joined(outcome, self._hold_at(case, first))
        return outcome

    def _hold_at(self, case: Case, first: int) -> Outcome:
        """Hold *case*, and say where its first peer was, if that is a question."""
        outcome = self._hold_round(case, first)
        if len(self.target.addresses) == 1:
            return outcome
        return outcome._replace(
            lines=(Line("", "!", say("first-at", address=self.target.addresses[first])), *outcome.lines)
        )

    def _hold_round(self, case: Case, first: int) -> Outcome:
        """Hold *case* with its first peer at address number *first*, and each other at the next one."""
        if case.frames:
            return self._hold_frames(case, first)
        for tries_left in reversed(range(TRIES)):
            outcome = hold(
                case,
                lambda at: self.target.open(first + at),
                Names(secrets.token_hex(3)),
                self._faults_of,
                self._is_kept(),
                self.target.moment_seconds,
            )
            if outcome.retry_after is not None:
                if not tries_left or outcome.retry_after > MAX_RETRY_AFTER_SECONDS:
                    break
                time.sleep(outcome.retry_after)
            elif outcome.cause.kind != "soon":
                return outcome
        return _skipped(case, say("rate-limited")) if outcome.retry_after is not None else outcome

    def _hold_frames(self, case: Case, first: int) -> Outcome:
        address = self.target.addresses[first]
        return hold_frames(case, lambda: dial(address, self.target.timeout_seconds), address.host, address.port)

    def _is_kept(self) -> bool:
        return self.is_kept or "leave" in self.lacks

    def _acquit(self, outcomes: List[Outcome]) -> List[Outcome]:
        """If the server ended meanwhile, find the case that ended it: run again what it may have spoilt, one by one."""
        if not self._is_down or self.trouble:
            return outcomes
        suspects = [one for one in outcomes if one.may_be_dead or one.is_skipped or _wants_closed(one.case)]
        heard = [one for one in suspects if one.cause.kind in ("closed", "silence")] or suspects
        if not self._revive(_named(heard), self.target.illness() or ""):
            return outcomes
        again = {one.case.id: self._alone(one.case) for one in suspects}
        if not any(one.cause.kind == "ended" for one in again.values()):
            self.remarks.append(say("ended-among", since=_named(heard)))
        return [again.get(one.case.id, one) for one in outcomes]

    def _alone(self, case: Case) -> Outcome:
        outcome = self._one(case)
        if not self._is_down and _wants_closed(case):  # who ends closes too
            self._is_down = self.target.illness() is not None
        if self._is_down:
            words = self.target.last_words()
            action = outcome.cause.after
            since = say("request-of", action=action, case=case.id) if action else say("bytes-of", case=case.id)
            self._revive(since, self.target.illness() or "")
            cause = Cause("ended", action, "", outcome.cause.wanted, "")
            return outcome._replace(
                problem=(say("ended-by", action=action) if action else say("ended-by-bytes")) + words, cause=cause
            )
        return outcome

    def _revive(self, since: str, illness: str) -> bool:
        """Have the server started again; if that can't be done, the run is over."""
        with self._lock:
            words = self.target.last_words()
            try:
                is_back = self.target.revive()
            except (OSError, Absent) as error:
                is_back, words = False, "; %s" % error
            self._is_down = not is_back
            if is_back:
                self.ends += 1
            elif not self.trouble:
                hint = "" if self.target.program else say("start-it")
                self.trouble = say("down-since", what=illness, since=since) + words + hint
            return is_back


def _joined(before: Outcome, after: Outcome) -> Outcome:
    """Return how a case ended that was held twice, and had passed *before*."""
    return after._replace(
        faults=before.faults + after.faults,
        received=before.received + after.received,
        seconds=before.seconds + after.seconds,
    )


def _named(outcomes: Sequence[Outcome]) -> str:
    named = [
        say("request-of", action=one.cause.after, case=one.case.id)
        if one.cause.after
        else say("bytes-of", case=one.case.id)
        for one in outcomes[:SUSPECTS_SHOWN]
    ]
    return say("or").join(named) + (" ..." if len(outcomes) > SUSPECTS_SHOWN else "")


def _wants_closed(case: Case) -> bool:
    return any("closed" in step for step in case.steps)


def _skipped(case: Case, why: str) -> Outcome:
    return Outcome(case, why, (), (), 0, 0.0, is_skipped=True)


def _waiting(case: Case, lack: Lack) -> Outcome:
    return Outcome(case, lack.why, (), (), 0, 0.0, waits_for=lack.action)
