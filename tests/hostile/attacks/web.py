"""The same by way of a browser's protocols: HTTP and WebSocket on the same port."""

from __future__ import annotations

import json
import random
import socket
import struct
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

from hostile.common import ON_ASYNCIO, ON_UVLOOP
from hostile.harness import Attack, Field

HEAD = "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
UPGRADE = HEAD.format(path="/tchat") + (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
GET = (HEAD.format(path="/index.html") + "\r\n").encode()
GROUP = "flooded"
BURST = 16
Doing = Callable[[Field, int, float], int]


def frame(first: int, data: bytes, size: int | None = None) -> bytes:
    """A masked frame (the mask is zeros), or one that announces another *size*."""
    size = len(data) if size is None else size
    length = (
        bytes([0x80 | size])
        if size < 126
        else struct.pack("!BH" if size < 65536 else "!BQ", 0xFE + (size > 65535), size)
    )
    return bytes([first]) + length + bytes(4) + data


def text(**message: object) -> bytes:
    return frame(0x81, json.dumps(message).encode())


def dial(field: Field, number: int, first: bytes) -> socket.socket:
    source = (f"127.0.{number % 200}.{number % 50 + 2}", 0)
    sock = socket.create_connection(("127.0.0.1", field.server.port), 5, source)
    sock.sendall(first)
    return sock


def open_socket(field: Field, number: int) -> socket.socket:
    sock = dial(field, number, UPGRADE.encode())
    assert sock.recv(4096).startswith(b"HTTP/1.1 101 ")
    return sock


def at_once(doing: Doing) -> Callable[..., None]:
    """Do the same in so many threads as long as *seconds*."""

    def act(field: Field, *, threads: int, seconds: float) -> None:
        until = time.monotonic() + seconds
        with ThreadPoolExecutor(threads) as pool:
            field.notes["done"] = sum(pool.map(lambda number: doing(field, number, until), range(threads)))

    return act


def get_files(field: Field, number: int, until: float) -> int:
    done = 0
    while time.monotonic() < until:
        with suppress(OSError), dial(field, number + done, GET) as sock:
            while sock.recv(65536):
                pass
        done += 1
    return done


def get_in_bursts(field: Field, number: int, until: float) -> int:
    """Ask for a file on many connections at one moment, again and again."""
    done = 0
    while time.monotonic() < until:
        with ExitStack() as stack, suppress(OSError):
            for sock in [stack.enter_context(dial(field, number + done, GET)) for _ in range(BURST)]:
                while sock.recv(65536):
                    pass
        done += BURST
    return done


def half_requests(field: Field, number: int, until: float) -> int:
    done = 0
    kept = []
    while time.monotonic() < until:
        with suppress(OSError, AssertionError):
            kept.append(
                dial(field, number * 50 + done, (GET if done % 2 else UPGRADE.encode())[: random.randint(4, 60)])
            )
        done += 1
        time.sleep(0.005)
    for sock in kept:
        sock.close()
    return done


def flood(data: bytes, between: bytes = b"") -> Doing:
    """Write the same frames as fast as they are taken, on one connection after the other."""

    def doing(field: Field, number: int, until: float) -> int:
        done = 0
        while time.monotonic() < until:
            with suppress(OSError, AssertionError), open_socket(field, number) as sock:
                sock.settimeout(0.5)
                sock.sendall(between)
                while time.monotonic() < until:
                    sock.sendall(data)
                    done += 1
        return done

    return doing


def come_and_go(field: Field, number: int, until: float) -> int:
    """Open, ask for much, and go without a word, with a reset, in the middle of a goodbye, or behind one."""
    done = 0
    while time.monotonic() < until:
        with suppress(OSError, AssertionError), open_socket(field, number * 50 + done) as sock:
            sock.sendall(text(action="client-hello", **{"from": f"w{number}.{done}"}) + text(action="groups") * 3)
            if done % 4 == 1:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif done % 4 == 2:
                sock.sendall(frame(0x88, b"\x03\xe8"))
            elif done % 4 == 3:
                sock.sendall(text(action="client-quit") + frame(0x89, b"x"))
                sock.recv(4096)
        done += 1
    return done


def prepare_sleepers(field: Field) -> None:
    owner = field.client("sleepless", host=3)
    owner.ask(action="cgroupe", group=GROUP)
    field.notes["owner"] = owner
    for number in range(60):
        sock = field.stack.enter_context(open_socket(field, number))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(text(action="client-hello", **{"from": f"asleep{number}"}) + text(action="join", group=GROUP))


def talk_to_sleepers(field: Field, *, seconds: float) -> None:
    """Say long texts to tabs that sleep."""
    owner = field.notes["owner"]
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        owner.send(action="gbroadcast", group=GROUP, msg="x" * 8000)
        owner.until("gbroadcast")


THREADS_QUICK, THREADS_LONG = {"threads": 16, "seconds": 1.0}, {"threads": 48, "seconds": 60.0}
LONG_ONLY = ("files-without-end",)
FLOODS: tuple[tuple[str, str, Doing], ...] = (
    ("files-without-end", "the page's files, each on a connection of its own, as fast as they come", get_files),
    ("requests-in-bursts", "the same, many at one moment and again and again", get_in_bursts),
    ("half-requests", "requests and handshakes that end nowhere, a hundred more each second", half_requests),
    ("smallest-frames", "pings of no bytes, as fast as they are taken", flood(frame(0x89, b"") * 4000)),
    ("smallest-texts", "texts of no bytes, as fast as they are taken", flood(frame(0x81, b"") * 4000)),
    ("fragments-without-end", "a text in fragments of no bytes", flood(frame(0x00, b"") * 4000, frame(0x01, b"{"))),
    ("hundred-megabytes", "frames of 100 MB announced and begun", flood(b"x" * 65536, frame(0x81, b"", 10**8))),
    ("tabs-that-come-and-go", "handshake, hello, questions, and gone in one of four ways", come_and_go),
)
ATTACKS = (
    *(
        Attack(name, what, at_once(doing), None if name in LONG_ONLY else THREADS_QUICK, THREADS_LONG, **ON_UVLOOP)
        for name, what, doing in FLOODS
    ),
    Attack(
        "tabs-that-come-and-go-asyncio",
        "the same on asyncio's own loop",
        at_once(come_and_go),
        THREADS_QUICK,
        THREADS_LONG,
        **ON_ASYNCIO,
    ),
    Attack(
        "tabs-that-sleep",
        "60 members behind WebSocket who never read, while long texts are said to them",
        talk_to_sleepers,
        {"seconds": 1.5},
        {"seconds": 60.0},
        prepare=prepare_sleepers,
        options=("--max-out-bytes", "200000"),
    ),
)
