"""What `--db nats://…` may be, and what is looked at before an engine is used."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve
from certificates import certificate
from engine import Engine, engine
from logs import on_loop

from libtchat.message.limits import DEFAULT_LIMITS
from tchat_server.store.event_log import LogUnusable
from tchat_server.store.nats import connection as connection_module
from tchat_server.store.nats import stream
from tchat_server.store.nats.connection import Connection
from tchat_server.store.nats.errors import EngineRefused
from tchat_server.store.nats.stream import open_stream
from tchat_server.store.nats.url import UrlMalformed, parse_url


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine(tmp_path_factory.mktemp("engine")) as found:
        yield found


def test_a_url_says_where_the_engine_is_and_which_chat_in_it() -> None:
    url = parse_url("nats://me:s%40fe@a,b:4223,[::1]/chat?replicas=1&shards=8&ca=system")
    assert url.hosts == ("a:4222", "b:4223", "[::1]:4222")
    assert (url.name, url.user, url.password) == ("chat", "me", "s@fe")
    assert (url.replicas, url.shards, url.ca) == (1, 8, "system")
    assert (parse_url("nats://a/b").replicas, parse_url("nats://a/b").shards) == (3, None)


def test_the_password_may_be_in_a_file_and_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "engine").write_text("me:se:cret\n")
    url = parse_url(f"nats://a/chat?credentials={tmp_path / 'engine'}")
    assert (url.user, url.password) == ("me", "se:cret")
    assert "cret" not in f"{url!r} {url}"


MALFORMED = [
    "nats://",
    "nats://host",
    "nats://host/",
    "nats:///name",
    "nats://secret@host/name",
    "nats://secret:@host/name",
    "nats://me:secret@ho st/name",
    "nats://me:secret@host:0/name",
    "nats://me:secret@host:65536/name",
    "nats://me:secret@a,,b/name",
    "nats://me:secret@host/na.me",
    f"nats://me:secret@host/{'n' * 33}",
    "nats://me:secret@host/name?replicas=2",
    "nats://me:secret@host/name?shards=0",
    "nats://me:secret@host/name?shards=many",
    "nats://me:secret@host/name?colour=red",
    "nats://me:secret@host/name?replicas",
    "nats://me:secret@host/name?replicas=1&replicas=3",
    "nats://me:secret@host/name?credentials=file",
    "nats://host/name?credentials=/nowhere/at/all",
]


@pytest.mark.parametrize("text", MALFORMED)
def test_what_is_no_url_is_told_in_one_line_without_the_password(text: str) -> None:
    with pytest.raises(UrlMalformed, match=r"^--db") as told:
        parse_url(text)
    assert "secret" not in str(told.value)
    assert "\n" not in str(told.value)


@on_loop
async def test_two_nodes_make_one_stream(one: Engine) -> None:
    url = parse_url(one.url("together"))
    connections = [await Connection.open(url) for _ in range(4)]
    streams = await asyncio.gather(*(open_stream(each, url, DEFAULT_LIMITS) for each in connections))
    assert len({stream.identity for stream in streams}) == 1
    assert streams[0].subjects.shards == 64
    for each in connections:
        await each.close()


@on_loop
async def test_what_all_nodes_must_agree_on_is_written_into_the_stream(one: Engine) -> None:
    url = parse_url(one.url("agreed", shards=8))
    connection = await Connection.open(url)
    first = await open_stream(connection, url, DEFAULT_LIMITS)
    assert first.subjects.shards == 8
    again = await open_stream(connection, evolve(url, shards=None), DEFAULT_LIMITS)
    assert (again.subjects, again.identity) == (first.subjects, first.identity)
    with pytest.raises(LogUnusable, match=r"has 8 shards, not 16"):
        await open_stream(connection, evolve(url, shards=16), DEFAULT_LIMITS)
    with pytest.raises(LogUnusable, match="made with --max-members 10000, not 5"):
        await open_stream(connection, url, evolve(DEFAULT_LIMITS, max_members=5))
    await connection.close()


@on_loop
async def test_a_stream_with_other_settings_is_refused(one: Engine) -> None:
    url = parse_url(one.url("foreign"))
    connection = await Connection.open(url)
    await connection.ask("STREAM.CREATE.tchat-foreign", {"name": "tchat-foreign", "subjects": ["foreign"]})
    with pytest.raises(LogUnusable, match="other settings, subjects"):
        await open_stream(connection, url, DEFAULT_LIMITS)
    settings = {"subjects": ["tchat.bare.log.>"], "discard": "new", "allow_rollup_hdrs": True, "allow_atomic": True}
    republish = {"src": "tchat.bare.log.>", "dest": "tchat.bare.told.>"}
    bare = {"name": "tchat-bare", **settings, "republish": republish, "allow_direct": True, "num_replicas": 1}
    await connection.ask("STREAM.CREATE.tchat-bare", bare)
    with pytest.raises(LogUnusable, match="not made by tchat-server"):
        await open_stream(connection, evolve(url, name="bare"), DEFAULT_LIMITS)
    with pytest.raises(EngineRefused):
        await connection.ask("STREAM.INFO.nowhere")
    await connection.close()


@on_loop
async def test_fewer_than_three_replicas_are_asked_for_by_hand(one: Engine) -> None:
    url = evolve(parse_url(one.url("careful")), replicas=3)
    connection = await Connection.open(url)
    with pytest.raises(LogUnusable, match=r"fewer than 3 servers.*\?replicas=1"):
        await open_stream(connection, url, DEFAULT_LIMITS)
    await open_stream(connection, evolve(url, replicas=1), DEFAULT_LIMITS)
    with pytest.raises(LogUnusable, match="keeps 1 replicas"):
        await open_stream(connection, url, DEFAULT_LIMITS)
    await connection.close()


@on_loop
async def test_an_engine_that_cannot_be_used_is_told_in_one_line(one: Engine) -> None:
    port = one.servers[0].port
    cases = {
        f"nats://tchat:wrongsecret@127.0.0.1:{port}/c": "does not accept this user and password",
        f"nats://127.0.0.1:{port}/c": "does not accept this user and password",
        "nats://tchat:wrongsecret@127.0.0.1:1/c": "127.0.0.1:1/c cannot be used",
        f"nats://tchat:wrongsecret@127.0.0.1:{port}/c?ca=system": "it does not ask for TLS, as ca= in --db does",
    }
    for text, reason in cases.items():
        with pytest.raises(LogUnusable, match=reason) as told:
            await Connection.open(parse_url(text))
        assert "wrongsecret" not in str(told.value)
        assert "\n" not in str(told.value)


@on_loop
async def test_an_engine_that_speaks_tls_is_trusted_by_whom_ca_names_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection_module, "_CLOSE_SECONDS", 0.05)
    certificate(tmp_path)
    with engine(tmp_path / "engine", tls=tmp_path) as secret:
        for ca in ({}, {"ca": "system"}):
            with pytest.raises(LogUnusable, match=r"its certificate is not accepted \(.+\): ca=FILE names who"):
                await Connection.open(parse_url(secret.url(**ca)))
        trusting = await Connection.open(parse_url(secret.url(ca=str(tmp_path / "cert.pem"))))
        assert trusting.is_connected
        await trusting.close()
    assert "eof_received" not in caplog.text, "what the engine's client does is nothing to tell an operator"


@pytest.mark.parametrize(
    ("told", "now", "warns"),
    [
        (1000.0, 1000.1, False),
        (1005.0, 1005.1, False),
        (1000.1, 1005.0, False),
        (1003.0, 1000.1, True),
        (997, 1005, True),
    ],
    ids=["at once", "it thought for long", "the answer was long on its way", "it is ahead", "it is behind"],
)
def test_a_slow_answer_makes_no_clock_wrong(
    told: float, now: float, warns: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stream, "time_of_day", lambda: now)
    stream._clock_offset(parse_url("nats://host/chat"), told, asked_at=1000.0)
    assert ("the clock of this machine is" in caplog.text) is warns


def info(version: str) -> bytes:
    return b'INFO {"server_id":"x","version":"%s","max_payload":1048576,"headers":true}\r\n' % version.encode()


GREETINGS = {
    "old": (info("2.9.10"), r"NATS 2\.9\.10.*2\.14\.4 or newer"),
    "a little too old": (info("2.14.3"), r"NATS 2\.14\.3.*2\.14\.4 or newer"),
    "another program": (b"SSH-2.0-x\r\n", "what answers there is no NATS server"),
}


@pytest.mark.parametrize(("greeting", "reason"), GREETINGS.values(), ids=GREETINGS)
@on_loop
async def test_what_is_no_engine_or_may_lose_what_it_acknowledged_is_refused(greeting: bytes, reason: str) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            writer.write(greeting)
            while (line := await reader.readline()) and not line.startswith(b"PING"):
                pass
            writer.write(b"PONG\r\n")
            await reader.read()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(LogUnusable, match=reason):
            await Connection.open(parse_url(f"nats://127.0.0.1:{port}/chat"))
