"""Both ends of a connection: bytes to messages and back."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libtchat.message.errors import ErrorCode, Violation
from libtchat.message.event import Created, Joined, Said
from libtchat.message.limits import MAX_FRAME_BYTES
from libtchat.message.reply import Error, Foreign, Goodbye, Message, States, Users
from libtchat.message.request import Create, Hello, Join, ListMessages, Ping, Request, Say
from libtchat.wire import strict_json
from libtchat.wire.codec import encode
from libtchat.wire.connection import ClientEnd, ServerEnd

TS = "2026-01-31T10:42:00.123Z"
CREATED = Created("alice", "wob", 1, TS, "alice")
NOT_FOUND = Error("group-not-found", "cgroupe", "wob")


@pytest.fixture(params=["orjson", "stdlib"], autouse=True)
def _backend(request: pytest.FixtureRequest) -> Iterator[None]:
    before = strict_json.backend()
    strict_json.use_backend(request.param)
    yield
    strict_json.use_backend(before)


def received(data: bytes, size: int) -> list[Request | Violation]:
    connection = ServerEnd()
    return [item for at in range(0, len(data), size) for item in connection.receive(data[at : at + size])]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_stream_is_requests_and_violations_in_order(size: int) -> None:
    data = (
        b'{"action":"client-hello","from":"alice"}\n{"action":"join","group":"wob"}{"oops"}\r\n'
        b'nonsense\n{"action":"ack-join"}{\n "action": "gbroadcast",\n "group": "wob",\n "msg": "}"\n}'
    )
    first, second, third, fourth, fifth = received(data, size)
    assert [first, second, fifth] == [Hello(sender="alice"), Join("wob"), Say("wob", "}")]
    assert isinstance(third, Violation)
    assert isinstance(fourth, Violation)
    assert (third.code, third.fatal, fourth.code, fourth.fatal) == ("bad-json", False, "bad-json", False)


LINES = (
    *(b'{"action":"gbroadcast","sender":"a","group":"w","msg":"x"}', b'{"action":"leave","sender":"a","group":"w"}'),
    b'{"action":"gbroadcast","from":"a","group":"w","msg":"x"}',  # another spelling
    *(
        b'{"action":"client-hello","from":"a"}',
        b'{"action":"client-hello"}',
        b'{"action":"client-connection","name":"a"}',
    ),
    *(b'{"action":"members","sender":"a","groupe":"w","after":"b"}', b'{"action":"msgs","sender":"a","group":"w"}'),
    b'{"action":"messages","sender":"a","group":"w"}',
    *(b'{"action":"ping"}', b'{"action":"gbroadcast","sender":"a","sender":"a","group":"w","msg":"x"}'),
    b'{"action":"gbroadcast","sender":"a","group":"w","msg":"' + b"x" * 391 + b'"}',
    *(b'{"action":"ban","sender":"a","group":"w","dest":"b","reason":"' + b"x" * size + b'"}' for size in (390, 391)),
    *(b'{"action":"join","sender":"a","group":"w","id":"' + b"i" * size + b'"}' for size in (64, 65)),
    *(b'{"action":"join","sender":"a","group":1}', b'{"action":"join","sender":"a","group":["w"]}'),
    *(b'{"action":"join","sender":"a","group":"\\u0000"}', b'{"action":"join","sender":"a"}', b'{"action":"cgroup"}'),
    *(
        b'{"action":"dance","sender":"a"}',
        b'{"action":"ack-join","sender":"a"}',
        b"{}",
        b"[]",
        b'"x"',
        b"{",
        b"7",
        b"",
        b"GET /",
    ),
    *(b'{"action":"join","sender":"a","group":"x},\n{y"}', b'{"action":"join","sender":"a","group":"w"},'),
    b'{"action":"join","sender":"a","group":"w"' + b"".join(b',"%d":"x"' % n for n in range(62)) + b"}",
)


@pytest.mark.parametrize("rest", [b"\n", LINES[0] + b"\n"])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"", b" \n", b"\n\n"])
@pytest.mark.parametrize("line", LINES)
def test_what_is_read_at_a_glance_is_what_is_read_byte_by_byte(
    line: bytes, end: bytes, last: bool, rest: bytes
) -> None:
    for lines in [line], [LINES[0], line], [LINES[0], line, LINES[1]], [line] * 3:
        data = end.join(lines) + (end if last else b"")
        whole, bytewise = ServerEnd(), ServerEnd()
        for part in (data, rest, b"\n", LINES[1], b'"}}\n', LINES[1]):
            found = [*whole.receive(part)]
            assert found == [item for at in range(len(part)) for item in bytewise.receive(part[at : at + 1])]
            assert [whole.mid_frame, whole.spaced, whole.spells] == [
                bytewise.mid_frame,
                bytewise.spaced,
                bytewise.spells,
            ]


@pytest.mark.parametrize("size", [1, 7, 1_000_000])
def test_after_a_fatal_violation_nothing_comes(size: int) -> None:
    for data, code, limit in (
        (b'{"action":"ping"' + b" " * MAX_FRAME_BYTES, ErrorCode.TOO_LARGE, 65536),
        (b"GET / HTTP/1.1\r\n\r\n", ErrorCode.BAD_JSON, None),
    ):
        (item,) = received(data + b'}\n{"action":"ping"}\n', size)
        assert isinstance(item, Violation)
        assert (item.code, item.fatal, item.limit) == (code, True, limit)


@pytest.mark.parametrize("frame", ['{"action":"ack-x"}', '{"action":"ack-"}', '{"action":"ack-join","id":7}'])
def test_an_acknowledgement_is_ignored(frame: str) -> None:
    assert ServerEnd().receive(frame.encode()) == []


def test_an_unknown_action_that_only_contains_ack_is_refused() -> None:
    (item,) = ServerEnd().receive(b'{"action":"back-x"}')
    assert isinstance(item, Violation)
    assert item.code is ErrorCode.UNKNOWN_ACTION


def test_a_peer_is_spaced_until_it_ends_a_request_with_a_newline() -> None:
    connection = ServerEnd()
    assert connection.spaced
    connection.receive(b'{"action":"ping"}')
    assert connection.spaced
    connection.receive(b"\n")
    assert not connection.spaced
    connection.receive(b'{"action":"ping"}')
    assert not connection.spaced


def test_a_connection_tells_when_it_holds_a_part_of_a_request() -> None:
    connection = ServerEnd()
    connection.receive(b'{"action":')
    assert connection.mid_frame
    connection.receive(b'"ping"}')
    assert not connection.mid_frame


# spellings


@pytest.mark.parametrize(
    ("frame", "spells"),
    [
        (b'{"action":"cgroup","group":"w"}', {"cgroupe": "cgroup"}),
        (b'{"messageFormat":{"action":"cgroup","group":"w"}}', {"cgroupe": "cgroup"}),
        (b'{"action":"cgroup"}', {"cgroupe": "cgroup"}),
        (b'{"action":"\\u0063group","group":"w"}', {"cgroupe": "cgroup"}),
        (b'{"action":"cgroupe","group":"cgroup"}', {}),
        (b'{"action":"messages","group":"w"}', {"msgs": "messages"}),
        (b'{"action":"messages","group":"msgs"}', {"msgs": "messages"}),
        (b'{"action":"dance"}', {}),
        (b'{"action":"cgroup","group":"w"}{"action":"cgroupe","group":"w"}', {"cgroupe": "cgroup"}),
        (b'{"action":"messages","group":"w"}{"action":"msgs","group":"w"}', {}),
    ],
)
def test_a_connection_learns_how_its_peer_spells(frame: bytes, spells: dict[str, str]) -> None:
    connection = ServerEnd()
    connection.receive(frame)
    assert connection.spells == spells


def test_who_said_cgroup_is_told_cgroup() -> None:
    connection = ServerEnd()
    connection.receive(b'{"action":"cgroup","sender":"alice","group":"wob"}')
    for message, changed in (
        (CREATED, {"action": "cgroup"}),
        (NOT_FOUND, {"request": "cgroup"}),
        (Joined("bob", "wob", 2, TS), {}),
    ):
        line = encode(message)
        assert json.loads(connection.write(line)) == {**json.loads(line), **changed}
        assert ServerEnd().write(line) == line + b"\r\n"


def test_who_said_cgroup_is_told_so_in_a_page_too() -> None:
    connection = ServerEnd()
    connection.receive(b'{"action":"cgroup","sender":"alice","group":"wob"}')
    page = States("wob", (CREATED, Joined("bob", "wob", 2, TS)), False, 1, 2)
    assert [event["action"] for event in json.loads(connection.write(encode(page)))["list"]] == ["cgroup", "join"]


def test_other_spellings_are_only_repeated_in_errors() -> None:
    connection = ServerEnd()
    connection.receive(b'{"action":"create-group","sender":"alice","group":"wob"}')
    assert json.loads(connection.write(encode(CREATED)))["action"] == "cgroupe"
    assert json.loads(connection.write(encode(NOT_FOUND)))["request"] == "create-group"


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_nobodys_text_is_rewritten(text: str) -> None:
    connection = ServerEnd()
    connection.receive(b'{"action":"cgroup","group":"w"}{"action":"messages","group":"w"}')
    for said in (text, '{"action":"cgroupe"' + text, text + '"request":"msgs"', '\\"request":"msgs"'):
        line = encode(Said("a", "w", said, 1, TS))
        assert connection.rewrite(line) == line


# a client's end


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_client_reads_what_a_server_writes(size: int) -> None:
    messages: list[Message] = [CREATED, Users(("a", "b")), Goodbye()]
    data = b"".join(ServerEnd().write(encode(message)) for message in messages)
    server = ClientEnd()
    found = [message for at in range(0, len(data), size) for message in server.receive(data[at : at + size])]
    assert found == messages
    assert not server.broken


def test_a_client_goes_on_after_garbage() -> None:
    server = ClientEnd()
    found = server.receive(b"Welcome!\n" * 50 + encode(Goodbye()) + b"\r\n")
    assert [type(message) for message in found] == [Foreign] * 50 + [Goodbye]
    assert not server.broken


def test_a_client_gives_up_on_a_message_without_end() -> None:
    server = ClientEnd()
    found = server.receive(b"{" + b" " * 1024 * 1024)
    assert [type(message) for message in found] == [Foreign]
    assert server.broken
    assert server.receive(encode(Goodbye())) == []


def test_a_client_reads_messages_larger_than_it_may_send() -> None:
    users = Users(tuple(f"user{n}" for n in range(20_000)))
    server = ClientEnd()
    data = encode(users)
    assert not server.receive(data[:-1])
    assert server.mid_frame
    assert server.receive(data[-1:]) == [users]


def test_a_client_sends_one_line_per_request() -> None:
    data = b"".join(ClientEnd().send(request) for request in (Hello(sender="a"), Ping(), ListMessages("w")))
    assert data.count(b"\n") == 3
    connection = ServerEnd()
    assert connection.receive(data) == [Hello(sender="a"), Ping(), ListMessages("w")]
    assert not connection.spaced
    assert connection.spells == {}


def test_a_create_goes_there_and_back() -> None:
    create = Create("wob", True, sender="alice", id="q1")
    assert ServerEnd().receive(ClientEnd().send(create)) == [create]
