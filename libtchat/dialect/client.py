"""Learn a client: what all probes need (`learn_basics`), and the dialect that follows from what was found (`assemble`).

Before come the requests (`asking.py`), between the two each kind of answer (`showing.py`), which may be shared out
among several runs of the program.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve

from libtchat.dialect.dialect import COPIES, Dialect, Rule
from libtchat.dialect.probe import Await, Start, Tell, Tokens, pattern, shown, wrap
from libtchat.dialect.spread import MOST_IN_A_SENTENCE, NONSENSE, TEXT_KINDS, Basics, Finding, Learning, Shape, full
from libtchat.dialect.template import holes
from libtchat.dialect.vocabulary import ANSWERS, KINDS, kind_of_name, names_of

__all__ = ["assemble", "assemble_from_partner", "learn_basics"]


def learn_basics(
    shape: Shape, own: Mapping[str, str], welcome: Any, words: Iterable[str] = (), *, is_slow: bool = False
) -> Learning:
    """Find what a nonsense action does and what is surely shown; returns Basics.

    Args:
        words: further names of actions that something may be shown of.
        is_slow: its waits were made longer already.
    """
    tokens = Tokens("zp")
    layouts = dict.fromkeys(((shape.path, shape.action), ((), shape.action), ((), "type"), ((), "event")))
    likely, others = _loud_names(own, words)
    first: Basics | None = None
    for path, action in layouts:
        basics = Basics(evolve(shape, path=path, action=action), welcome)
        yield Start(welcome)
        message, spots = full("say", NONSENSE, basics.shape, tokens)
        seen = yield Tell((message,))
        if seen.alive:
            keys = tuple(shown(seen.screen, spots))
            basics = evolve(basics, control=pattern(seen.screen, spots, NONSENSE), control_keys=keys)
        else:
            basics = evolve(basics, control=None)
        is_alive = seen.alive
        if not is_alive:  # every name may be its death
            groups = _in_groups((*likely, *others)[:_MAX_DEATHS], 1)
        elif first is None:
            groups = _in_groups(likely, 1) + _in_groups(others, _AT_ONCE)
        else:
            groups = _in_groups((*likely, *others), _AT_ONCE)
        while groups:
            group = groups.pop(0)
            if not is_alive:
                yield Start(welcome)
            told = [full(kind, name, basics.shape, tokens) for kind, name in group]
            seen = yield Tell(tuple(message for message, _ in told))
            is_alive = seen.alive
            if not is_alive:  # of which one?
                groups[:0] = [(name,) for name in group] if len(group) > 1 else []
                continue
            for message, spots in told:
                keys = tuple(spot for spot in shown(seen.screen, spots) if "[" not in spot)
                texts = [spot for spot in keys if spot.startswith("text:")]
                if keys:
                    return evolve(basics, barrier=(message, (texts or [*keys])[0].partition(":")[2]))
        if first is None and is_alive and not is_slow:
            seen = yield Await(is_shown=True)
            if seen.screen.strip():
                return (yield from learn_basics(shape, own, welcome, words, is_slow=True))
        first = first or basics
    assert first is not None
    return first


def _in_groups(names: Sequence[tuple[str, str]], size: int) -> list[tuple[tuple[str, str], ...]]:
    return [tuple(names[at : at + size]) for at in range(0, len(names), size)]


_AT_ONCE = 6  # names in one probe, for who bears what it does not know
_MAX_DEATHS = 45


def _loud_names(own: Mapping[str, str], words: Iterable[str]) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Return kinds and names that programs surely show something of: those to ask one by one, and many others."""
    names = {kind: [*names_of(kind, own.get(kind))] for kind in (*TEXT_KINDS, "say", "error")}
    likely = [(kind, name) for kind in TEXT_KINDS for name in names[kind][:8]]
    likely += [("say", name) for name in KINDS["say"].names] + [("error", "error")]
    others = [(kind_of_name(word) or "error", word) for word in words]
    others += [(kind, name) for kind, all_names in names.items() for name in all_names]
    return tuple(likely), tuple(one for one in dict.fromkeys(others) if one not in likely)


def assemble_from_partner(
    name: str, shape: Shape, requests: Mapping[str, Any], rules: Sequence[Rule], fatal: tuple[str, ...] = ()
) -> Dialect:
    """Return the dialect of a client that shows these *rules* of its own server, which has a word for everything."""
    heard = [rule for kind in ("broadcast", "tell", "error") for rule in rules if rule.kind == kind]
    told = [rule.template for rule in heard if {"text", "say"} & {*holes(rule.template)}]
    kept = tuple(rule for rule in rules if rule.kind != "quit")
    notice = tuple(Rule("say", _as_notice(template)) for template in told[:1])
    order = [*ANSWERS]
    answers = sorted((*kept, *notice), key=lambda rule: (COPIES.index(rule.copy), order.index(rule.kind)))
    action = (*shape.path, shape.action)
    return Dialect(name, "client", action, shape.wire, dict(requests), tuple(answers), fatal=fatal)


def assemble(
    name: str, shape: Shape, requests: Mapping[str, Any], basics: Basics, findings: Iterable[Finding]
) -> Dialect:
    """Return the dialect that follows from everything learnt about a client."""
    found = {finding.kind: finding for finding in findings}
    notice = _notice(basics, found)
    rules = []
    for kind in ANSWERS:
        finding = found.get(kind)
        if kind == "say" or finding is None or finding.template is None or not finding.is_specific:
            continue
        if kind in ("connect", "disconnect") and "group" in holes(finding.template):
            continue
        if "" in finding.mute:
            rules.append(Rule(kind, finding.template, finding.only))
            rules += [Rule(kind, notice)] if notice else []
        else:
            rules.append(Rule(kind, finding.template))
            if kind not in TEXT_KINDS and notice:
                rules += [Rule(kind, notice, copy) for copy in finding.mute]
    if notice:
        rules.append(Rule("say", notice))
    deadly = dict.fromkeys(action for finding in found.values() for action in finding.deadly)
    fatal = ("unknown",) if basics.control is None else tuple(deadly)
    return Dialect(name, "client", (*shape.path, shape.action), shape.wire, dict(requests), tuple(rules), fatal=fatal)


def _notice(basics: Basics, found: Mapping[str, Finding]) -> Any:
    """Return the template that shows any text: a notice of its own, the default branch, or a text of the server."""
    say = found.get("say")
    texts = [spot.partition(":")[2] for spot in basics.control_keys if spot.startswith("text:")]
    is_dump = len(basics.control_keys) > MOST_IN_A_SENTENCE
    if say and say.template is not None and say.is_specific and "say" in say.shows and (is_dump or not texts):
        return _as_notice(say.template)
    if texts:
        others = [
            spot.partition(":") for spot in basics.control_keys if "[" not in spot and not spot.startswith("text:")
        ]
        fixed = {key: {"who": "server", "dest": "{me}"}.get(hole, "-") for hole, _, key in others if not is_dump}
        return wrap({**fixed, texts[0]: "{say}", basics.shape.action: "notice"}, basics.shape.path)
    for kind in ("broadcast", "tell", "text", "error", "hello"):
        finding = found.get(kind)
        if finding and finding.template is not None and {"text", "say"} & {*finding.shows}:
            if finding.only:
                continue
            return _as_notice(finding.template)
    return None


def _as_notice(template: Any) -> Any:
    if isinstance(template, dict):
        return {key: _as_notice(part) for key, part in template.items()}
    if isinstance(template, list):
        return template
    if isinstance(template, str):
        fixed = {"{who}": "server", "{dest}": "{me}", "{group}": "-", "{text}": "{say}"}
        return fixed.get(template, template)
    return template
