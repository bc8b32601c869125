"""Who sends as many bytes as the rules let him, and has them carried to as many as he can."""

from __future__ import annotations

import itertools
import json
import selectors
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from hostile.common import ON_UVLOOP
from hostile.harness import Attack, Field, address, start
from live import NO_RATES, Client

GROUP = "volume"
GROWING = "\x01" * 8192  # each byte of it is six in JSON
COMMAS = b'{"action":"ping","x":[' + b"1234567890," * 1000 + b"1]}\n"


SLOW_DISK = """
import pathlib, time
from tchat_server.store.sqlite import rows
slow = pathlib.Path(sys.argv[sys.argv.index("--port-file") + 1]).with_name("slow")
append = rows.RowWriter.append
rows.RowWriter.append = lambda *a, **k: (time.sleep(0.3 * slow.exists()), append(*a, **k))[1]
"""


def line(**message: Any) -> bytes:
    return json.dumps(message).encode() + b"\n"


def flood(clients: list[Client], payload: bytes, seconds: float) -> int:
    """Have all *clients* send *payload* again and again, and read what comes; return how many bytes came."""
    until, came = time.monotonic() + seconds, 0
    with selectors.DefaultSelector() as wheel:
        for client in clients:
            client.sock.setblocking(False)
            wheel.register(client.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, memoryview(payload))
        while wheel.get_map() and time.monotonic() < until:
            for key, events in wheel.select(0.05):
                sock: Any = key.fileobj
                try:
                    with suppress(BlockingIOError):
                        if events & selectors.EVENT_READ:
                            data = sock.recv(1 << 18)
                            came += len(data)
                            if not data:
                                wheel.unregister(sock)
                                continue
                        if events & selectors.EVENT_WRITE:
                            rest = key.data[sock.send(key.data) :] or memoryview(payload)
                            wheel.modify(sock, key.events, rest)
                except ConnectionError:
                    wheel.unregister(sock)
    return came


def drain(client: Client) -> None:
    with suppress(OSError):
        while client.sock.recv(1 << 18):
            pass


def gather(field: Field, members: int = 400) -> None:
    owner = field.client("volume.owner", host=1)
    owner.ask(action="cgroupe", group=GROUP)
    crowd = start("hostile.crowd", field.server.port, GROUP, members, stdout=subprocess.PIPE)
    assert crowd.stdout is not None
    assert crowd.stdout.readline() == b"ready\n"
    field.stack.callback(lambda: field.notes["crowd"].communicate(timeout=20))
    field.stack.callback(crowd.kill)
    field.notes["crowd"] = crowd
    threading.Thread(target=drain, args=(owner,), daemon=True).start()


def into_a_group(field: Field, *, senders: int, seconds: float) -> None:
    """Say texts that grow when they are encoded to a group of many who read: none of these is closed."""
    clients = [field.client(f"loud.{number}") for number in range(senders)]
    for client in clients:
        client.send(action="join", group=GROUP)
    for client in clients:
        client.until("join")
    flood(clients, line(action="gbroadcast", group=GROUP, msg=GROWING) * 8, seconds)
    members_are_there(field)


def while_the_disk_is_slow(field: Field, *, senders: int, seconds: float) -> None:
    """The same, while storing takes long."""
    slow = field.server.directory / "slow"
    slow.touch()
    try:
        into_a_group(field, senders=senders, seconds=seconds)
    finally:
        slow.unlink()


def again_and_again(field: Field, *, threads: int, seconds: float) -> None:
    """Come, say the largest text to a group of many, go, and come again: a newcomer owes nothing."""
    until = time.monotonic() + seconds
    text = line(action="gbroadcast", group=GROUP, msg=GROWING)

    said: list[bool] = []

    def come_and_go(thread: int) -> None:
        for number in itertools.count():
            if time.monotonic() > until:
                return
            source = address(1000 * thread + number)
            with suppress(ConnectionError, AssertionError), Client(field.server.port, source=source) as client:
                client.hello(f"guest.{thread}.{number}")
                client.ask(action="join", group=GROUP)
                client.write(text)
                said.append(client.line() is not None)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(come_and_go, range(threads)))
    assert sum(said) > threads, "hardly anything was said"
    members_are_there(field)


def to_everybody(field: Field, *, senders: int, seconds: float) -> None:
    """Send the largest texts to everybody who is connected."""
    clients = [field.client(f"herald.{number}") for number in range(senders)]
    flood(clients, line(action="client-broadcast", msg=GROWING) * 8, seconds)
    members_are_there(field)


def members_are_there(field: Field) -> None:
    log = field.server.log()
    assert "does not read" not in "".join(entry for entry in log.splitlines(True) if "127.0.0.1:" in entry), log[-500:]


def commas(field: Field, *, connections: int, seconds: float) -> None:
    """Send the frames that cost most to decode."""
    flood([field.client() for _ in range(connections)], COMMAS * 8, seconds)


def pages(field: Field, *, connections: int, seconds: float) -> None:
    """Ask for the largest page again and again, in very few bytes."""
    owner = field.client("pages.owner", host=1)
    owner.ask(action="cgroupe", group="pages")
    owner.ask(action="gbroadcast", group="pages", msg=GROWING)
    clients = [field.client(f"asker.{number}") for number in range(connections)]
    for client in clients:
        client.ask(action="join", group="pages")
    flood(clients, line(action="msgs", group="pages", limit=1) * 32, seconds)


ATTACKS = (
    Attack(
        "texts-that-grow-into-a-group",
        "16 connections say texts of 8 KiB control characters to a group of 400 who read",
        into_a_group,
        {"senders": 16, "seconds": 1.2},
        {"senders": 63, "seconds": 60.0},
        prepare=gather,
    ),
    Attack(
        "texts-of-who-comes-and-goes",
        "connections that come, say the same to that group, go, and come again",
        again_and_again,
        {"threads": 16, "seconds": 1.2},
        {"threads": 32, "seconds": 60.0},
        prepare=gather,
    ),
    Attack(
        "broadcasts-that-grow",
        "the same as client-broadcast",
        to_everybody,
        {"senders": 16, "seconds": 1.2},
        {"senders": 63, "seconds": 60.0},
        prepare=gather,
    ),
    Attack(
        "thousand-commas",
        "64 connections of pings with 1 000 commas",
        commas,
        {"connections": 64, "seconds": 1.2},
        {"connections": 64, "seconds": 60.0},
        **ON_UVLOOP,
    ),
    Attack(
        "largest-pages",
        "64 connections ask for the largest page, again and again",
        pages,
        {"connections": 63, "seconds": 1.2},
        {"connections": 63, "seconds": 60.0},
        **ON_UVLOOP,
    ),
    Attack(
        "texts-while-the-disk-is-slow",
        "the same without any rate while each append takes 0.3 s: what waits for it is bounded in bytes",
        while_the_disk_is_slow,
        {"senders": 16, "seconds": 2.0},
        {"senders": 63, "seconds": 60.0},
        p99_seconds=1.5,
        options=("--db", "{directory}/t.db", *NO_RATES),
        prelude=SLOW_DISK,
        prepare=partial(gather, members=8),
    ),
)
