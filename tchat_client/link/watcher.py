"""What a link tells its owner, and how long it waits for what."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from libtchat.message.reply import Error
from libtchat.message.request import Request
from libtchat.mirror import Notice
from tchat_client.errors import HelloRefused, LinkError

__all__ = ["Connecting", "Offline", "Online", "Status", "Times", "Watcher"]


@frozen
class Times:
    """How long to wait for what, in seconds: `Client(..., times=Times(answer_seconds=30))`.

    Attributes:
        connect_seconds: for a connection.
        hello_seconds: for the answer to a hello; who never gives one, as some servers do, is taken to have accepted it.
        answer_seconds: for an answer, and for a connection to ask on: beyond, `NoAnswer` is raised.
        unconfirmed_seconds: for an answer, before a person is told that it is not there yet; `Client` tells nobody.
        pause_seconds: between two requests, where no answer comes first.
        idle_seconds: while the server is silent, before it is asked for a sign of life.
        dead_seconds: for that sign: beyond, the connection counts as gone.
        quit_seconds: for the answer to a goodbye.
        first_retry_seconds: before the next try to connect, about; twice as long before each one after it...
        last_retry_seconds: ...up to this.
        settled_seconds: that a connection lasts before the next tries begin with the first one's time again.
    """

    connect_seconds: float = 10
    hello_seconds: float = 3
    answer_seconds: float = 10
    unconfirmed_seconds: float = 3
    pause_seconds: float = 0.05
    idle_seconds: float = 30
    dead_seconds: float = 10
    quit_seconds: float = 1
    first_retry_seconds: float = 0.5
    last_retry_seconds: float = 30
    settled_seconds: float = 10


@frozen
class Connecting:
    """A connection is being made."""


@frozen
class Online:
    """The server said welcome. *is_back*: not for the first time."""

    is_back: bool


@frozen
class Offline:
    """The connection went, or could not be made again, for *cause*; the next try is in *seconds*."""

    seconds: float
    cause: LinkError | HelloRefused


Status = Connecting | Online | Offline


class Watcher:
    """What a link tells its owner; every method may be left as it is.

    Attributes:
        traces: whether `trace` is to be called.
        takes_kept: whether texts that wait for the user are wanted: what takes them shows them.
        has_room: whether what was missed may be asked for now; where it has become true again, call `Link.pump`.
    """

    traces: bool = False
    takes_kept: bool = True
    has_room: bool = True

    def heard(self, notices: Sequence[Notice]) -> None:
        """Take in what is to be shown."""

    async def ready(self) -> None:
        """Wait until more can be taken in: the server is not read from meanwhile."""

    def status(self, status: Status) -> None:
        """Take in a change of the connection."""

    def trace(self, direction: str, text: str) -> None:
        """Take in a raw message: `<` came in, `>` went out."""

    def unconfirmed(self, request: Request) -> None:
        """Take in that *request* has been waiting for its answer for a while."""

    def token(self, token: str) -> None:
        """Keep what proves one's identity next time."""

    def kept_token(self) -> str | None:
        """Return what was kept last, perhaps by another program of the same user."""
        return None

    async def password(self, error: Error) -> str | None:
        """Ask for the password of one's name; None gives up."""
        return None
