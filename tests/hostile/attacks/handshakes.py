"""What TLS costs the server: a signature for each handshake; opening a record, however little is in it."""

from __future__ import annotations

import socket
import ssl
import threading
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


def write_tiny_records(field: Field, *, connections: int, records: int, rounds: int) -> None:
    """Write spaces, each in a record of its own, on all connections at one moment."""
    for _ in range(rounds):
        with ExitStack() as stack:
            writers = []
            for number in range(connections):
                sock = stack.enter_context(dial(field, number))
                data = seal(sock, records)
                writers.append(threading.Thread(target=sock.sendall, args=(data,), daemon=True))
            for writer in writers:
                writer.start()
            for writer in writers:
                writer.join(60)
                assert not writer.is_alive(), "the server does not read"


def seal(sock: socket.socket, records: int) -> bytes:
    """Shake hands on *sock*, and return so many records of one space, to be written there."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    read, written = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(read, written)
    while True:
        try:
            connection.do_handshake()
            break
        except ssl.SSLWantReadError:
            sock.sendall(written.read())
            read.write(sock.recv(1 << 16))
    sock.sendall(written.read())
    for _ in range(records):
        connection.write(b" ")
    return written.read()


ATTACKS = (
    *(
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
    ),
    Attack(
        "tiny-tls-records",
        "60 connections write TLS records of one byte as fast as they are taken",
        write_tiny_records,
        None,  # tests/server/test_attacks.py looks at how much is read at once
        {"connections": 60, "records": 30_000, "rounds": 5},
        **ON_UVLOOP,
    ),
)
