"""What ends a command of the client: each failure has the key of its sentence and its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from libtchat.message.reply import Error
    from libtchat.message.request import Request

__all__ = [
    "CannotConnect",
    "ClosedPipe",
    "HelloRefused",
    "LinkError",
    "Lost",
    "Misused",
    "NoReply",
    "NotTchat",
    "Refusal",
    "Unprotected",
]


class LinkError(Exception):
    """Something is wrong outside of the conversation.

    Attributes:
        key: the sentence that says it, `values` what it names; a value may be another LinkError.
        exit_code: of the process, when nothing is left to do.
    """

    exit_code = 4

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values


class Misused(LinkError):
    """What a person gave this program makes no sense: an option, the configuration, the input."""

    exit_code = 2


class CannotConnect(LinkError):
    """There is no server there, or it does not talk to us."""

    exit_code = 3


class Lost(LinkError):
    """The connection went."""


class NoReply(LinkError):
    """The server did not answer a request in time."""


class NotTchat(LinkError):
    """What answers is no tchat server."""

    exit_code = 5


class Unprotected(LinkError):
    """A password was given for a name that has none."""

    exit_code = 1


class HelloRefused(Exception):
    """The server does not let *name* in; *error* says why."""

    exit_code = 1

    def __init__(self, error: Error, name: str) -> None:
        super().__init__(error.code)
        self.error = error
        self.name = name


class ClosedPipe(Exception):
    """Whoever read our output went away."""


class Refusal(Exception):
    """The server refused *request*; *error* says why."""

    exit_code = 1

    def __init__(self, error: Error, request: Request) -> None:
        super().__init__(error.code)
        self.error = error
        self.request = request
