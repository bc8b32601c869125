"""Any bytes give messages or violations and nothing else: Hypothesis, on what tests/support/fuzz fuzzes for longer."""

from __future__ import annotations

import json

import pytest
from fuzz.target import check, corpus
from hypothesis import given, settings
from hypothesis import strategies as st

from libtchat.message.request import REQUESTS

words = st.sampled_from(["alice", "bob", "wob", "dev", "server", "guest-1", "ÉVE", "a b", "", "x" * 40])
fields = st.fixed_dictionaries(
    {"action": st.sampled_from(sorted(REQUESTS))},
    optional={
        **dict.fromkeys(("sender", "from", "group", "dest", "to", "reason", "msg", "password", "token"), words),
        "id": st.sampled_from(["1", "2", "x" * 65]),
        "limit": st.integers(-1, 1001),
        "after": st.integers(-1, 5),
        "before": st.integers(-1, 5),
        "private": st.booleans() | st.none() | words,
        "all": st.booleans(),
    },
)
requests = st.lists(fields, max_size=30).map(lambda found: b"".join(json.dumps(it).encode() + b"\n" for it in found))
spoilt = st.tuples(requests, st.integers(0, 4000), st.binary(max_size=6)).map(
    lambda it: it[0][: it[1]] + it[2] + it[0][it[1] + 1 :]
)


@pytest.mark.parametrize("data", corpus(), ids=lambda data: data[:40].hex())
def test_what_is_known(data: bytes) -> None:
    check(data)


@given(st.binary(max_size=2000))
def test_any_bytes(data: bytes) -> None:
    check(data)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 255), requests | spoilt)
def test_any_requests_whole_or_spoilt(step: int, data: bytes) -> None:
    check(bytes([step]) + data)
