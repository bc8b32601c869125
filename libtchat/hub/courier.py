"""Brings the texts of one user to another to be decided, and takes note of those that came to who was away."""

from __future__ import annotations

from attrs import define

from libtchat.effect import AwaitRoom, PeerId
from libtchat.hub.decider import Decider
from libtchat.hub.direct import Direct
from libtchat.hub.entry import AnyEntry, Decision, Deliver, Query, Receive
from libtchat.hub.ledger import Ledger
from libtchat.hub.line import Line
from libtchat.hub.lookup import Lookup
from libtchat.hub.peer import Peer
from libtchat.hub.presence import Presence
from libtchat.hub.user import OnlineUser
from libtchat.hub.work import Work
from libtchat.message.direct import direct_key
from libtchat.message.errors import Refused
from libtchat.message.names import user_key
from libtchat.message.request import Tell

__all__ = ["Courier"]


@define
class Courier:
    """The texts between two users of one hub. *crowded*: the peers for whom much waits."""

    _line: Line[AnyEntry]
    _presence: Presence
    _ledger: Ledger
    _lookup: Lookup
    _direct: Direct
    _decider: Decider
    crowded: set[PeerId]

    def await_room(self, peer: Peer, request: Tell) -> Work[None]:
        """Have a text wait while much waits for who is to hear it (R-op-slow-direct)."""
        online = self._presence.user(user_key(request.to))
        for reader in () if online is None else online.peers:
            if reader in self.crowded and reader != peer.id:
                yield AwaitRoom(reader, _size(request.msg))

    def tell(self, peer: Peer, user: OnlineUser, request: Tell) -> Work[bool]:
        """Have a text decided if it is one that is kept (R-kept); tell whether that was so.

        Raises:
            Refused: unavailable.
        """
        known = yield from self._lookup.addressee(request)
        if not self._direct.keeps(user, request, known):
            return False
        yield from self._decider.command(peer, user, request, direct_key(user.key, user_key(request.to)))
        return True

    def received(self, peer: Peer, user: OnlineUser) -> Work[None]:
        """Take note that the texts that waited for *user* came to *peer*, and have it sent what else waits."""
        delivered, arrivals = peer.delivered, self._presence.arrivals
        slots = {}
        try:
            for key in delivered:
                slots[key] = yield from self._decider.load(key)
        except Refused:
            return  # the next thing it asks will do as well
        peer.owes_sign = False
        for key, slot in slots.items():
            slot = self._ledger.slot(key) or slot
            box = None if slot.newest is None else slot.newest.boxes.get(user.key)
            if box is not None and box.waiting and box.waiting[0] <= delivered[key]:
                self._decider.put(slot, Decision(None, user, Receive(box.other, delivered[key]), key, arrivals))
        self._line.put(Query(peer, Deliver(), arrivals))


def _size(text: str) -> int:
    """Return about how many bytes a text has on the wire, no less: JSON makes six of a control character."""
    return len(text) if text.isascii() and text.isprintable() else 6 * len(text)
