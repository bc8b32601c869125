"""Patterns: does a message look as a scenario says? Also the fresh names that `$alice` stands for.

Nothing here knows a socket or a file.
"""

from __future__ import annotations

import json
import re
from typing import Callable, Dict, List, Optional

from words import say

__all__ = ["GROUP_PREFIX", "Names", "fill", "match"]

GROUPS, GROUP_PREFIX = {"wob", "g", "web", "dev"}, "conformance-"
PLACEHOLDER = re.compile(r"\$([a-z][a-z0-9]*)")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ")
ABSENT = {"$absent": True}
_MISSING = object()

Captures = Dict[str, object]


class Names:
    """The names of one run of one case: `$alice` is `alice-` and a suffix all names of the case share.

    `$wob` and what else groups are called after has a prefix too that nobody else uses.
    """

    def __init__(self, suffix: str) -> None:
        self.suffix = suffix

    def of(self, word: str) -> str:
        """Return the name that `$word` stands for."""
        return "%s%s-%s" % (GROUP_PREFIX if word in GROUPS else "", word, self.suffix)

    def replace(self, text: str) -> str:
        """Put names in the place of all placeholders in *text*."""
        return PLACEHOLDER.sub(lambda found: self.of(found.group(1)), text)


def fill(value: object, names: Names, captures: Optional[Captures] = None) -> object:
    """Put names in the place of placeholders, and captured values in that of `{"$get": ...}` if *captures* is given."""
    if isinstance(value, str):
        return names.replace(value)
    if isinstance(value, list):
        return [fill(item, names, captures) for item in value]
    if isinstance(value, dict):
        if captures is not None and list(value) == ["$get"]:
            return captures.get(str(value["$get"]))
        is_special = len(value) == 1 and next(iter(value)) in _SPECIAL
        return {key if is_special else names.replace(key): fill(item, names, captures) for key, item in value.items()}
    return value


def match(pattern: object, value: object, captures: Captures, path: str = "") -> Optional[str]:
    """Return what differs in one line, or None if *value* matches; `$set` adds to *captures*."""
    if isinstance(pattern, dict):
        special = next(iter(pattern)) if len(pattern) == 1 else ""
        if special in _SPECIAL:
            return _SPECIAL[special](pattern[special], value, captures, path)
        if value is _MISSING:
            return say("is-missing", path=path or say("the-message"))
        if not isinstance(value, dict):
            return say("is-not", path=path or say("the-message"), value=shown(value), wanted=say("an-object"))
        problems = [
            match(item, value.get(key, _MISSING), captures, "%s.%s" % (path, key) if path else key)
            for key, item in pattern.items()
        ]
        found = [problem for problem in problems if problem]
        return ", ".join(found) if found else None
    if value is _MISSING:
        return say("is-missing-wanted", path=path, wanted=shown(pattern))
    if isinstance(pattern, list):
        if not isinstance(value, list):
            return say("is-not", path=path, value=shown(value), wanted=say("a-list"))
        if len(pattern) != len(value):
            return say("has-entries", path=path, n=len(value), wanted=len(pattern))
        for at, item in enumerate(pattern):
            problem = match(item, value[at], captures, "%s[%d]" % (path, at))
            if problem:
                return problem
        return None
    if same(pattern, value):
        return None
    return say("differs", path=path or say("the-value"), value=shown(value), wanted=shown(pattern))


def same(one: object, other: object) -> bool:
    """Equal, also in type: true is not 1, and 1.0 is not 1."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other


def shown(value: object) -> str:
    """Return *value* as JSON, cut where it gets long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_KINDS: Dict[str, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": _is_integer,
    "boolean": lambda value: isinstance(value, bool),
    "time": lambda value: isinstance(value, str) and TIME.fullmatch(value) is not None,
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def _is(kind: object, value: object, captures: Captures, path: str) -> Optional[str]:
    if value is _MISSING:
        return say("is-missing", path=path)
    if _KINDS[str(kind)](value):
        return None
    return say("differs", path=path, value=shown(value), wanted=say("kind-" + str(kind)))


def _absent(_: object, value: object, captures: Captures, path: str) -> Optional[str]:
    return None if value is _MISSING else say("differs", path=path, value=shown(value), wanted=say("no-such-field"))


def _set(word: object, value: object, captures: Captures, path: str) -> Optional[str]:
    if value is _MISSING:
        return say("is-missing", path=path)
    captures[str(word)] = value
    return None


def _get(word: object, value: object, captures: Captures, path: str) -> Optional[str]:
    if value is _MISSING:
        return say("is-missing", path=path)
    expected = captures.get(str(word))
    if same(expected, value):
        return None
    return say("differs", path=path, value=shown(value), wanted=say("as-before", value=shown(expected)))


def _seen(value: object) -> str:
    return say("missing") if value is _MISSING else shown(value)


def _entries(value: object, path: str) -> List[object]:
    return value if isinstance(value, list) else []


def _includes(items: object, value: object, captures: Captures, path: str) -> Optional[str]:
    if not isinstance(value, list):
        return say("differs", path=path, value=_seen(value), wanted=say("a-list"))
    for item in _entries(items, path):
        if not any(match(item, entry, captures) is None for entry in value):
            return say("contains-not", path=path, item=shown(item))
    return None


def _excludes(items: object, value: object, captures: Captures, path: str) -> Optional[str]:
    if not isinstance(value, list):
        return say("differs", path=path, value=_seen(value), wanted=say("a-list"))
    for item in _entries(items, path):
        if any(match(item, entry, captures) is None for entry in value):
            return say("contains", path=path, item=shown(item))
    return None


def _matches(regex: object, value: object, captures: Captures, path: str) -> Optional[str]:
    if isinstance(value, str) and re.fullmatch(str(regex), value):
        return None
    return say("differs", path=path, value=_seen(value), wanted=regex)


_SPECIAL: Dict[str, Callable[[object, object, Captures, str], Optional[str]]] = {
    "$is": _is,
    "$absent": _absent,
    "$set": _set,
    "$get": _get,
    "$includes": _includes,
    "$excludes": _excludes,
    "$matches": _matches,
}
