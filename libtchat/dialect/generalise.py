"""From what was seen to a template: what others may write another word for becomes a hole."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from libtchat.dialect.probe import value_at
from libtchat.dialect.template import holes

__all__ = ["common", "generalise", "without_counters"]

_PASSING = re.compile(r"\d{4}-\d\d-\d\d|\d\d?[:h]\d\d|\d{5,}")  # times, ports, ids: they are other ones next time
_PASSING_NUMBER = 10_000


def generalise(
    found: Any, roles: Mapping[str, str], *, listed: frozenset[str] = frozenset(), entry: str = "who"
) -> Any:
    """Return the template that *found* is an instance of; what is another one every time (a date) is left out.

    Args:
        roles: a word that nobody else would write -> the hole it stands for.
        listed: of these, those which a list is known to hold.
        entry: what these are where an entry is an object.
    Returns:
        The template; None for what says nothing.
    """
    if isinstance(found, str) and found:
        return _generalise_text(found, roles, listed)
    if isinstance(found, dict):
        parts = {key: generalise(value, roles, listed=listed, entry=entry) for key, value in found.items()}
        return {key: part for key, part in parts.items() if part is not None}
    if isinstance(found, list):
        return _generalise_list(found, roles, listed, entry)
    if found is None or found == "" or (isinstance(found, int | float) and abs(found) >= _PASSING_NUMBER):
        return None
    return found


def _generalise_text(found: str, roles: Mapping[str, str], listed: frozenset[str]) -> str | None:
    names = sorted(listed, key=len, reverse=True)
    spots = [(found.find(name), found.rfind(name) + len(name)) for name in names if name in found]
    if len(spots) > 1:
        start, end = min(spot[0] for spot in spots), max(spot[1] for spot in spots)
        return _braced(found[:start], roles) + "{list}" + _braced(found[end:], roles)
    text = _braced(found, roles)
    return None if not any(holes(text)) and _PASSING.search(found) else text


def _braced(text: str, roles: Mapping[str, str]) -> str:
    tokens = sorted(roles, key=len, reverse=True)
    if not tokens:
        return text.replace("{", "{{").replace("}", "}}")
    parts = re.split("(" + "|".join(map(re.escape, tokens)) + ")", text)
    return "".join(
        "{" + roles[part] + "}" if part in roles else part.replace("{", "{{").replace("}", "}}") for part in parts
    )


def _generalise_list(found: list[Any], roles: Mapping[str, str], listed: frozenset[str], entry: str) -> Any:
    if any(isinstance(one, str) and one in listed for one in found):
        return ["{list}"]
    entries = [generalise(one, {**roles, **dict.fromkeys(listed, entry)}) for one in found]
    entries = [_without_constants(one) for one in entries if one is not None]
    best = max(entries, key=lambda one: len({*holes(one)}), default=None)
    return [best] if best is not None and any(holes(best)) else None


def _without_constants(entry: Any) -> Any:
    """Return an entry's template without what is fixed in it: the next entry has something else there."""
    if not isinstance(entry, dict):
        return entry
    return {key: part for key, part in entry.items() if any(holes(part))}


def common(one: Any, other: Any) -> Any:
    """Return what two templates of the same thing have in common; None if nothing."""
    if isinstance(one, dict) and isinstance(other, dict):
        found = {}
        for key in one:
            part = common(one[key], other[key]) if key in other else one[key] if any(holes(one[key])) else None
            if part is not None:
                found[key] = part
        return found
    return one if one == other else None


def without_counters(templates: Mapping[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """Return *templates* without numbers that are other ones in each, where the name at *path* tells them apart."""
    names = [str(value_at(template, path)) for template in templates.values()]
    if len({*names}) < len(names):
        return dict(templates)
    keys = [key for key in dict.fromkeys(key for template in templates.values() for key in template) if key not in path]
    for key in keys:
        numbers = [template[key] for template in templates.values() if type(template.get(key)) is int]
        if len(numbers) > 1 and len({*numbers}) == len(numbers):
            templates = {
                kind: {each: part for each, part in template.items() if each != key}
                for kind, template in templates.items()
            }
    return dict(templates)
