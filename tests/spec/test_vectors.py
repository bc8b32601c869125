"""spec/vectors: bytes to frames, frames to requests; with both JSON backends and cut anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from libtchat.message.request import Request, Tell
from libtchat.wire.codec import WHO, Violation, decode_request, encode_request
from libtchat.wire.connection import ClientEnd
from libtchat.wire.framing import FrameFault, Framer

VECTORS = Path(__file__).parents[2] / "spec" / "vectors"


def cases(name: str) -> list[Any]:
    found = json.loads((VECTORS / f"{name}.json").read_text("utf-8"))["cases"]
    return [pytest.param(case, id=case["id"]) for case in found]


def data_of(case: dict[str, Any]) -> bytes:
    data: bytes = case["text"].encode() if "text" in case else bytes.fromhex(case["hex"])
    return data


def canonical(request: Request) -> dict[str, Any]:
    """The request as the vectors write it: who asks under the course's key alone."""
    found: dict[str, Any] = json.loads(encode_request(request))
    for key in WHO[type(request)][1:]:
        found.pop(key, None)
    found.pop("dest" if isinstance(request, Tell) else "to", None)
    return found


pytestmark = pytest.mark.usefixtures("backend")


@pytest.mark.parametrize("case", cases("framing"))
def test_the_bytes_hold_these_frames(case: dict[str, Any]) -> None:
    for size in (1, 7, 1_000_000):
        framer, data = Framer(), data_of(case)
        items = [item for at in range(0, len(data), size) for item in framer.receive(data[at : at + size])]
        assert [item.decode() for item in items if isinstance(item, bytes)] == case["frames"]
        assert {item.code for item in items if isinstance(item, FrameFault)} == ({case["error"]} - {None})


@pytest.mark.parametrize("size", [1, 7, 1_000_000])
@pytest.mark.parametrize("case", cases("receive"))
def test_a_client_reads_these_messages(case: dict[str, Any], size: int) -> None:
    connection, framer, data = ClientEnd(), Framer(), data_of(case)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert [frame.decode() for piece in pieces for frame in framer.receive(piece)] == case["frames"]  # type: ignore[union-attr]
    assert len([message for piece in pieces for message in connection.receive(piece)]) == len(case["frames"])
    assert not connection.broken


@pytest.mark.parametrize("case", cases("codec"))
def test_the_frame_is_this_request(case: dict[str, Any]) -> None:
    item = decode_request(data_of(case))
    if "message" in case:
        assert not isinstance(item, Violation), item
        assert canonical(item) == case["message"]
    else:
        assert isinstance(item, Violation), item
        assert (item.code, item.field if "field" in case["error"] else None) == (
            case["error"]["code"],
            case["error"].get("field"),
        )
