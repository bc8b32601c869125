"""What one user may heap up, and what every hello of that name then costs: ids that may be repeated, invitations."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from hostile.harness import Attack, Field
from live import Client

VICTIM = "hoard.victim"
SENDERS = 8
THREADS = 4
GROUPS = 15
IDS_PER_SENDER = 2_000


def line(**message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"


def many_ids(field: Field) -> None:
    """Let one user say thousands of texts with an id each."""
    with Client(field.server.port) as first:
        first.hello(VICTIM)
        first.ask(action="cgroupe", group="hoard")
        for at in range(0, SENDERS * IDS_PER_SENDER, 500):
            numbers = range(at, at + 500)
            first.write(b"".join(line(action="gbroadcast", group="hoard", msg="x", id=f"{n:064}") for n in numbers))
            first.sync()


def many_invitations(field: Field) -> None:
    """Let many users invite one into all groups they may create."""
    with Client(field.server.port) as victim:
        victim.hello(VICTIM)
        victim.ask(action="cgroupe", group="of.the.victim")
        for sender in range(100):
            with Client(field.server.port) as client:
                client.hello(f"hoard.{sender}")
                names = [f"hoard.{sender}.{number}" for number in range(GROUPS)]
                client.write(b"".join(line(action="cgroupe", group=name) for name in names))
                client.write(b"".join(line(action="invite", group=name, dest=VICTIM) for name in names))
                client.sync()


def come_and_go(field: Field, *, seconds: float) -> None:
    """Say hello as the victim and go, again and again, from several connections; then 64 at once."""
    until = time.monotonic() + seconds

    def one(number: int) -> None:
        while time.monotonic() < until:
            with (
                suppress(ConnectionResetError, BrokenPipeError),
                Client(field.server.port, source=f"127.0.1.{number + 2}") as client,
            ):
                client.write(line(action="client-hello", **{"from": VICTIM}))
                client.line()

    with ThreadPoolExecutor(64) as pool:
        list(pool.map(one, range(THREADS)))
        list(pool.map(lambda number: hello_once(field, number), range(64)))
    with Client(field.server.port) as plain:  # who ends nothing with LF gets in
        plain.write(line(action="client-hello", **{"from": VICTIM})[:-1])
        answer = plain.get()
        assert answer["action"] == "server-hello", answer


def hello_once(field: Field, number: int) -> None:
    with suppress(ConnectionResetError, BrokenPipeError), Client(field.server.port, source="127.0.1.9") as client:
        client.write(line(action="client-hello", **{"from": VICTIM}))
        client.line()


def row(name: str, what: str, prepare: Callable[[Field], None], *options: str) -> Attack:
    return Attack(
        name, what, come_and_go, {"seconds": 3.0}, {"seconds": 20.0}, options=("--rate", "0", *options), prepare=prepare
    )


DISK = ("--db", "{directory}/t.db")

ATTACKS = (
    row("hoarded-ids", "16 000 ids of one user, who then comes and goes", many_ids, *DISK),
    row("hoarded-invitations", "1 500 invitations of one user, who then comes and goes", many_invitations, *DISK),
)
