"""Learn a client in several runs of it at once: the same at every time, however they are shared out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Any

from attrs import evolve, frozen

from libtchat.dialect.asking import Requests, learn_requests, merge
from libtchat.dialect.client import assemble, assemble_from_partner, learn_basics
from libtchat.dialect.dialect import Dialect, Rule
from libtchat.dialect.partner import learn_from_partner
from libtchat.dialect.showing import learn_answers
from libtchat.dialect.spread import Basics, Finding
from libtchat.dialect.vocabulary import ANSWERS
from tchat_client.learn.client_lab import ClientLab
from tchat_client.learn.program import Setup, now
from tchat_client.learn.slowness import LabError, TooSlow

__all__ = ["Learnt", "learn_client"]

RUNS = 3
_NAMES = ("zqmebb", "zqmecc", "zqmedd")

Say = Callable[[str], None]
Partner = Callable[[Dialect], Sequence[Rule]]
"""Learns the server of the client's team, asked as this client asks; returns what it answers, nothing if it cannot."""

_ENOUGH_FROM_PARTNER = 8  # kinds: then it is its server, and all else is what they do not have


@frozen
class Learnt:
    """A client's dialect, and what it was concluded from. *pty*: it needed a terminal."""

    dialect: Dialect
    requests: Requests
    basics: Basics
    findings: tuple[Finding, ...]
    pty: bool = False
    starts: int = 0
    probes: int = 0

    @property
    def is_from_partner(self) -> bool:
        """Whether it was learnt by what its own server says."""
        return not self.findings


def learn_client(
    setup: Setup, name: str, words: Sequence[str], seconds: float, say: Say, partner: Partner | None = None
) -> Learnt:
    """Learn the client that *setup* starts.

    Args:
        name: what the dialect is called.
        words: further names of actions to try.
        say: told what is being done.
        partner: learns its own server.
    Raises:
        LabError: it cannot be learnt.
    """
    deadline = now() + seconds
    for attempt in (setup, evolve(setup, pty=True)) if not setup.pty else (setup,):
        last = attempt.pty
        try:
            learnt = _learn(attempt, name, words, deadline, say, partner)
        except TooSlow:
            raise
        except LabError:
            if last:
                raise
            say("it does not come through a pipe: once more, with a terminal")
            continue
        if last or learnt.basics.barrier is not None or learnt.dialect.answers:
            return learnt
        say("it shows nothing through a pipe: once more, with a terminal")
    raise LabError("it shows nothing")


def _learn(setup: Setup, name: str, words: Sequence[str], deadline: float, say: Say, partner: Partner | None) -> Learnt:
    runs = 1 if setup.port else RUNS  # one port has one server
    labs = [ClientLab(setup, each, deadline) for each in _NAMES[:runs]]
    try:
        with ThreadPoolExecutor(runs) as pool:
            say("what it sends")
            asked = [pool.submit(lab.run, learn_requests(lab.name, f"z{at}".replace("0", "r").replace("1", "s")))
                     for at, lab in enumerate(labs[:2])]  # fmt: skip
            found_twice = _results(asked, labs)
            requests = merge(found_twice[0], found_twice[-1])
            if not requests.typed:
                raise LabError("nothing that is typed makes it send anything")
            _share_patience(labs)
            if partner is not None:
                learnt = _learn_from(partner, requests, labs, name, setup.pty, say)
                if learnt is not None:
                    return learnt
            say(f"{len(requests.typed)} commands; what it shows of anything")
            basics = labs[0].run(learn_basics(requests.shape, requests.own, requests.welcome, words))
            _share_patience(labs)
            say("what it shows of each kind of answer")
            shares = [
                pool.submit(
                    lab.run,
                    learn_answers(
                        _for(basics, lab.name), ANSWERS[at::runs], requests.own, words, ("za", "ze", "zi")[at]
                    ),
                )
                for at, lab in enumerate(labs)
            ]
            found = {finding.kind: finding for share in _results(shares, labs) for finding in share}
    finally:
        for lab in labs:
            lab.__exit__()
    findings = tuple(found[kind] for kind in ANSWERS)
    dialect = assemble(name, requests.shape, requests.templates, basics, findings)
    starts, probes = sum(lab.starts for lab in labs), sum(lab.probes for lab in labs)
    return Learnt(dialect, requests, basics, findings, setup.pty, starts, probes)


def _learn_from(
    partner: Partner, requests: Requests, labs: Sequence[ClientLab], name: str, pty: bool, say: Say
) -> Learnt | None:
    """Learn by what its own server says; return None if too little of that is shown."""
    shape = requests.shape
    rules = partner(Dialect(name, "client", (*shape.path, shape.action), shape.wire, dict(requests.templates)))
    if not rules:
        return None
    say(f"{len(requests.typed)} commands; what it shows of its own server's answers")
    welcome, shown, fatal = labs[0].run(learn_from_partner(shape.me, requests.welcome, rules))
    if len({rule.kind for rule in shown}) < _ENOUGH_FROM_PARTNER:
        return None
    dialect = assemble_from_partner(name, shape, requests.templates, shown, fatal)
    starts, probes = sum(lab.starts for lab in labs), sum(lab.probes for lab in labs)
    return Learnt(dialect, requests, Basics(shape, welcome), (), pty, starts, probes)


def _results(asked: Sequence[Future[Any]], labs: Sequence[ClientLab]) -> list[Any]:
    """Return what all found; what one of them raises, once the others were told to stop."""
    done, _ = wait(asked, return_when=FIRST_EXCEPTION)
    failed = next((error for one in done if (error := one.exception()) is not None), None)
    if failed is not None:
        for lab in labs:
            lab.deadline = 0.0
        raise failed
    return [one.result() for one in asked]


def _share_patience(labs: Sequence[ClientLab]) -> None:
    for lab in labs:
        lab.patience = max(each.patience for each in labs)


def _for(basics: Basics, name: str) -> Basics:
    """Return *basics* for a run under another name."""
    return evolve(
        basics,
        shape=evolve(basics.shape, me=name),
        welcome=_renamed(basics.welcome, basics.shape.me, name),
        barrier=basics.barrier and (_renamed(basics.barrier[0], basics.shape.me, name), basics.barrier[1]),
    )


def _renamed(value: object, old: str, new: str) -> object:
    if isinstance(value, dict):
        return {key: _renamed(part, old, new) for key, part in value.items()}
    if isinstance(value, list):
        return [_renamed(part, old, new) for part in value]
    return new if value == old else value
