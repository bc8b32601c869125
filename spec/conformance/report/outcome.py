"""How a case ended, and how a whole run did: plain values, made by the testers and shown by the reports."""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Tuple

from cases.case import Case

__all__ = ["NO_CAUSE", "Cause", "Fault", "Lack", "Line", "Outcome", "Verdict"]


class Line(NamedTuple):
    """One line of the conversation: who, in which direction (`>` to the server, `<` from it, `!` a remark), what."""

    peer: str
    sign: str
    text: str


class Fault(NamedTuple):
    """Something wrong with one message, whatever the case was about."""

    kind: str
    problem: str
    text: str


class Cause(NamedTuple):
    """Why a case failed, without the names of this one run: failures with the same cause are told together.

    Attributes:
        kind: silence, closed, refused, garbage, ended, differs, extra, soon, open.
        after: the action of the last request before, empty if it was none of the protocol.
        came: action and code of what came, empty if nothing did.
        wanted: action and code of what was expected.
        detail: the fields that differ, if both have the same action and code.
    """

    kind: str
    after: str
    came: str
    wanted: str
    detail: str


NO_CAUSE = Cause("", "", "", "", "")


class Outcome(NamedTuple):
    """How a case ended: `problem` is None if it passed; `retry_after` if the server said rate-limited.

    A case that was not judged has `waits_for` (an action that the server lacks) or `is_skipped`.
    """

    case: Case
    problem: Optional[str]
    lines: Tuple[Line, ...]
    faults: Tuple[Fault, ...]
    received: int
    seconds: float
    is_skipped: bool = False
    retry_after: Optional[float] = None
    cause: Cause = NO_CAUSE
    waits_for: str = ""

    @property
    def state(self) -> str:
        """One of passed, failed, waiting, skipped."""
        if self.waits_for:
            return "waiting"
        return "skipped" if self.is_skipped else "failed" if self.problem else "passed"

    @property
    def may_be_dead(self) -> bool:
        """The case ended in a way that asks whether the server is still there."""
        return self.cause.kind in ("silence", "closed", "refused", "open")


class Lack(NamedTuple):
    """An action that the server does not answer: silent, unknown, closes, ends, or no-echo (others hear it)."""

    action: str
    kind: str
    why: str


class Verdict(NamedTuple):
    """All outcomes; `trouble` is why there are none or why the run was cut short; `remarks` what else was seen."""

    outcomes: Tuple[Outcome, ...]
    trouble: Optional[str]
    seconds: float
    lacks: Tuple[Lack, ...] = ()
    remarks: Tuple[str, ...] = ()

    def failed(self, level: str) -> List[Outcome]:
        return [one for one in self.outcomes if one.state == "failed" and one.case.level == level]

    def in_state(self, state: str) -> List[Outcome]:
        return [one for one in self.outcomes if one.state == state]
