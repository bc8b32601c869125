"""The server's brain: takes what peers send, has it decided, and says what the shell is to do.

No socket, clock or storage: the shell passes `now` (seconds of a clock that only goes forward) and carries out effects.
What is here is the route of an item: rate, identity, then the ledger (requests that make events) or the line at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import assert_never

from attrs import define, field

from libtchat.effect import Answer, Ask, Effect, Item, PeerId, PresenceScope, SaveUser, Send
from libtchat.hub.entry import AnyEntry, Decision, Notice, Query, Told
from libtchat.hub.ledger import Ledger
from libtchat.hub.line import Line
from libtchat.hub.login import Sessions
from libtchat.hub.presence import Peer, Presence, Unanswered
from libtchat.hub.query import Queries
from libtchat.hub.refusal import error_for, too_fast
from libtchat.message.errors import ErrorCode, Refused, Violation
from libtchat.message.event import Event
from libtchat.message.limits import DEFAULT_LIMITS, Limits
from libtchat.message.names import Key, group_key
from libtchat.message.request import (
    Ban,
    Broadcast,
    Create,
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
    Request,
    Say,
    Tell,
    Unban,
)
from libtchat.rate import Bucket

__all__ = ["Hub"]


@define
class Hub:
    """All users, peers and groups of one server.

    The shell calls `connect`, `handle`, `disconnected` and `answered` as things happen, and `drain` once per tick;
    it carries out what `drain`, `committed` and `rejected` return, in order. After an `Append` it calls exactly one
    of the latter two, and no other append comes meanwhile.

    Args:
        server: the program's name and version, for people.
        presence_scope: who hears that a user came or went.
        require_auth: a user without a password may do nothing but `register`.
    """

    server: str = "libtchat"
    limits: Limits = DEFAULT_LIMITS
    presence_scope: PresenceScope = "auto"
    require_auth: bool = False
    _peers: dict[PeerId, Peer] = field(factory=dict, init=False)
    _last_peer: int = field(default=0, init=False)
    _asks: list[Effect] = field(factory=list, init=False)
    _line: Line[AnyEntry] = field(factory=Line, init=False)
    _presence: Presence = field(factory=Presence, init=False)
    _ledger: Ledger = field(init=False)
    _sessions: Sessions = field(init=False)
    _queries: Queries = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._ledger = Ledger(self.limits, self._presence, self._line)
        self._sessions = Sessions(self._ledger, scope=self.presence_scope, require_auth=self.require_auth)
        self._queries = Queries(self.server, self.limits, self._presence, self._ledger)

    # --- what the shell calls ---

    @property
    def backlog(self) -> int:
        """How many events and answers wait for storage. Above a limit of its own the shell stops reading sockets."""
        return len(self._line)

    def set_time_of_day(self, ahead: float) -> None:
        """Have time stamps tell `now` and *ahead* seconds as seconds since the epoch, UTC; 0 until it is called."""
        self._ledger.ahead = ahead

    def connect(self, now: float, *, token: str, origin: str = "") -> PeerId:
        """Take in a new connection.

        Args:
            now: the time.
            token: 128 fresh random bits as text; if a user comes online by this connection, it is that user's token.
            origin: where it comes from, for throttling passwords; any text.
        """
        self._last_peer += 1
        peer = PeerId(self._last_peer)
        limits = self.limits
        requests = Bucket(limits.request_burst, limits.requests_per_second, 0.0, now)
        self._peers[peer] = Peer(peer, token, origin, requests)
        return peer

    def handle(self, peer: PeerId, items: Sequence[Item], now: float) -> None:
        """Take what `libtchat.wire.connection.Connection` made of a peer's bytes; None: nothing more will come."""
        it = self._peers.get(peer)
        if it is None or it.ended:
            return
        self._ledger.now = now
        if it.requests.per_second:
            items = [item if item is None else self._paced(it, item) for item in items]
        for item in _with_runs(items):
            if not isinstance(item, list):
                self._take(it, item)
            elif not self._say(it, item):
                for text in item:
                    self._take(it, text)

    def disconnected(self, peer: PeerId, now: float) -> None:
        """Forget a connection that is gone."""
        self._ledger.now = now
        it = self._peers.pop(peer, None)
        if it is None:
            return
        it.ended = True
        self._sessions.end(it)

    def answered(self, ask: Ask, answer: Answer, now: float) -> None:
        """Take the answer to an `Ask`, whether or not its peer is still there; None: it can't be had now."""
        self._ledger.now = now
        if isinstance(ask.question, SaveUser):
            self._sessions.settled(ask.question, answer)
        peer = self._peers.get(ask.peer)
        if peer is None or ask.question != peer.awaited:
            return
        peer.answers[ask.question] = answer
        peer.awaited = None
        while peer.inbox and peer.awaited is None:
            self._process(peer, peer.inbox.popleft())
        if not peer.inbox:
            peer.inbox = None

    def drain(self) -> list[Effect]:
        """Return what is to be done now; call it once per tick."""
        effects, self._asks = self._asks, []
        self._leave(effects)
        if (append := self._line.append()) is not None:
            effects.append(append)
        self._ledger.sweep()
        return effects

    def committed(self, now: float) -> list[Effect]:
        """The append that is out is durable."""
        self._ledger.now = now
        self._line.committed()
        return self._leave([])

    def rejected(self, failed: Mapping[Key, tuple[Event, ...]], now: float) -> list[Effect]:
        """Parts of the append that is out failed; the others are durable.

        Args:
            failed: per group the newer events somebody else appended (those are told, and the group's requests
                decided again), or () if the storage is unavailable (its requests in flight are refused).
            now: the time.
        """
        self._ledger.now = now
        self._ledger.rejected(failed)
        return self._leave([])

    # --- the route of an item ---

    def _take(self, peer: Peer, item: Item) -> None:
        if peer.inbox is not None:
            peer.inbox.append(item)
        else:
            self._process(peer, item)

    def _process(self, peer: Peer, item: Item) -> None:
        if peer.ended:
            return
        try:
            self._route(peer, item)
        except Unanswered as need:
            peer.awaited = need.question
            if peer.inbox is None:
                peer.inbox = deque()
            peer.inbox.appendleft(item)
            self._asks.append(Ask(peer.id, need.question))
            return
        except Refused as refusal:
            assert item is not None
            self._line.put(Notice((Send((peer.id,), error_for(item, refusal)),)))
        if peer.answers:
            peer.answers = {}

    def _paced(self, peer: Peer, item: Request | Violation) -> Request | Violation:
        """Return *item*, or what stands for it if it came too soon (R-rate)."""
        wait = peer.requests.take(self._ledger.now)
        return too_fast(item, wait) if wait else item

    def _say(self, peer: Peer, texts: Sequence[Say]) -> bool:
        """Have texts to one group decided together; False if each is to be decided, refused or kept by itself."""
        if peer.ended or peer.inbox is not None:
            return False
        try:
            self._ledger.say(peer, self._sessions.user(peer, texts[0].sender), texts)
        except (Refused, Unanswered):
            return False
        return True

    def _route(self, peer: Peer, item: Item) -> None:
        match item:
            case Say() | Join() | Leave() | Create() | Invite() | Kick() | Ban() | Unban():
                self._ledger.command(peer, self._sessions.user(peer, item.sender), item)
                return
            case Hello() if peer.session is None:
                self._sessions.enter(peer, item)
            case Hello():
                self._sessions.who(peer, item.sender)
            case Broadcast():
                if wait := self._sessions.user(peer, item.sender).broadcasts.take(self._ledger.now):
                    raise Refused(ErrorCode.RATE_LIMITED, retry_after=wait)
            case ListMembers() | ListMessages() | ListStates():
                self._sessions.user(peer, item.sender)
                self._ledger.load(peer, group_key(item.group))
            case Tell() | ListUsers() | ListGroups():
                self._sessions.user(peer, item.sender)
            case Register():
                self._sessions.register(peer, item)
            case Violation():
                if item.identifies:
                    self._sessions.who(peer, item.sender)
                peer.ended = item.fatal
            case Quit() | ReportError() | None:
                peer.ended = True
            case Ping():
                pass
            case _:
                assert_never(item)
        self._line.put(Query(peer, item, self._presence.arrivals))

    # --- what leaves ---

    def _leave(self, effects: list[Effect]) -> list[Effect]:
        """Add to *effects* those of the entries that leave the line now."""
        for entry in self._line.leaving():
            if isinstance(entry, Query):
                effects.extend(self._queries.answer(entry))
            elif isinstance(entry, Notice):
                effects.extend(entry.effects)
            elif (part := entry.part) is not None:
                self._ledger.keep(entry, part)
                audience = entry.audience
                source = None if isinstance(entry, Told) or entry.peer is None else entry.peer.id
                for event in part.events:
                    effects.append(Send(audience, event, source))
            elif isinstance(entry, Decision):
                effects.extend(entry.effects)
        return effects


def _with_runs(items: Sequence[Item]) -> list[Item | list[Say]]:
    """Put texts together that may be decided together: to one group, one behind the other, none with an id."""
    found: list[Item | list[Say]] = []
    run: list[Say] = []
    for item in items:
        if type(item) is not Say or item.id is not None:
            run = []
            found.append(item)
        elif run and item.group == run[0].group and item.sender == run[0].sender:
            if len(run) == 1:
                found[-1] = run
            run.append(item)
        else:
            run = [item]
            found.append(item)
    return found
