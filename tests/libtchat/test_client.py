"""The client without I/O: request in, bytes out; bytes in, notices out; one connection after another."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest

from libtchat import (
    ClientConnection,
    ClientEnd,
    Error,
    Foreign,
    Gone,
    Heard,
    ListStates,
    NoAnswer,
    Ping,
    Quit,
    ReportError,
    Said,
    Say,
    ServerEnd,
    Tell,
    Welcome,
)

TS = "2026-01-01T00:00:00.000Z"


def connection(name: str | None = "alice", **options: Any) -> ClientConnection:
    numbers = count(1)
    return ClientConnection(name, new_id=lambda: f"i{next(numbers)}", **options)


def line(**message: Any) -> bytes:
    return json.dumps({"msg": "", **message}).encode() + b"\r\n"


def welcome(id: str, token: str = "T", name: str = "alice", **seqs: int) -> bytes:
    more = {"from": name, "groups": list(seqs), "seqs": seqs}
    return line(action="server-hello", version=1, server="s", token=token, id=id, **more)


def said(seq: int, **more: Any) -> dict[str, Any]:
    return {"action": "gbroadcast", "sender": "bob", "group": "wob", "msg": "hi", "seq": seq, "ts": TS, **more}


def opened(**seqs: int) -> ClientConnection:
    me = connection()
    me.hello()
    me.receive(welcome("i1", **seqs))
    return me


def test_a_request_is_one_line_with_an_id_and_the_name() -> None:
    me = opened()
    data = me.send(Say(group="wob", msg="hi"))
    assert data.endswith(b"}\n")
    sent = json.loads(data)
    assert (sent["action"], sent["sender"], sent["id"]) == ("gbroadcast", "alice", "i2")
    assert json.loads(me.send(Say(group="wob", msg="hi", id="mine")))["id"] == "mine"


def test_what_comes_is_heard_and_names_what_it_answers() -> None:
    me = opened(wob=4)
    request = Say(sender="alice", group="wob", msg="hi", id="mine")
    me.send(request)
    data = line(**said(5)) + line(**said(6, sender="alice", id="mine")) + line(action="error", code="x", request="ban")
    one, two, three = (notice for cut in range(0, len(data), 7) for notice in me.receive(data[cut : cut + 7]))
    assert one == Heard(Said("bob", "wob", "hi", 5, TS))
    assert two == Heard(Said("alice", "wob", "hi", 6, TS, "mine"), request, mine=True)
    assert isinstance(three.message, Error)


def test_what_is_missing_is_wanted_once() -> None:
    me = opened(wob=4)
    me.mirror.groups["wob"].wants_members = False
    assert me.wanted() == b""
    me.receive(line(**said(6)))
    asked = json.loads(me.wanted())
    assert (asked["action"], asked["after"], asked["all"]) == ("states", 4, True)
    assert me.wanted() == b""
    page = line(action="states", group="wob", list=[said(5), said(6)], more=False, first=5, last=6, id=asked["id"])
    assert [(n.message.seq, n.missed) for n in me.receive(page) if isinstance(n, Heard)] == [(5, True), (6, False)]


def test_the_next_connection_proves_who_one_is_and_resumes() -> None:
    me = opened(wob=4)
    me.send(Tell(to="bob", msg="lost?", id="mine"))
    me.send(Ping(), quiet=True)
    (lost,) = me.closed()
    assert isinstance(lost, NoAnswer)
    assert lost.request.id == "mine"
    hello = json.loads(me.hello())
    assert (hello["from"], hello["token"]) == ("alice", "T")
    (heard,) = me.receive(welcome(hello["id"], "T2", wob=6))
    assert isinstance(heard.message, Welcome)
    assert me.token == "T2"
    asked = json.loads(me.wanted().splitlines()[0])
    assert (asked["action"], asked["after"]) == ("states", 4)


def test_a_program_resumes_where_its_last_run_ended() -> None:
    me = connection()
    me.mirror.resume("wob", 3)
    me.mirror.resume("dev", 9)
    me.hello()
    assert me.receive(welcome("i1", wob=4))[1:] == [Gone("dev")]
    assert b'"states"' in me.wanted()


def test_after_a_refusal_hello_is_said_again_on_the_same_connection() -> None:
    me = connection()
    me.hello()
    (refused,) = me.receive(line(action="error", code="auth-required", request="client-hello", id="i1"))
    assert isinstance(refused.message, Error)
    assert json.loads(me.hello("secret"))["password"] == "secret"
    assert not me.is_ours
    me.receive(welcome("i2"))
    assert me.is_ours


def test_a_guest_is_called_what_the_server_says() -> None:
    me = connection(None)
    assert "from" not in json.loads(me.hello())
    me.receive(welcome("i1", name="guest-7"))
    assert json.loads(me.send(Say(group="wob", msg="hi")))["sender"] == "guest-7"


def test_nothing_is_sent_before_hello_or_after_one_has_quit() -> None:
    me = connection()
    with pytest.raises(RuntimeError, match=r"gbroadcast: there is no connection yet: hello\(\) begins one"):
        me.send(Say(group="wob", msg="hi"))
    assert me.wanted() == b""
    me.hello()
    me.receive(welcome("i1", wob=4))
    me.send(Quit())
    with pytest.raises(RuntimeError, match="ping: this connection was quit"):
        me.send(Ping())
    assert me.wanted() == b""
    with pytest.raises(RuntimeError, match="client-hello: this connection was quit"):
        me.hello()
    me.closed()
    assert me.hello()


@pytest.mark.parametrize("request_", [Quit(id="q"), ReportError(id="q")])
def test_a_goodbye_that_was_asked_for_is_told_from_the_servers_own(request_: Quit | ReportError) -> None:
    me = opened()
    me.receive(line(action="server-quit", sender="alice"))
    assert not me.has_left
    me.send(request_)
    me.receive(line(action="server-quit", sender="alice", id="q"))
    assert me.has_left
    me.closed()
    me.hello()
    assert not me.has_left


def test_what_is_no_message_raises_nothing() -> None:
    me = opened()
    (odd,) = me.receive(b"[1,2]\n")
    assert isinstance(odd.message, Foreign)
    me.receive(b'{"action": ')
    assert me.mid_frame
    assert not me.broken
    me.receive(b"{" * 2_000_000)
    assert me.broken
    me.closed()
    me.hello()
    assert not me.broken


def test_what_a_program_gives_wrongly_is_said() -> None:
    me = opened()
    for nothing in ("hello", {"action": "ping"}, Say, None):
        with pytest.raises(TypeError, match=r"is no request: give one of libtchat, as Say\('wob', 'hello'\)"):
            me.send(nothing)  # type: ignore[arg-type]
    for seq, ts in ((1.5, ""), ("3", ""), (3, 7), (3, None), (-1, "")):
        with pytest.raises(ValueError, match=r"a seq is a number from 0 to .*, a ts is text"):
            me.mirror.resume("wob", seq, ts)  # type: ignore[arg-type]


@pytest.mark.parametrize("end", [ServerEnd, ClientEnd])
def test_whatever_holds_bytes_is_read_and_nothing_else(end: type[ServerEnd | ClientEnd]) -> None:
    ping = b'{"action":"ping","id":"p"}\n'
    for data in (bytearray(ping), memoryview(ping)):
        assert end().receive(data) == end().receive(ping) != []
    for nothing in ("text", None, 7):
        with pytest.raises(TypeError, match="bytes-like"):
            end().receive(nothing)  # type: ignore[arg-type]


def test_what_was_asked_by_nobody_is_marked() -> None:
    me = opened()
    me.send(Ping(id="p"), quiet=True)
    (heard,) = me.receive(line(action="ping", ts=TS, version=1, server="s", id="p"))
    assert heard.quiet
    me.send(ListStates(group="wob", id="s"))
    (heard,) = me.receive(line(action="states", group="wob", list=[], more=False, id="s"))
    assert not heard.quiet
