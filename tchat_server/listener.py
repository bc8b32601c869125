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
from typing import cast

from tchat_server.crowd import Crowd

__all__ = ["Listener"]

logger = logging.getLogger("tchat_server")

_AT_ONCE = 64
"""How many connections are accepted before everybody else has a turn."""

_HANDSHAKE_SECONDS = 10.0
_SHUTDOWN_SECONDS = 2.0
_NO_DESCRIPTOR_PAUSE_SECONDS = 0.2
_NO_DESCRIPTOR_LOG_SECONDS = 10.0


class Listener:
    """Accepts on one bound socket, shakes hands if there is a context, and gives each connection a protocol.

    Args:
        make: called for each connection, after its handshake.
        crowd: counts handshakes; connections themselves are counted by what *make* makes.
    """

    def __init__(
        self, sock: socket.socket, tls: ssl.SSLContext | None, make: Callable[[], asyncio.Protocol], crowd: Crowd
    ) -> None:
        self._sock, self._tls, self._make, self._crowd = sock, tls, make, crowd
        self._opening: set[asyncio.Task[None]] = set()
        self._told_at = -_NO_DESCRIPTOR_LOG_SECONDS
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit this
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
            except BlockingIOError:
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
        if self._tls is None:
            opening = self._open(accepted, address)
        elif self._crowd.enter(host, address) is None:
            opening = self._shake(accepted, host, address, self._tls)
        else:
            accepted.close()
            return
        task = asyncio.get_running_loop().create_task(opening)
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def _complain(self, error: OSError) -> None:
        self._crowd.metrics.accept_failures_total += 1
        now = asyncio.get_running_loop().time()
        if now - self._told_at >= _NO_DESCRIPTOR_LOG_SECONDS:
            self._told_at = now
            reason = os.strerror(error.errno) if error.errno else error
            logger.error("can't accept connections, they wait: %s", reason)

    async def _open(self, accepted: socket.socket, address: str) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._make, accepted)
        except OSError as error:
            logger.info("%s gone: %s", address, error)
            accepted.close()

    async def _shake(self, accepted: socket.socket, host: str, address: str, tls: ssl.SSLContext) -> None:
        handshake = _Handshake(self._make, lambda: self._crowd.leave(host))
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: handshake,
                accepted,
                ssl=tls,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=_SHUTDOWN_SECONDS,
            )
        except (OSError, TimeoutError) as error:
            reason = getattr(error, "reason", None) or str(error) or type(error).__name__
            logger.info("%s gone: no TLS handshake: %s", address, reason)
            self._crowd.metrics.closed["no TLS handshake"] += 1
            accepted.close()
        finally:
            handshake.end()


class _Handshake(asyncio.Protocol):
    """Stands where a connection's protocol will be while hands are shaken. *leave* is called once, at its end."""

    def __init__(self, make: Callable[[], asyncio.Protocol], leave: Callable[[], None]) -> None:
        self._make, self._leave = make, leave
        self._is_over = False

    def end(self) -> None:
        """Count no more; also when that is so already."""
        if not self._is_over:
            self._is_over = True
            self._leave()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.end()
        protocol = self._make()
        cast(asyncio.Transport, transport).set_protocol(protocol)
        protocol.connection_made(transport)
