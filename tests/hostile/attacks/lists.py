"""Who asks for lists that are long to make, of what he heaped up before."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from hostile import seeds
from hostile.harness import Attack, Field
from live import Client

PER_USER = 15
THREADS = 8


def line(**message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"


def leave_groups(field: Field, groups: int) -> None:
    """Create so many public groups, and leave each: under as many names as it takes, a few from each address."""

    def one(thread: int) -> None:
        for user in range(thread, groups // PER_USER, THREADS):
            with Client(field.server.port, source=f"127.0.1.{thread + 1}") as client:
                client.hello(f"leaver.{user}")
                names = [f"left.{user}.{number}" for number in range(PER_USER)]
                client.write(
                    b"".join(line(action="cgroupe", group=name) + line(action="leave", group=name) for name in names)
                )
                client.sync()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one, range(THREADS)))


def ask(field: Field, *, connections: int, seconds: float) -> None:
    """Ask for the list of groups, each connection as often as it is answered."""
    clients = [field.client(f"asker.{number}") for number in range(connections)]
    until = time.monotonic() + seconds

    def one(client: Client) -> None:
        while time.monotonic() < until:
            assert client.ask(action="groups")["action"] in ("groups", "error")

    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(one, clients))


WHAT = "63 connections ask for the list of groups, after {} were created and left"
ATTACKS = (
    Attack(
        "groups-nobody-is-in",
        WHAT.format("5 000"),
        ask,
        {"connections": 63, "seconds": 1.2},
        {"connections": 63, "seconds": 30.0},
        prepare=partial(leave_groups, groups=5_000),
    ),
    Attack(
        "groups-nobody-is-in-on-disk",
        WHAT.format("20 000"),
        ask,
        {"connections": 63, "seconds": 1.2},
        {"connections": 63, "seconds": 30.0},
        options=("--db", "{directory}/t.db"),
        seed=partial(seeds.left_groups, groups=20_000, per_user=PER_USER),
    ),
)
