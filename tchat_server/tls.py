"""TLS: the context, and a listener that says in the log why a handshake failed (asyncio's own says nothing)."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

__all__ = ["TlsListener", "server_context"]

logger = logging.getLogger("tchat_server")

_HANDSHAKE_SECONDS = 10.0
_SHUTDOWN_SECONDS = 2.0
_NO_DESCRIPTOR_PAUSE_SECONDS = 0.2


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return a context of TLS 1.2 or newer. Raises OSError (ssl.SSLError is one) if the files are no good."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


class TlsListener:
    """Accepts connections on one bound socket, shakes hands, and gives each to a protocol."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, make: Callable[[], asyncio.Protocol]) -> None:
        self._context, self._make = context, make
        self._handshakes: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.get_running_loop().create_task(self._accept(sock))

    def close(self) -> None:
        """Accept nothing more."""
        self._accepting.cancel()

    async def _accept(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with sock:
            while True:
                try:
                    accepted, address = await loop.sock_accept(sock)
                except OSError as error:
                    logger.error("can't accept connections: %s", error)
                    await asyncio.sleep(_NO_DESCRIPTOR_PAUSE_SECONDS)
                    continue
                task = loop.create_task(self._shake(accepted, f"{address[0]}:{address[1]}"))
                self._handshakes.add(task)
                task.add_done_callback(self._handshakes.discard)

    async def _shake(self, accepted: socket.socket, address: str) -> None:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._make,
                accepted,
                ssl=self._context,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=_SHUTDOWN_SECONDS,
            )
        except (OSError, TimeoutError) as error:
            reason = getattr(error, "reason", None) or str(error) or type(error).__name__
            logger.info("%s gone: no TLS handshake: %s", address, reason)
            accepted.close()
