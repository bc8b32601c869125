"""What TLS costs the server: a signature for each handshake; opening a record, however little is in it."""

from __future__ import annotations

import _ssl
import ctypes
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from itertools import repeat

from hostile.common import ON_ASYNCIO, ON_UVLOOP
from hostile.harness import Attack, Field, address
from tls import first_flight, sealed


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


def write_records(
    field: Field, *, connections: int, records: int, rounds: int, seal: Callable[[socket.socket, int], bytes]
) -> None:
    """Write records on all connections at one moment."""
    for _ in range(rounds):
        with ExitStack() as stack:
            writers = []
            for number in range(connections):
                sock = stack.enter_context(dial(field, number))
                data = seal(sock, records)
                writers.append(threading.Thread(target=write_all, args=(sock, data), daemon=True))
            for writer in writers:
                writer.start()
            for writer in writers:
                writer.join(60)
                assert not writer.is_alive(), "the server does not read"


def write_all(sock: socket.socket, data: bytes) -> None:
    """Write *data*, and wait until the server has read it: what a reset takes away costs nothing."""
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)
    with suppress(ConnectionError):
        while sock.recv(1 << 16):
            pass


def spaces(sock: socket.socket, records: int) -> bytes:
    """Shake hands on *sock*, and return so many records of one space, to be written there."""
    return sealed(sock, repeat(b" ", records))


def key_updates(sock: socket.socket, records: int) -> bytes:
    """Shake hands on *sock*, and return so many changes of the key, which ask for a change each.

    Python has no name for them, so OpenSSL is called as Python calls it.
    """
    openssl = ctypes.CDLL(_ssl.__file__)
    for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new", "BIO_s_mem", "BIO_new"):
        getattr(openssl, name).restype = ctypes.c_void_p
    pointer = ctypes.c_void_p
    context = pointer(openssl.SSL_CTX_new(pointer(openssl.TLS_client_method())))
    connection = pointer(openssl.SSL_new(context))
    read, written = (pointer(openssl.BIO_new(pointer(openssl.BIO_s_mem()))) for _ in range(2))
    openssl.SSL_set_bio(connection, read, written)
    openssl.SSL_set_connect_state(connection)
    room = ctypes.create_string_buffer(1 << 20)

    def out() -> bytes:
        size = openssl.BIO_read(written, room, len(room))
        return room.raw[: max(0, size)]

    while openssl.SSL_do_handshake(connection) != 1:
        sock.sendall(out())
        answer = sock.recv(1 << 16)
        assert answer, "the handshake failed"
        openssl.BIO_write(read, answer, len(answer))
    sock.sendall(out())
    for _ in range(records):
        assert openssl.SSL_key_update(connection, 1) == openssl.SSL_do_handshake(connection) == 1
    data = out()
    openssl.SSL_free(connection)
    openssl.SSL_CTX_free(context)
    assert data
    return data


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
        partial(write_records, seal=spaces),
        None,  # tests/server/test_attacks.py looks at how much is read at once
        {"connections": 60, "records": 30_000, "rounds": 5},
        **ON_UVLOOP,
    ),
    Attack(
        "tls-key-updates",
        "60 connections change the key of TLS as fast as they may, and say nothing",
        partial(write_records, seal=key_updates),
        {"connections": 60, "records": 1500, "rounds": 1},
        {"connections": 240, "records": 20_000, "rounds": 5},
        **ON_UVLOOP,
    ),
)
