"""Who comes, asks, and is gone before the answers are: the storm that ended the server in a second."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from hostile.common import EXAMPLE_GROUP as GROUP
from hostile.common import ON_ASYNCIO, ON_UVLOOP
from hostile.harness import Attack, Field
from live import Client

THREADS = 4


def storm(field: Field, *, connections: int, seconds: float) -> None:
    """Connect, ask, and go at once in one of four ways, so many times or as long as *seconds*."""
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(THREADS) as pool:
        counts = list(pool.map(lambda n: come_and_go(field, range(n, connections, THREADS), until), range(THREADS)))
    field.notes["done"] = sum(counts)


def come_and_go(field: Field, numbers: range, until: float) -> int:
    for done, number in enumerate(numbers):
        if time.monotonic() > until or field.server.process.poll() is not None:
            return done
        with suppress(ConnectionResetError, BrokenPipeError):
            client = Client(field.server.port, source=f"127.0.{number % 200}.{number % 50 + 2}")
            client.write(asking(number))
            leave(client, number // 2)
    return len(numbers)


def asking(number: int) -> bytes:
    hello = {"action": "client-hello", "from": f"s{number}"}
    after = [{"action": "groups"}] if number % 2 else [{"action": "join", "group": GROUP}] + [msgs] * 5
    return b"".join(json.dumps(message).encode() + b"\n" for message in (hello, *after))


msgs = {"action": "msgs", "group": GROUP}


def leave(client: Client, number: int) -> None:
    match number % 4:
        case 0:
            client.sock.close()
        case 1:
            client.reset()
        case 2:
            client.line()
            client.reset()
        case _:
            client.line()
            client.sock.close()


QUICK, LONG = {"connections": 4_000, "seconds": 1.2}, {"connections": 200_000, "seconds": 1200.0}

ATTACKS = (
    Attack(
        "disconnect-storm-uvloop",
        "hello, `groups` or `join` and pages, then gone with the answers unread, again and again",
        storm,
        QUICK,
        LONG,
        **ON_UVLOOP,
    ),
    Attack(
        "disconnect-storm-asyncio",
        "the same on asyncio's own loop",
        storm,
        QUICK,
        LONG,
        **ON_ASYNCIO,
    ),
)
