"""What went over the wire, as a person may see it: passwords and tokens hidden, whatever they are wrapped in.

Decided on whole messages, never on pieces of them: a secret may be cut in two by a read, or be written with escapes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["Redactor", "redact"]

_SECRETS = frozenset({"password", "token"})
_HIDDEN = "***"
_MAX_HELD_BYTES = 2 * 1024 * 1024
_SPACE = re.compile(r"\s*")
_MAY_HOLD_SECRETS = re.compile(r"passw|token|\\u00", re.IGNORECASE)


class Redactor:
    """Cuts one direction of one connection into lines to show."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes, *, is_mid_frame: bool) -> list[str]:
        """Take what was read or written, cut anywhere.

        Args:
            is_mid_frame: *data* ends inside a message, whose beginning is then held until the rest is there.
        Returns:
            A line for each message, and for each line of what is none.
        """
        data = self._held + data
        whole = data
        if is_mid_frame and len(data) <= _MAX_HELD_BYTES:
            whole = data[: _end_of_messages(data)]
        self._held = data[len(whole) :]
        return redact(whole.decode("utf-8", "backslashreplace"))


def redact(text: str) -> list[str]:
    """Return the lines of *text*, JSON objects or anything else, without the secrets in it.

    An object that holds none is shown as it came. What is no JSON but may hold a secret is not shown.
    """
    lines: list[str] = []
    at = 0
    while (at := _end_of_space(text, at)) < len(text):
        read = _read(text, at)
        if read is None:
            return lines + _redact_garbage(text[at:])
        found, end = read
        shown, at = text[at:end], end
        try:
            hides = any([*_hide(found)])
            lines += [json.dumps(found, ensure_ascii=False, separators=(",", ":"))] if hides else shown.splitlines()
        except RecursionError:
            lines += _redact_garbage(shown)
    return lines


class _Pairs(dict[str, Any]):
    """An object as it came, which knows whether a key came twice: the first value is lost, and never shown."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.had_twice = len(pairs) != len(self)


_DECODER = json.JSONDecoder(object_pairs_hook=_Pairs, strict=False)


def _hide(found: Any) -> Iterator[bool]:
    """Hide what is secret in *found*, however deep; yield True for each."""
    if isinstance(found, _Pairs):
        if found.had_twice:
            yield True
        for name, value in found.items():
            if name.casefold() in _SECRETS and value is not None:
                found[name] = _HIDDEN
                yield True
            elif isinstance(value, str) and value.lstrip().startswith("{") and _MAY_HOLD_SECRETS.search(value):
                found[name] = " ".join(redact(value))  # a message in a string
                yield True
            else:
                yield from _hide(value)
    elif isinstance(found, list):
        for value in found:
            yield from _hide(value)


def _redact_garbage(text: str) -> list[str]:
    if _MAY_HOLD_SECRETS.search(text):
        return [f"({len(text)} characters that are no JSON, and not shown: they may hold a password)"]
    return [line for line in text.splitlines() if line.strip()]


def _end_of_messages(data: bytes) -> int:
    """Return where the last whole message of *data* ends."""
    if b"}" not in data:
        return 0
    text, at = data.decode("latin-1"), 0  # a character for a byte
    while (read := _read(text, _end_of_space(text, at))) is not None:
        at = read[1]
    return at


def _end_of_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    assert space is not None
    return space.end()


def _read(text: str, at: int) -> tuple[Any, int] | None:
    """Return the JSON object that begins at *at* and where it ends; None if there is none, or not the whole of it."""
    if not text.startswith("{", at):
        return None
    try:
        return _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None
