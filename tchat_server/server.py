"""The shell around the hub: accepts connections, carries out effects, writes once per peer and tick."""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import assert_never

from libtchat.cluster import Relay
from libtchat.effect import Append, Ask, Close, Effect, Item, PeerId, Read, ReadGroups, Resend, Settled
from libtchat.hub.hub import Hub
from libtchat.hub.node import Node
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.limits import DEFAULT_LIMITS, ServerLimits
from libtchat.message.reply import Error, Goodbye, Message
from tchat_server.clock import time_of_day
from tchat_server.errands import Errands
from tchat_server.hooks import Hooks
from tchat_server.neighbours import Neighbours
from tchat_server.net.admission import INSIDE, Admission
from tchat_server.net.delivery import Delivery
from tchat_server.net.ending import CloseReason
from tchat_server.net.flow import Hold
from tchat_server.net.insider import Insider
from tchat_server.net.listener import Listener, bind
from tchat_server.net.peer import PeerProtocol
from tchat_server.net.rota import Rota
from tchat_server.net.site import Site
from tchat_server.net.web import Web
from tchat_server.ops.metrics import Metrics
from tchat_server.roster.port import Roster
from tchat_server.store.event_log import EventLog
from tchat_server.store.lines import encode_line
from tchat_server.supervisor import Supervisor

__all__ = ["Server"]

logger = logging.getLogger("tchat_server")

_MAX_BACKLOG = 4096
"""Events and answers that may wait for storage before sockets are not read any more."""

_MAX_BACKLOG_BYTES = 256 * 1024
"""Bytes that may be taken while an append is out, as above: they all leave in one tick."""

_SLOW_LOG_SECONDS, _FAILED_GRACE_SECONDS = 5.0, 0.5
_FULL = "too many connections: try later"


class Server:
    """One hub, its log and its connections, on one event loop.

    Args:
        hub: the brain.
        log: where events are kept.
        roster: who is connected where, if *hub* is one of several nodes.
        trace: called with the peer's address, "<" or ">", and bytes read or written, if given.
        site: what is served over HTTP, if anything.
        make_peer: makes the end of a connection of this server, its host and its address.
        hooks: what the program around is asked and told, if anything.
    """

    def __init__(
        self,
        hub: Hub,
        log: EventLog,
        *,
        roster: Roster | None = None,
        limits: ServerLimits = DEFAULT_LIMITS,
        trace: Callable[[str, str, bytes], None] | None = None,
        site: Site | None = None,
        make_peer: Callable[[Server, str, str], PeerProtocol] = PeerProtocol,
        hooks: Hooks | None = None,
    ) -> None:
        self.hub, self.log, self.limits, self.metrics, self.crowded = hub, log, limits, Metrics(), hub.crowded
        self._clock, self.trace = log.clock, trace
        self._make_peer = make_peer
        self.meet: Callable[[PeerProtocol, bytes], None] | None = None
        if site is not None:
            self.meet = Web(site, limits, trace).meet
        self._delivery = Delivery(self.metrics, trace)
        self._peers = self._delivery.peers
        self.admission = Admission(limits, self.metrics)
        self._not_read: set[PeerProtocol] = set()
        self.rota = Rota()
        self._tick_is_due = False
        self.is_stopping = False
        self._listeners: list[Listener] = []
        self.supervisor = Supervisor()
        self.settled: Callable[[Settled], object] = lambda settled: None
        """Told what became of an operator's ruling."""
        self._errands = Errands(self, log, hooks or Hooks(), roster)
        self.neighbours: Neighbours | None = None
        if roster is not None:
            assert isinstance(hub, Node), "a hub among several is a node"
            self.neighbours = Neighbours(self, hub, log, roster)

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> tuple[str, int]:
        """Accept connections; port 0 takes a free one.

        Returns:
            The address bound.
        Raises:
            OSError: the address can't be bound.
        """
        sock = bind(host, port, self.limits)
        make = partial(self._make_peer, self)
        self._listeners.append(Listener(sock, tls, self.admission, make, self._refusal, self.rota))
        address: tuple[str, int] = sock.getsockname()[:2]
        return address

    def let_in(self, user: str | None, origin: str, *, on_behalf: bool = False) -> Insider:
        """Take in a connection that the program around carries itself; see `Insider`.

        Raises:
            Refused: limit-reached.
        """
        host = origin or INSIDE
        limit = self.admission.enter(host, host)
        if limit is not None:
            raise Refused(ErrorCode.LIMIT_REACHED, _FULL, limit=limit)
        peer = Insider(self, user, host, on_behalf=on_behalf)
        peer.connection_made(peer.channel)
        return peer

    async def stop(self, grace_seconds: float) -> None:
        """Stop accepting, finish what was accepted, tell the clients, close (R-op-shutdown)."""
        self.is_stopping = True
        if self.supervisor.failed.done():  # what waits may wait for ever
            grace_seconds = min(grace_seconds, _FAILED_GRACE_SECONDS)
        for listener in self._listeners:
            listener.close()
        try:
            if self._may_go_on():
                await self._finish(asyncio.get_running_loop().time() + grace_seconds)
        finally:  # also if this is cancelled
            for peer in self.peers:
                peer.abort(CloseReason.STOP)
            await self._errands.close()
            await self.supervisor.end()

    async def _finish(self, deadline: float) -> None:
        for peer in self.peers:
            peer.turns.hold(Hold.STOP)
        while (self.hub.backlog or self._errands.is_appending) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        line = encode_line(Goodbye())
        for peer in self.peers:
            peer.guard(peer.outbox.put, [(None, line)])
            peer.guard(peer.finish, CloseReason.STOP)
        self._delivery.flush()
        while self._peers and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)

    def _refusal(self, limit: int) -> bytes:
        return encode_line(Error(ErrorCode.LIMIT_REACHED, limit=limit, msg=_FULL))

    def now(self) -> float:
        """Return the time of the log's clock, and let the hub know how far the time of day is from it."""
        now = self._clock()
        self.hub.set_time_of_day(time_of_day() - now)
        return now

    def connected(self, peer: PeerProtocol) -> PeerId:
        """Take a connection in."""
        token = secrets.token_urlsafe(16)
        id = self.hub.connect(self.now(), token=token, origin=peer.origin, user=peer.user, on_behalf=peer.on_behalf)
        self._peers[id] = peer
        self.metrics.connections_total += 1
        return id

    def received(self, peer: PeerProtocol, items: Sequence[Item], size: int) -> None:
        """Pass what a peer sent, in *size* bytes, to the hub."""
        if not self._may_go_on():
            return
        self.metrics.frames_in_total += len(items)
        self._errands.note_taken(items, size)
        self.hub.handle(peer.id, items, self.now())
        if items:
            peer.has_spoken = True
            if self._has_much():
                peer.turns.hold(Hold.BACKLOG)
                self._not_read.add(peer)
                self.rota.shut()
        self.tick_soon()

    def left(self, peer: PeerProtocol) -> None:
        """Let a peer be gone for the hub, though its socket is still there."""
        self.hub.disconnected(peer.id, self.now())
        self.tick_soon()

    def lost(self, peer: PeerProtocol) -> None:
        """Forget a connection that is gone."""
        self._not_read.discard(peer)
        if self._peers.pop(peer.id, None) is None:
            return
        self.admission.leave(peer.host)
        assert peer.ending is not None
        self.metrics.closed[peer.ending.reason] += 1
        peer.ending.log(peer.address, self.hub.operator.user_of(peer.id), peer.frames_in, peer.outbox.count)
        self.hub.disconnected(peer.id, self.now())
        self.tick_soon()

    def peer(self, id: PeerId) -> PeerProtocol | None:
        """Return a connection, None if it is gone."""
        return self._peers.get(id)

    @property
    def peers(self) -> Sequence[PeerProtocol]:
        """Every connection."""
        return tuple(self._peers.values())

    def serves(self) -> bool:
        """Tell whether clients are accepted and the log answers; may be called from another thread."""
        return not self.is_stopping and self._errands.waited() < _SLOW_LOG_SECONDS

    def measured(self) -> str:
        """Return the metrics of now; may be called from another thread."""
        metrics = self.metrics
        metrics.peers, metrics.handshakes = len(self._peers), self.admission.size - len(self._peers)
        metrics.backlog, metrics.not_read = self.hub.backlog, len(self._not_read)
        metrics.users, metrics.groups = self.hub.operator.counts()
        return metrics.text()

    def wrote(self, peer: PeerProtocol) -> None:
        """Note that *peer* has something to flush."""
        self._delivery.soon(peer)
        self.tick_soon()

    def tick_soon(self) -> None:
        """Ask the hub soon what it wants."""
        if not self._tick_is_due:
            self._tick_is_due = True
            asyncio.get_running_loop().call_soon(self._tick)

    def flush(self) -> None:
        """Write what waits for all peers."""
        self._delivery.flush()

    def _tick(self) -> None:
        self._tick_is_due = False
        try:
            self._take_turn()
        except BaseException as error:
            self.supervisor.fail(error)
            raise

    def _may_go_on(self) -> bool:
        return self.neighbours is None or self.neighbours.may_go_on()

    def _take_turn(self) -> None:
        if not self._may_go_on():
            return
        while effects := self.hub.drain():
            self.carry_out(effects)
        self._delivery.flush()
        if self._has_much():
            self.rota.shut()
        elif self.rota.is_shut:
            self.rota.open()
            for peer in self._not_read:
                peer.turns.release(Hold.BACKLOG)
            self._not_read.clear()

    def _has_much(self) -> bool:
        return self.hub.backlog > _MAX_BACKLOG or self._errands.taken_bytes > _MAX_BACKLOG_BYTES

    def carry_out(self, effects: Iterable[Effect], encode: Callable[[Message], bytes] = encode_line) -> None:
        """Carry out effects in order; *encode* makes lines of the messages among them."""
        for effect in self._delivery.send(effects, encode):
            match effect:
                case Append():
                    self._errands.append(effect)
                case Read() | ReadGroups() | Resend():
                    if (peer := self._peers.get(effect.peer)) is not None:
                        peer.guard(peer.outbox.work, self._errands.job(peer, effect))
                case Ask():
                    self._errands.ask(effect)
                case Relay():
                    assert self.neighbours is not None, "nobody is elsewhere"
                    self.neighbours.relay(effect, encode)
                case Close():
                    if (peer := self._peers.get(effect.peer)) is not None:
                        ended = CloseReason.CLOSED if peer.has_ended else CloseReason.QUIT
                        peer.guard(peer.finish, effect.code or ended)
                case Settled():
                    self.settled(effect)
                case _:
                    assert_never(effect)
