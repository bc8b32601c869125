"""The client's end of a TLS connection, to the byte: what goes over the line, and when, is the test's own business."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable

__all__ = ["first_flight", "sealed", "trusting"]


def trusting() -> ssl.SSLContext:
    """Return the context of a client that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def first_flight() -> bytes:
    """Return what a client begins a handshake with."""
    written = ssl.MemoryBIO()
    connection = trusting().wrap_bio(ssl.MemoryBIO(), written)
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        return written.read()
    raise AssertionError("a handshake without an answer")


def sealed(sock: socket.socket, texts: Iterable[bytes]) -> bytes:
    """Shake hands on *sock*, and return the records of *texts*, one or more each, to be written there."""
    read, written = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = trusting().wrap_bio(read, written)
    while True:
        try:
            connection.do_handshake()
            break
        except ssl.SSLWantReadError:
            sock.sendall(written.read())
            answer = sock.recv(1 << 16)
            assert answer, "the handshake failed"
            read.write(answer)
    sock.sendall(written.read())
    for text in texts:
        connection.write(text)
    return written.read()
