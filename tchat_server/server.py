"""The shell around the hub: accepts connections, carries out effects, writes once per peer and tick."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, assert_never

from libtchat import codec
from libtchat.effect import (
    Answer,
    Append,
    Ask,
    CheckPassword,
    Close,
    Effect,
    HashPassword,
    Kinds,
    LoadGroup,
    LoadUser,
    NewToken,
    PeerId,
    Read,
    ReadGroups,
    Resend,
    SaveUser,
    Send,
)
from libtchat.errors import ErrorCode
from libtchat.event import Event
from libtchat.hub import Hub
from libtchat.limits import DEFAULT_LIMITS, Limits
from libtchat.presence import Item
from libtchat.query import fill
from libtchat.reply import Error, Goodbye, Message
from tchat_server.log import EventLog, LogUnavailable
from tchat_server.password import check_password, hash_password
from tchat_server.peer import Line, PeerProtocol

__all__ = ["Encoder", "Server"]

logger = logging.getLogger("tchat_server")

_MAX_BACKLOG = 4096
"""Outcomes that may wait for storage before sockets are not read any more."""


class Encoder:
    """Encodes each event once: for the log, and for whoever hears it when it is durable."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Event, bytes]] = {}

    def __call__(self, event: Event) -> bytes:
        """Encode an event that is about to be stored."""
        line = codec.encode(event)
        self._kept[id(event)] = (event, line)
        return line

    def line(self, message: Message) -> bytes:
        """Return the line that goes out for *message*, CR LF included."""
        kept = self._kept.pop(id(message), None)
        return (codec.encode(message) if kept is None else kept[1]) + b"\r\n"

    def forget(self) -> None:
        """Drop what was stored for nobody to hear, or not stored after all."""
        self._kept.clear()


class Server:
    """One hub, its log and its connections, on one event loop.

    Args:
        hub: the brain.
        log: where events are kept; it encodes with *encoder*.
        encoder: shared with the log.
        clock: seconds since the epoch, UTC.
        trace: called with the peer's address, "<" or ">", and bytes read or written, if given.
    """

    def __init__(
        self,
        hub: Hub,
        log: EventLog,
        encoder: Encoder,
        *,
        limits: Limits = DEFAULT_LIMITS,
        clock: Callable[[], float] = time.time,
        trace: Callable[[str, str, bytes], None] | None = None,
    ) -> None:
        self.hub, self.log, self.limits = hub, log, limits
        self._encoder, self._clock, self._trace = encoder, clock, trace
        self._peers: dict[PeerId, PeerProtocol] = {}
        self._per_host: Counter[str] = Counter()
        self._dirty: list[PeerProtocol] = []
        self._not_read: set[PeerProtocol] = set()
        self._tick_is_due = False
        self._is_appending = False
        self._is_stopping = False
        self._listeners: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # --- life ---

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> list[tuple[str, int]]:
        """Accept connections; port 0 takes a free one.

        Returns:
            The addresses bound.
        Raises:
            OSError: the address can't be bound.
        """
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(lambda: PeerProtocol(self), host, port, ssl=tls, backlog=1024)
        self._listeners.append(listener)
        return [sock.getsockname()[:2] for sock in listener.sockets]

    async def watch(self) -> None:
        """Close connections that are silent or stuck in a frame; runs until cancelled."""
        loop, limits = asyncio.get_running_loop(), self.limits
        while True:
            await asyncio.sleep(max(0.01, min(1.0, limits.silent_seconds / 4, limits.mid_frame_seconds / 4)))
            now = loop.time()
            for peer in list(self._peers.values()):
                waited = now - peer.since
                if peer.connection.mid_frame and waited > limits.mid_frame_seconds:
                    peer.abort("a frame did not end")
                elif not peer.has_spoken and waited > limits.silent_seconds:
                    peer.abort("silent")

    async def stop(self, grace_seconds: float) -> None:
        """Stop accepting, finish what was accepted, tell the clients, close (R-op-shutdown)."""
        self._is_stopping = True
        for listener in self._listeners:
            listener.close()
        for peer in self._peers.values():
            peer.transport.pause_reading()
        deadline = asyncio.get_running_loop().time() + grace_seconds
        while (self.hub.backlog or self._is_appending) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        line = self._encoder.line(Goodbye())
        for peer in list(self._peers.values()):
            peer.deliver([(None, line)])
            peer.finish("the server stops")
        self._flush()
        while self._peers and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        for peer in list(self._peers.values()):
            peer.abort("the server stops")
        await self.log.close()

    # --- what connections tell (tchat_server.peer.Owner) ---

    def connected(self, peer: PeerProtocol) -> PeerId | None:
        """Take a connection in, or turn it away when there are too many."""
        limits = self.limits
        is_local = peer.host in ("127.0.0.1", "::1")
        if len(self._peers) >= limits.max_peers or (
            not is_local and self._per_host[peer.host] >= limits.max_peers_per_address
        ):
            error = Error(ErrorCode.LIMIT_REACHED, limit=limits.max_peers, msg="too many connections: try later")
            peer.transport.write(self._encoder.line(error))
            peer.transport.close()
            peer.cause = "too many connections"
            return None
        _keep_alive(peer.transport.get_extra_info("socket"), limits)
        id = self.hub.connect(self._clock(), peer.host)
        self._peers[id] = peer
        self._per_host[peer.host] += 1
        return id

    def received(self, peer: PeerProtocol, items: Sequence[Item]) -> None:
        """Pass what a peer sent to the hub; a fault of ours costs that peer only."""
        hub, id, now = self.hub, peer.id, self._clock()
        try:
            for item in items:
                hub.handle(id, item, now)
        except Exception:
            logger.exception("internal error, peer %s", peer.address)
            peer.deliver([(None, self._encoder.line(Error(ErrorCode.INTERNAL)))])
            peer.finish("internal error")
        if items:
            peer.has_spoken = True
            if hub.backlog > _MAX_BACKLOG:
                peer.transport.pause_reading()
                self._not_read.add(peer)
        self._tick_soon()

    def lost(self, peer: PeerProtocol) -> None:
        """Forget a connection that is gone."""
        self._not_read.discard(peer)
        if getattr(peer, "id", None) is None or self._peers.pop(peer.id, None) is None:
            return
        self._per_host[peer.host] -= 1
        if not self._per_host[peer.host]:
            del self._per_host[peer.host]
        logger.info("%s gone: %s (%d in, %d out)", peer.address, peer.cause, peer.frames_in, peer.lines_out)
        self.hub.disconnected(peer.id, self._clock())
        self._tick_soon()

    def wrote(self, peer: PeerProtocol) -> None:
        """Note that *peer* has something to flush."""
        self._dirty.append(peer)
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
        self._flush()

    def _carry_out(self, effects: Iterable[Effect]) -> None:
        """Carry out effects in order; a run of messages for one audience is joined once and shared."""
        audience: tuple[PeerId, ...] = ()
        run: list[Line] = []
        encode = self._encoder.line
        for effect in effects:
            if isinstance(effect, Send):
                if effect.peers is not audience:
                    self._deliver(audience, run)
                    audience, run = effect.peers, []
                run.append((effect.message, encode(effect.message)))
                continue
            self._deliver(audience, run)
            audience, run = (), []
            match effect:
                case Append():
                    self._start(self._append(effect))
                case Read() | ReadGroups() | Resend():
                    if (peer := self._peers.get(effect.peer)) is not None:
                        peer.work(self._job(effect))
                case Ask(question=NewToken()):
                    self.hub.answered(effect, secrets.token_urlsafe(16), self._clock())
                case Ask():
                    self._start(self._answer(effect))
                case Close():
                    if (peer := self._peers.get(effect.peer)) is not None:
                        peer.finish("quit" if effect.code is None else effect.code)
                case _:
                    assert_never(effect)
        self._deliver(audience, run)

    def _deliver(self, audience: tuple[PeerId, ...], run: list[Line]) -> None:
        if not run:
            return
        peers, dirty, trace = self._peers, self._dirty, self._trace
        chunk = run[0][1] if len(run) == 1 else b"".join([line for _, line in run])
        for id in audience:
            peer = peers.get(id)
            if peer is None:
                continue
            if trace is not None:
                trace(peer.address, ">", chunk)
            if peer.is_plain:
                if not peer.out:
                    dirty.append(peer)
                peer.out.append(chunk)
            else:
                peer.deliver(run)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for peer in dirty:
            if peer.out:
                peer.flush()

    # --- what takes time ---

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not self.failed.done():
            self.failed.set_exception(error)

    async def _append(self, append: Append) -> None:
        self._is_appending = True
        failed = await self.log.append(append.parts)
        self._is_appending = False
        now = self._clock()
        effects = self.hub.rejected(failed, now) if failed else self.hub.committed(now)
        self._carry_out(effects)
        self._encoder.forget()
        if self.hub.backlog <= _MAX_BACKLOG and not self._is_stopping:
            for peer in self._not_read:
                peer.transport.resume_reading()
            self._not_read.clear()
        self._tick()

    async def _answer(self, ask: Ask) -> None:
        answer: Answer = None
        try:
            match ask.question:
                case LoadGroup(key=group):
                    answer = await self.log.load(group)
                case LoadUser(key=user):
                    answer = await self.log.load_user(user)
                case SaveUser(key=user, name=name, password_hash=password_hash):
                    answer = await self.log.save_user(user, name, password_hash)
                case HashPassword(password=password):
                    answer = await asyncio.to_thread(hash_password, password)
                case CheckPassword(password=password, password_hash=stored):
                    answer = await asyncio.to_thread(check_password, password, stored)
                case NewToken():
                    answer = secrets.token_urlsafe(16)
                case _:
                    assert_never(ask.question)
        except LogUnavailable as error:
            logger.warning("storage: %s", error)
        self.hub.answered(ask, answer, self._clock())
        self._tick_soon()

    def _job(self, effect: Read | ReadGroups | Resend) -> Callable[[], Awaitable[bytes]]:
        async def job() -> bytes:
            try:
                return await self._read(effect) + b"\r\n"
            except LogUnavailable as error:
                logger.warning("storage: %s", error)
                action = effect.action if isinstance(effect, Read) else None
                return self._encoder.line(Error(ErrorCode.UNAVAILABLE, action))

        return job

    async def _read(self, effect: Read | ReadGroups | Resend) -> bytes:
        max_bytes = self.limits.max_page_bytes
        match effect:
            case Read(key=key, kinds=kinds):
                page = await self.log.read(
                    key, kinds, after=effect.after, before=effect.before, limit=effect.limit, max_bytes=max_bytes
                )
                return codec.encode_page(
                    effect.action,
                    effect.group,
                    page.lines,
                    more=page.more,
                    first=page.first,
                    last=page.last,
                    id=effect.id,
                )
            case ReadGroups(reply=reply):
                names = await self.log.public_groups(
                    after=effect.after, limit=self.limits.max_page_entries, max_bytes=max_bytes
                )
                return codec.encode(fill(reply, names.names, names.more, self.limits))
            case Resend(key=key, seq=seq):
                page = await self.log.read(key, Kinds.ALL, after=seq - 1, before=seq + 1, limit=1, max_bytes=max_bytes)
                return page.lines[0]
            case _:
                assert_never(effect)


def _keep_alive(sock: socket.socket | None, limits: Limits) -> None:
    """Let the kernel notice a peer that is gone without a word."""
    if sock is None or not hasattr(socket, "TCP_KEEPIDLE"):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, limits.keepalive_seconds),
        (socket.TCP_KEEPINTVL, limits.keepalive_interval_seconds),
        (socket.TCP_KEEPCNT, limits.keepalive_probes),
    ):
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
