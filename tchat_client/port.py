"""Ports for the servers that we start ourselves: to learn them, or behind a bridge."""

from __future__ import annotations

import contextlib
import secrets
import socket

__all__ = ["HOST", "free_port", "listens"]

HOST = "127.0.0.1"
_PORTS = range(20_000, 32_000)


def free_port() -> int:
    """Return a port that nobody uses now, of those that a system does not give to connections by itself.

    Raises:
        OSError: none was found.
    """
    for _ in range(100):
        port = _PORTS.start + secrets.randbelow(len(_PORTS))
        with contextlib.suppress(OSError), socket.create_server((HOST, port)):
            return port
    raise OSError("no port is free")


def listens(port: int) -> bool:
    """Tell whether somebody listens on *port* of this machine."""
    with contextlib.suppress(OSError):
        socket.create_connection((HOST, port), 1).close()
        return True
    return False
