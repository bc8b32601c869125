"""Tests a server: all conversations, several at once, and what the messages of all of them have in common."""

from __future__ import annotations

import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, List, NamedTuple, Optional, Tuple

import shapes
from case import SPEC, Case
from conversation import hold
from matcher import Names
from outcome import Fault, Line, Outcome, Verdict
from wire import Closed, Flood, Garbage, Message, Peer, Silence, connect, write

__all__ = ["CHECKS", "Target", "judge"]

AT_ONCE = 8
TRIES = 3
GIVE_UP_AFTER_SILENCES = 16
MAX_RETRY_AFTER_SECONDS = 3.0

CHECKS = {
    "frame": Case(
        "wire/frame", "MUST", ("R-out-frame",), "every message is one JSON line in UTF-8 that ends with CR LF", (), ()
    ),
    "shape": Case(
        "wire/shape",
        "MUST",
        ("R-out-msg", "R-stamp-fields"),
        "every message has the fields and types that its schema asks for",
        (),
        (),
    ),
}


class Target(NamedTuple):
    """The server under test."""

    host: str
    port: int
    timeout_seconds: float

    def open(self) -> Peer:
        return connect(self.host, self.port, self.timeout_seconds)

    def __str__(self) -> str:
        return "%s:%d" % ("[%s]" % self.host if ":" in self.host else self.host, self.port)


def judge(target: Target, cases: List[Case], checks: List[Case]) -> Verdict:
    """Run *cases* against *target*, then judge *checks* over everything that came.

    Raises:
        OSError: nobody listens there.
    """
    began = time.monotonic()
    trouble = _probe(target)
    if trouble:
        return Verdict((), trouble, time.monotonic() - began)
    run = _Run(target)
    outcomes: List[Outcome] = []
    timed, cut = (
        [case for case in cases if case.is_timed],
        [case for case in cases if case.is_cut and not case.is_timed],
    )
    for at_once, some in ((AT_ONCE, [case for case in cases if case not in timed + cut]), (3, cut), (1, timed)):
        with ThreadPoolExecutor(at_once) as pool:
            outcomes += pool.map(run.one, some)
    order = {case.id: at for at, case in enumerate(cases)}
    outcomes.sort(key=lambda outcome: order[outcome.case.id])
    outcomes += [_check(case, outcomes) for case in checks]
    return Verdict(tuple(outcomes), run.trouble, time.monotonic() - began)


def _probe(target: Target) -> Optional[str]:
    """Say hello once; return what is so wrong that nothing else can be tested."""
    peer = target.open()
    try:
        peer.send(write({"from": "probe-" + secrets.token_hex(3), "action": "client-hello"}))
        peer.next()
    except Silence:
        return "the server takes the connection but does not answer client-hello within %g s" % target.timeout_seconds
    except Closed:
        return "the server closes the connection instead of answering client-hello"
    except (Garbage, Flood) as error:
        return "the server does not answer client-hello with a message: %s" % error
    finally:
        peer.sock.close()
    return None


class _Run:
    """One run's shared state: the schema, and how long the server has been silent."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.trouble: Optional[str] = None
        server_shapes = shapes.load(SPEC / "schema", "server.json")
        self._faults_of: Callable[[Message], List[str]] = server_shapes.faults if server_shapes else lambda message: []
        self._lock = threading.Lock()
        self._silences = 0

    def one(self, case: Case) -> Outcome:
        if self.trouble:
            return _skipped(case, self.trouble)
        tries = TRIES
        while True:
            outcome = hold(case, self.target.open, Names(secrets.token_hex(3)), self._faults_of)
            tries -= 1
            if outcome.retry_after is not None:
                if not tries or outcome.retry_after > MAX_RETRY_AFTER_SECONDS:
                    return _skipped(case, "the server says rate-limited")
                time.sleep(outcome.retry_after)
            elif not (outcome.is_untimely and tries):
                break
        self._count(outcome)
        return outcome

    def _count(self, outcome: Outcome) -> None:
        with self._lock:
            self._silences = self._silences + 1 if outcome.is_silence else 0
            if self._silences >= GIVE_UP_AFTER_SILENCES and not self.trouble:
                self.trouble = "the server does not answer any more (last: %s)" % outcome.case.id


def _skipped(case: Case, why: str) -> Outcome:
    return Outcome(case, why, (), (), 0, 0.0, is_skipped=True)


def _check(case: Case, outcomes: List[Outcome]) -> Outcome:
    """Judge one of CHECKS over all that came in *outcomes*: the first fault of each sort is shown."""
    kind = case.id.split("/")[1]
    seen: List[Tuple[Outcome, Fault]] = []
    for outcome in outcomes:
        for fault in outcome.faults:
            if fault.kind == kind and not any(fault.problem == other.problem for _, other in seen):
                seen.append((outcome, fault))
    received = sum(outcome.received for outcome in outcomes)
    if not received:
        return _skipped(case, "no message came")
    if not seen:
        return Outcome(case, None, (), (), received, 0.0)
    lines = []
    for outcome, fault in seen[:5]:
        lines.append(Line(outcome.case.id, "<", fault.text))
        lines.append(Line("", "!", fault.problem))
    return Outcome(case, "; ".join(fault.problem for _, fault in seen[:5]), tuple(lines), (), received, 0.0)
