"""Requests read at a glance: a block of plain lines, as nearly every read is, many in one go.

It gives what `libtchat.wire.codec.decode_request` gives for each line, or nothing at all: whatever takes a closer
look (an escape, a number, another spelling that may be wrong) is the codec's. `ServerEnd` asks here first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import NOTHING, fields, resolve_types

from libtchat.message.errors import ProtocolError
from libtchat.message.limits import MAX_REASON_BYTES
from libtchat.message.request import REQUESTS, Hello, Request
from libtchat.wire import strict_json
from libtchat.wire.codec import check_sizes
from libtchat.wire.fields import shape_of
from libtchat.wire.spelling import read_fields

__all__ = ["read_requests"]

_MakeRequest = Callable[[dict[str, str]], Request]


def read_requests(data: bytes, lines: Sequence[bytes]) -> list[Request] | None:
    """Read *data*, cut into *lines*, if each line is a request in plain words.

    Returns:
        One request a line; None if any of them is no object, breaks a rule, or takes a closer look.
    """
    found = strict_json.loads_texts(data, lines)
    if found is None:
        return None
    requests: list[Request] = []
    try:
        for line, texts in zip(lines, found, strict=True):
            kind = REQUESTS[texts["action"]]
            if (make := _maker(kind)) is None or (kind is Hello and "kept" in texts):
                return None
            if "sender" not in texts:
                read_fields(texts, shape_of(kind).spellings)
            request = make(texts)
            if len(line) > MAX_REASON_BYTES or "id" in texts:
                check_sizes(request, shape_of(kind), len(line))
            requests.append(request)
    except (KeyError, ProtocolError):
        return None
    return requests


def _make_maker(kind: type[Any]) -> _MakeRequest | None:
    """Return what makes a request from an object of nothing but texts, without escapes; None if it has other fields.

    The function raises KeyError if a field is missing, or perhaps is there under another spelling.
    """
    resolve_types(kind)
    attributes = [a for a in fields(kind) if not (kind is Hello and a.type is bool)]
    if any(a.type not in (str, str | None) or a.default not in (NOTHING, None) for a in attributes):
        return None
    first = [a.name for a in attributes if a.default is NOTHING]
    rest = [a.name for a in attributes if a.default is None and not a.kw_only]
    named = [a.name for a in attributes if a.kw_only]
    if named != ["sender", "id"]:
        return lambda found: kind(**{name: found.get(name) for name in named})
    if len(first) == 2 and not rest:  # a text above all, without the cost of a call by a tuple
        one, two = first
        return lambda found: kind(found[one], found[two], sender=found.get("sender"), id=found.get("id"))
    return lambda found: kind(
        *[found[name] for name in first], *map(found.get, rest), sender=found.get("sender"), id=found.get("id")
    )


_makers: dict[type[Request], _MakeRequest | None] = {}


def _maker(kind: type[Request]) -> _MakeRequest | None:
    if kind not in _makers:
        _makers[kind] = _make_maker(kind)
    return _makers[kind]
