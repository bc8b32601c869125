"""Accepts connections, over TLS or not, on any event loop alike.

asyncio's own servers do it too, but count no handshake, say nothing of one that fails, and without free descriptors
one loop spins on the error while the other hangs up on everybody in silence.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

from libtchat.message.limits import ServerLimits
from tchat_server.net.admission import Admission
from tchat_server.net.ending import CloseReason, Ending
from tchat_server.net.rota import Rota
from tchat_server.net.secured import Secured

__all__ = ["Accepted", "Listener", "bind"]

logger = logging.getLogger("tchat_server")

_BACKLOG = 1024
_TLS_WINDOW_BYTES = 8 * 1024
"""What the kernel takes for a TLS connection before it is read: a record of one byte costs as much as one of 16 KiB."""

_AT_ONCE = 16
"""How many connections are accepted before everybody else has a turn. With 8 each costs a fifth more."""

_HANDSHAKE_SECONDS, _TLS_END_SECONDS = 10.0, 2.0
_NO_DESCRIPTOR_PAUSE_SECONDS = 0.2
_NO_DESCRIPTOR_LOG_SECONDS = 10.0


def bind(host: str, port: int, limits: ServerLimits) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one. Raises OSError if the address can't be bound.

    Of what it accepts, the kernel notices whose other end is gone without a word: accepted sockets inherit its options.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, limits.keepalive_seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, limits.keepalive_interval_seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, limits.keepalive_probes)
    return sock


class Accepted(asyncio.Protocol):
    """What an accepted connection becomes. *was_opened*: `connection_made` was called."""

    __slots__ = ()
    was_opened: bool


class Listener:
    """Accepts on one bound socket, shakes hands if there is a context, and gives each connection a protocol.

    Args:
        admission: what a connection enters when it is accepted. If it comes to `connection_made`, the protocol sees to
            it that it leaves.
        make: called with the host and the address of each connection.
        refusal: what somebody is told whom that limit keeps out; over TLS he is told nothing.
        rota: where handshakes have their turns, which take as long as many messages, and what is read over TLS.
    """

    def __init__(
        self,
        sock: socket.socket,
        tls: ssl.SSLContext | None,
        admission: Admission,
        make: Callable[[str, str], Accepted],
        refusal: Callable[[int], bytes],
        rota: Rota,
    ) -> None:
        self._sock, self._tls, self._admission, self._make, self._refusal = sock, tls, admission, make, refusal
        self._rota = rota
        self._opening: set[asyncio.Task[None]] = set()
        self._told_at = -_NO_DESCRIPTOR_LOG_SECONDS
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit this
        if tls is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _TLS_WINDOW_BYTES)  # and this
        self._listen()

    def close(self) -> None:
        """Accept nothing more, and give up handshakes under way."""
        asyncio.get_running_loop().remove_reader(self._sock)
        self._sock.close()
        for task in self._opening:
            task.cancel()

    def _listen(self) -> None:
        if self._sock.fileno() >= 0:
            asyncio.get_running_loop().add_reader(self._sock, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, (host, port, *_) = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._complain(error)
                loop = asyncio.get_running_loop()
                loop.remove_reader(self._sock)
                loop.call_later(_NO_DESCRIPTOR_PAUSE_SECONDS, self._listen)
                return
            accepted.setblocking(False)
            self._begin(accepted, host, f"{host}:{port}")

    def _begin(self, accepted: socket.socket, host: str, address: str) -> None:
        limit = self._admission.enter(host, address)
        if limit is not None:
            with accepted, suppress(OSError):
                if self._tls is None:
                    accepted.send(self._refusal(limit))
            return
        protocol = self._make(host, address)
        task = asyncio.get_running_loop().create_task(self._open(accepted, address, protocol))
        self._opening.add(task)

        def end(_: asyncio.Task[None]) -> None:  # also of a task that was cancelled before it began
            self._opening.discard(task)
            if not protocol.was_opened:
                self._admission.leave(host)
                accepted.close()

        task.add_done_callback(end)

    def _complain(self, error: OSError) -> None:
        self._admission.metrics.accept_failures_total += 1
        now = asyncio.get_running_loop().time()
        if now - self._told_at >= _NO_DESCRIPTOR_LOG_SECONDS:
            self._told_at = now
            reason = os.strerror(error.errno) if error.errno else error
            logger.error("can't accept connections, they wait: %s", reason)

    async def _open(self, accepted: socket.socket, address: str, protocol: Accepted) -> None:
        loop = asyncio.get_running_loop()
        try:
            if self._tls is None:
                await loop.connect_accepted_socket(lambda: protocol, accepted)
            else:
                seconds, shaken = await self._before_handshake(accepted), loop.create_future()
                secured = Secured(protocol, self._tls, self._rota, shaken, seconds, _TLS_END_SECONDS)
                transport, _ = await loop.connect_accepted_socket(lambda: secured, accepted)
                try:
                    await shaken
                except BaseException:
                    transport.abort()
                    raise
                finally:
                    del shaken, secured, transport  # a failure leads here: it is not to keep them, nor they it
        except (OSError, TimeoutError) as error:
            reason = getattr(error, "reason", None) or str(error) or type(error).__name__
            ending = Ending(CloseReason.LOST if self._tls is None else CloseReason.NO_HANDSHAKE, str(reason))
            logger.info("%s gone: %s", address, ending)
            self._admission.metrics.closed[ending.reason] += 1

    async def _before_handshake(self, accepted: socket.socket) -> float:
        """Wait for the first bytes, then for a turn: when hundreds come at once, others are served in between.

        Returns:
            How long the handshake may take.
        """
        loop = asyncio.get_running_loop()
        begun, has_begun = loop.time(), loop.create_future()
        loop.add_reader(accepted, _settle, has_begun)
        try:
            await asyncio.wait_for(has_begun, _HANDSHAKE_SECONDS)
        except TimeoutError:
            raise TimeoutError(f"nothing came in {_HANDSHAKE_SECONDS:.0f} s") from None
        finally:
            loop.remove_reader(accepted)
        left = max(1.0, begun + _HANDSHAKE_SECONDS - loop.time())
        await self._rota.newcomer()
        return left


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
