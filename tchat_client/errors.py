"""What goes wrong for a client: each failure has the key of its sentence, and the exit code that it is for `tchat`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from libtchat.message import errors as library
from tchat_client.sanitise import clean

if TYPE_CHECKING:
    from libtchat.message.reply import Error, Foreign, Message
    from libtchat.message.request import Request

__all__ = [
    "CannotConnect",
    "ClosedPipe",
    "HelloRefused",
    "LinkError",
    "Lost",
    "Misused",
    "NoAnswer",
    "NoReply",
    "NotOpen",
    "NotTchat",
    "OddAnswer",
    "Refused",
    "Unprotected",
]


class LinkError(Exception):
    """Something is wrong outside of the conversation; `str` says what, in English.

    Attributes:
        key: the sentence that says it, `values` what it names; a value may be another LinkError.
        exit_code: of the process, when nothing is left to do.
    """

    exit_code = 4

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values

    def __str__(self) -> str:
        from tchat_client.language import FOR_PROGRAMS

        return clean(self.sentence(FOR_PROGRAMS.text))

    def sentence(self, say: Callable[..., str]) -> str:
        """Return the sentence in the words of *say*, which takes the key and the values."""
        values = {
            name: value.sentence(say) if isinstance(value, LinkError) else value for name, value in self.values.items()
        }
        return say(self.key, **values)


class Misused(LinkError, ValueError):
    """What was given makes no sense: an argument, an option, the configuration, the input."""

    exit_code = 2


class NotOpen(LinkError, RuntimeError):
    """A client was used before it was connected, or after it was closed: a fault of the program that uses it."""


class CannotConnect(LinkError):
    """There is no server there, or it does not talk to us."""

    exit_code = 3


class NoAnswer(LinkError):
    """A request has no answer: it may or may not have been done.

    With its `id` it may be asked again, on another connection too: the server does it once (R-retry-same,
    R-retry-reconnect).

    Attributes:
        request: the request, with its `id`.
    """

    request: Request


class Lost(NoAnswer):
    """The connection went."""


class NoReply(NoAnswer):
    """The server did not answer a request in time."""


class OddAnswer(LinkError):
    """Another kind of server answered a request with something else than this protocol says.

    Attributes:
        answer: what it sent.
    """

    def __init__(self, request: Request, answer: Message | Foreign) -> None:
        super().__init__("cause.other", detail=f"{request.action} was answered by {answer!r}")
        self.answer = answer


class NotTchat(LinkError):
    """What answers is no tchat server."""

    exit_code = 5


class Unprotected(LinkError):
    """A password was given for a name that has none."""

    exit_code = 1


class Refused(library.Refused):
    """The server refused *request*, and nothing has changed. It is a `libtchat.Refused` too.

    Attributes:
        code: what went wrong: an `ErrorCode`, or the string that another server sent.
        field: the field at fault, if one is; `limit` and `retry_after` (seconds) likewise.
        group: what the request was about, if that was a group; `dest` if it was somebody else.
        error: the server's message, whole.
        request: what was asked.
    """

    exit_code = 1

    def __init__(self, error: Error, request: Request) -> None:
        known = error.code in library.ErrorCode.__members__.values()
        code = library.ErrorCode(error.code) if known else cast(library.ErrorCode, error.code)
        super().__init__(
            code,
            clean(f"{request.action} was refused: {error.msg or error.code} ({error.code})"),
            field=error.field,
            limit=error.limit,
            retry_after=error.retry_after,
        )
        self.error = error
        self.request = request
        self.group: str | None = error.group or getattr(request, "group", None)
        self.dest: str | None = error.dest or getattr(request, "dest", None) or getattr(request, "to", None)


class HelloRefused(Refused):
    """The server does not let *name* in."""

    def __init__(self, error: Error, name: str) -> None:
        from libtchat.message.request import Hello

        super().__init__(error, Hello(sender=name))
        self.name = name


class ClosedPipe(Exception):
    """Whoever read our output went away."""
