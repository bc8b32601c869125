"""The engine is slow: each of its answers to one node takes 100 ms more, while somebody floods that node."""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.request

from drills.harness import Drill
from drills.place import Node, Place
from drills.proxy import slow_line
from engine import free_ports
from live import Client, fresh

__all__ = ["DRILLS"]

_LINE_SECONDS = 0.1
_TEXTS = 10_000
_MAX_BACKLOG = 4096 + 1000
"""What may wait in a node before it reads no more, and what it had read by then."""
_MAX_GROWN_KIB = 64 * 1024
_BACKLOG = re.compile(r"^tchat_backlog (\S+)$", re.MULTILINE)


def flood(place: Place) -> None:
    """Send thousands of texts at once to a node with a slow line: it reads as fast as it can store, and all are."""
    (admin,) = free_ports(1)
    engine = place.engine
    with slow_line(_LINE_SECONDS, [server.port for server in engine.servers]) as ports:
        url = engine.url("slow").replace(engine.hosts, ",".join(f"127.0.0.1:{port}" for port in ports))
        directory = place.directory / fresh("slow")
        node = Node(directory, url, "--admin-listen", f"127.0.0.1:{admin}")
        try:
            begun, before = time.monotonic(), node.rss_kib()
            highest, told = _flooded(node, admin)
            grown, took = node.rss_kib(peak=True) - before, time.monotonic() - begun
            assert node.stop() == 0, node.log()
        finally:
            node.end()
    assert told == [*range(2, _TEXTS + 2)], "texts are lost or out of order"
    assert 0 < highest <= _MAX_BACKLOG, f"{highest} requests waited"
    assert grown <= _MAX_GROWN_KIB, f"it grew by {grown} KiB"
    place.notes.append(f"{_TEXTS} texts in {took:.1f} s, at most {highest:.0f} waited, it grew by {grown} KiB")


def _flooded(node: Node, admin: int) -> tuple[float, list[int]]:
    told: list[int] = []
    with Client(node.port) as flooder, Client(node.port) as other:
        flooder.hello(fresh("flooder"))
        group = fresh("slow").replace(".", "-")
        assert flooder.ask(action="cgroupe", group=group)["seq"] == 1
        text = json.dumps({"action": "gbroadcast", "group": group, "msg": "x" * 100}).encode() + b"\n"
        reader = threading.Thread(target=_read, args=(flooder, told), daemon=True)
        writer = threading.Thread(target=flooder.write, args=(text * _TEXTS,), daemon=True)
        for thread in (reader, writer):
            thread.start()
        other.hello(fresh("other"))  # who comes now waits for its turn, and not for the flood
        highest = 0.0
        while reader.is_alive():
            with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=10) as answer:
                found = _BACKLOG.search(answer.read().decode())
            assert found is not None
            highest = max(highest, float(found[1]))
            reader.join(0.05)
    return highest, told


def _read(flooder: Client, told: list[int]) -> None:
    while len(told) < _TEXTS and (message := flooder.next()) is not None:
        if message["action"] == "gbroadcast":
            told.append(message["seq"])


DRILLS = (
    Drill("slow-engine", "each answer of the engine takes a node 100 ms more, and it is flooded with texts", flood),
)
