"""Members of a group of ten thousand come and go, and strangers ask who is in it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from socket import socket

from hostile import seeds
from hostile.harness import Attack, Field
from live import Client

GROUP = "large"
MEMBERS = 9_800
THREADS = 4
STRANGERS = 63
_PIPELINED = 60


def prepare(field: Field) -> None:
    """Make a group of many members, who all went."""
    owner = field.client("large.owner", host=1)
    owner.ask(action="cgroupe", group=GROUP)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda first: join_and_go(field, range(first, MEMBERS, THREADS)), range(THREADS)))


def join_and_go(field: Field, numbers: range) -> None:
    for number in numbers:
        with Client(field.server.port) as client:
            hello = {"action": "client-hello", "from": f"member-of-large-{number:05}"}
            client.write(b"".join(line(it) for it in (hello, {"action": "join", "group": GROUP})))
            client.until("join")


def line(message: Mapping[str, object]) -> bytes:
    return json.dumps(message).encode() + b"\n"


def storm(field: Field, *, seconds: float) -> None:
    """Flood joins and leaves on some connections and `members` on others, as fast as they are taken."""
    coming = [field.client(f"coming-{number}") for number in range(STRANGERS)]
    asking = [field.client(f"asking-{number}") for number in range(STRANGERS)]
    turns = line({"action": "join", "group": GROUP}) + line({"action": "leave", "group": GROUP})
    asks = line({"action": "members", "group": GROUP})
    flood(
        [(client.sock, turns * (_PIPELINED // 2)) for client in coming]
        + [(client.sock, asks * _PIPELINED) for client in asking],
        seconds,
    )


def flood(data: list[tuple[socket, bytes]], seconds: float) -> None:
    """Write to every socket the same bytes again and again, and read what comes, for so long."""
    until = time.monotonic() + seconds
    with DefaultSelector() as selector:
        for sock, text in data:
            sock.setblocking(False)
            selector.register(sock, EVENT_READ | EVENT_WRITE, [text, 0])
        while time.monotonic() < until:
            for key, ready in selector.select(0.1):
                client, state = key.fileobj, key.data
                assert isinstance(client, socket)
                if ready & EVENT_READ:
                    assert client.recv(1 << 18), "the connection was closed"
                if ready & EVENT_WRITE:
                    text, at = state
                    state[1] = (at + client.send(text[at:])) % len(text)


WHAT = "63 members of a group of 10 000 join and leave, 63 strangers ask `members`"
ATTACKS = (
    Attack(
        "large-group",
        f"{WHAT}, with `:memory:`",
        storm,
        None,
        {"seconds": 30.0},
        p99_seconds=0.1,
        rss_mib=60,  # 47 (50 MB) are wanted, 51 to 56 are seen after 30 s, and no more after 60 s
        prepare=prepare,
    ),
    Attack(
        "large-group-on-disk",
        WHAT,
        storm,
        {"seconds": 2.0},
        {"seconds": 30.0},
        p99_seconds=0.15,  # 100 ms are wanted, and about 50 are seen: there is room for a machine half as fast
        rss_mib=60,  # 47 (50 MB) are wanted, 51 to 56 are seen after 30 s, and no more after 60 s
        options=("--db", "{directory}/t.db"),
        seed=partial(seeds.large_group, group=GROUP, members=MEMBERS),
    ),
)
