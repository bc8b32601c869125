"""Which request a message answers."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field

from libtchat.message.event import EVENTS, Event
from libtchat.message.names import group_key, user_key
from libtchat.message.reply import (
    DirectMessage,
    Error,
    Foreign,
    Goodbye,
    Groups,
    Members,
    Message,
    Messages,
    Pong,
    PublicMessage,
    Registered,
    States,
    Users,
    Welcome,
)
from libtchat.message.request import (
    REQUESTS,
    Broadcast,
    Hello,
    ListGroups,
    ListMembers,
    ListMessages,
    ListStates,
    ListUsers,
    Ping,
    Quit,
    Register,
    ReportError,
    Request,
    Tell,
)
from libtchat.message.value import frozen

__all__ = ["Asked", "Pending"]


@frozen
class Asked:
    """A request that waits for its answer; *quiet*: the mirror itself wanted it asked."""

    request: Request
    quiet: bool


@define
class Pending:
    """The requests of one connection that wait for their answers, oldest first."""

    _asked: dict[str, Asked] = field(factory=dict)

    def __contains__(self, id: str) -> bool:
        return id in self._asked

    def add(self, request: Request, *, quiet: bool) -> None:
        """Remember *request*, which is told from others by its `id`; ValueError if it has none."""
        if request.id is None:
            raise ValueError("a request is told from others by its id")
        self._asked[request.id] = Asked(request, quiet)

    def take(self, id: str) -> Asked | None:
        """Return the request *id* and forget it; None if it does not wait."""
        return self._asked.pop(id, None)

    def clear(self) -> list[Request]:
        """Forget them all; return those that a person made, oldest first."""
        lost = [asked.request for asked in self._asked.values() if not asked.quiet]
        self._asked.clear()
        return lost

    def answered(self, message: Message | Foreign, me: str) -> Asked | None:
        """Return the request of *me* that *message* answers, and forget it.

        A server that does not echo ids is taken to answer in order.
        """
        id: str | None = getattr(message, "id", None)
        if id is not None:
            return self.take(id)
        return next((self.take(id) for id, asked in self._asked.items() if _fits(message, asked.request, me)), None)


def _fits(message: Message | Foreign, request: Request, me: str) -> bool:
    if isinstance(message, Error):
        return message.request == request.action  # one that names nothing is blamed on no request
    if isinstance(message, Goodbye) and message.sender is not None and user_key(message.sender) != user_key(me):
        return False  # it is somebody else's
    kind = DirectMessage if isinstance(message, DirectMessage) else message.__class__
    if kind is not _ANSWER[type(request)]:
        return False
    sender: str | None = getattr(message, "sender", None)
    if isinstance(message, Event | DirectMessage | PublicMessage) and user_key(sender or "") != user_key(me):
        return False
    if kind is DirectMessage:
        return True
    theirs, ours = (getattr(m, "group", "") for m in (message, request))
    return group_key(theirs) == group_key(ours)


_ANSWER: Mapping[type[Request], type[Message]] = {
    Hello: Welcome,
    Tell: DirectMessage,
    Broadcast: PublicMessage,
    ListUsers: Users,
    Quit: Goodbye,
    ReportError: Goodbye,
    ListMembers: Members,
    ListMessages: Messages,
    ListStates: States,
    ListGroups: Groups,
    Register: Registered,
    Ping: Pong,
    **{REQUESTS[action]: event for action, event in EVENTS.items() if action in REQUESTS},
}
