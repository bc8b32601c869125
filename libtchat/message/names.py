"""What a user or group name may be, and the key under which two names are the same (R-name-*).

Case, width and composition do not distinguish names: `ALICE`, `alice` and full-width `ａｌｉｃｅ` are one
user. Look-alikes of another script stay different users.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any, NewType

from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.limits import MAX_GROUP_CHARS, MAX_NAME_CHARS

__all__ = [
    "GUEST_PREFIX",
    "Key",
    "UserKey",
    "check_any_user_name",
    "check_group_name",
    "check_user_name",
    "group_key",
    "is_guest",
    "user_key",
]

Key = NewType("Key", str)
"""A group's name key: what groups are looked up and stored by."""

UserKey = NewType("UserKey", str)
"""A user's name key."""

GUEST_PREFIX = "guest-"
_RESERVED = frozenset({"server"})
_PUNCTUATION = frozenset("_-.")
_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")  # what nearly every name is made of, checked at a glance

_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]")
"""The letters and marks that are not shown: those with Unicode's property Default_Ignorable_Code_Point (UAX #44)."""

_MAX_DECOMPOSED_CHARS = 4 * MAX_GROUP_CHARS
"""What is longer is no name, however it is normalized: no character is composed of more than four."""


@lru_cache(maxsize=65_536)
def _fold(name: str) -> Any:
    """Return NFKC(lowercase(NFKC(name))), repeated until it is stable; surrounding white space is no part of it."""
    folded = name.strip()
    while True:
        again = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", folded).lower())
        if again == folded:
            return folded
        folded = again


def _fold_long(text: str) -> Any:
    """Return the key of what may be too long for a name: then its own, because normalizing it may take seconds."""
    text = text.strip()
    return text if len(text) > _MAX_DECOMPOSED_CHARS else _fold(text)


def user_key(name: str) -> UserKey:
    """Return the key of a user name. Equal keys are the same user; any string has one."""
    key: UserKey = _fold(name) if len(name) <= _MAX_DECOMPOSED_CHARS else _fold_long(name)
    return key


def group_key(name: str) -> Key:
    """Return the key of a group name. Equal keys are the same group; any string has one."""
    key: Key = _fold(name) if len(name) <= _MAX_DECOMPOSED_CHARS else _fold_long(name)
    return key


def is_guest(key: UserKey) -> bool:
    """Tell whether this is the key of a name only the server gives: `guest-<digits>`."""
    return key.startswith(GUEST_PREFIX) and key[len(GUEST_PREFIX) :].isdigit()


def check_user_name(name: str, *, field: str = "sender") -> str:
    """Return *name* as it is displayed: trimmed, NFC.

    Raises:
        Refused: bad-name, with *field*, if it breaks the rule or is reserved for the server.
        TypeError: it is no text.
    """
    shown = check_any_user_name(name, field=field)
    key = user_key(shown)
    if key in _RESERVED or is_guest(key):
        raise Refused(ErrorCode.BAD_NAME, f"{shown} is a name only the server gives", field=field)
    return shown


def check_any_user_name(name: str, *, field: str = "dest") -> str:
    """Return *name* as it is displayed; one that only the server gives is as good as any.

    Raises:
        Refused: bad-name, with *field*, if it breaks the rule.
    """
    return _check(name, MAX_NAME_CHARS, field)


def check_group_name(name: str, *, field: str = "group") -> str:
    """Return *name* as it is displayed: trimmed, NFC.

    Raises:
        Refused: bad-name, with *field*, if it breaks the rule.
    """
    return _check(name, MAX_GROUP_CHARS, field)


def _check(name: str, max_chars: int, field: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a name is text, not {name!r}")
    return _check_stripped(name.strip(), max_chars, field)


@lru_cache(maxsize=4096)  # who enters is checked again with each answer that was waited for
def _check_stripped(shown: str, max_chars: int, field: str) -> str:
    if len(shown) <= _MAX_DECOMPOSED_CHARS:
        shown = unicodedata.normalize("NFC", shown)
    for form in (shown, shown if len(shown) > max_chars else _fold(shown)):
        if not 1 <= len(form) <= max_chars or not (_PLAIN.fullmatch(form) or _is_name(form)):
            unseen = _INVISIBLE.search(form)
            raise Refused(
                ErrorCode.BAD_NAME,
                f"a name has 1 to {max_chars} letters, digits or _ - ."
                if unseen is None
                else f"a name has no characters that are not shown, as U+{ord(unseen[0]):04X} is",
                field=field,
                limit=max_chars if len(form) > max_chars else None,
            )
    return shown


def _is_name(text: str) -> bool:
    return _INVISIBLE.search(text) is None and all(map(_is_name_char, text))


def _is_name_char(char: str) -> bool:
    return char in _PUNCTUATION or unicodedata.category(char)[0] in "LM" or unicodedata.category(char) == "Nd"
