"""Where an item goes: first who asks, then the decider (requests that make events) or the line (all others)."""

from __future__ import annotations

from attrs import define

from libtchat.effect import Close, Item, Send
from libtchat.hub.clock import Clock
from libtchat.hub.courier import Courier
from libtchat.hub.decider import Decider
from libtchat.hub.entry import AnyEntry, Notice, Query
from libtchat.hub.gate import Gate
from libtchat.hub.identity import Identity
from libtchat.hub.line import Line
from libtchat.hub.login import Login
from libtchat.hub.peer import Peer
from libtchat.hub.presence import Presence
from libtchat.hub.refusal import error_for
from libtchat.hub.texts import Texts
from libtchat.hub.user import OnlineUser
from libtchat.hub.work import Work
from libtchat.message.direct import correspondent, direct_key
from libtchat.message.errors import ErrorCode, Refused, Violation
from libtchat.message.names import group_key, user_key
from libtchat.message.request import (
    Ban,
    Broadcast,
    Create,
    GroupRequest,
    Hello,
    Invite,
    Join,
    Kick,
    Leave,
    ListGroups,
    ListMembers,
    ListMessages,
    ListStates,
    ListUsers,
    Ping,
    Quit,
    Register,
    ReportError,
    Say,
    Tell,
    Unban,
)

__all__ = ["Router"]

UserRequest = GroupRequest | Broadcast | ListMembers | ListMessages | ListStates | Tell | ListUsers | ListGroups


@define
class Router:
    """Brings the items of one hub to where they belong."""

    _clock: Clock
    _line: Line[AnyEntry]
    _presence: Presence
    _identity: Identity
    _login: Login
    _decider: Decider
    _courier: Courier
    _gate: Gate

    def say_at_once(self, peer: Peer, item: Texts | Say) -> bool:
        """Have texts decided that need nothing before; tell whether that was so."""
        user, login = peer.user, self._login
        if user is None or peer.owes_sign or not login.may_ask(peer, user):
            return False
        if item.sender is not None and item.sender != user.name:
            return False
        return self._gate.is_open and self._decider.say_at_once(peer, user, item)

    def vouch(self, peer: Peer, user: str) -> Work[None]:
        """Name *peer* as the shell says, or close it."""
        hello = Hello(sender=user)
        try:
            yield from self._login.enter(peer, hello)
        except Refused as refusal:
            peer.ended = True
            error = Send((peer.id,), error_for(hello, refusal))
            self._line.put(Notice((error, Close(peer.id, refusal.code))))

    def work(self, peer: Peer, item: Item | Texts) -> Work[None]:
        """Do what *item* asks, and have it refused if it may not be."""
        if peer.owes_sign and peer.user is not None and item is not None:
            yield from self._courier.received(peer, peer.user)
        try:
            yield from self._route(peer, item)
        except Refused as refusal:
            for one in item.said if isinstance(item, Texts) else (item,):
                if one is not None:
                    self._line.put(Notice((Send((peer.id,), error_for(one, refusal)),)))

    def _route(self, peer: Peer, item: Item | Texts) -> Work[None]:
        login, decider = self._login, self._decider
        match item:
            case Texts():
                yield from decider.say(peer, (yield from self._user(peer, item.said[0])), item)
                return
            case Say() | Join() | Leave() | Create() | Invite() | Kick() | Ban() | Unban():
                user = yield from self._user(peer, item)
                yield from decider.command(peer, user, item, group_key(item.group))
                return
            case Hello() if peer.user is None:
                proof = self._line.need_proof()  # it is begun while the name is looked for
                yield from login.enter(peer, item)
                query = Query(peer, item, self._presence.arrivals - 1)  # what is told before it is in it
                query.proof = 0 if self._line.is_in_vain(proof) else proof
                self._line.put(query)
                return
            case Hello():
                yield from login.who(peer, item.sender)
            case Broadcast():
                user = yield from self._user(peer, item)
                if wait := user.broadcasts.take(self._clock.now):
                    raise Refused(ErrorCode.RATE_LIMITED, retry_after=wait)
            case ListMessages(group=group) | ListStates(group=group) if (other := correspondent(group)) is not None:
                user = yield from self._user(peer, item)
                yield from decider.load(direct_key(user.key, user_key(other)))
            case ListMembers() | ListMessages() | ListStates():
                yield from self._user(peer, item)
                yield from decider.load(group_key(item.group))
            case Tell():
                user = yield from self._user(peer, item)
                if self._courier.crowded:
                    yield from self._courier.await_room(peer, item)
                if (yield from self._courier.tell(peer, user, item)):
                    return
            case ListUsers() | ListGroups():
                yield from self._user(peer, item)
            case Register():
                user = yield from login.who(peer, item.sender if peer.user is not None else None)
                yield from self._gate.check(user.name, item)
                yield from self._identity.register(peer, user, item)
            case Violation():
                if item.identifies:
                    yield from login.who(peer, item.sender)
                peer.ended = item.fatal
            case Quit() | ReportError() | None:
                peer.ended = True
            case Ping():
                pass
        self._line.put(Query(peer, item, self._presence.arrivals))

    def _user(self, peer: Peer, request: UserRequest) -> Work[OnlineUser]:
        """Return whose *request* this is, who may ask for it.

        Raises:
            Refused: see `Login.user` and `Gate.check`.
        """
        user = yield from self._login.user(peer, request.sender)
        if not peer.on_behalf:
            yield from self._gate.check(user.name, request)
        return user
