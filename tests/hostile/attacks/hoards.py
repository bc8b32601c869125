"""What one user may heap up, and what every hello of that name then costs: ids that may be repeated, invitations."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from hostile import seeds
from hostile.harness import Attack, Field
from live import Client

VICTIM = "hoard.victim"
THREADS = 4
SENDERS, GROUPS = 30, 15
ALLOWED = 100
IDS = 16_000


def line(**message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"


def many_invitations(field: Field) -> None:
    """Let many users invite one into all groups they may create: as many as one may have come through."""
    accepted = 0
    with Client(field.server.port) as victim:
        victim.hello(VICTIM)
        victim.ask(action="cgroupe", group="of.the.victim")
        for sender in range(SENDERS):
            with Client(field.server.port) as client:
                client.hello(f"hoard.{sender}")
                names = [f"hoard.{sender}.{number}" for number in range(GROUPS)]
                client.write(b"".join(line(action="cgroupe", group=name) for name in names))
                client.write(b"".join(line(action="invite", group=name, dest=VICTIM) for name in names))
                accepted += sum(answer["action"] == "invite" for answer in client.sync())
    assert accepted == ALLOWED, f"{accepted} invitations wait for one user"


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
    for _ in range(100):  # those who went are gone when the server has seen it
        with Client(field.server.port) as plain:  # who ends nothing with LF gets in
            plain.write(line(action="client-hello", **{"from": VICTIM})[:-1])
            if (answer := plain.get())["action"] == "server-hello":
                return
        time.sleep(0.05)
    raise AssertionError(answer)


def hello_once(field: Field, number: int) -> None:
    with suppress(ConnectionResetError, BrokenPipeError), Client(field.server.port, source="127.0.1.9") as client:
        client.write(line(action="client-hello", **{"from": VICTIM}))
        client.line()


SIZES = {"seconds": 1.0}, {"seconds": 20.0}
OPTIONS = ("--rate", "0", "--db", "{directory}/t.db")

ATTACKS = (
    Attack(
        "hoarded-ids",
        "16 000 ids of one user, who then comes and goes",
        come_and_go,
        *SIZES,
        options=OPTIONS,
        seed=partial(seeds.many_ids, user=VICTIM, ids=IDS),
    ),
    Attack(
        "hoarded-invitations",
        "450 invitations of one user, who then comes and goes",
        come_and_go,
        *SIZES,
        options=OPTIONS,
        prepare=many_invitations,
    ),
)
