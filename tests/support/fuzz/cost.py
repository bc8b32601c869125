"""What a frame of 64 KiB costs at worst: CPU milliseconds per adversarial input, and beside a friendly one.

First the inputs somebody thought of, then, for `--seconds`, random repetitions of what JSON is made of. Not a test: a
machine may be slow. It ends with 1 if anything costs more than `--most` milliseconds.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable

from libtchat.wire import strict_json
from libtchat.wire.connection import ServerEnd

SIZE = 65_536


def filled(start: bytes, unit: bytes, end: bytes) -> bytes:
    return start + unit * ((SIZE - len(start) - len(end)) // len(unit)) + end


INPUTS: dict[str, Callable[[], bytes]] = {
    "one text": lambda: filled(b'{"action":"ping","x":"', b"x", b'"}\n'),
    "keys": lambda: b'{"action":"ping"' + b"".join(b',"%x":1' % number for number in range(7_500)) + b"}\n",
    "the same key": lambda: filled(b'{"action":"ping"', b',"x":1', b"}\n"),
    "empty objects": lambda: filled(b'{"action":"ping","x":[{}', b",{}", b"]}\n"),
    "empty lists": lambda: filled(b'{"action":"ping","x":[[]', b",[]", b"]}\n"),
    "empty texts": lambda: filled(b'{"action":"ping","x":[""', b',""', b"]}\n"),
    "numbers": lambda: filled(b'{"action":"ping","x":[0', b",1", b"]}\n"),
    "fractions": lambda: filled(b'{"action":"ping","x":[0', b",1e9", b"]}\n"),
    "one number": lambda: filled(b'{"action":"ping","x":', b"9", b"}\n"),
    "open braces": lambda: filled(b'{"x":', b"{", b"}\n"),
    "nested objects": lambda: filled(b"", b'{"x":', b""),
    "open brackets": lambda: filled(b'{"x":', b"[", b"}\n"),
    "nested lists": lambda: b'{"x":' + b"[" * 32_700 + b"]" * 32_700 + b"}\n",
    "quotes": lambda: filled(b'{"x":"', b'"', b'"}\n'),
    "escaped quotes": lambda: filled(b'{"action":"ping","x":"', b'\\"', b'"}\n'),
    "backslashes": lambda: filled(b'{"action":"ping","x":"', b"\\\\", b'"}\n'),
    "escapes": lambda: filled(b'{"action":"ping","x":"', b"\\u00e9", b'"}\n'),
    "surrogates": lambda: filled(b'{"action":"ping","x":"', b"\\ud800", b'"}\n'),
    "bad UTF-8": lambda: filled(b'{"action":"ping","x":"', b"\xff", b'"}\n'),
    "braces in a text": lambda: filled(b'{"action":"ping","x":"', b"{}", b'"}\n'),
    "spaces": lambda: filled(b'{"action":"ping"', b" ", b"}\n"),
    "accents in a name": lambda: filled(b'{"action":"join","group":"a', "\u0315\u0300".encode(), b'"}\n'),
    "commas and quotes": lambda: filled(b'{"action":"ping","x":[0', b',"', b'"}\n'),
    "a quote per brace": lambda: filled(b'{"action":"ping","x":"', b'{"', b'"}\n'),
    "shallow braces": lambda: filled(b'{"x":', b"{" * 30 + b"}" * 29, b"}\n"),
    "lines of numbers": lambda: filled(b"", b"1\n", b"\n"),
    "lines of lists": lambda: filled(b'{"action":"ping"}\n' * 60, b"[[]]\n", b"\n"),
    "garbage": lambda: filled(b"", b"x", b"\n"),
}


PARTS = (
    *(b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"1", b"x", b" ", b"\r\n", b'""', b"\\\\", b'\\"', b"{}"),
    *(b'{"":', b'":"', b"1e9", b"\xc3\xa9", b"\\u00e9"),
)
STARTS = (b"", b"{", b'{"x":', b'{"x":[0', b'{"action":"ping","x":"')


def worst_found(seconds: float) -> tuple[float, bytes]:
    """Return the most that one frame of a random input cost, and that input's beginning."""
    worst, until = (0.0, b""), time.monotonic() + seconds
    while time.monotonic() < until:
        unit = b"".join(random.choices(PARTS, k=random.randint(1, 7))) * random.choice((1, 1, 32))
        data = filled(random.choice(STARTS), unit, b"}\n")
        frames = len(ServerEnd().receive(data))  # tens of thousands of small ones are another matter
        cost = milliseconds(data, random.choice((SIZE, 1448, 300))) / max(1, frames)
        worst = max(worst, (cost, data[:60]))
    return worst


def milliseconds(data: bytes, size: int) -> float:
    """Return the CPU time of reading *data* in chunks of *size*, the best of three."""
    took = []
    for _ in range(3):
        connection = ServerEnd()
        begun = time.process_time_ns()
        for at in range(0, len(data), size):
            connection.receive(data[at : at + size])
        took.append((time.process_time_ns() - begun) / 1e6)
    return min(took)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=float, default=3.0)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    worst = 0.0
    print("CPU time of reading 64 KiB, at once and in segments of 1448 bytes, and how often that of one text it is:")
    backends: tuple[strict_json.BackendName, ...] = ("orjson", "stdlib") if strict_json.HAS_ORJSON else ("stdlib",)
    for backend in backends:
        strict_json.use_backend(backend)
        friendly = milliseconds(INPUTS["one text"](), SIZE)
        for name, make in INPUTS.items():
            costs = [milliseconds(make(), size) for size in (SIZE, 1448)]
            worst = max(worst, *costs)
            shown = "  ".join(f"{cost:6.2f} ms ({cost / friendly:5.1f} x)" for cost in costs)
            print(f"{backend:7} {name:18} {shown}")
        cost, begin = worst_found(options.seconds)
        worst = max(worst, cost)
        print(f"{backend:7} {'random':18} {cost:6.2f} ms, the worst of {options.seconds:.0f} s: {begin!r}...")
    print(f"worst {worst:.2f} ms, {options.most} allowed")
    return int(worst > options.most)


if __name__ == "__main__":
    sys.exit(main())
