"""Who is connected where, kept in the engine: names by compare-and-set, leases, texts for other nodes.

It is on disk there, as the log is: a stream costs no more for it, and nobody loses a name when the engine is restarted.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from attrs import evolve

from libtchat.cluster import NodeId, Relay, Seat
from libtchat.message.errors import ProtocolError
from libtchat.message.limits import DEFAULT_LIMITS, ServerLimits
from libtchat.message.names import UserKey
from libtchat.wire import codec
from tchat_server.clock import Clock
from tchat_server.roster.port import Called, RosterListener, RosterUnavailable
from tchat_server.store.event_log import LogUnavailable, Ready
from tchat_server.store.nats.calls import Calls
from tchat_server.store.nats.connection import Connection
from tchat_server.store.nats.errors import EngineGone, EngineRefused
from tchat_server.store.nats.follower import Follower
from tchat_server.store.nats.lease import Leases
from tchat_server.store.nats.proof import Proofs
from tchat_server.store.nats.publisher import Publisher
from tchat_server.store.nats.seats import Seats, encode_seat
from tchat_server.store.nats.subject import RosterSubjects
from tchat_server.supervisor import Tasks

if TYPE_CHECKING:
    from nats.aio.msg import Msg

__all__ = ["NatsRoster"]

_RETRY_SECONDS = 0.5
_TIDY_SECONDS = 10.0
_MAX_WAITING_RELAYS = 1000

logger = logging.getLogger("tchat_server")


class NatsRoster:
    """A Roster in an engine. Make it with `NatsRoster.open`.

    Attributes:
        node: what this node's connections are counted under.
        over: done when this node's lease is.
        predecessor: a node that is certainly gone, though its lease may not be over: it is ended.
    """

    def __init__(self, connection: Connection, subjects: RosterSubjects, *, ahead: float, limits: ServerLimits) -> None:
        self._connection, self._subjects = connection, subjects
        self.node: NodeId = NodeId(secrets.token_hex(6))
        self._token_seconds = limits.token_seconds
        self.leases = Leases(connection, subjects.lease, self.node, lost=self._lose, fenced=self._fence, ahead=ahead)
        self.seats = Seats(
            subjects, self.leases.is_gone, self._tell, self.leases.heard, Clock(0.0), limits.token_seconds
        )
        self.follower = Follower(connection, subjects, 0, self.seats.take, _no_need)
        self.publisher = Publisher(connection, self.follower, self.seats.heads)
        self.proofs = Proofs(self.publisher, self.follower, subjects.mark(self.node))
        self._calls = Calls(connection, subjects, self.node)
        self.over: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.predecessor: NodeId | None = None
        self._listener: RosterListener | None = None
        self._turns: WeakValueDictionary[UserKey, asyncio.Lock] = WeakValueDictionary()  # of those that are taken
        self._relays: asyncio.Queue[tuple[bytes, Relay]] = asyncio.Queue(_MAX_WAITING_RELAYS)
        self._tasks = Tasks()
        self._is_closed = False

    @classmethod
    async def open(
        cls,
        connection: Connection,
        subjects: RosterSubjects,
        *,
        ahead: float = 0.0,
        limits: ServerLimits = DEFAULT_LIMITS,
    ) -> NatsRoster:
        """Take a lease, and learn every seat there is.

        Args:
            ahead: how many seconds the engine's clock is ahead of this machine's.
        Raises:
            RosterUnavailable: the engine does not answer.
        """
        roster = cls(connection, subjects, ahead=ahead, limits=limits)
        try:
            await connection.subscribe(subjects.relay("*"), roster._relayed)
            await roster._calls.start()
            await roster.follower.start()
            await roster.leases.begin()
            await roster.reached()
        except (EngineGone, EngineRefused) as error:
            await roster.close()
            raise RosterUnavailable(f"the engine: {error}") from None
        return roster

    def follow(self, listener: RosterListener) -> None:
        """Tell *listener* what other nodes do; see Roster."""
        self._listener = listener
        listener.seated(self.seats.all())
        self.leases.start()
        if self.predecessor is not None:
            self._tasks.start(self.leases.end(self.predecessor))
        self._tasks.start(self._send_relays())
        self._tasks.start(self._tidy())

    def check(self) -> bool:
        """Tell whether this node's lease holds, so that what is read may be decided on."""
        return self.leases.holds()

    async def reached(self) -> None:
        """Wait until all is told that was acknowledged; see Roster."""
        try:
            await self.proofs.reached()
        except LogUnavailable as error:
            raise RosterUnavailable(str(error)) from None

    def find(self, key: UserKey, *, known: bool = False) -> Awaitable[Seat]:
        """Find who has a name; see Roster."""
        is_free = known and key not in self._turns
        return Ready(self.seats.find(key)) if is_free else self._find(key, known)

    async def _find(self, key: UserKey, known: bool) -> Seat:
        async with self._turn(key):
            if not known:
                await self.reached()
            return self.seats.find(key)

    async def take(self, seat: Seat) -> int:
        """Put *seat* in the place of that with its revision; see Roster."""
        async with self._turn(seat.key):
            known = self.seats.find(seat.key)
            if known.revision != seat.revision or not self.check():
                return 0
            number = await self._store(seat)
            if number is None:
                raise RosterUnavailable("the engine does not take it now")
            return number

    async def release(self, key: UserKey) -> None:
        """Count one connection of this node less for a name; see Roster."""
        async with self._turn(key):
            while not self._is_closed and self.check():
                seat = self.seats.stored(key)
                count = seat.nodes.get(self.node, 0)
                if not count:
                    return
                nodes = {node: number for node, number in seat.nodes.items() if node != self.node}
                if count > 1:
                    nodes[self.node] = count - 1
                number = await self._store(evolve(seat, nodes=nodes))
                if number:
                    return
                if number is None:
                    await asyncio.sleep(_RETRY_SECONDS)

    async def end(self, key: UserKey, token: str, why: str) -> int:
        """Put another token in the place of a name's; see Roster."""
        async with self._turn(key):
            number: int | None = 0
            while not number:
                await self.reached()
                seat = self.seats.find(key)
                if seat.revision == 0:
                    return 0
                number = await self._store(evolve(seat, token=token, why=why))
                if number is None:
                    raise RosterUnavailable("the engine does not take it now")
            return sum(seat.nodes.values())

    def attend(self, act: Callable[[Mapping[str, Any], str], Awaitable[Mapping[str, Any]]]) -> None:
        """Have *act* do what is asked of this node; see Roster."""
        self._calls.act = act

    async def call(self, request: Mapping[str, Any], who: str) -> Called:
        """Have all other nodes do something; see Roster."""
        return await self._calls.ask(self.leases.others, request, who)

    def relay(self, relay: Relay) -> None:
        """Send a text to all other nodes; see Roster."""
        head = json.dumps({"users": relay.users}, separators=(",", ":")).encode()
        if self._connection.is_connected and not self._relays.full():
            self._relays.put_nowait((head, relay))

    def give_up(self) -> None:
        """Have all connections closed at once: the node is to begin anew."""
        self._fence()

    async def close(self) -> None:
        """Give up the lease, and with it every connection of this node. The engine's connection stays open."""
        self._is_closed = True
        self._listener = None
        self.seats.heads.give_up(RosterUnavailable("the roster is closed"))
        await self._tasks.end()
        await self._calls.close()
        await self.leases.close()
        await self.proofs.close()
        await self.follower.close()

    async def _store(self, seat: Seat) -> int | None:
        """Store a seat after the one that is known; one that nobody is connected by vanishes in time."""
        nonce = secrets.token_hex(8)
        nodes = {node: count for node, count in seat.nodes.items() if not self.leases.is_gone(node)}
        data = encode_seat(evolve(seat, nodes=nodes), nonce)
        subject, seconds = self._subjects.seat(seat.key), None if nodes else self._token_seconds
        return await self.publisher.append(subject, [data], nonce, seconds=seconds, may_vanish=True)

    def _turn(self, key: UserKey) -> asyncio.Lock:
        """Return what lets all that concerns one name happen in the order it was asked for."""
        return self._turns.setdefault(key, asyncio.Lock())

    def _tell(self, seats: Sequence[Seat]) -> None:
        if self._listener is not None:
            self._listener.seated(seats)

    def _lose(self, node: NodeId) -> None:
        if self._listener is not None:
            self._listener.lost(node)

    def _fence(self) -> None:
        if self._listener is not None:
            self._listener.fenced()
        if not self.over.done():
            self.over.set_result(None)

    async def _tidy(self) -> None:
        """Take nodes that are gone out of the seats: whoever comes first, the others find it done."""
        while True:
            await asyncio.sleep(random.uniform(0, _TIDY_SECONDS))
            self.seats.prune()
            stale = self.seats.stale()
            random.shuffle(stale)
            for key in stale:
                async with self._turn(key):
                    seat = self.seats.stored(key)
                    if any(map(self.leases.is_gone, seat.nodes)):
                        await self._store(seat)

    async def _send_relays(self) -> None:
        while True:
            head, relay = await self._relays.get()
            try:
                await self._connection.send(self._subjects.relay(self.node), head + b"\n" + relay.line)
            except EngineGone as error:
                logger.debug("engine: a text is not passed on: %s", error)

    async def _relayed(self, message: Msg) -> None:
        if self._listener is None or message.subject == self._subjects.relay(self.node):
            return
        head, _, line = message.data.partition(b"\n")
        try:
            said: Mapping[str, Sequence[str] | None] = json.loads(head)
            users = said["users"]
            decoded = codec.decode_message(line)
        except (ValueError, KeyError, ProtocolError) as error:
            logger.warning("roster: a text of another node is not understood: %s", error)
            return
        self._listener.relayed(Relay(decoded, None if users is None else tuple(map(UserKey, users)), line))


async def _no_need() -> None:
    """Let the follower go on: what it hands over does not pile up."""
