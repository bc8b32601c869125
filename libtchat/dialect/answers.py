"""Rules from what a server answered: what two answers have in common, what is a page, a refusal, a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

from libtchat.dialect.dialect import Rule
from libtchat.dialect.generalise import common, generalise
from libtchat.dialect.template import constants, holes, match
from libtchat.dialect.vocabulary import ACTION_KEYS, KEYS

__all__ = ["action_key", "as_page", "errors_of", "instance", "is_like", "is_refusal", "loosely", "merged", "unnamed"]

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
        return {
            key: "{say}" if key in KEYS["error"] and isinstance(part, str) else loosely(part)
            for key, part in template.items()
        }
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
    if isinstance(template, list) and kind == "states":
        return ["{event}"]  # all of an entry is shown
    if isinstance(template, list) and isinstance(template[0], str):
        return template if kind == "messages" and {"who", "text"} <= {*holes(template)} else ["{event}"]
    if template == "{who}":
        return template  # who asked, repeated
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
    others = [rule for rule in rules if rule.kind != "error"]

    def is_clear(loose: Any) -> bool:
        return "say" in holes(loose) and all(match(loose, instance(rule.template)) is None for rule in others)

    found = []
    for frame, roles, asked in seen:
        template = generalise(_without_quote(frame, asked), roles)
        if template and all(match(each.template, frame) is None or is_refusal(frame, each.template) for each in others):
            found.append((template, loosely(template)))
    shared = reduce(_shared, (loose for _, loose in found)) if found else None
    if shared and is_clear(shared):
        yield Rule("error", shared)
        return
    for template, loose in found:
        bare = {key: part for key, part in loose.items() if key != action_key(loose, ())}
        yield Rule("error", next((each for each in (bare, loose) if is_clear(each)), template))


def is_refusal(found: Any, template: Any) -> bool:
    """Tell whether *found* has beside all of *template* a key that only refusals have."""
    return isinstance(found, dict) and any(found.get(key) and key not in template for key in KEYS["error"])


def _shared(one: Any, other: Any) -> Any:
    """Return what both *one* and *other* have."""
    if isinstance(one, dict) and isinstance(other, dict):
        found = {key: _shared(part, other[key]) for key, part in one.items() if key in other}
        return {key: part for key, part in found.items() if part is not None}
    if one == other:
        return one
    return "{say}" if "{say}" in (one, other) and isinstance(one, str) and isinstance(other, str) else None


def unnamed(template: Any, name: str) -> Any:
    """Return *template* with the *name* of the request that it answers made equal for all."""
    if isinstance(template, dict):
        return {key: unnamed(part, name) for key, part in template.items()}
    return template.replace(name, "\u2026") if isinstance(template, str) and name else template
