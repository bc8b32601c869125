"""What a typed field may hold, kind by kind: the text becomes the value of the request."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from libtchat.commands.mistyped import Mistyped, unknown
from libtchat.commands.row import Command, Field, Kind
from libtchat.commands.table import find
from libtchat.message.direct import correspondent
from libtchat.message.errors import Refused
from libtchat.message.limits import (
    MAX_GROUP_CHARS,
    MAX_INTEGER,
    MAX_MSG_BYTES,
    MAX_NAME_CHARS,
    MAX_PAGE_ENTRIES,
    MAX_REASON_BYTES,
)
from libtchat.message.names import check_group_name, check_user_name, is_guest, user_key
from libtchat.message.request import ListMessages, ListStates

__all__ = ["check_field", "check_text"]


def check_field(command: Command, field: Field, text: str) -> object:
    """Return the value that *text* means in this field of *command*.

    Raises:
        Mistyped: the field cannot hold it.
    """
    return _CHECKS[field.kind](command, field, text)


def _group(command: Command, field: Field, text: str) -> object:
    other = correspondent(text)
    if other is not None and (field.kind is Kind.NAME or command.makes in (ListMessages, ListStates)):
        return f"@{_user(command, Field('group', 'user', Kind.USER), other)}"
    try:
        return check_group_name(text)
    except Refused:
        raise Mistyped("name", value=text, word=field.word, limit=MAX_GROUP_CHARS) from None


def _user(command: Command, field: Field, text: str) -> object:
    name = text.strip()
    if is_guest(user_key(name)):
        return name
    try:
        return check_user_name(name)
    except Refused:
        raise Mistyped("name", value=text, word=field.word, limit=MAX_NAME_CHARS) from None


def _name(command: Command, field: Field, text: str) -> object:
    """Return the name of a group or a user: what is a user's name can be a group's, guests apart."""
    return _user(command, field, text) if is_guest(user_key(text.strip())) else _group(command, field, text)


def check_text(command: Command, field: Field, text: str) -> str:
    """Return *text* as it is, if it can be sent.

    Raises:
        Mistyped: it is too long, or holds a character that cannot be sent.
    """
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise Mistyped("text", word=field.word)
    size = len(text.encode())
    limit = MAX_REASON_BYTES if field.kind is Kind.REASON else MAX_MSG_BYTES
    if size > limit:
        raise Mistyped("too-large", word=field.word, size=size, limit=limit)
    return text


def _number(command: Command, field: Field, text: str) -> object:
    most = MAX_PAGE_ENTRIES if field.kind is Kind.COUNT else MAX_INTEGER
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20 and 1 <= int(digits) <= most):
        raise Mistyped("number", value=digits, limit=most, form=command.form)
    return int(digits)


def _choice(choices: Mapping[str, object]) -> Callable[[Command, Field, str], object]:
    def check(command: Command, field: Field, text: str) -> object:
        try:
            return choices[text.strip().casefold()]
        except KeyError:
            raise Mistyped("choice", value=text, form=command.form) from None

    return check


def _command(command: Command, field: Field, text: str) -> object:
    found = find(text.strip().rstrip(";"))
    if found is None:
        raise unknown(text.strip(), text)
    return found.name


def _json(command: Command, field: Field, text: str) -> object:
    try:
        is_object = isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        is_object = False
    if not is_object:
        raise Mistyped("json", example=command.example)
    return text.strip()


_CHECKS: Mapping[Kind, Callable[[Command, Field, str], object]] = {
    Kind.GROUP: _group,
    Kind.USER: _user,
    Kind.NAME: _name,
    Kind.TEXT: check_text,
    Kind.REASON: check_text,
    Kind.PASSWORD: check_text,
    Kind.NUMBER: _number,
    Kind.COUNT: _number,
    Kind.PRIVACY: _choice({"private": True, "public": False}),
    Kind.SWITCH: _choice({"on": True, "off": False}),
    Kind.COMMAND: _command,
    Kind.JSON: _json,
}
