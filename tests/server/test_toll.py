"""What an address pays for bytes, whichever of its connections sent them: `tchat_server.net.toll`, and who counts."""

from __future__ import annotations

import asyncio
import json
import time
from functools import partial
from pathlib import Path

import attrs
import pytest
from live import Client, serving

from libtchat.message.limits import DEFAULT_LIMITS
from tchat_server.net.admission import Admission
from tchat_server.net.flow import Turns
from tchat_server.net.gone import GONE
from tchat_server.net.rota import Rota
from tchat_server.net.toll import Toll
from tchat_server.ops.metrics import Metrics

DEFAULT_RATES = ("--rate", "50")
CLASS, LINES = 30, 60
LINE = b'{"action":"gbroadcast","group":"wob","msg":"    if found[number] == expected: return number  # and so on"}\n'
TEXT = json.dumps({"action": "gbroadcast", "group": "wob", "msg": "x" * 8000}).encode() + b"\n"


@pytest.mark.parametrize("host", ["192.0.2.{}", "2001:db8:1:2::{}"])
def test_connections_and_bytes_of_one_network_are_counted_together(host: str) -> None:
    same = "192.0.2.1" if "." in host else host
    other = "192.0.2.9" if "." in host else "2001:db8:1:3::{}"
    limits = attrs.evolve(
        DEFAULT_LIMITS, max_peers_per_address=2, burst_bytes_per_address=10, bytes_per_second_per_address=1.0
    )
    admission = Admission(limits, Metrics())
    assert [admission.enter(same.format(n), "") for n in (1, 2, 3)] == [None, None, 2]
    assert admission.enter(other.format(1), "") is None
    admission.leave(same.format(2))
    assert admission.enter(same.format(4), "") is None
    assert [admission.spend(same.format(n), 10, 0.0) for n in (1, 2)] == [0, 10]
    assert admission.spend(other.format(1), 10, 0.0) == 0
    admission.leave(same.format(1))
    assert admission.spend(same.format(5), 0, 5.0) == 5  # who owes, goes and comes again still owes


def test_loopback_is_exempt() -> None:
    admission = Admission(attrs.evolve(DEFAULT_LIMITS, burst_bytes_per_address=10), Metrics())
    assert [admission.spend(host, 10**9, 0.0) for host in ("127.0.0.1", "::1")] == [0, 0]


def say(client: Client, bytes_taken: int) -> None:
    """Say the largest texts until so many bytes were taken."""
    client.hello("flood")
    client.ask(action="cgroupe", group="wob")
    client.write(TEXT * 30)
    for _ in range(bytes_taken // len(TEXT)):
        client.get()


def test_who_comes_again_and_again_owes_what_he_sent_before(tmp_path: Path) -> None:
    """Beyond the burst a newcomer of that address waits until his address owes nothing; others do not."""
    rates = (*DEFAULT_RATES, "--burst-bytes-per-address", "100000", "--bytes-per-second-per-address", "10000")
    with serving(tmp_path, *rates) as server:
        with server.client(source="127.0.0.2") as client:
            say(client, 110_000)
        begun = time.monotonic()
        with server.client(source="127.0.0.3") as other:
            other.hello("other")
        assert time.monotonic() - begun < 0.4
        with server.client(source="127.0.0.2") as client:
            client.hello("again")
        assert time.monotonic() - begun > 0.5


def test_a_class_behind_one_address_pastes_without_waiting() -> None:
    """Thirty users paste sixty lines each at the same moment, three times over; a flood of theirs does wait."""

    async def run() -> None:
        admission, rota = Admission(DEFAULT_LIMITS, Metrics()), Rota()
        turns = [Turns(GONE, lambda _: None, rota) for _ in range(CLASS)]
        tolls = [Toll(DEFAULT_LIMITS, it, partial(admission.spend, "192.0.2.1")) for it in turns]
        for toll in tolls * 3:
            toll.received(len(LINE) * LINES, LINES)
        assert not any(it.is_held for it in turns)
        for toll in tolls:
            toll.received(100_000, 20)
        assert turns[-1].is_held

    asyncio.run(run())
