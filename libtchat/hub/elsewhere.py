"""Who is connected to other nodes: seats that are told, nodes that are gone, texts for connections here."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import Factory, define, evolve

from libtchat.cluster import FindSeat, NodeId, Relay, ReleaseSeat, Seat, TakeSeat
from libtchat.effect import Answer, LoadUser, Question, Send
from libtchat.hub.entry import AnyEntry, Notice
from libtchat.hub.guest import Guests
from libtchat.hub.ledger import Ledger
from libtchat.hub.line import Line
from libtchat.hub.login import Login
from libtchat.hub.newcomer import Newcomers
from libtchat.hub.operator import Operator
from libtchat.hub.presence import Presence
from libtchat.hub.user import OnlineUser
from libtchat.message.event import Invited
from libtchat.message.names import UserKey, group_key, is_guest
from libtchat.stored import StoredUser

__all__ = ["Elsewhere"]


@define
class Elsewhere:
    """What one node knows of the others' connections. *ask* has a question answered that no peer waits for."""

    node: NodeId
    _line: Line[AnyEntry]
    _presence: Presence
    _ledger: Ledger
    _login: Login
    _guests: Guests
    _newcomers: Newcomers
    _operator: Operator
    _ask: Callable[[Question], None]
    _seats: dict[UserKey, Seat] = Factory(dict)
    _gone: set[NodeId] = Factory(set)
    _notices: dict[UserKey, list[tuple[str, str]]] = Factory(dict)

    def seated(self, seats: Iterable[Seat], now: float) -> None:
        """Take what became of names; what is older than what is known is passed over."""
        for seat in seats:
            if seat.why:
                self._end(seat, now)
            known = self._seats.get(seat.key)
            if known is None or seat.revision > known.revision:
                self._put(seat)

    def lost(self, node: NodeId) -> None:
        """Let the users of a node that is gone be gone; its guests leave their groups (R-guest-leave)."""
        self._gone.add(node)
        for seat in [seat for seat in self._seats.values() if node in seat.nodes]:
            self._put(seat)
            if is_guest(seat.key) and seat.key not in self._seats:
                self._guests.lost(seat.key)

    def relayed(self, relay: Relay) -> None:
        """Tell a text to those here whom it is for."""
        presence, message = self._presence, relay.message
        if isinstance(message, Invited):  # once more: it may not overtake what it follows
            group = self._ledger.durable(group_key(message.group))
            if group is None or group.seq < message.seq:
                return
        if audience := presence.everybody() if relay.users is None else presence.peers(relay.users):
            self._line.put(Notice((Send(audience, message, None, relay.line),)))

    def answered(self, question: Question, answer: Answer, *, is_awaited: bool) -> None:
        """Take the answer to a question; *is_awaited*: a peer waits for it and will take it."""
        match question, answer:
            case TakeSeat(seat=seat), int() if answer and not is_awaited:
                self._ask(ReleaseSeat(seat.key))  # who asked is gone
            case FindSeat(key=key), Seat(nodes=nodes) if not (is_awaited or nodes) and is_guest(key):
                if self._presence.user(key) is None:
                    self._guests.lost(key)
            case LoadUser(key=key), _ if not is_awaited and key in self._notices:
                self._tell(key, answer)

    def _end(self, seat: Seat, now: float) -> None:
        """Close the connections that a user has here under a token that an operator ended (R-op-password)."""
        self._newcomers.end_token(seat)
        user = self._presence.user(seat.key)
        if user is not None and self.node in seat.nodes and user.token != seat.token:
            self._operator.dismiss(seat.key, seat.why, now, token=seat.token)

    def _put(self, seat: Seat) -> None:
        others = {node: count for node, count in seat.nodes.items() if node != self.node and node not in self._gone}
        if others:
            self._seats[seat.key] = evolve(seat, nodes=others)
        else:
            self._seats.pop(seat.key, None)
        if not self._presence.set_elsewhere(seat.key, seat.name if others else None):
            return
        event = "connect" if others else "disconnect"
        if self._login.tells_groups_only:  # which groups, is in the log
            self._notices.setdefault(seat.key, []).append((seat.name, event))
            self._ask(LoadUser(seat.key))
        else:
            self._login.notice(OnlineUser.without_peer(seat.key, seat.name), event)

    def _tell(self, key: UserKey, stored: Answer) -> None:
        name, event = self._notices[key].pop(0)
        if not self._notices[key]:
            del self._notices[key]
        if isinstance(stored, StoredUser):
            self._login.notice(OnlineUser.without_peer(key, name, stored.memberships), event)
