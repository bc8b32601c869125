"""The schemas, and a validator for the few JSON Schema keywords they keep to (see ../schema/README.md)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple

from words import say

__all__ = ["Shapes", "load"]

Schema = Dict[str, object]

_TYPES: Dict[str, Callable[[object], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


def _canonical(message: Dict[str, object]) -> Dict[str, object]:
    """Return a message told to a peer that says `cgroup` as all others are told it."""
    if message.get("action") == "cgroup":
        return dict(message, action="cgroupe")
    entries = message.get("list")
    if not isinstance(entries, list):
        return message
    return dict(message, list=[_canonical(entry) if isinstance(entry, dict) else entry for entry in entries])


class Shapes:
    """One schema file; `faults` says what is wrong with a message, by the definition of its action."""

    def __init__(self, document: Schema) -> None:
        definitions = document["$defs"]
        assert isinstance(definitions, dict)
        self.definitions: Dict[str, object] = definitions

    def faults(self, message: Dict[str, object]) -> List[str]:
        """Return what is wrong with *message*, one line each; an empty list if nothing is."""
        action = message.get("action")
        if not isinstance(action, str):
            return [
                say("is-missing", path="action")
                if action is None
                else say("is-not", path="action", value=_brief(action), wanted=say("kind-string"))
            ]
        message = _canonical(message)
        action = str(message["action"])
        if action == "server-broadcast" and "event" in message and "presence" in self.definitions:
            return self.check(self.definitions["presence"], message, "")
        schema = self.definitions.get(action)
        if not isinstance(schema, dict) or "action" not in _mapping(schema.get("properties")):
            return [say("action-unknown", action=json.dumps(action))]
        return self.check(schema, message, "")

    def check(self, schema: object, value: object, path: str) -> List[str]:
        """Return the faults of *value*, named by *path*, under *schema*."""
        if schema is True:
            return []
        if not isinstance(schema, dict):
            return [say("may-not-be", path=path)]
        found: List[str] = []
        for keyword, argument in schema.items():
            rule = _RULES.get(keyword)
            if rule is not None:
                found.extend(rule(self, schema, argument, value, path))
        return found


def load(folder: Path, name: str) -> Optional[Shapes]:
    """Read a schema file, or return None if there is none."""
    path = folder / name
    return Shapes(json.loads(path.read_text("utf-8"))) if path.is_file() else None


def _mapping(value: object) -> Dict[str, object]:
    return value if isinstance(value, dict) else {}


def _sequence(value: object) -> List[object]:
    return value if isinstance(value, list) else []


def _brief(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "..."


def _name(path: str) -> str:
    return path or say("the-message")


def _inner(path: str, key: str) -> str:
    return "%s.%s" % (path, key) if path else key


def _ref(shapes: Shapes, schema: Schema, argument: object, value: object, path: str) -> List[str]:
    return shapes.check(shapes.definitions[str(argument).split("/")[-1]], value, path)


def _type(shapes: Shapes, schema: Schema, argument: object, value: object, path: str) -> List[str]:
    names = argument if isinstance(argument, list) else [argument]
    if any(_TYPES[str(name)](value) for name in names):
        return []
    return [say("is-not", path=_name(path), value=_brief(value), wanted=say("or").join(map(str, names)))]


def _const(shapes: Shapes, schema: Schema, argument: object, value: object, path: str) -> List[str]:
    if type(value) is type(argument) and value == argument:
        return []
    return [say("is-not", path=_name(path), value=_brief(value), wanted=_brief(argument))]


def _enum(shapes: Shapes, schema: Schema, argument: object, value: object, path: str) -> List[str]:
    if any(type(value) is type(item) and value == item for item in _sequence(argument)):
        return []
    return [say("is-none-of", path=_name(path), value=_brief(value), wanted=_brief(argument))]


def _properties(shapes: Shapes, schema: Schema, argument: object, value: object, path: str) -> List[str]:
    found: List[str] = []
    for key, inner in _mapping(argument).items():
        if key in _mapping(value):
            found.extend(shapes.check(inner, _mapping(value)[key], _inner(path, key)))
    return found


def _additional(shapes: Shapes, schema: Schema, argument: object, value: object, path: str) -> List[str]:
    listed = _mapping(schema.get("properties"))
    found: List[str] = []
    for key, item in _mapping(value).items():
        if key not in listed:
            found.extend(shapes.check(argument, item, _inner(path, key)))
    return found


def _required(shapes: Shapes, schema: Schema, argument: object, value: object, path: str) -> List[str]:
    if not isinstance(value, dict):
        return []
    return [say("is-missing", path=_inner(path, str(key))) for key in _sequence(argument) if key not in value]


def _items(shapes: Shapes, schema: Schema, argument: object, value: object, path: str) -> List[str]:
    found: List[str] = []
    for at, item in enumerate(_sequence(value)):
        found.extend(shapes.check(argument, item, "%s[%d]" % (path, at)))
    return found


def _one_of(shapes: Shapes, schema: Schema, argument: object, value: object, path: str) -> List[str]:
    branches = _sequence(argument)
    action = _mapping(value).get("action")
    if isinstance(action, str) and {"$ref": "#/$defs/" + action} in branches:
        return shapes.check(shapes.definitions[action], value, path)
    passed = sum(not shapes.check(branch, value, path) for branch in branches)
    return [] if passed == 1 else [say("no-shape", path=_name(path))]


def _any_of(shapes: Shapes, schema: Schema, argument: object, value: object, path: str) -> List[str]:
    if any(not shapes.check(branch, value, path) for branch in _sequence(argument)):
        return []
    return [say("no-shape", path=_name(path))]


def _bound(
    measure: Callable[[object], Optional[float]], holds: Callable[[float, float], bool], words: str
) -> Callable[[Shapes, Schema, object, object, str], List[str]]:
    def rule(shapes: Shapes, schema: Schema, argument: object, value: object, path: str) -> List[str]:
        size = measure(value)
        assert isinstance(argument, (int, float))
        if size is None or holds(size, argument):
            return []
        return [say(words, path=_name(path), value=_brief(value), limit=argument)]

    return rule


def _number(value: object) -> Optional[float]:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _length(value: object) -> Optional[float]:
    return len(value) if isinstance(value, str) else None


def _count(value: object) -> Optional[float]:
    return len(value) if isinstance(value, list) else None


def _pattern(shapes: Shapes, schema: Schema, argument: object, value: object, path: str) -> List[str]:
    if not isinstance(value, str) or re.search(str(argument).replace("$", r"\Z"), value):
        return []
    return [say("not-of-form", path=_name(path), value=_brief(value), form=argument)]


_RULES: Dict[str, Callable[[Shapes, Schema, object, object, str], List[str]]] = {
    "$ref": _ref,
    "type": _type,
    "const": _const,
    "enum": _enum,
    "properties": _properties,
    "additionalProperties": _additional,
    "required": _required,
    "items": _items,
    "minItems": _bound(_count, lambda size, limit: size >= limit, "is-fewer"),
    "oneOf": _one_of,
    "anyOf": _any_of,
    "minimum": _bound(_number, lambda size, limit: size >= limit, "is-below"),
    "maximum": _bound(_number, lambda size, limit: size <= limit, "is-above"),
    "minLength": _bound(_length, lambda size, limit: size >= limit, "is-shorter"),
    "maxLength": _bound(_length, lambda size, limit: size <= limit, "is-longer"),
    "pattern": _pattern,
}
KEYWORDS: Tuple[str, ...] = (*_RULES, "$schema", "$id", "$defs", "title", "description")
