"""Where an address becomes a connection: `HOST:PORT` is plain TCP. Another way to carry bytes is one row of WAYS."""

from __future__ import annotations

import socket
from typing import Callable, Dict, NamedTuple, Optional

from talk.wire import Peer

__all__ = ["Address", "connect", "parse"]


class Address(NamedTuple):
    """One place where a server listens. `way` is the scheme it was written with, empty for plain TCP."""

    host: str
    port: int
    way: str = ""

    def __str__(self) -> str:
        host = "[%s]" % self.host if ":" in self.host else self.host
        return "%s%s:%d" % (self.way + "://" if self.way else "", host, self.port)


def parse(text: str) -> Optional[Address]:
    """Read `HOST:PORT`, `:PORT` or `[IPV6]:PORT`, perhaps after a scheme; None if *text* is no address."""
    way, found, rest = text.rpartition("://")
    host, colon, port = rest.rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536 or (way if found else "") not in WAYS:
        return None
    return Address(host.strip("[]") or "127.0.0.1", int(port), way)


def connect(address: Address, timeout_seconds: float) -> Peer:
    """Connect to the server under test.

    Raises:
        OSError: nobody listens there.
    """
    return WAYS[address.way](address, timeout_seconds)


def _tcp(address: Address, timeout_seconds: float) -> Peer:
    return Peer(socket.create_connection((address.host, address.port), timeout=timeout_seconds), timeout_seconds)


WAYS: Dict[str, Callable[[Address, float], Peer]] = {"": _tcp}
