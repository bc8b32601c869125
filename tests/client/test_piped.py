"""Lines that are piped in, with several servers that are one: they go on at the next, nothing is lost or done twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from serving import TS, Peer, accepting

from tchat_client.address import parse_address
from tchat_client.language import choose
from tchat_client.link import Link, Times
from tchat_client.piped import run_piped
from tchat_client.reader import Reader
from tchat_client.render import Renderer
from tchat_client.settings import State

FAST = Times(connect_seconds=5, hello_seconds=5, answer_seconds=5, first_retry_seconds=0.01, last_retry_seconds=0.02)

Ran = tuple[int, list[str], list[str]]
Serve = Callable[[Peer], Awaitable[object]]
TOLD_OF_THE_LOSS = ["offline", "back"]


def run(directory: Path, lines: Sequence[str], *serves: Serve, is_json: bool = False, is_several: bool = True) -> Ran:
    """Pipe *lines* into a client of a server that treats its Nth connection as *serves* say.

    Returns:
        The exit code, what was printed, and the codes of what was told of the connection.
    """
    printed: list[str] = []
    told: list[str] = []

    async def typed() -> AsyncIterator[str]:
        for line in lines:
            yield line

    async def serve(peer: Peer, number: int) -> None:
        await serves[number](peer)

    async def both() -> int:
        async with asyncio.timeout(10), accepting(serve) as place:
            address = parse_address(place)
            link = Link(address, "alice", times=FAST, others=(address,) if is_several else ())
            renderer, state = Renderer(choose("en", {}), "alice", str(address)), State(directory)
            session = Reader(link, renderer, state, printed.append)
            return await run_piped(link, session, typed(), lambda code, text: told.append(code), is_json=is_json)

    return asyncio.run(both()), printed, told


async def ask(peer: Peer) -> dict[str, Any]:
    """Return what a person asked next; what the client wants to know by itself is answered."""
    while True:
        request = await peer.get()
        if request["action"] == "ping":
            peer.say(action="ping", version=1, server="t", ts=TS, id=request["id"])
        elif request["action"] != "members":
            return request
        else:
            answer = {"list": ["alice"], "owner": "alice", "online": []}
            peer.say(action="members", group=request["group"], seq=1, **answer, id=request["id"])


async def end(peer: Peer) -> None:
    """Take the goodbye, which is all that is left to come."""
    request = await ask(peer)
    assert request["action"] == "client-quit"
    peer.say(action="server-quit", id=request["id"])


def stamp(peer: Peer, request: dict[str, Any], seq: int) -> None:
    """Answer a group request, as the event number *seq*."""
    peer.say(**{**request, "seq": seq, "ts": TS, "from": "alice"})


def text(line: str) -> str:
    """Return a printed line without its time."""
    return line.partition(" ")[2]


@pytest.mark.parametrize("is_json", [False, True], ids=["for people", "for programs"])
def test_what_was_not_answered_is_asked_again_with_its_id_and_printed_once(tmp_path: Path, is_json: bool) -> None:
    asked: list[dict[str, Any]] = []

    async def first(peer: Peer) -> None:
        await peer.welcome(wob=1)
        asked.append(await ask(peer))  # and it is stored, but the node dies

    async def second(peer: Peer) -> None:
        await peer.welcome(wob=2)
        fetch, said = await ask(peer), await ask(peer)  # what happened meanwhile is asked for, before it is answered
        asked.append(said)
        stamp(peer, said, 2)
        page = [{**said, "seq": 2, "ts": TS}]
        peer.say(action="states", group="wob", list=page, first=2, last=2, more=False, id=fetch["id"])
        again = await ask(peer)
        stamp(peer, again, 3)
        assert again["msg"] == "there"
        await end(peer)

    code, printed, told = run(tmp_path, ["bg;wob;hi", "bg;wob;there"], first, second, is_json=is_json)
    assert asked[0] == asked[1]
    assert (code, told) == (0, TOLD_OF_THE_LOSS)
    if is_json:
        assert [json.loads(line)["msg"] for line in printed if "gbroadcast" in line] == ["hi", "there"]
    else:
        assert [text(line) for line in printed if "alice: " in line] == ["wob  alice: hi", "wob  alice: there"]


def test_a_group_whose_making_was_not_answered_is_the_current_one(tmp_path: Path) -> None:
    async def first(peer: Peer) -> None:
        await peer.welcome()
        assert (await ask(peer))["action"] == "cgroupe"

    async def second(peer: Peer) -> None:
        await peer.welcome(wob=1)
        stamp(peer, await ask(peer) | {"owner": "alice"}, 1)
        stamp(peer, await ask(peer), 2)
        await end(peer)

    code, printed, told = run(tmp_path, ["cg;wob", "hi"], first, second)
    assert (code, told) == (0, TOLD_OF_THE_LOSS)
    assert [text(line) for line in printed[1:]] == ["wob  -- you created wob", "wob  alice: hi"]


def test_what_may_not_be_asked_twice_is_told_and_the_rest_is_done(tmp_path: Path) -> None:
    async def first(peer: Peer) -> None:
        await peer.welcome()
        stamp(peer, await ask(peer), 1)
        assert (await ask(peer))["action"] == "client-send"

    async def second(peer: Peer) -> None:
        await peer.welcome(wob=1)
        stamp(peer, await ask(peer), 2)
        await end(peer)

    code, printed, told = run(tmp_path, ["j;wob", "s;bob;psst", "bg;wob;hi"], first, second)
    assert (code, sorted(told)) == (4, sorted([*TOLD_OF_THE_LOSS, "no-answer"]))
    assert [text(line) for line in printed[1:]] == ["wob  -- you joined wob", "wob  alice: hi"]


def limited(peer: Peer, request: dict[str, Any], **more: Any) -> None:
    """Refuse a request for now."""
    peer.say(action="error", **{"code": "rate-limited", "retry_after": 0.01, **more}, id=request["id"])


@pytest.mark.parametrize("is_one_of_several", [False, True], ids=["one server", "several"])
def test_a_line_that_comes_too_fast_waits_and_is_not_lost(tmp_path: Path, is_one_of_several: bool) -> None:
    async def serve(peer: Peer) -> None:
        await peer.welcome(wob=1)
        first = await ask(peer)
        limited(peer, first)
        again = await ask(peer)
        assert again["msg"] == first["msg"] == "hi"
        stamp(peer, again, 2)
        if is_one_of_several:
            said = await ask(peer)
            limited(peer, said, code="unavailable")
            assert await ask(peer) == said
            stamp(peer, said, 3)
        await end(peer)

    lines = ["bg;wob;hi", "bg;wob;there"][: 1 + is_one_of_several]
    code, printed, told = run(tmp_path, lines, serve, is_several=is_one_of_several)
    assert (code, told) == (0, [])
    assert [text(line) for line in printed[1:] if "groups" not in line] == ["wob  alice: hi", "wob  alice: there"][
        : len(lines)
    ]


def test_a_line_that_is_always_too_fast_is_refused_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tchat_client.piped.MAX_TRIES", 2)

    async def serve(peer: Peer) -> None:
        await peer.welcome(wob=1)
        limited(peer, await ask(peer))
        limited(peer, await ask(peer))
        await end(peer)

    code, printed, told = run(tmp_path, ["bg;wob;hi"], serve)
    assert (code, told) == (1, [])
    assert [text(line) for line in printed[2:]] == ["!! bg;wob;hi: too fast: wait 0.01 s (rate-limited)"]
