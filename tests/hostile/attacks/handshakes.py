"""Who begins hundreds of TLS handshakes at the same moment: each costs the server a signature."""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import ExitStack

from hostile.common import ON_ASYNCIO, ON_UVLOOP
from hostile.harness import Attack, Field, address


def first_flight() -> bytes:
    """Return what a client begins a handshake with."""
    out = ssl.MemoryBIO()
    connection = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname="127.0.0.1")
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        return out.read()
    raise AssertionError("a handshake without an answer")


def begin_at_once(field: Field, *, connections: int, seconds: float) -> None:
    """Connect, all begin a handshake at one moment, go when they are answered, and come again."""
    hello, until, answered = first_flight(), time.monotonic() + seconds, 0
    while time.monotonic() < until:
        with ExitStack() as stack:
            crowd = [stack.enter_context(dial(field, number)) for number in range(connections)]
            for sock in crowd:
                sock.sendall(hello)
            for sock in crowd:
                answered += len(sock.recv(1)) == 1
    assert answered >= connections, f"{answered} were answered"


def dial(field: Field, number: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", field.server.other_ports[0]), 20, (address(number), 0))


ATTACKS = tuple(
    Attack(
        name,
        what,
        begin_at_once,
        {"connections": 480, "seconds": 1.2},
        {"connections": 480, "seconds": 60.0},
        rss_mib=200,  # some 0.2 MiB each
        **where,
    )
    for name, what, where in (
        ("handshakes-at-once", "480 TLS handshakes begin at one moment, again and again", ON_UVLOOP),
        ("handshakes-at-once-asyncio", "the same on asyncio's own loop", ON_ASYNCIO),
    )
)
