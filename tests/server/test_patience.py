"""Who writes to somebody who reads slowly waits, and the reader gets it all (R-op-slow-reader)."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from live import Client, Server, serving

TEXT = "x" * 8000
SENDERS, TEXTS = 20, 30


def slow_reader(server: Server, kind: str) -> Client:
    """Come as `slow`, with little room for what is not read."""
    client = server.client()
    client.sock.close()
    client.sock = sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(20)
    sock.connect(("127.0.0.1", server.port))
    client.write(b'{"action":"client-hello","from":"slow"}' + (b"\n" if kind == "lines" else b""))
    client.get()
    return client


def write_to_slow(server: Server, number: int) -> Client:
    client = server.client(f"sender{number}")
    threading.Thread(target=flood, args=(client,), daemon=True).start()
    return client


def flood(client: Client) -> None:
    """Write to `slow`, and read what comes."""
    with suppress(OSError, AssertionError):
        for number in range(TEXTS):
            client.send(action="client-send", to="slow", msg=f"{client.name} {number} {TEXT}")
        while client.sock.recv(1 << 18):
            pass


@pytest.mark.parametrize("kind", ["lines", "no line ends"])
def test_a_slow_reader_gets_all_that_many_write_to_him(kind: str, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        reader = slow_reader(server, kind)
        for number in range(SENDERS):
            write_to_slow(server, number)
        for count in range(SENDERS * TEXTS):
            message = reader.next()
            assert message is not None, f"closed after {count} texts of {SENDERS * TEXTS}"
            time.sleep(0.003)


def test_nobody_waits_for_ever_for_who_reads_nothing(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        slow_reader(server, "lines")
        for number in range(SENDERS):
            write_to_slow(server, number)
        assert server.logs("does not read")
        begun = time.monotonic()
        sender = server.client("afterwards")
        sender.send(action="ping")
        sender.until("ping")
        assert time.monotonic() - begun < 2
