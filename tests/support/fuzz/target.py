"""What must hold for any bytes: messages or violations come of them, nothing else, however they are cut."""

from __future__ import annotations

import json
from pathlib import Path

from harness import Shell

from libtchat.message.errors import Violation
from libtchat.wire.connection import ClientEnd, ServerEnd

VECTORS = Path(__file__).parents[3] / "spec" / "vectors"
KEPT = Path(__file__).parent / "corpus"


def corpus() -> list[bytes]:
    """Return where to begin: every vector of the specification, and what fuzzing found."""
    cases = [
        case for name in ("framing", "codec") for case in json.loads((VECTORS / f"{name}.json").read_text())["cases"]
    ]
    found = [case["text"].encode() if "text" in case else bytes.fromhex(case["hex"]) for case in cases]
    return [bytes([cut]) + data for data in found for cut in (0, 7)] + [
        path.read_bytes() for path in sorted(KEPT.iterdir())
    ]


def check(data: bytes) -> None:
    """Try one input: how to cut, then the bytes. AssertionError, or any other error, is a finding."""
    step, stream = data[0] if data else 0, data[1:]
    whole = ServerEnd()
    items = whole.receive(stream)
    cut = ServerEnd()
    size = step or len(stream) or 1
    same = [item for at in range(0, len(stream), size) for item in cut.receive(stream[at : at + size])]
    assert same == items, (same, items)
    assert (cut.spells, cut.spaced, cut.mid_frame) == (whole.spells, whole.spaced, whole.mid_frame)
    fatal = [isinstance(item, Violation) and item.fatal for item in items]
    assert not any(fatal[:-1]), "something came after the end"
    ClientEnd().receive(stream)
    shell = Shell()
    peers = [shell.connect(), shell.connect()]
    for number, item in enumerate(items):
        shell.handle(peers[number % 2 if step & 1 else 0], item)
        if step & 2 and number % 8 == 7:
            shell.disconnect(peers[1])
            peers[1] = shell.connect()
    shell.finish()
    for peer in peers:
        for line in shell.lines[peer]:
            assert b"\n" not in cut.write(line)[:-2]
            assert isinstance(json.loads(line)["msg"], str)
