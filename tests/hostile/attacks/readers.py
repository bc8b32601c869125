"""Who writes to one reader as much as he can: nobody who reads is closed for it."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from hostile.harness import Attack, Field
from live import NO_RATES, Client

GROWING = "\x01" * 8192  # each byte of it is six in JSON
LONG = "x" * 8000
READ_BYTES, PAUSE_SECONDS = 16 * 1024, 0.02


def line(**message: Any) -> bytes:
    return json.dumps(message).encode() + b"\n"


def drain(client: Client) -> None:
    with suppress(OSError):
        while client.sock.recv(1 << 18):
            pass


def paced_victim(field: Field, *, senders: int, texts: int) -> None:
    """Send texts that grow to somebody who ends nothing with LF, and reads: he must get them all."""
    victim = field.client(host=1)
    victim.write(line(action="client-hello", **{"from": "paced"}).strip())
    assert victim.get()["action"] == "server-hello"
    got: list[int] = []
    reader = threading.Thread(target=lambda: got.extend(len(victim.get()["msg"]) for _ in range(senders * texts)))
    reader.start()
    push(field, senders, line(action="client-send", to="paced", msg=GROWING) * texts)
    reader.join(120)
    assert got == [len(GROWING)] * (senders * texts), f"the victim got {len(got)} texts of {senders * texts}"


def slow_victim(field: Field, *, senders: int, texts: int, seconds: float) -> None:
    """Write more to somebody than he reads: he must still be there, and have got what he could read."""
    victim = field.client(host=1)
    victim.sock.close()
    victim.sock = sock = field.stack.enter_context(socket.socket())
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", field.server.port))
    victim.hello("slow")
    push(field, senders, line(action="client-send", to="slow", msg=LONG) * texts)
    until, got = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        data = sock.recv(READ_BYTES)
        assert data, f"the victim was closed after {got} bytes"
        got += len(data)
        time.sleep(PAUSE_SECONDS)
    log = "".join(entry for entry in field.server.log().splitlines(True) if f":{sock.getsockname()[1]} gone" in entry)
    assert not log, log


def push(field: Field, senders: int, payload: bytes) -> None:
    """Have so many write *payload*, and read what comes."""
    for number in range(senders):
        client = field.client(f"pusher.{number}")
        threading.Thread(target=client.write, args=(payload,), daemon=True).start()
        threading.Thread(target=drain, args=(client,), daemon=True).start()


ATTACKS = (
    Attack(
        "paced-victim",
        "direct texts that grow to somebody who ends nothing with LF, and reads",
        paced_victim,
        {"senders": 1, "texts": 30},
        {"senders": 16, "texts": 60},
        options=NO_RATES,
    ),
    Attack(
        "slow-victim",
        "20 connections write to somebody who reads 700 KB a second",
        slow_victim,
        {"senders": 20, "texts": 40, "seconds": 2.5},
        {"senders": 20, "texts": 4_000, "seconds": 30.0},
        options=NO_RATES,
    ),
)
