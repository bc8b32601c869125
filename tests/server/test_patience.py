"""Who writes to somebody who reads slowly waits, and the reader gets it all (R-op-slow-reader)."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from live import Client, Server, serving

PRELUDE = """
import socket
from tchat_server import server
from tchat_server.net import patience
patience._PATIENCE_SECONDS = 1.0
bind = server.bind
def small(*arguments):
    sock = bind(*arguments)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
    return sock
server.bind = small
"""  # what is not read waits in the server, and not in the kernel
TEXT = "x" * 8000
LARGEST = "\x01" * 8192  # six bytes each in JSON
SENDERS, TEXTS, CROWD = 20, 12, 100
ALLOWED_BYTES = 1536 * 1024


def slow_reader(server: Server, kind: str = "lines", name: str = "slow") -> Client:
    """Come with little room for what is not read."""
    client = server.client()
    client.sock.close()
    client.sock = sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    sock.settimeout(20)
    sock.connect(("127.0.0.1", server.port))
    client.write(json.dumps({"action": "client-hello", "from": name}).encode() + (b"\n" if kind == "lines" else b""))
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


def line(to: str, text: str) -> bytes:
    return json.dumps({"action": "client-send", "to": to, "msg": text}).encode() + b"\n"


def at_once(crowd: list[Client], payload: bytes) -> None:
    """Have all of *crowd* write *payload* at one moment."""
    for client in crowd:
        threading.Thread(target=client.write, args=(payload,), daemon=True).start()


@pytest.mark.parametrize("kind", ["lines", "no line ends"])
def test_a_slow_reader_gets_all_that_many_write_to_him(kind: str, tmp_path: Path) -> None:
    with serving(tmp_path, prelude=PRELUDE) as server:
        reader = slow_reader(server, kind)
        for number in range(SENDERS):
            write_to_slow(server, number)
        for count in range(SENDERS * TEXTS):
            message = reader.next()
            assert message is not None, f"closed after {count} texts of {SENDERS * TEXTS}"
            time.sleep(0.003)


def test_who_reads_is_not_closed_however_many_begin_at_one_moment_and_who_does_not_is_in_time(tmp_path: Path) -> None:
    """Before they waited with what they wrote, 22 who wrote the largest text there is had him closed."""
    with serving(tmp_path, prelude=PRELUDE) as server:
        crowd = [server.client(f"sender{number}") for number in range(CROWD)]
        owner, nobody, _ = (slow_reader(server, name=name) for name in ("owner", "nobody", "silent"))
        assert owner.ask(action="register", password="secret")["action"] == "register"  # texts to him are kept
        for reader, payload, texts in (
            (owner, line("owner", LARGEST), CROWD),
            (nobody, line("nobody", TEXT) * 2, 2 * CROWD),
        ):
            at_once(crowd, payload)
            assert len([reader.get() for _ in range(texts)]) == texts
            for client in crowd:
                assert client.get()["action"] == "server-send"
        for client in crowd:
            client.get()
        begun = time.monotonic()
        at_once(crowd, line("silent", LARGEST) + line("silent", "x" * 900) * 3)
        assert server.logs("does not read")
        assert int(re.findall(r"does not read: (\d+) bytes wait", server.log())[0]) < ALLOWED_BYTES
        for client in crowd:  # nobody waits for ever for who reads nothing
            client.send(action="ping")
            client.until("ping")
        assert time.monotonic() - begun < 6
