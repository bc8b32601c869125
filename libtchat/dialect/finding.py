"""What follows from an interview: the server's dialect, and what it lacks."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field

from libtchat.dialect.answers import action_key, errors_of, instance, is_like, merged, unnamed
from libtchat.dialect.dialect import Dialect, Rule
from libtchat.dialect.interview import Interview
from libtchat.dialect.partner import filled
from libtchat.dialect.template import match
from libtchat.dialect.vocabulary import KINDS
from libtchat.message.value import frozen

__all__ = ["ServerFinding", "conclude"]


@frozen
class ServerFinding:
    """A server's dialect, what it lacks (a kind -> why), and remarks; its answers as its own client is used to them."""

    dialect: Dialect
    lacks: Mapping[str, str] = field(factory=dict, hash=False)
    remarks: tuple[str, ...] = ()
    whole: tuple[Rule, ...] = field(default=(), hash=False)


def conclude(learner: Interview, name: str) -> ServerFinding:
    """Return the dialect *name* that follows from what was learnt, and what the server lacks."""
    rules = _settle_rules(learner)
    kinds = ("hello", "tell", "broadcast", "create", "join", "text", "leave", "invite", "kick", "ban", "unban")
    silent = tuple(kind for kind in kinds if kind not in learner.acked)
    texts = [rule.template for rule in rules if rule.kind in ("tell", "broadcast", "text")]
    typed = {
        rule.kind
        for rule in rules
        if rule.kind not in ("tell", "broadcast", "text", "error")
        and any(match(template, instance(rule.template)) is not None for template in texts)
    }
    requests = {
        kind: learner.template(kind)
        for kind in KINDS
        if KINDS[kind].action and kind not in learner.fatal and kind not in learner.unknown_kinds
    }
    action = (*learner.layout.path, next((action_key(rule.template, learner.layout.path) for rule in rules), "action"))
    lacks = {kind: _WHY.get(kind, "nobody is told anything") for kind, worked in learner.done.items() if not worked}
    lacks |= learner.unknown_kinds
    lacks |= {kind: "it dies of it" for kind in learner.fatal if kind in KINDS}
    dialect = Dialect(
        *(name, "server", action, learner.wire, requests, tuple(rules), silent, tuple(learner.fatal)),
        invite_adds=learner.invite_adds,
        typed=tuple(kind for kind in KINDS if kind in typed),
    )
    samples = learner.samples + [("error", frame) for frame, _, _ in learner.errors]
    return ServerFinding(dialect, lacks, tuple(learner.remarks), tuple(filled(rule, samples) for rule in rules))


def _settle_rules(learner: Interview) -> list[Rule]:
    """Return the rules without those that only say "unknown", which is kept at the learner, and with the errors."""
    rules = merged(learner.rules)
    for rule in rules[:]:
        asked = unnamed(rule.template, learner.name_of(rule.kind))
        if not any(is_like(asked, unknown) for unknown in learner.unknown):
            continue
        rules.remove(rule)
        if not any(other.kind == rule.kind for other in rules):
            learner.done[rule.kind] = False
            learner.acked.add(rule.kind)  # it refuses, which is no silence
            learner.unknown_kinds[rule.kind] = "it does not know it"
    for rule in errors_of(learner.errors, rules):
        if not any(other.kind == "error" and match(other.template, instance(rule.template)) for other in rules):
            rules.append(rule)
    return rules


_WHY = {
    "users": "the list does not name who is connected",
    "create": "the group is in no list afterwards",
    "members": "the list does not name the members",
    "groups": "the list does not name the group",
    "text": "no other member hears the text",
    "tell": "the one it is for does not hear the text",
    "invite": "who is invited is not told",
}
