"""Where an address becomes a connection: `HOST:PORT` is plain TCP; `ws://` and `wss://` are rows of WAYS."""

from __future__ import annotations

import socket
import ssl
from typing import Callable, Dict, NamedTuple, Optional, cast

from talk import websocket
from talk.wire import Peer

__all__ = ["Address", "connect", "dial", "parse"]


class Address(NamedTuple):
    """One place where a server listens. `way` is the scheme it was written with, empty for plain TCP."""

    host: str
    port: int
    way: str = ""

    def __str__(self) -> str:
        host = "[%s]" % self.host if ":" in self.host else self.host
        return "%s%s:%d" % (self.way + "://" if self.way else "", host, self.port)


def parse(text: str) -> Optional[Address]:
    """Read `HOST:PORT`, `:PORT` or `[IPV6]:PORT`, perhaps between a scheme and the path; None if it is no address."""
    way, found, rest = text.rpartition("://")
    if found and rest.endswith(websocket.PATH):
        rest = rest[: -len(websocket.PATH)]
    host, colon, port = rest.rstrip("/").rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536 or (way if found else "") not in WAYS:
        return None
    return Address(host.strip("[]") or "127.0.0.1", int(port), way)


def connect(address: Address, timeout_seconds: float) -> Peer:
    """Connect to the server under test.

    Raises:
        OSError: nobody listens there.
    """
    return WAYS[address.way](address, timeout_seconds)


def dial(address: Address, timeout_seconds: float) -> socket.socket:
    """Open the bytes below, with TLS if the scheme asks for it: whose certificate it is matters to nobody here.

    Raises:
        OSError: nobody listens there.
    """
    sock = socket.create_connection((address.host, address.port), timeout=timeout_seconds)
    if address.way != "wss":
        return sock
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(sock, server_hostname=address.host)


def _tcp(address: Address, timeout_seconds: float) -> Peer:
    return Peer(dial(address, timeout_seconds), timeout_seconds)


def _websocket(address: Address, timeout_seconds: float) -> Peer:
    sock = dial(address, timeout_seconds)
    answer, rest = websocket.shake_hands(sock, address.host, address.port)
    if not answer.is_right:
        sock.close()
        raise ConnectionError("%s: status %d" % (websocket.PATH, answer.status))
    return Peer(cast(socket.socket, websocket.Stream(sock, rest)), timeout_seconds)


WAYS: Dict[str, Callable[[Address, float], Peer]] = {"": _tcp, "ws": _websocket, "wss": _websocket}
