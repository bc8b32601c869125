"""An item's place in the line: what was decided on it, and who will hear of it."""

from __future__ import annotations

from attrs import define

from libtchat.effect import Effect, PeerId, Send
from libtchat.errors import Refused
from libtchat.event import Event
from libtchat.group import Group
from libtchat.names import Key
from libtchat.presence import Item, Peer, Session
from libtchat.refusal import error_for
from libtchat.request import GroupRequest

__all__ = ["Outcome"]


@define(eq=False)
class Outcome:
    """An item's place in the line (see `libtchat.pending.Entry`).

    Peers named after *arrivals* others do not hear it, however late it is decided again: it stands before their
    own first answer.

    With a `key` its `request` was decided on that group's newest state, and it has an `event` for an `audience`, or
    else `effects`. Without, `effects` are known, or (None) it is a query, worked out when it leaves.
    """

    peer: Peer | None
    session: Session | None
    item: Item
    request: GroupRequest | None = None
    key: Key | None = None
    event: Event | None = None
    after: Group | None = None
    digest: str = ""
    durable: bool = False
    audience: tuple[PeerId, ...] = ()
    effects: tuple[Effect, ...] | None = None
    known_dest: str | None = None
    arrivals: int = 0

    def refused(self, refusal: Refused) -> None:
        """Make it a refusal, told to the peer that asked."""
        assert self.item is not None
        self.event = None
        self.effects = () if self.peer is None else (Send((self.peer.id,), error_for(self.item, refusal)),)
