"""One row of the table of commands: how it is typed, and what its fields may hold."""

from __future__ import annotations

from enum import StrEnum

from libtchat.commands.action import LocalAction, Use
from libtchat.message.errors import ErrorCode
from libtchat.message.request import Create, Request
from libtchat.message.value import frozen

__all__ = ["Command", "Field", "Kind"]


class Kind(StrEnum):
    """What a typed field may hold."""

    GROUP = "group"
    USER = "user"
    NAME = "name"
    TEXT = "text"
    REASON = "reason"
    PASSWORD = "password"
    NUMBER = "number"
    COUNT = "count"
    PRIVACY = "privacy"
    SWITCH = "switch"
    COMMAND = "command"
    JSON = "json"


@frozen
class Field:
    """One field of a command: *name* is the request's attribute, *word* what a person calls it."""

    name: str
    word: str
    kind: Kind
    optional: bool = False

    @property
    def is_secret(self) -> bool:
        """Whether its value must never be shown or recorded."""
        return self.kind is Kind.PASSWORD


@frozen
class Command:
    """One row: how a command is typed, what it makes, and its help."""

    name: str
    makes: type[Request] | type[LocalAction]
    fields: tuple[Field, ...]
    help: str
    example: str
    who: str = "everybody"
    errors: tuple[ErrorCode, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def takes(self) -> str:
        """The fields as typed, the optional ones in brackets: `[group];user[;reason]`."""
        text = ""
        for field in self.fields:
            bracketed = field.optional or (field.kind is Kind.GROUP and self.current_group_will_do)
            separator = ";" if text else ""
            text += f"[{separator}{field.word}]" if field.optional else separator + (f"[{field.word}]" * bracketed)
            text += field.word * (not bracketed)
        return text

    @property
    def form(self) -> str:
        """The whole command as typed: `kick;[group];user[;reason]`."""
        return f"{self.name};{self.takes}"

    @property
    def current_group_will_do(self) -> bool:
        """Whether an empty group means the current one."""
        return self.makes not in (Create, Use)
