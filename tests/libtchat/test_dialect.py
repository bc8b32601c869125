"""Dialects as values: templates write and read, files say what is wrong with them, clients are told apart."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libtchat.dialect.detect import Detector, alike, fitting_kind
from libtchat.dialect.dialect import Dialect, DialectError, Rule, Wire, dump, load
from libtchat.dialect.generalise import common, generalise, without_counters
from libtchat.dialect.template import Meaning, match, write

CLIENT = """
name = "team-7"
side = "client"
action = ["action"]
wire = { indent = 0, colon = ":", end = "\\n" }
[requests]
hello  = { user = "{me}", action = "client-hello" }
create = { user = "{me}", groupe = "{group}", action = "creer" }
[answers]
join   = { from = "{who}", room = "{group}", info = "{say}", action = "joined" }
users  = { people = ["{list}"], action = "people" }
say    = { info = "{say}", action = "notice" }
"""


@pytest.mark.parametrize(
    ("template", "meaning", "message"),
    [
        ({"a": "{who}: {text}"}, Meaning("text", {"who": "bob", "text": "{who} {{"}), {"a": "bob: {who} {{"}),
        ({"a": "{{{who}}}"}, Meaning("text", {"who": "bob"}), {"a": "{bob}"}),
        ({"a": "{reason}", "b": "x"}, Meaning("kick"), {"b": "x"}),
        ({"l": ["{list}"]}, Meaning("users", list=("a", "b")), {"l": ["a", "b"]}),
        ({"l": ["{list}"]}, Meaning("users", list=()), {"l": []}),
        ({"m": "in: {list}"}, Meaning("users", list=("a", "b")), {"m": "in: a, b"}),
        ({"l": [{"name": "{who}"}]}, Meaning("users", list=("a",)), {"l": [{"name": "a"}]}),
        (
            {"l": [{"from": "{who}", "msg": "{text}"}]},
            Meaning("messages", events=(Meaning("text", {"who": "a", "text": "hi"}),)),
            {"l": [{"from": "a", "msg": "hi"}]},
        ),
        ({"x": {"y": "{who}"}, "ok": True}, Meaning("join"), {"ok": True}),
    ],
)
def test_a_template_writes_a_meaning(template: Any, meaning: Meaning, message: Any) -> None:
    assert write(template, meaning, lambda entry: entry.get("say")) == message


@pytest.mark.parametrize(
    ("template", "message", "values"),
    [
        ({"m": "received from {who} : {text}"}, {"m": "received from bob : a : b"}, {"who": "bob", "text": "a : b"}),
        ({"m": "{who} left {group}"}, {"m": "bob left wob", "more": 1}, {"who": "bob", "group": "wob"}),
        ({"m": "{who} left {group}"}, {"m": "bob joined wob"}, None),
        ({"a": "x", "r": "{reason}"}, {"a": "x"}, {}),
        ({"a": "x"}, {"a": "y"}, None),
        ({"a": "x"}, {}, None),
        ({"ok": True}, {"ok": 1}, None),
        ({"w": {"a": "{text}"}}, {"w": {"a": "b\nc"}}, {"text": "b\nc"}),
        ({"w": {"a": "{text}"}}, {"w": "no object"}, None),
        ({"a": "{who}"}, ["a"], None),
    ],
)
def test_a_template_reads_what_it_describes(template: Any, message: Any, values: dict[str, str] | None) -> None:
    found = match(template, message)
    assert (None if found is None else found.values) == values


def test_lists_are_read_as_names_or_as_entries() -> None:
    assert match({"m": "members of {group}: {list}"}, {"m": "members of wob: a, b"}).list == ("a", "b")  # type: ignore[union-attr]
    assert match({"l": [{"name": "{who}"}]}, {"l": [{"name": "a", "age": 3}]}).entries == ({"who": "a"},)  # type: ignore[union-attr]
    assert match({"l": ["{who} : {text}"]}, {"l": ["a : hi"]}).entries == ({"who": "a", "text": "hi"},)  # type: ignore[union-attr]
    assert match({"l": ["{list}"]}, {"l": [1, 2]}) is None


@given(st.text(), st.text(min_size=1).filter(lambda text: ":" not in text))
def test_what_a_template_writes_it_reads(text: str, who: str) -> None:
    template = {"m": "<{who}:{text}>", "a": "say {{}}"}
    found = match(template, write(template, Meaning("text", {"who": who, "text": text})))
    assert found is not None
    assert found.values == {"who": who, "text": text}


def test_an_observation_becomes_a_template() -> None:
    seen = {"id": 100234, "at": "2026-01-31T10:00", "msg": "zqa joined zqg {x}", "ok": True, "empty": None, "l": []}
    assert generalise(seen, {"zqa": "who", "zqg": "group"}) == {"msg": "{who} joined {group} {{x}}", "ok": True}
    assert generalise({"l": ["zqa", "zqb"]}, {}, listed=frozenset(("zqa", "zqb"))) == {"l": ["{list}"]}
    assert generalise({"m": "in: zqa, zqb."}, {}, listed=frozenset(("zqa", "zqb"))) == {"m": "in: {list}."}
    assert generalise({"l": [{"name": "zqa", "size": 1}]}, {}, listed=frozenset(("zqa",))) == {"l": [{"name": "{who}"}]}
    assert common({"a": "x", "n": 1, "w": "{who}"}, {"a": "x", "n": 2}) == {"a": "x", "w": "{who}"}


def test_a_counter_is_no_part_of_a_request() -> None:
    counted = {"join": {"type": "join", "id": 3, "v": 1, "data": {}}, "leave": {"type": "leave", "id": 4, "v": 1}}
    assert without_counters(counted, ("type",)) == {
        "join": {"type": "join", "v": 1, "data": {}},
        "leave": {"type": "leave", "v": 1},
    }
    coded = {"join": {"type": "req", "op": 3}, "leave": {"type": "req", "op": 4}}
    assert without_counters(coded, ("type",)) == coded


def test_a_file_gives_the_dialect_back() -> None:
    dialect = load(CLIENT)
    assert [rule.kind for rule in dialect.answers] == ["users", "join", "say"]
    assert dialect.rule("join", "own") == dialect.answers[1]
    assert load(dump(dialect)) == dialect
    odd = Dialect(
        "é\"\\", "server", ("w", "a b"), Wire(2, ": ", "\r\n"), {"hello": {"w": {"a b": "x\x7f\n"}}},
        (Rule("join", {"a": "y"}), Rule("join", {"a": "z", "n": 1.5, "t": True}), Rule("join", {"a": "{{}}"}, "own")),
        ("join",), ("unknown",), True, ("connect",),
    )  # fmt: skip
    assert load(dump(odd)) == odd


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            ('user = "{me}", action = "client-hello"', 'user = "{nobody}", a = "x"'),
            "d.toml:7: requests.hello has a hole {nobody}",
        ),
        (('info = "{say}", action = "notice"', 'info = "{say}"'), "d.toml:12: answers.say matches everything"),
        (("create =", "creat ="), "d.toml:8: requests.creat is no kind of message"),
        (('side = "client"', 'side = "both"'), 'd.toml:3: side is "client" or "server"'),
        (("indent = 0", "indent = true"), "d.toml:5: wire is like"),
        (('name = "team-7"', 'name = "team-7"\nmood = 1'), "d.toml:3: mood is not known"),
        (('{ people = ["{list}"], action = "people" }', '"people"'), "d.toml:11: answers.users is a table"),
        (("[answers]", "[answers"), "d.toml: "),
    ],
)
def test_a_wrong_file_is_told_by_line_and_key(change: tuple[str, str], complaint: str) -> None:
    text = CLIENT.replace(*change)
    assert text != CLIENT
    with pytest.raises(DialectError) as caught:
        load(text, "d.toml")
    assert caught.value.detail.startswith(complaint)


def client(name: str, create: dict[str, str], wire: Wire | None = None) -> Dialect:
    hello = {"from": "{me}", "action": "client-hello"}
    return Dialect(name, "client", ("action",), wire or Wire(), {"hello": hello, "create": create})


ONE = client("one", {"sender": "{me}", "group": "{group}", "action": "cgroupe"})
TWO = client("two", {"from": "{me}", "group": "{group}", "action": "cgroup"})
SPACED = client("spaced", {"sender": "{me}", "group": "{group}", "action": "cgroupe"}, Wire(0, ": "))


def taken(detector: Detector, text: str) -> str | None:
    dialect = detector.take(json.loads(text), text)
    return None if dialect is None else dialect.name


def test_clients_are_told_apart_by_keys_and_layout() -> None:
    detector = Detector([ONE, TWO, SPACED])
    assert taken(detector, '{"from":"a","action":"client-hello"}') in ("one", "two")
    assert taken(detector, '{"from":"a","group":"g","action":"cgroup"}') == "two"
    assert taken(Detector([ONE, SPACED]), '{"from": "a", "action": "client-hello"}') == "spaced"
    assert taken(Detector([ONE]), '{"action":"client-hello","from":"a"}') is None
    assert taken(Detector([ONE]), '{"from":"a","name":"a","action":"client-hello"}') is None


@pytest.mark.parametrize("more", ['"id":7', '"at":"2026-01-31T10:42:00Z"', '"ts":1700000000', '"hour":"10:42:03"'])
def test_a_client_that_numbers_or_dates_what_it_sends_is_known(more: str) -> None:
    detector = Detector([ONE])
    assert taken(detector, f'{{"from":"a",{more},"action":"client-hello"}}') == "one"
    assert taken(detector, f'{{"sender":"a","group":"10:42",{more},"action":"cgroupe"}}') == "one"


def test_files_that_begin_alike_are_named_with_what_tells_them_apart() -> None:
    assert list(alike([ONE, TWO, SPACED])) == [("one", "two", ("create",))]
    assert list(alike([ONE, client("again", ONE.requests["create"])])) == [("one", "again", ())]


def test_of_requests_that_share_an_action_the_most_exact_fits() -> None:
    dialect = Dialect("x", "client", requests={"join": {"action": "g", "op": "j"}, "leave": {"action": "g", "op": "l"}})
    assert fitting_kind(dialect, {"action": "g", "op": "l"}) == "leave"
    assert fitting_kind(dialect, {"action": "h"}) is None
