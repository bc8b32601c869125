"""Between two dialects: each meaning comes out in the other's words, silence is filled, what kills is asked about."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import evolve

from libtchat.dialect.dialect import Dialect, Rule
from libtchat.dialect.effect import Effect, End, ToClient, ToServer
from libtchat.dialect.telling import Retold
from libtchat.dialect.translate import GUARD_SECONDS, MADE_UP, Translator
from libtchat.dialect.waiting import ACK_SECONDS
from libtchat.message.event import Kicked, Said
from libtchat.wire.codec import encode

TS = "2026-11-26T08:00:00.000Z"

CLIENT = Dialect(
    "c", "client", ("do",),
    requests={
        "hello": {"who": "{me}", "do": "hi"},
        "join": {"who": "{me}", "room": "{group}", "do": "in"},
        "kick": {"who": "{me}", "room": "{group}", "whom": "{dest}", "why": "{reason}", "do": "out"},
        "text": {"who": "{me}", "room": "{group}", "t": "{text}", "do": "say"},
        "tell": {"who": "{me}", "whom": "{dest}", "t": "{text}", "do": "tell"},
        "members": {"who": "{me}", "room": "{group}", "do": "all"},
    },
    answers=(
        Rule("join", {"do": "came", "who": "{who}", "room": "{group}"}),
        Rule("kick", {"do": "threw", "whom": "{dest}", "room": "{group}", "why": "{reason}"}),
        Rule("text", {"do": "said", "who": "{who}", "t": "{text}"}),
        Rule("members", {"do": "all", "all": ["{list}"]}),
        Rule("say", {"do": "note", "t": "{say}"}),
    ),
)  # fmt: skip

SERVER = Dialect(
    "s", "server", ("a",),
    requests={kind: {"a": kind, "me": "{me}", "g": "{group}", "d": "{dest}", "m": "{text}", "r": "{reason}"}
              for kind in ("hello", "join", "kick", "text", "members", "tell", "users")},
    answers=(
        Rule("join", {"a": "join", "m": "{who} joined {group}"}),
        Rule("kick", {"a": "kick", "m": "{dest} was kicked from {group}: {reason}"}),
        Rule("text", {"a": "text", "m": "{group} | {who} : {text}"}),
        Rule("members", {"a": "members", "m": "members of {group}: {list}"}),
        Rule("users", {"a": "users", "all": ["{list}"]}),
        Rule("tell", {"a": "tell", "m": "from {who} : {text}"}, "dest"),
        Rule("error", {"a": "join", "m": "no group {group}"}),
        Rule("connect", {"a": "info", "m": "{who} is here"}),
    ),
    silent=("kick",),
    fatal=("tell-nobody", "join-twice"),
    typed=("connect",),
)  # fmt: skip


def out(effects: list[Effect]) -> list[Any]:
    found: list[Any] = []
    for effect in effects:
        side = {ToClient: "client", ToServer: "server", End: "end"}[type(effect)]
        found.append((side, json.loads(effect.data)) if isinstance(effect, ToClient | ToServer) else side)
    return found


class Both:
    def __init__(self, client: Dialect | None = CLIENT, server: Dialect | None = SERVER, **more: Any) -> None:
        self.it = Translator(client, server, **more)
        self.now = 0.0

    def asks(self, **message: Any) -> list[Any]:
        return out(self.it.from_client(json.dumps(message).encode(), self.now))

    def says(self, **message: Any) -> list[Any]:
        return out(self.it.from_server(json.dumps(message).encode(), self.now))

    def waits(self, seconds: float) -> list[Any]:
        self.now += seconds
        return out(self.it.tick(self.now))


def test_a_kick_goes_from_one_dialect_to_the_other() -> None:
    both = Both()
    both.asks(who="al", do="hi")
    asked = both.asks(who="al", room="wob", whom="bob", why="spam", do="out")
    assert asked == [("server", {"a": "kick", "me": "al", "g": "wob", "d": "bob", "r": "spam"})]
    came = both.says(a="kick", m="bob was kicked from wob: spam")
    assert came == [("client", {"do": "threw", "whom": "bob", "room": "wob", "why": "spam"})]


def test_entries_that_a_client_has_no_word_for_are_said_in_a_sentence() -> None:
    client = evolve(CLIENT, requests={**CLIENT.requests, "states": {"who": "{me}", "room": "{group}", "do": "log"}},
                    answers=(*CLIENT.answers, Rule("states", {"do": "log", "all": [{"name": "{who}"}]})))  # fmt: skip
    server = evolve(SERVER, requests={**SERVER.requests, "states": {"a": "states", "g": "{group}"}},
                    answers=(*SERVER.answers, Rule("states", {"a": "states", "log": ["{event}"]})))  # fmt: skip
    both = Both(client, server)
    both.asks(who="al", do="hi")
    both.asks(who="al", room="wob", do="log")
    came = both.says(a="states", log=["opened by al", "bob came"])
    assert came == [("client", {"do": "note", "t": "opened by al / bob came"})]


def test_what_a_server_never_acknowledges_is_made_up_and_says_so() -> None:
    both = Both()
    both.asks(who="al", do="hi")
    both.asks(who="al", room="wob", whom="bob", why="spam", do="out")
    assert both.waits(ACK_SECONDS / 2) == []
    own, note = both.waits(ACK_SECONDS)
    assert own[1]["do"] == "threw"
    assert note == ("client", {"do": "note", "t": f"al kicked bob from wob: spam{MADE_UP}"})
    assert both.waits(60) == []


def test_a_refusal_ends_the_waiting_for_an_acknowledgement() -> None:
    both = Both()
    both.asks(who="al", do="hi")
    both.asks(who="al", room="wob", do="in")
    assert both.says(a="join", m="no group wob") == [("client", {"do": "note", "t": "no group wob"})]
    both.asks(who="al", room="wob", whom="bob", why="", do="out")
    assert both.says(a="kick", m="you may not") == [("client", {"do": "note", "t": "you may not"})]
    assert both.waits(5) == []


def test_a_text_to_nobody_does_not_reach_a_server_that_it_would_kill() -> None:
    both = Both()
    both.asks(who="al", do="hi")
    assert both.asks(who="al", whom="nix", t="hi", do="tell") == [("server", {"a": "users", "me": "al", "r": ""})]
    assert both.asks(who="al", room="wob", t="later", do="say") == []
    came = both.says(a="users", all=["al", "bob"])
    assert came[0] == ("client", {"do": "note", "t": "nix is not there"})
    assert came[1][1]["a"] == "text"
    both.asks(who="al", whom="bob", t="hi", do="tell")
    assert both.says(a="users", all=["al", "bob"])[0][1]["a"] == "tell"


def test_a_guard_that_is_not_answered_refuses() -> None:
    both = Both()
    both.asks(who="al", do="hi")
    both.asks(who="al", whom="nix", t="hi", do="tell")
    assert "did not say" in both.waits(GUARD_SECONDS + 0.1)[0][1]["t"]


def test_nobody_joins_twice_where_that_kills() -> None:
    both = Both()
    both.asks(who="al", do="hi")
    assert both.asks(who="al", room="wob", do="in")[0][0] == "server"
    both.says(a="join", m="al joined wob")
    assert all(side == "client" for side, _ in both.asks(who="al", room="wob", do="in"))


def test_a_notice_that_anybody_could_have_typed_is_shown_and_no_more() -> None:
    assert Both().says(a="info", m="eve is here") == [("client", {"do": "note", "t": "eve is here"})]
    ((_, message),) = Both(client=None).says(a="info", m="eve is here")
    assert (message["action"], message["msg"]) == ("server-broadcast", "eve is here")
    assert "event" not in message


@pytest.mark.parametrize("text", ["{who}", "bob joined wob", 'a"b\\', "x : y | z", "é" * 8000, "{{}}"])
def test_texts_come_through_as_they_are(text: str) -> None:
    both = Both()
    both.asks(who="al", do="hi")
    assert both.asks(who="al", room="wob", t=text, do="say")[0][1]["m"] == text
    assert both.says(a="text", m=f"wob | bob : {text}") == [("client", {"do": "said", "who": "bob", "t": text})]


def test_what_nobody_has_a_word_for_is_shown_as_it_is() -> None:
    assert Both().says(a="weather", text="rain") == [("client", {"do": "note", "t": "rain"})]
    assert Both().says(a="weather", c=3) == [("client", {"do": "note", "t": '{"a": "weather", "c": 3}'})]


def test_a_client_of_this_protocol_is_answered_in_it() -> None:
    both = Both(client=None)
    both.it.ts = "2026-01-31T10:00:00.000Z"
    both.asks(action="client-hello", **{"from": "al"})
    assert both.asks(action="ping", id="p")[0][1] | {"ts": ""} == {
        "action": "ping", "ts": "", "version": 1, "server": "tchat bridge", "id": "p", "msg": "pong from tchat bridge"
    }  # fmt: skip
    both.asks(action="join", sender="al", group="wob", id="7")
    ((_, joined),) = both.says(a="join", m="al joined wob")
    assert joined == {
        "action": "join", "sender": "al", "from": "al", "group": "wob", "seq": 1, "ts": both.it.ts, "id": "7",
        "msg": "al joined wob",
    }  # fmt: skip
    both.asks(action="members", sender="al", group="wob", id="8")
    ((_, members),) = both.says(a="members", m="members of wob: al, bob")
    assert (members["list"], members["id"]) == (["al", "bob"], "8")
    assert both.asks(action="register", sender="al", password="x", id="9")[0][1]["code"] == "unavailable"
    assert both.asks(action="nonsense", id="10")[0][1]["code"] == "unknown-action"


def test_a_client_of_another_dialect_talks_to_our_server() -> None:
    both = Both(server=None)
    assert both.asks(who="al", do="hi")[0][1]["action"] == "client-hello"
    assert both.asks(who="al", room="wob", do="in")[0][1] == {
        "action": "join",
        "group": "wob",
        "sender": "al",
        "from": "al",
        "name": "al",
    }
    ours = {
        "action": "join",
        "sender": "bob",
        "from": "bob",
        "group": "wob",
        "seq": 2,
        "ts": "",
        "msg": "bob joined wob",
    }
    assert both.says(**ours) == [("client", {"do": "came", "who": "bob", "room": "wob"})]
    assert both.says(action="error", code="banned", group="wob", msg="you are banned") == [
        ("client", {"do": "note", "t": "you are banned"})
    ]
    assert both.says(action="server-quit", msg="bye")[-1] == "end"


def test_who_cannot_type_join_joins_when_invited_if_that_is_wanted() -> None:
    cannot = Dialect("n", "client", requests={"hello": CLIENT.requests["hello"]}, answers=CLIENT.answers)
    invite = {"action": "invite", "sender": "bob", "group": "wob", "dest": "al", "seq": 3, "ts": "", "msg": "-"}
    for wanted, sides in ((True, ["client", "server"]), (False, ["client"])):
        both = Both(cannot, None, joins_invited=wanted)
        both.asks(who="al", do="hi")
        assert [side for side, _ in both.says(**invite)] == sides


def test_a_server_that_vanishes_is_told_of() -> None:
    both = Both()
    assert out(both.it.lost()) == [("client", {"do": "note", "t": "the server has closed the connection"}), "end"]


@pytest.mark.parametrize("frame", [b"{}", b'{"a":1}', b'{"a":{"b":[]}}', b'{"action":null}', b"{" * 5000 + b"}" * 5000])
def test_any_frame_from_either_side_is_borne(frame: bytes) -> None:
    for client in (CLIENT, None):
        for server in (SERVER, None):
            translator = Translator(client, server)
            translator.from_client(frame, 0.0)
            translator.from_server(frame, 0.0)
            translator.tick(100.0)


def test_a_client_that_may_speak_two_dialects_is_told_in_both() -> None:
    rules = (
        Rule("join", {"do": "came", "room": "{group}", "qui": "{who}"}),
        Rule("text", {"do": "dit", "t": "{text}"}),
    )
    both = Both(others=(Dialect("d", "client", ("do",), requests=CLIENT.requests, answers=rules),))
    both.asks(who="al", do="hi")
    joined = both.says(a="join", m="bob joined wob")
    assert joined == [("client", {"do": "came", "who": "bob", "room": "wob", "qui": "bob"})]
    assert [message["do"] for _, message in both.says(a="text", m="wob | bob : hi")] == ["said", "dit"]


def test_a_server_of_this_protocol_is_asked_as_it_is_and_nothing_is_waited_for() -> None:
    both = Both(CLIENT, None)
    both.asks(who="al", do="hi")
    both.asks(who="al", room="wob", whom="bob", why="spam", do="out")
    assert both.it.due() is None
    assert both.asks(action="register", password="x") == [("server", {"action": "register", "password": "x"})]
    assert both.asks(action="nonsense") == [("server", {"action": "nonsense"})]


def test_who_are_told_the_same_share_its_translation_and_nobody_else_s() -> None:
    retold = Retold()
    al, bob, zoe = (Translator(CLIENT, None, retold=retold, me=me) for me in ("al", "bob", "zoe"))
    kicked = encode(Kicked("al", "wob", "bob", "spam", 7, TS))
    told = {it.me: it.from_server(kicked, 0.0) for it in (al, bob, zoe)}
    again = Translator(CLIENT, None, retold=retold, me="eve").from_server(kicked, 0.0)
    assert again == told["zoe"]
    assert all(one.data is other.data for one, other in zip(told["zoe"], again, strict=True))  # type: ignore[union-attr]
    alone = {me: Translator(CLIENT, None, me=me).from_server(kicked, 0.0) for me in ("al", "bob", "zoe")}
    assert told == alone


def test_what_was_translated_is_not_kept_for_ever() -> None:
    retold = Retold()

    def told(number: int) -> bytes:
        said = encode(Said("al", "wob", f"{number}" * 400_000, number + 1, TS))
        (one,) = Translator(CLIENT, None, retold=retold, me="bob").from_server(said, 0.0)
        assert isinstance(one, ToClient)
        return one.data

    first = told(0)
    assert told(0) is first
    for number in range(1, 9):
        told(number)
    assert told(0) is not first
