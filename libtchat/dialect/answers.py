"""Rules from what a server answered: what two answers have in common, what is a page, a refusal, a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from libtchat.dialect.dialect import Rule
from libtchat.dialect.generalise import common, generalise
from libtchat.dialect.template import constants, holes, match
from libtchat.dialect.vocabulary import ACTION_KEYS

__all__ = ["action_key", "as_page", "errors_of", "instance", "is_like", "loosely", "merged"]

_SENTENCE = re.compile(r"\S\s+\S")


def action_key(found: Any, path: Sequence[str]) -> str:
    """Return the key, inside *path*, that says what a message is."""
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    if isinstance(found, dict):
        return next((key for key in ACTION_KEYS if isinstance(found.get(key), str)), "action")
    return "action"


def _without_quote(frame: Any, request: str) -> Any:
    """Return *frame* without the keys that only repeat the name of the *request* that it answers."""
    if not isinstance(frame, dict):
        return frame
    return {
        key: _without_quote(part, request) for key, part in frame.items() if part != request or key in ACTION_KEYS[:2]
    }


def loosely(template: Any) -> Any:
    """Return *template* with a hole for every sentence and list in it: they will be others next time."""
    if isinstance(template, dict):
        return {key: loosely(part) for key, part in template.items()}
    if isinstance(template, list):
        return ["{event}"]
    if isinstance(template, str) and _SENTENCE.search(template):
        return "{say}"
    return template


def is_like(template: Any, unknown: Any) -> bool:
    """Tell whether *template* says no more than what an action that there is not is answered with."""
    if not unknown or not any(constants(unknown)):
        return False
    return bool(template == unknown or ("err" in str(unknown).lower() and loosely(template) == loosely(unknown)))


def as_page(template: Any, kind: str) -> Any:
    """Return the template of a page: sentences that name somebody are its entries, or all of them in one text."""
    if isinstance(template, dict):
        return {key: as_page(part, kind) for key, part in template.items()}
    if isinstance(template, list) and isinstance(template[0], str):
        return template if kind == "messages" and {"who", "text"} <= {*holes(template)} else ["{event}"]
    if isinstance(template, str) and (_SENTENCE.search(template) or {"who", "text"} & {*holes(template)}):
        return "{say}"
    return template


def instance(template: Any) -> Any:
    """Return a message that *template* would read."""
    if isinstance(template, dict):
        return {key: instance(part) for key, part in template.items()}
    if isinstance(template, list):
        return [instance(part) for part in template]
    return re.sub(r"\{\w+\}", "x", template) if isinstance(template, str) else template


def merged(rules: Sequence[Rule]) -> list[Rule]:
    """Join what was seen twice into what both have in common, and copies that are alike into one rule."""
    found: list[Rule] = []
    for rule in rules:
        for at, other in enumerate(found):
            if other.kind != rule.kind:
                continue
            both = common(other.template, rule.template)
            if both == other.template == rule.template:
                copy = other.copy if other.copy == rule.copy else ""
            elif other.copy == rule.copy and both and _same_keys(both, other.template) and any(constants(both)):
                copy = rule.copy
            else:
                continue
            found[at] = Rule(rule.kind, both, copy)
            break
        else:
            found.append(rule)
    return found


def _same_keys(one: Any, other: Any) -> bool:
    return isinstance(one, dict) and {*holes(one)} == {*holes(other)}


def errors_of(seen: Sequence[tuple[Any, Mapping[str, str], str]], rules: Sequence[Rule]) -> Iterator[Rule]:
    """Make rules of refusals: any sentence, if something else shows that it is one; else just these sentences.

    Args:
        seen: what was answered, what its words stand for, and the action of the request.
    """
    for frame, roles, asked in seen:
        template = generalise(_without_quote(frame, asked), roles)
        loose = loosely(template) if template else None
        if not loose or any(match(rule.template, frame) is not None for rule in rules if rule.kind != "error"):
            continue
        others = [rule.template for rule in rules if rule.kind != "error"]
        is_clear = "say" in holes(loose) and not any(match(loose, instance(other)) is not None for other in others)
        yield Rule("error", loose if is_clear else template)
