"""What the mirror finds new to show."""

from __future__ import annotations

from libtchat.message.reply import Foreign, Message
from libtchat.message.request import Request
from libtchat.message.value import frozen

__all__ = ["CaughtUp", "Gone", "Heard", "Missing", "NoAnswer", "Notice"]


@frozen
class Heard:
    """A message to show.

    Attributes:
        request: our request that it answers, None if it answers none of this connection's.
        missed: it is shown late, fetched after a gap or a reconnect.
        quiet: it answers a question the mirror itself wanted asked; only what it teaches is of interest.
    """

    message: Message | Foreign
    request: Request | None = None
    missed: bool = False
    quiet: bool = False


@frozen
class CaughtUp:
    """*count* missed events of *group* have been shown; what follows is live."""

    group: str
    count: int


@frozen
class Missing:
    """*count* events of *group* cannot be had any more."""

    group: str
    count: int


@frozen
class Gone:
    """One is no longer a member of *group*, and was not told why: it happened while one was away."""

    group: str


@frozen
class NoAnswer:
    """The connection went before *request* was answered: it may or may not have been done."""

    request: Request


Notice = Heard | CaughtUp | Missing | Gone | NoAnswer
