"""What is read at a glance is what would be read line by line, or nothing."""

from __future__ import annotations

import pytest

from libtchat.message.request import Request
from libtchat.wire.codec import decode_request
from libtchat.wire.framing import Framer
from libtchat.wire.glance import read_requests


def glance(data: bytes) -> list[Request] | None:
    lines = Framer().lines(data)
    return None if lines is None else read_requests(data, lines)


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(
    "line",
    [
        b'{"action":"gbroadcast","sender":"a","group":"w","msg":"x"}',
        b'{"action":"join","from":"a","groupe":"w","id":"1"}',
        b'{"action":"client-hello","name":"a"}',
        b'{"action":"members","sender":"a","group":"w","after":"b"}',
        b'{"action":"ping"}',
    ],
)
def test_plain_lines_are_read_at_a_glance(line: bytes) -> None:
    assert glance(line + b"\n" + line) == [decode_request(line)] * 2
    assert glance(line + b"\n7\n") is glance(b"[]\n" + line) is glance(line * 2) is None
