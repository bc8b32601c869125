"""Fuzz framing, codec, connection and hub for a while: `make fuzz SECONDS=60`.

With atheris (`pip install '.[fuzz]'`) guided by coverage; without, by mutating the specification's vectors.
A finding is kept in tests/support/fuzz/corpus; from then on the suite tries it too.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
import time
from pathlib import Path

TOKENS = [
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b"\\",
        b",",
        b":",
        b"\n",
        b"\r\n",
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
        b"null",
        b"true",
    ),
    *(
        b'"action":"',
        b'"sender":"',
        b'"group":"',
        b'"dest":"',
        b'"msg":"',
        b'"id":"',
        b'"limit":',
        b'"after":',
        b'"token":"',
    ),
    *(
        b"cgroupe",
        b"join",
        b"kick",
        b"ban",
        b"invite",
        b"states",
        b"client-hello",
        b"messageFormat",
        b"\\ud800",
        b"1e999",
    ),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    try:
        import atheris
    except ImportError:
        print(f"mutating for {options.seconds:.0f} s; guided by coverage after: pip install '.[fuzz]'", flush=True)
        return mutate(options.seconds, options.seed)
    with atheris.instrument_imports(include=["libtchat"]):
        from fuzz import target
    with tempfile.TemporaryDirectory() as directory:
        for number, data in enumerate(target.corpus()):
            (Path(directory) / str(number)).write_bytes(data)
        dictionary = Path(directory).with_suffix(".dict")
        dictionary.write_text("".join(map(quoted, TOKENS)))
        limits = [f"-max_total_time={options.seconds:.0f}", "-max_len=4096", f"-artifact_prefix={target.KEPT}/"]
        seed = [] if options.seed is None else [f"-seed={options.seed}"]
        atheris.Setup([sys.argv[0], *limits, *seed, f"-dict={dictionary}", directory], target.check)
        atheris.Fuzz()
    return 0


def quoted(token: bytes) -> str:
    """Return a line of a libFuzzer dictionary."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in token) + '"\n'


def mutate(seconds: float, seed: int | None) -> int:
    """Mutate and splice inputs at random until the time is over, or something is found."""
    from fuzz import target

    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    choose, inputs, tried = random.Random(seed), target.corpus(), 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = bytearray(choose.choice(inputs)) or bytearray(1)
        for _ in range(choose.randint(1, 8)):
            at = choose.randrange(len(data) + 1)
            match choose.randrange(4):
                case 0:
                    data[at:at] = choose.choice(TOKENS)
                case 1:
                    del data[at : at + choose.randint(1, 8)]
                case 2:
                    data[at : at + 1] = bytes([choose.randrange(256)])
                case 3:
                    other = choose.choice(inputs)
                    data[at:at] = other[choose.randrange(len(other) + 1) :]
        tried += 1
        try:
            target.check(bytes(data[:8192]))
        except Exception:
            kept = target.KEPT / hashlib.sha256(data).hexdigest()[:12]
            kept.write_bytes(data[:8192])
            print(f"found after {tried} inputs, seed {seed}: kept in {kept}")
            raise
    print(f"{tried} inputs, seed {seed}: nothing found")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped; nothing found so far")
