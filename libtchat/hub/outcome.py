"""An item's place in the line: what was decided on it, and who will hear of it."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define

from libtchat.effect import Effect, Known, PeerId, Retry, Send
from libtchat.group import Group
from libtchat.hub.presence import Item, Peer, Session
from libtchat.hub.refusal import error_for
from libtchat.message.errors import Refused
from libtchat.message.event import Event
from libtchat.message.names import Key
from libtchat.message.request import GroupRequest, Say

__all__ = ["Outcome"]


@define(eq=False)
class Outcome:
    """An item's place in the line (see `libtchat.hub.line.Entry`).

    Peers named after *arrivals* others do not hear it, however late it is decided again: it stands before their
    own first answer.

    With a `key` its `request` was decided on that group's newest state, and it has `events` for an `audience`, or
    else `effects`. Without, `effects` are known, or (None) it is a query, worked out when it leaves.

    *known* is what the log knew of its target, None if it was not asked. *earlier* is the event that an earlier request
    with its id made, if there is one.

    It has one event, unless it is a `run`: texts that came together, decided together, of which `item` is the first.
    """

    peer: Peer | None
    session: Session | None
    item: Item
    request: GroupRequest | None = None
    key: Key | None = None
    events: tuple[Event, ...] = ()
    after: Group | None = None
    digest: str = ""
    durable: bool = False
    audience: tuple[PeerId, ...] = ()
    effects: tuple[Effect, ...] | None = None
    known: Known | None = None
    earlier: Retry | None = None
    arrivals: int = 0
    run: tuple[Say, ...] = ()

    def refused(self, refusal: Refused) -> None:
        """Make it a refusal, told to the peer that asked."""
        assert self.item is not None
        assert not self.run, "each text of a run is refused by itself"
        self.events = ()
        self.effects = () if self.peer is None else (Send((self.peer.id,), error_for(self.item, refusal)),)

    def apart(self) -> Sequence[Outcome]:
        """Return one outcome for each request, to be decided again."""
        if not self.run:
            return (self,)
        return [Outcome(self.peer, self.session, text, text, self.key, arrivals=self.arrivals) for text in self.run]
