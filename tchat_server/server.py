"""The shell around the hub: accepts connections, carries out effects, writes once per peer and tick."""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import assert_never

from libtchat.effect import Answer, Append, Ask, Close, Effect, Item, PeerId, Read, ReadGroups, Resend
from libtchat.hub.hub import Hub
from libtchat.message.errors import ErrorCode
from libtchat.message.event import LogEvent
from libtchat.message.limits import DEFAULT_LIMITS, ServerLimits
from libtchat.message.names import Key
from libtchat.message.reply import Error, Goodbye, Message
from libtchat.message.request import Say
from tchat_server.clock import time_of_day
from tchat_server.net.admission import Admission, origin_of
from tchat_server.net.delivery import Delivery
from tchat_server.net.ending import CloseReason
from tchat_server.net.flow import Hold, Rota
from tchat_server.net.listener import Listener, bind
from tchat_server.net.peer import PeerProtocol
from tchat_server.net.site import Site
from tchat_server.net.web import Web
from tchat_server.net.work import Job
from tchat_server.ops.metrics import Metrics
from tchat_server.store.answers import Answers
from tchat_server.store.event_log import EncodedPart, EventLog, LogUnavailable, Ready, encode_part
from tchat_server.store.lines import Lines, encode_line
from tchat_server.store.pages import reading
from tchat_server.supervisor import Supervisor

__all__ = ["Server"]

logger = logging.getLogger("tchat_server")

_MAX_BACKLOG = 4096
"""Events and answers that may wait for storage before sockets are not read any more."""

_MAX_BACKLOG_BYTES = 256 * 1024
"""Bytes that may be taken while an append is out, as above: they all leave in one tick."""

_REQUEST_BYTES = 2048
"""What a request counts for there that is no text: a list to be made, or an event that changes who hears the next."""

_SLOW_LOG_SECONDS = 5.0
_FAILED_GRACE_SECONDS = 0.5


class Server:
    """One hub, its log and its connections, on one event loop.

    Args:
        hub: the brain.
        log: where events are kept.
        trace: called with the peer's address, "<" or ">", and bytes read or written, if given.
        site: what is served to who speaks HTTP, if anything.
        make_peer: makes the end of a connection of this server, its host and its address.
    """

    def __init__(
        self,
        hub: Hub,
        log: EventLog,
        *,
        limits: ServerLimits = DEFAULT_LIMITS,
        trace: Callable[[str, str, bytes], None] | None = None,
        site: Site | None = None,
        make_peer: Callable[[Server, str, str], PeerProtocol] = PeerProtocol,
    ) -> None:
        self.hub, self.log, self.limits, self.metrics = hub, log, limits, Metrics()
        self._clock, self.trace = log.clock, trace
        self._answers = Answers(log)
        self._make_peer = make_peer
        self.meet: Callable[[PeerProtocol, bytes], None] | None = None
        if site is not None:
            self.meet = Web(site, limits, trace).meet
        self._delivery = Delivery(self.metrics, trace)
        self._peers = self._delivery.peers
        self._admission = Admission(limits, self.metrics)
        self._not_read: set[PeerProtocol] = set()
        self.rota = Rota()
        self._taken_bytes = 0
        self._tick_is_due = False
        self._is_appending = False
        self._is_stopping = False
        self._appending_since = 0.0
        self._listeners: list[Listener] = []
        self.supervisor = Supervisor()

    # --- life ---

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> tuple[str, int]:
        """Accept connections; port 0 takes a free one.

        Returns:
            The address bound.
        Raises:
            OSError: the address can't be bound.
        """
        sock = bind(host, port, self.limits)
        self._listeners.append(Listener(sock, tls, self._admission, partial(self._make_peer, self), self._refusal))
        address: tuple[str, int] = sock.getsockname()[:2]
        return address

    async def stop(self, grace_seconds: float) -> None:
        """Stop accepting, finish what was accepted, tell the clients, close (R-op-shutdown)."""
        self._is_stopping = True
        if self.supervisor.failed.done():  # what waits may wait for ever
            grace_seconds = min(grace_seconds, _FAILED_GRACE_SECONDS)
        for listener in self._listeners:
            listener.close()
        for peer in self._peers.values():
            peer.turns.hold(Hold.STOP)
        deadline = asyncio.get_running_loop().time() + grace_seconds
        while (self.hub.backlog or self._is_appending) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        line = encode_line(Goodbye())
        for peer in list(self._peers.values()):
            peer.guard(peer.outbox.put, [(None, line)])
            peer.guard(peer.finish, CloseReason.STOP)
        self._delivery.flush()
        while self._peers and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        for peer in list(self._peers.values()):
            peer.abort(CloseReason.STOP)
        await self.log.close()
        self._answers.close()

    def _refusal(self, limit: int) -> bytes:
        return encode_line(Error(ErrorCode.LIMIT_REACHED, limit=limit, msg="too many connections: try later"))

    def _now(self) -> float:
        """Return the time of the log's clock, and let the hub know how far the time of day is from it."""
        now = self._clock()
        self.hub.set_time_of_day(time_of_day() - now)
        return now

    # --- what connections tell (tchat_server.net.peer.Owner) ---

    def connected(self, peer: PeerProtocol) -> PeerId:
        """Take a connection in."""
        id = self.hub.connect(self._now(), token=secrets.token_urlsafe(16), origin=origin_of(peer.host))
        self._peers[id] = peer
        self.metrics.connections_total += 1
        return id

    def received(self, peer: PeerProtocol, items: Sequence[Item], size: int) -> None:
        """Pass what a peer sent, in *size* bytes, to the hub."""
        self.metrics.frames_in_total += len(items)
        if self._is_appending:
            self._taken_bytes += size + _REQUEST_BYTES * sum(type(item) is not Say for item in items)
        self.hub.handle(peer.id, items, self._now())
        if items:
            peer.has_spoken = True
            if self._has_much():
                peer.turns.hold(Hold.BACKLOG)
                self._not_read.add(peer)
                self.rota.shut()
        self._tick_soon()

    def left(self, peer: PeerProtocol) -> None:
        """Let a peer be gone for the hub, though its socket is still there."""
        self.hub.disconnected(peer.id, self._now())
        self._tick_soon()

    def lost(self, peer: PeerProtocol) -> None:
        """Forget a connection that is gone."""
        self._not_read.discard(peer)
        if self._peers.pop(peer.id, None) is None:
            return
        self._admission.leave(peer.host)
        assert peer.ending is not None
        self.metrics.closed[peer.ending.reason] += 1
        logger.info("%s gone: %s (%d in, %d out)", peer.address, peer.ending, peer.frames_in, peer.outbox.count)
        self.hub.disconnected(peer.id, self._now())
        self._tick_soon()

    @property
    def peers(self) -> Sequence[PeerProtocol]:
        """Every connection."""
        return tuple(self._peers.values())

    def serves(self) -> bool:
        """Tell whether clients are accepted and the log answers; may be called from another thread."""
        waited = time.monotonic() - self._appending_since if self._is_appending else 0.0
        return not self._is_stopping and waited < _SLOW_LOG_SECONDS

    def measured(self) -> str:
        """Return the metrics of now; may be called from another thread."""
        metrics = self.metrics
        metrics.peers, metrics.handshakes = len(self._peers), self._admission.size - len(self._peers)
        metrics.backlog, metrics.not_read = self.hub.backlog, len(self._not_read)
        return metrics.text()

    def wrote(self, peer: PeerProtocol) -> None:
        """Note that *peer* has something to flush."""
        self._delivery.soon(peer)
        self._tick_soon()

    # --- one tick ---

    def _tick_soon(self) -> None:
        if not self._tick_is_due:
            self._tick_is_due = True
            asyncio.get_running_loop().call_soon(self._tick)

    def _tick(self) -> None:
        self._tick_is_due = False
        while effects := self.hub.drain():
            self._carry_out(effects)
        self._delivery.flush()
        if self.rota.is_shut and not self._has_much():
            self.rota.open()
            for peer in self._not_read:
                peer.turns.release(Hold.BACKLOG)
            self._not_read.clear()

    def _has_much(self) -> bool:
        return self.hub.backlog > _MAX_BACKLOG or self._taken_bytes > _MAX_BACKLOG_BYTES

    def _carry_out(self, effects: Iterable[Effect], encode: Callable[[Message], bytes] = encode_line) -> None:
        """Carry out effects in order; *encode* makes lines of the messages among them."""
        for effect in self._delivery.send(effects, encode):
            match effect:
                case Append():
                    self._append(effect)
                case Read() | ReadGroups() | Resend():
                    if (peer := self._peers.get(effect.peer)) is not None:
                        peer.guard(peer.outbox.work, self._job(peer, effect))
                case Ask():
                    self._ask(effect)
                case Close():
                    if (peer := self._peers.get(effect.peer)) is not None:
                        ended = CloseReason.CLOSED if peer.has_ended else CloseReason.QUIT
                        peer.guard(peer.finish, effect.code or ended)
                case _:
                    assert_never(effect)

    # --- what takes time ---

    def _append(self, append: Append) -> None:
        self._is_appending, self._appending_since = True, time.monotonic()
        parts = [*map(encode_part, append.parts)]
        appended = self.log.append(parts)
        if isinstance(appended, Ready):  # what else is read in this tick shares its write
            self._settle(parts, appended.value)
        else:
            self.supervisor.start(self._settle_later(parts, appended))

    async def _settle_later(
        self, parts: Sequence[EncodedPart], appended: Awaitable[Mapping[Key, tuple[LogEvent, ...]]]
    ) -> None:
        try:
            failed = await appended
        except LogUnavailable as error:  # the log is closed, and nobody knows what it holds: tell nobody anything
            logger.error("storage: %s", error)
            return
        self._settle(parts, failed)
        self._delivery.flush()
        self._tick_soon()  # what others answer to this rides in the next append, with what came meanwhile

    def _settle(self, parts: Sequence[EncodedPart], failed: Mapping[Key, tuple[LogEvent, ...]]) -> None:
        self._is_appending, self._taken_bytes = False, 0
        metrics = self.metrics
        metrics.appends_total += 1
        metrics.append_seconds_total += time.monotonic() - self._appending_since
        metrics.append_failures_total += bool(failed)
        now = self._now()
        effects = self.hub.rejected(failed, now) if failed else self.hub.committed(now)
        self._carry_out(effects, Lines(part for part in parts if part.key not in failed))

    def _ask(self, ask: Ask) -> None:
        found = self._answers.answer(ask.question)
        if isinstance(found, Ready):
            self._answered(ask, found.value)
            return
        if (peer := self._peers.get(ask.peer)) is not None:
            peer.turns.hold(Hold.QUESTION)
        self.supervisor.start(self._answer_later(ask, found))

    async def _answer_later(self, ask: Ask, found: Awaitable[Answer]) -> None:
        try:
            known = await found
        except LogUnavailable as error:
            logger.warning("storage: %s", error)
            known = None
        self._answered(ask, known)
        self._answers.told(ask.question)
        self._tick_soon()
        if (peer := self._peers.get(ask.peer)) is not None:
            peer.turns.release(Hold.QUESTION)

    def _answered(self, ask: Ask, known: Answer) -> None:
        """Tell the hub an answer, also when who asked is gone: what was stored for it concerns others too."""
        if (peer := self._peers.get(ask.peer)) is not None:
            peer.guard(self.hub.answered, ask, known, self._now())
            return
        try:
            self.hub.answered(ask, known, self._now())
        except Exception:  # as in PeerProtocol.guard: who asked is gone, so this costs nobody anything
            logger.exception("internal error, a peer that is gone")

    def _job(self, peer: PeerProtocol, effect: Read | ReadGroups | Resend) -> Job:
        read = reading(effect, self.log, self.limits)

        async def job() -> bytes:
            try:
                line = await read()
            except Exception:  # as in PeerProtocol.guard, but in its place in the line
                logger.exception("internal error, peer %s", peer.address)
                peer.finish(CloseReason.FAULT)
                return encode_line(Error(ErrorCode.INTERNAL))
            peer.toll.carried(len(line))
            return line

        return job
