"""What stands in the line: five kinds of entry.

A `Decision` and a `Run` were decided on the newest state of a group, and are decided again if that state never became
durable. The others are not: what another server appended, what is worked out when it leaves, what is known already.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import define, field

from libtchat.effect import Effect, Part, PeerId, Resend, Send, Settled
from libtchat.hub.line import Entry
from libtchat.hub.peer import Peer
from libtchat.hub.refusal import error_for
from libtchat.hub.user import OnlineUser
from libtchat.message.errors import ErrorCode, Refused, Violation
from libtchat.message.names import Key
from libtchat.message.request import (
    Broadcast,
    GroupRequest,
    Hello,
    ListGroups,
    ListUsers,
    Ping,
    Quit,
    Register,
    ReportError,
    Say,
    Tell,
)
from libtchat.message.value import frozen
from libtchat.rules import GroupQuery
from libtchat.ruling import Ruling
from libtchat.stored import Known, Retry

__all__ = ["AnyEntry", "Asked", "Decision", "Deliver", "Notice", "Query", "Receive", "Run", "Told", "UserQuery"]


@frozen
class Receive:
    """What a peer asks without a word by asking anything: what waited, up to event *last*, has come from *to*."""

    to: str
    last: int
    id: ClassVar[None] = None


@frozen
class Deliver:
    """Send the peer what else waits for its user."""


UserQuery = Hello | Tell | Broadcast | Register | ListUsers | ListGroups | GroupQuery
"""What a user may ask that makes no event."""

Asked = UserQuery | Deliver | Ping | Quit | ReportError | Violation | None
"""What anybody may send that makes no event; None: nothing more will come."""


@define(eq=False)
class Decision(Entry):
    """One request to a group, or to the log of two users.

    Accepted, it has a `part` of one event for an `audience`; or else it has `effects`.

    Attributes:
        peer: who asked; None: nobody hears a refusal, but the operator, if there is a *ticket*.
        arrivals: how many peers had been named before it. Later ones do not hear it, however late it is decided
            again: it stands before their own first answer.
        known: what the log knew of its target, None if it was not asked.
        earlier: what an earlier request with its id made, if there is one.
    """

    peer: Peer | None
    user: OnlineUser
    request: GroupRequest | Tell | Receive | Ruling
    key: Key
    arrivals: int
    known: Known | None = None
    earlier: Retry | None = None
    ticket: int | None = None
    part: Part | None = field(default=None, init=False)
    audience: tuple[PeerId, ...] = field(default=(), init=False)
    effects: tuple[Effect, ...] = field(default=(), init=False)
    _is_unavailable: bool = field(default=False, init=False)

    def rests(self) -> bool:
        """Tell whether it is refused, or repeated: that may be in order by now, unless the storage did not take it."""
        return bool(self.effects) and not self._is_unavailable

    def repeat(self, first: Retry) -> None:
        """Have what the same request made before told once more, to who asked alone (R-retry-same)."""
        self.effects = ()
        if self.peer is not None and not isinstance(self.request, Receive):
            gone = Refused(ErrorCode.BAD_REQUEST, "this was done already, and its event is removed by now", field="id")
            self.effects = (Resend(self.peer.id, first.key, first.seq, error_for(self.request, gone)),)

    def refuse(self, refusal: Refused) -> None:
        """Make it a refusal, told to who asked."""
        self.part, self.effects = None, ()
        self._is_unavailable = refusal.code is ErrorCode.UNAVAILABLE
        if isinstance(self.request, Receive):
            return  # nobody asked
        if self.peer is not None:
            self.effects = (Send((self.peer.id,), error_for(self.request, refusal)),)
        elif self.ticket is not None:
            self.effects = (Settled(self.ticket, error_for(self.request, refusal)),)


@define(eq=False)
class Run(Entry):
    """Texts of one user to one group, none with an id, that came together and were accepted together."""

    peer: Peer
    user: OnlineUser
    texts: list[Say]
    key: Key
    arrivals: int
    part: Part
    audience: tuple[PeerId, ...]

    def apart(self) -> list[Decision]:
        """Return one decision for each text, to be decided anew."""
        return [Decision(self.peer, self.user, text, self.key, self.arrivals) for text in self.texts]


@define(eq=False)
class Told(Entry):
    """An event that another server appended: our members hear it too. *line*: its bytes, if they are known."""

    part: Part
    audience: tuple[PeerId, ...]
    line: bytes | None = None
    durable: bool = field(default=True, init=False)


@define(eq=False)
class Query(Entry):
    """What is answered to the peer alone, worked out when it leaves.

    Attributes:
        arrivals: see `Decision`.
    """

    peer: Peer
    item: Asked
    arrivals: int
    part: None = field(default=None, init=False)

    def rests(self) -> bool:
        """Tell whether the answer is made of what is known of groups and users."""
        return isinstance(self.item, _LISTS)


@define(eq=False)
class Notice(Entry):
    """Effects that are known already."""

    effects: tuple[Effect, ...]
    part: None = field(default=None, init=False)


_LISTS = Hello | Tell | ListUsers | ListGroups | GroupQuery

AnyEntry = Decision | Run | Told | Query | Notice
