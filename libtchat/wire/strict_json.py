"""One JSON text <-> one object, stricter than the JSON libraries are (spec/protocol.md, "To the server").

Two backends do the parsing, the standard library and, where it is installed, orjson. What they accept and what they
write is the same to the bit, because the checks on top of them are the same and the standard library decides
whatever orjson declines.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import chain
from math import isfinite
from typing import Any, Final, Literal, TypeVar

from libtchat.message.errors import ErrorCode, ProtocolError
from libtchat.message.limits import MAX_COMMAS, MAX_DEPTH, MAX_KEYS

try:
    import orjson
except ImportError:  # the extra [fast] is not installed
    _orjson = None
else:
    _orjson = orjson

__all__ = ["HAS_ORJSON", "BackendName", "backend", "dumps", "loads", "loads_texts", "use_backend"]

_T = TypeVar("_T")

_BACKSLASH = 0x5C  # looked for as a number, which is five times as fast as as bytes
_NOT_COUNTED = bytes(sorted(set(range(256)) - set(b',"')))

BackendName = Literal["orjson", "stdlib"]

HAS_ORJSON: Final = _orjson is not None


def loads(
    text: bytes, *, max_depth: int = MAX_DEPTH, max_keys: int = MAX_KEYS, max_commas: int = MAX_COMMAS
) -> dict[str, Any]:
    """Return the object that *text* is.

    Lone surrogates and U+0000, written as escapes, come through; a number beyond 64 bits may be a float.

    Args:
        max_depth: of nested objects and lists, the object itself is 1.
        max_keys: of the object and all objects inside it.
        max_commas: between keys and between entries; above it nothing is parsed, so that no text costs much.
    Raises:
        ProtocolError: bad-json. *text* is not strict UTF-8, not JSON, not an object, too deep, has a key twice or
            too many keys or commas, or a number that is no finite double.
    """
    if text.count(b",") > max_commas:
        _check_commas(text, max_commas, max_keys)
    try:
        found = _loads(text)
    except (ValueError, RecursionError):
        found = _loads_slowly(text)
    if type(found) is not dict:
        raise _bad("this is not a JSON object")

    # A key that came twice is there once, so the text holds more strings than what was read.
    strings = keys = len(found)
    items: list[Any] = [*found.values()]
    depth = 1
    while items:  # level by level; what is of one type, as a hostile list mostly is, costs no step per entry
        kinds = {*map(type, items)}
        strings += len(_of(str, items, kinds))
        _check_numbers(_of(int, items, kinds))
        _check_numbers(_of(float, items, kinds))
        if dict not in kinds and list not in kinds:
            break
        depth += 1
        if depth > max_depth:
            raise _bad(f"an object may nest {max_depth} deep")
        inside = _of(dict, items, kinds)
        added = sum(map(len, inside))
        keys += added
        strings += added
        items = [*chain.from_iterable(_of(list, items, kinds)), *chain.from_iterable(map(dict.values, inside))]
    if keys > max_keys:
        raise _bad(f"an object has at most {max_keys} keys in all")
    quotes = text.count(b'"')
    if b"\\" in text:
        quotes -= text.replace(b"\\\\", b"").count(b'\\"')
    if quotes != 2 * strings:
        raise _bad("a key stands there twice")
    return found


def loads_texts(
    data: bytes, lines: Sequence[bytes], *, max_keys: int = MAX_KEYS, max_commas: int = MAX_COMMAS
) -> Sequence[dict[str, str]] | None:
    """Return the object that each line is, if all hold nothing but texts, as nearly every request does.

    Args:
        data: the *lines* with what stands between them; no line is empty.
        max_keys, max_commas: see `loads`; the latter here for all lines together.
    Returns:
        None if any line holds more, has an escape, or breaks a rule of `loads`: they are to be read one by one.
    """
    if _BACKSLASH in data or data.count(b",") > max_commas:
        return None
    try:
        found = [*map(_loads, lines)]
        "".join(chain.from_iterable(map(dict.values, found)))  # the fastest way to ask whether all are texts
    except (ValueError, TypeError, RecursionError):
        return None
    # A key that came twice is there once, so the text holds more strings than what was read.
    sizes = [*map(len, found)]
    if not sizes or max(sizes) > max_keys or data.count(b'"') != 4 * sum(sizes):
        return None
    return found


def _check_commas(text: bytes, most: int, max_keys: int) -> None:
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    kept = text.translate(None, _NOT_COUNTED)
    if kept.count(b'"') <= 2 * (most + 1 + max_keys):  # an object within both limits has no more strings
        commas = sum(part.count(b",") for part in kept.split(b'"')[::2])  # outside strings
        if commas <= most:
            return
    raise _bad(f"an object has at most {most} commas outside strings")


def _of(kind: type[_T], items: list[Any], kinds: set[type[Any]]) -> list[_T]:
    """Return those of *items* whose type is *kind*; *kinds* are the types of all of them."""
    if kind not in kinds:
        return []
    return items if len(kinds) == 1 else [item for item in items if type(item) is kind]


def _check_numbers(numbers: Sequence[float]) -> None:
    try:
        finite = all(map(isfinite, numbers))
    except OverflowError:
        finite = False
    if not finite:
        raise _bad("a number is too large")


def _bad(detail: str) -> ProtocolError:
    return ProtocolError(ErrorCode.BAD_JSON, detail)


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


_decode = json.JSONDecoder(parse_constant=_no_constant).decode
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False, allow_nan=False).encode


def _stdlib_loads(text: bytes) -> Any:
    return _decode(text.decode())


def _stdlib_dumps(value: Any) -> bytes:
    return _encode(value).encode()


def _loads_slowly(text: bytes) -> Any:
    """Let the standard library decide: orjson also declines lone surrogates, which may stand in an unknown field."""
    try:
        return _stdlib_loads(text)
    except (ValueError, RecursionError):
        raise _bad("this is not JSON in UTF-8") from None


_loads: Callable[[bytes], Any]
dumps: Callable[[Any], bytes]
"""Write compact JSON in UTF-8. Raises ValueError or TypeError for a lone surrogate: it is not text."""


def backend() -> BackendName:
    """Return who parses and writes now."""
    return "stdlib" if _loads is _stdlib_loads else "orjson"


def use_backend(name: BackendName) -> None:
    """Choose who parses and writes, for the whole process; by default orjson if it is installed."""
    global _loads, dumps
    if name == "stdlib":
        _loads, dumps = _stdlib_loads, _stdlib_dumps
    elif _orjson is None:
        raise ImportError("orjson is not installed: pip install 'libtchat[fast]'")
    else:
        _loads, dumps = _orjson.loads, _orjson.dumps


use_backend("orjson" if HAS_ORJSON else "stdlib")
