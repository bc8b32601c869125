"""What the mirror finds new to show."""

from __future__ import annotations

from typing import ClassVar

from libtchat.message.reply import Foreign, Message
from libtchat.message.request import Request
from libtchat.message.value import frozen

__all__ = ["CaughtUp", "Gone", "Heard", "Missing", "NoAnswer", "Notice"]


@frozen
class Heard:
    """A message to show.

    Attributes:
        message: as the server sent it.
        request: our request that it answers, None if it answers none of this connection's.
        missed: it happened while one was away, and was fetched or has waited; or it was lost on the way.
        quiet: it answers a question the mirror itself wanted asked; only what it teaches is of interest.
        mine: an event or a text of one's own, by this connection or another of the same user.
        repeated: an event that was shown before; it answers a request that was made a second time.
    """

    message: Message | Foreign
    request: Request | None = None
    missed: bool = False
    quiet: bool = False
    mine: bool = False
    repeated: bool = False


class _NoMessage:
    """What is asked of every notice, for one that is no message."""

    __slots__ = ()
    message: ClassVar[None] = None
    missed: ClassVar[bool] = False
    quiet: ClassVar[bool] = False
    mine: ClassVar[bool] = False


@frozen
class CaughtUp(_NoMessage):
    """*count* missed events of *group* have been shown; what follows is live."""

    group: str
    count: int


@frozen
class Missing(_NoMessage):
    """*count* events of *group* cannot be had any more."""

    group: str
    count: int


@frozen
class Gone(_NoMessage):
    """One is no longer a member of *group*, and was not told why: it happened while one was away."""

    group: str


@frozen
class NoAnswer(_NoMessage):
    """The connection went before *request* was answered: it may or may not have been done."""

    request: Request


Notice = Heard | CaughtUp | Missing | Gone | NoAnswer
"""What there may be to show. Each has `message` (None but for Heard), `missed`, `quiet` and `mine`."""
