"""A client is learnt by what its own server says, as far as it shows that."""

from __future__ import annotations

from typing import Any

from libtchat.dialect.client import assemble_from_partner
from libtchat.dialect.dialect import Rule, dump, load
from libtchat.dialect.menu import menu_items
from libtchat.dialect.partner import filled, learn_from_partner
from libtchat.dialect.probe import Observation, Start, Tell, conduct
from libtchat.dialect.spread import Shape

HELLO = Rule("hello", {"op": "hi", "nick": "{who}"})
HEARD = Rule("broadcast", {"push": "all", "nick": "{who}", "body": "{text}"})
JOINED = Rule("join", {"push": "join", "nick": "{who}", "room": "{group}"})
ENTERED = Rule("join", {"op": "join", "result": "done", "room": "{group}"}, "own")
UNSEEN = Rule("invite", {"op": "invite", "result": "done"}, "own")
DEADLY = Rule("kick", {"push": "kick", "to": "{dest}"}, "dest")
USERS = Rule("users", {"op": "who", "nicks": ["{list}"]})
REFUSED = Rule("error", {"result": "failed", "why": "{say}"})
RULES = (HELLO, HEARD, JOINED, ENTERED, UNSEEN, DEADLY, USERS, REFUSED)


class Client:
    """A client on paper that ends when its user is kicked, and shows no invitation sent; its prompt is `> `."""

    def __init__(self) -> None:
        self.alive, self.welcomes = True, []  # type: tuple[bool, list[Any]]

    def observe(self, probe: Any) -> Observation:
        if isinstance(probe, Start):
            self.alive = True
            self.welcomes.append(probe.welcome)
            return Observation("", "> ")
        assert isinstance(probe, Tell)
        shown = ""
        for message in probe.messages:
            if message.get("push") == "kick" and message["to"] == "zqmebb":
                self.alive = False
            if self.alive and message.get("op") != "invite":
                shown += " ".join(map(str, message.values())) + "\n"
            shown += "> "
        return Observation("", shown, self.alive)


def learn(client: Client, rules: tuple[Rule, ...]) -> Any:
    return conduct(learn_from_partner("zqmebb", None, rules), client.observe)


def test_what_its_server_says_and_it_shows_is_its_dialect() -> None:
    client = Client()
    welcome, shown, fatal = learn(client, RULES)
    assert fatal == ()
    assert welcome == {"op": "hi", "nick": "zqmebb"} == client.welcomes[0]
    assert shown == [HELLO, HEARD, JOINED, ENTERED, USERS, REFUSED]
    assert len(client.welcomes) == 2  # it died once
    dialect = assemble_from_partner("p", Shape("zqmebb", action="op"), {"hello": {"op": "hi", "nick": "{me}"}}, shown)
    assert dialect.rule("join", "own") == ENTERED
    assert dialect.rule("join", "dest") == JOINED
    assert dialect.rule("say").template == {"push": "all", "nick": "server", "body": "{say}"}  # type: ignore[union-attr]
    assert load(dump(dialect)) == dialect


def test_who_shows_no_text_of_that_server_is_not_its_client() -> None:
    assert learn(Client(), (HELLO, JOINED)) == ({"op": "hi", "nick": "zqmebb"}, [], ())


class Fragile(Client):
    """One that ends over what it does not know."""

    def observe(self, probe: Any) -> Observation:
        seen = super().observe(probe)
        if isinstance(probe, Tell) and any("zqnonsense" in message.values() for message in probe.messages):
            self.alive = False
        return Observation(seen.sent, seen.screen, self.alive)


def test_what_it_does_not_know_may_be_its_end() -> None:
    _, shown, fatal = learn(Fragile(), RULES)
    assert fatal == ("unknown",)
    assert shown == [HELLO, HEARD, JOINED, ENTERED, USERS, REFUSED]


def test_events_are_written_as_its_server_writes_them() -> None:
    rule = Rule("states", {"type": "log", "list": ["{event}"]})
    frame = {"type": "log", "list": [{"at": "2026-01-31 10:42:03.123456", "text": "bob a créé le salon", "n": 1}]}
    assert filled(rule, [("states", frame)]).template == {
        "type": "log",
        "list": [{"at": "", "text": "{event}", "n": 0}],
    }
    assert filled(rule, [("states", {"type": "log", "list": ["bob joined"]})]) == rule


def test_what_a_template_leaves_out_is_there_and_empty() -> None:
    rule = Rule("text", {"type": "m", "data": {"who": "{who}"}, "list": [{"text": "{text}"}]})
    frame = {"type": "m", "data": {"who": "bob", "at": "10:42:03"}, "n": 7, "no": None, "list": [{"text": "x", "n": 1}]}
    assert filled(rule, [("join", frame), ("text", frame)]).template == {
        "type": "m",
        "data": {"who": "{who}", "at": ""},
        "list": [{"text": "{text}", "n": 0}],
        "n": 0,
    }
    assert filled(rule, [("text", {"type": "other"})]) is rule


def test_a_menu_may_have_columns() -> None:
    menu = (
        "===== MENU =====\n 1. Message privé          9. Liste des groupes\n 2) Message à tous | 10) Quitter\n Choix : "
    )
    assert menu_items(menu) == {
        "1": "Message privé",
        "9": "Liste des groupes",
        "2": "Message à tous",
        "10": "Quitter",
    }
    assert menu_items("1 - Aide  (2 pages)") == {"1": "Aide  (2 pages)"}
