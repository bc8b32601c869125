"""How a case ended, and how a whole run did: plain values, made by the testers and shown by the reports."""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Tuple

from case import Case

__all__ = ["Fault", "Line", "Outcome", "Verdict"]


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


class Outcome(NamedTuple):
    """How a case ended: `problem` is None if it passed; `retry_after` if the server said rate-limited."""

    case: Case
    problem: Optional[str]
    lines: Tuple[Line, ...]
    faults: Tuple[Fault, ...]
    received: int
    seconds: float
    is_skipped: bool = False
    retry_after: Optional[float] = None
    is_silence: bool = False
    is_untimely: bool = False


class Verdict(NamedTuple):
    """All outcomes; `trouble` is why there are none or why the run was cut short."""

    outcomes: Tuple[Outcome, ...]
    trouble: Optional[str]
    seconds: float

    def failed(self, level: str) -> List[Outcome]:
        return [one for one in self.outcomes if one.problem and not one.is_skipped and one.case.level == level]

    @property
    def skipped(self) -> List[Outcome]:
        return [one for one in self.outcomes if one.is_skipped]
