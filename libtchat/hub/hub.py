"""The server's brain: takes what peers send, has it decided, and says what the shell is to do.

No socket, clock or storage: the shell passes `now` (seconds of a clock that only goes forward) and carries out effects.
What is here is what the shell calls, and who waits for what; `libtchat.hub.router` says where an item goes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from attrs import define, field

from libtchat.effect import Answer, Ask, Effect, Item, PeerId, PresenceScope, Question, Registration, SaveUser
from libtchat.group import Group
from libtchat.hub.clock import Clock
from libtchat.hub.courier import Courier
from libtchat.hub.decider import Decider
from libtchat.hub.direct import Direct
from libtchat.hub.entry import AnyEntry
from libtchat.hub.gate import Gate
from libtchat.hub.identity import Identity
from libtchat.hub.leaving import Leaving
from libtchat.hub.ledger import Ledger
from libtchat.hub.line import Line
from libtchat.hub.login import Login
from libtchat.hub.lookup import Lookup
from libtchat.hub.newcomer import Newcomers
from libtchat.hub.operator import Operator
from libtchat.hub.peer import Peer
from libtchat.hub.presence import Presence
from libtchat.hub.query import Replies
from libtchat.hub.quota import Quota
from libtchat.hub.refusal import too_fast
from libtchat.hub.revision import Revision
from libtchat.hub.router import Router
from libtchat.hub.texts import Texts, together
from libtchat.hub.work import Work
from libtchat.message.errors import Violation
from libtchat.message.event import LogEvent
from libtchat.message.limits import DEFAULT_LIMITS, ServerLimits
from libtchat.message.names import Key, group_key, is_guest
from libtchat.message.request import Request, Say
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
        require_auth: a user without a password may do nothing but `register`; those the shell vouches for may.
        asks_first: what users ask is asked about with a `CheckRequest` before it is decided.
        registration: who may set a first password: everybody, who was given a code, nobody.

    Attributes:
        operator: what who runs the server may do beside what clients ask.
        crowded: the peers for whom much waits, as the shell says: before a text to one an `AwaitRoom` is asked.
    """

    server: str = "libtchat"
    limits: ServerLimits = DEFAULT_LIMITS
    presence_scope: PresenceScope = "auto"
    require_auth: bool = False
    asks_first: bool = False
    registration: Registration = "open"
    crowded: set[PeerId] = field(factory=set, init=False)
    _peers: dict[PeerId, Peer] = field(factory=dict, init=False)
    _last_peer: int = field(default=0, init=False)
    _asks: list[Effect] = field(factory=list, init=False)
    _clock: Clock = field(factory=Clock, init=False)
    _line: Line[AnyEntry] = field(factory=Line, init=False)
    _presence: Presence = field(factory=Presence, init=False)
    _ledger: Ledger = field(init=False)
    _newcomers: Newcomers = field(init=False)
    _identity: Identity = field(init=False)
    _login: Login = field(init=False)
    _lookup: Lookup = field(init=False)
    _decider: Decider = field(init=False)
    _revision: Revision = field(init=False)
    _router: Router = field(init=False)
    _leaving: Leaving = field(init=False)
    operator: Operator = field(init=False)

    def __attrs_post_init__(self) -> None:
        limits, clock, line, presence = self.limits, self._clock, self._line, self._presence
        gate = Gate(is_open=not self.asks_first)
        self._ledger = ledger = Ledger(presence)
        self._newcomers = newcomers = Newcomers(line, clock)
        self._identity = identity = Identity(limits, clock, presence, newcomers, registration=self.registration)
        self._login = login = Login(
            limits, self.presence_scope, self.require_auth, line, presence, ledger, newcomers, identity, gate
        )
        quota = Quota(limits, ledger)
        self._lookup = lookup = Lookup(limits, clock, presence)
        direct = Direct(limits, clock, presence, quota)
        self._decider = decider = Decider(limits, clock, line, presence, ledger, newcomers, quota, lookup, direct)
        self._revision = Revision(clock, line, presence, ledger, quota, decider)
        courier = Courier(line, presence, ledger, lookup, direct, decider, self.crowded)
        self._router = Router(clock, line, presence, identity, login, decider, courier, gate)
        self._leaving = Leaving(line, decider, Replies(self.server, limits, clock, presence, ledger))
        self.operator = Operator(clock, line, presence, ledger, self._peers, identity, decider)

    @property
    def backlog(self) -> int:
        """How many events and answers wait for storage. Above a limit of its own the shell stops reading sockets."""
        return len(self._line)

    def set_time_of_day(self, ahead: float) -> None:
        """Have time stamps tell `now` and *ahead* seconds as seconds since the epoch, UTC; 0 until it is called."""
        self._clock.ahead = ahead

    def online(self) -> tuple[str, ...]:
        """Return the names of all users who are connected, by key."""
        return tuple([name for _, name in self._presence.online()])

    def group(self, name: str) -> Group | None:
        """Return a group as of everything that was told, None if it does not exist or is not loaded."""
        return self._ledger.durable(group_key(name))

    def connect(
        self, now: float, *, token: str, origin: str = "", user: str | None = None, on_behalf: bool = False
    ) -> PeerId:
        """Take in a new connection.

        Args:
            now: the time.
            token: 128 fresh random bits as text; if a user comes online by this connection, it is that user's token.
            origin: where it comes from, for throttling passwords; any text.
            user: who it is, if the shell vouches for that (R-op-vouched). If that user can't be taken in now, the
                peer is told why and closed.
            on_behalf: the shell itself asks, on behalf of *user*: nobody is told that the user came or went because
                of it, and what is asked is not asked about.
        """
        self._last_peer += 1
        peer = PeerId(self._last_peer)
        limits = self.limits
        requests = Bucket(limits.request_burst, limits.requests_per_second)
        self._peers[peer] = it = Peer(peer, token, origin, requests)
        if user is not None:
            self._clock.now = now
            it.is_vouched, it.on_behalf = True, on_behalf
            self._go_on(it, self._router.vouch(it, user), None)
        return peer

    def handle(self, peer: PeerId, items: Sequence[Item], now: float) -> None:
        """Take what `libtchat.wire.connection.ServerEnd` made of a peer's bytes; None: nothing more will come."""
        it = self._peers.get(peer)
        if it is None or it.ended:
            return
        self._clock.now = now
        if it.requests.per_second:
            items = [item if item is None else self._paced(it, item) for item in items]
        for item in items if self.asks_first else together(items):
            if it.work is None:
                self._process(it, item)
            elif it.inbox is None:
                it.inbox = deque((item,))
            else:
                it.inbox.append(item)

    def disconnected(self, peer: PeerId, now: float) -> None:
        """Forget a connection that is gone."""
        self._clock.now = now
        it = self._peers.pop(peer, None)
        if it is None:
            return
        if it.work is not None:
            it.work.close()
        if (user := it.user) is not None:
            if self._login.end(it, user) and is_guest(user.key):
                self._decider.guests.went(user)
            self._login.gone(it, user)

    def answered(self, ask: Ask, answer: Answer, now: float) -> None:
        """Take the answer to an `Ask`, whether or not its peer is still there; None: it can't be had now.

        Raises:
            TypeError: the answer is not of the type that the question is answered with.
        """
        self._clock.now = now
        if isinstance(ask.question, SaveUser):
            self._identity.settled(ask.question, answer)
        peer = self._peers.get(ask.peer)
        if peer is None or peer.work is None or ask.question != peer.awaited:
            return
        self._go_on(peer, peer.work, answer)
        while peer.inbox and peer.work is None:
            self._process(peer, peer.inbox.popleft())
        if not peer.inbox:
            peer.inbox = None

    def drain(self) -> list[Effect]:
        """Return what is to be done now; call it once per tick."""
        effects = self._take_asks() + self._leaving.effects()
        if (append := self._line.append()) is not None:
            effects.append(append)
        if not len(self._line):
            self._ledger.sweep()
        return effects

    def committed(self, now: float) -> list[Effect]:
        """Take note that the append that is out is durable.

        Raises:
            RuntimeError: no append is out.
        """
        self._clock.now = now
        self._line.committed()
        return self._leaving.effects()

    def rejected(self, failed: Mapping[Key, tuple[LogEvent, ...]], now: float) -> list[Effect]:
        """Parts of the append that is out failed; the others are durable.

        Args:
            failed: per group the newer events somebody else appended (those are told, and the group's requests
                decided again), or () if the storage is unavailable (its requests in flight are refused).
            now: the time.
        Raises:
            RuntimeError: no append is out.
            ValueError: one of the keys is of no group in it.
        """
        self._clock.now = now
        self._revision.rejected(failed, {})
        return self._leaving.effects()

    def _paced(self, peer: Peer, item: Request | Violation) -> Request | Violation:
        """Return *item*, or what stands for it if it came too soon (R-rate)."""
        wait = peer.requests.take(self._clock.now)
        return too_fast(item, wait) if wait else item

    def _process(self, peer: Peer, item: Item | Texts) -> None:
        """Do what *item* asks, as far as it goes without an answer from the shell."""
        if not peer.ended and not (isinstance(item, (Texts, Say)) and self._router.say_at_once(peer, item)):
            self._go_on(peer, self._router.work(peer, item), None)

    def _go_on(self, peer: Peer, work: Work[None], answer: Answer) -> None:
        """Go on with *work*, which waited for *answer* (None: it begins), to its end or its next question."""
        peer.work = peer.awaited = None
        try:
            question = work.send(answer)
        except StopIteration:
            return
        peer.work, peer.awaited = work, question
        self._ask(peer.id, question)

    def _ask(self, peer: PeerId, question: Question) -> None:
        self._asks.append(Ask(peer, question))

    def _take_asks(self) -> list[Effect]:
        asks, self._asks = self._asks, []
        return asks
