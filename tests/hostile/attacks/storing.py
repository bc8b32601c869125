"""Who fills the disk: as much as one connection can, and one address."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from hostile.attacks.volume import flood, line
from hostile.harness import Attack, Field
from live import Client

GROUP = "stored"
TEXT = "x" * 8000
SAID = line(action="gbroadcast", group=GROUP, msg=TEXT)


def prepare(field: Field) -> None:
    with Client(field.server.port) as auditor:
        auditor.hello("auditor")
        auditor.ask(action="cgroupe", group=GROUP)


def one_connection(field: Field, *, seconds: float) -> None:
    """Have the server store as much as one connection can: no more than SECURITY.md says."""
    before, begun = stored(field), time.monotonic()
    client = field.client("keeper")
    client.ask(action="join", group=GROUP)
    flood([client], SAID * 4, seconds)
    judge(stored(field) - before, 256, 64 * (time.monotonic() - begun), 64)


def one_address(field: Field, *, threads: int, seconds: float) -> None:
    """The same by connections that come, say what a newcomer may, go, and come again, all from one address."""
    before, begun = stored(field), time.monotonic()
    until, joined = begun + seconds, []

    def come_and_go(thread: int) -> None:
        for number in itertools.count():
            if (left := until - time.monotonic()) <= 0:
                return
            with suppress(OSError, AssertionError), Client(field.server.port, source="127.0.0.5") as client:
                client.sock.settimeout(left)
                client.hello(f"keeper.{thread}.{number}")
                client.send(action="join", group=GROUP)
                client.until("join")
                joined.append(client.name)
                client.write(SAID * 30)
                for _ in range(30):
                    client.until("gbroadcast")

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(come_and_go, range(threads)))
    judge(stored(field) - before - len(joined), 2048, 256 * (time.monotonic() - begun), 16 * threads)


def judge(texts: int, burst_kib: float, kib: float, turns_kib: float) -> None:
    """Compare the texts that were stored with what the rates allow, and what connections had a turn for beyond."""
    said = texts * len(SAID) / 1024
    assert burst_kib * 0.8 < said < burst_kib + kib + turns_kib, f"{said:.0f} KiB of {burst_kib} + {kib:.0f}"


def stored(field: Field) -> int:
    """Return how many events the group has."""
    with Client(field.server.port) as auditor:
        auditor.hello("auditor")
        return int(auditor.welcome["seqs"][GROUP])


ATTACKS = (
    Attack(
        "stored-bytes",
        "one connection stores as much as it can",
        one_connection,
        {"seconds": 1.5},
        {"seconds": 60.0},
        options=("--db", "{directory}/t.db"),
        prepare=prepare,
    ),
    Attack(
        "stored-bytes-of-an-address",
        "one address stores as much as it can, with connections that come and go",
        one_address,
        {"threads": 16, "seconds": 2.0},
        {"threads": 60, "seconds": 60.0},
        options=("--db", "{directory}/t.db"),
        prepare=prepare,
    ),
)
