"""Cutting the byte stream: what is about Python; the bytes themselves are in spec/vectors/framing.json."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from libtchat.message.errors import ErrorCode
from libtchat.message.limits import MAX_FRAME_BYTES, MAX_GARBAGE_RUNS
from libtchat.wire.framing import FrameFault, Framer

Items = list[bytes | FrameFault]
SMALL = 40

# What matters to a framer, in any disorder; long runs cross the blocks in which it scans.
PIECES = st.one_of(
    st.sampled_from([b"{", b"}", b'"', b"\\", b"\n", b"\r\n", b" ", b"x", b"{}", b'"}"', b'\\"', b"[", b"GET ", b"\0"]),
    st.sampled_from([b'{"a":"b"}\n', b'{"a":"}"}', b'{"a":{"b":1}}', b'{"a":"\\\\"}\r\n', b"\xe2\x82\xac"]),
    st.builds(
        lambda piece, times: piece * times, st.sampled_from([b"{}", b'""', b"\\\\", b'"}{"', b"a"]), st.just(600)
    ),
)
STREAMS = st.lists(PIECES, max_size=30).map(b"".join)


def feed(data: bytes, cuts: list[int] | None = None, most: int = MAX_FRAME_BYTES) -> tuple[Items, Framer]:
    framer = Framer(most)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts or []), len(data)]
    return [item for i in range(len(edges) - 1) for item in framer.receive(data[edges[i] : edges[i + 1]])], framer


def slowly(data: bytes, most: int) -> Items:
    """The framing rules, one byte after the other: what `Framer` must agree with."""
    items: Items = []
    frame, depth, in_string, hidden, skipping, runs = bytearray(), 0, False, False, False, 0
    for start in (b"GET ", b"\x16\x03"):
        if data.startswith(start):
            return [FrameFault(ErrorCode.BAD_JSON, True, "")]
    for byte in data:
        char = bytes([byte])
        if skipping:
            skipping = char != b"\n"
            continue
        if not depth and char in b" \t\r\n":
            continue
        if not depth and char != b"{":
            runs += 1
            items.append(FrameFault(ErrorCode.BAD_JSON, runs == MAX_GARBAGE_RUNS, ""))
            skipping = True
            if runs == MAX_GARBAGE_RUNS:
                return items
            continue
        frame += char
        if len(frame) > most:
            return [*items, FrameFault(ErrorCode.TOO_LARGE, True, "", most)]
        if hidden and char in b'"\\':
            hidden = False
            continue
        hidden = char == b"\\"
        if char == b'"':
            in_string = not in_string
        elif not in_string:
            depth += {b"{": 1, b"}": -1}.get(char, 0)
            if not depth:
                items.append(bytes(frame))
                frame.clear()
                hidden = False
    return items


def plain(items: Items) -> Items:
    return [item if isinstance(item, bytes) else evolve(item, detail="") for item in items]


@pytest.mark.parametrize("most", [MAX_FRAME_BYTES, SMALL])
@given(data=STREAMS, cuts=st.lists(st.integers(0, 10_000), max_size=8))
def test_any_bytes_cut_anywhere_give_what_the_rules_say(most: int, data: bytes, cuts: list[int]) -> None:
    assert plain(feed(data, cuts, most)[0]) == slowly(data, most)


@given(data=STREAMS)
def test_byte_by_byte_is_the_same_as_at_once(data: bytes) -> None:
    data = data[:3000]
    at_once, one = feed(data)
    by_byte, other = feed(data, list(range(len(data))))
    assert by_byte == at_once
    assert (one.mid_frame, one.ends_with_newline) == (other.mid_frame, other.ends_with_newline)


@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=4))
def test_random_bytes_give_frames_or_faults(data: bytes, cuts: list[int]) -> None:
    assert plain(feed(data, cuts)[0]) == plain(feed(data)[0])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a":1}', False),
        (b'{"a":1}{"a":1}\n', True),
        (b'{"a":1} \r\n', True),
        (b'{"a":1}\n{"a":1}', True),
        (b'{\n"a":1\n}', False),
        (b'\n{"a":1}', False),
        (b'x\n{"a":1}', False),
        (b"", False),
    ],
)
def test_a_peer_ends_with_newline_once_a_frame_was_followed_by_one(data: bytes, expected: bool) -> None:
    for cuts in ([], list(range(len(data)))):
        assert feed(data, cuts)[1].ends_with_newline is expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"", False), (b"{", True), (b"{}", False), (b"{} ", False), (b"xyz", False), (b"GE", True), (b"{}{", True)],
)
def test_mid_frame_means_that_bytes_are_held(data: bytes, expected: bool) -> None:
    assert feed(data)[1].mid_frame is expected


def test_a_frame_of_the_largest_size_is_read_and_one_more_byte_is_fatal() -> None:
    size = MAX_FRAME_BYTES
    largest = b'{"a":"' + b"x" * (size - 8) + b'"}'
    for cuts in ([], [1], [size - 1], [size]):
        assert feed(largest + b"{}", cuts)[0] == [largest, b"{}"]
        items, framer = feed(b" " + largest[:-2] + b'x"}\n{}\n', cuts)
        assert plain(items) == [FrameFault(ErrorCode.TOO_LARGE, True, "", size)]
        assert framer.receive(b"{}\n") == []


def test_a_frame_without_end_is_refused_as_soon_as_it_is_too_large() -> None:
    framer = Framer()
    assert framer.receive(b"{" + b" " * (MAX_FRAME_BYTES - 1)) == []
    (fault,) = framer.receive(b" ")
    assert isinstance(fault, FrameFault)
    assert fault.fatal
    assert not framer.mid_frame


@pytest.mark.parametrize(
    "start", [b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n", b"\x16\x03\x01"]
)
def test_another_protocol_is_fatal_at_once_however_it_is_cut(start: bytes) -> None:
    for cuts in ([], [1], [2], list(range(len(start)))):
        items, framer = feed(start, cuts)
        assert [(item.code, item.fatal) for item in items if isinstance(item, FrameFault)] == [("bad-json", True)]
        assert framer.receive(b"{}\n") == []


def test_bytes_that_only_begin_like_another_protocol_are_read_as_any() -> None:
    assert plain(feed(b"GE", [1])[0]) == []
    assert plain(feed(b"GEx\n{}", [1, 2])[0]) == [FrameFault(ErrorCode.BAD_JSON, False, ""), b"{}"]


SIZE = MAX_FRAME_BYTES
DENSE: dict[str, bytes] = {
    "text": b'{"' + b"a" * (SIZE - 4) + b'"}',
    "empty objects": b"{" + b"{}" * (SIZE // 2 - 1) + b"}",
    "spaced objects": b"{" + b"{ }" * (SIZE // 3 - 1) + b"}",
    "strings": b"{" + b'"",' * (SIZE // 3 - 1) + b"}",
    "objects and strings": b"{" + b'{""}' * (SIZE // 4 - 1) + b"}",
    "braces in strings": b"{" + b'"}{"' * (SIZE // 4 - 1) + b"}",
    "escaped quotes": b'{"' + b'\\"' * (SIZE // 2 - 2) + b'"}',
    "deep": b"{" * (SIZE // 2) + b"}" * (SIZE // 2),
    "saw": (b"{" * 20 + b"}" * 20) * (SIZE // 40 - 1),
    "never closed": b"{" * SIZE,
}


def seconds(act: Callable[[], object]) -> float:
    best = 1.0
    for _ in range(5):
        begun = time.process_time()
        act()
        best = min(best, time.process_time() - begun)
    return best


@pytest.mark.parametrize("data", DENSE.values(), ids=DENSE.keys())
def test_the_densest_frames_cost_no_more_than_reading_them_twice_as_large_in_proportion(data: bytes) -> None:
    """Not a benchmark: eight times the bytes must not cost sixty-four times the work."""
    small = data[: SIZE // 8]
    assert seconds(lambda: feed(data)) < 40 * max(seconds(lambda: feed(small)), 20e-6)


def test_many_small_frames_without_line_ends_are_read_in_linear_time() -> None:
    data = b'{"a":1}' * 9000
    items, _ = feed(data + b"\n")
    assert items == [b'{"a":1}'] * 9000
    assert seconds(lambda: feed(data)) < 40 * max(seconds(lambda: feed(data[: len(data) // 8])), 20e-6)


def test_a_line_that_ends_inside_a_string_is_no_frame() -> None:
    assert feed(b'{"a":"}\n"}\n{"b":1}\n')[0] == [b'{"a":"}\n"}', b'{"b":1}']


@pytest.mark.parametrize("pad", range(4))
@pytest.mark.parametrize("unit", [b'\\"', b"\\\\", b'\\\\\\"', b'}\\"'])
def test_a_long_string_of_escapes_ends_at_its_own_quote(unit: bytes, pad: int) -> None:
    frame = b'{"' + b"a" * pad + unit * 2000 + b'"}'
    assert feed(frame + b"{}")[0] == [frame, b"{}"]
