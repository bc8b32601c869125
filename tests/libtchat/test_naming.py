"""Servers that call their requests otherwise than the course are learnt by trying; refusals are no acknowledgements."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from libtchat.dialect.answers import as_page, errors_of
from libtchat.dialect.dialect import Dialect, Rule
from libtchat.dialect.probe import conduct
from libtchat.dialect.questions import Close, Connect, Send, ServerSeen
from libtchat.dialect.reading import read_answer
from libtchat.dialect.request_names import Spelling, names_to_try, spelling_of
from libtchat.dialect.server import learn_server

WORDS = {
    "hello": "connexion",
    "users": "liste",
    "tell": "prive",
    "broadcast": "tous",
    "groups": "salons",
    "create": "creer_salon",
    "join": "rejoindre",
    "text": "message_salon",
    "members": "membres",
    "messages": "historique",
    "states": "evenements",
    "invite": "inviter",
    "kick": "exclure",
    "ban": "bannir",
    "unban": "debannir",
    "leave": "quitter_salon",
    "quit": "deconnexion",
}


class OtherWords:
    """A server on paper: its fields stand in `data`, its names are French, and what it does not know it refuses."""

    def __init__(self, words: dict[str, str], *, closes: bool = False) -> None:
        self.kinds = {name: kind for kind, name in words.items()}
        self.closes = closes
        self.closed: set[str] = set()
        self.users: dict[str, str] = {}
        self.groups: dict[str, dict[str, list[str]]] = {}
        self.heard: list[tuple[str, str]] = []

    def observe(self, probe: Connect | Send | Close) -> ServerSeen:
        self.heard = []
        if isinstance(probe, Connect):
            self.gone(probe.who)
            self.closed.discard(probe.who)
        elif isinstance(probe, Close):
            self.gone(probe.who)
        elif isinstance(probe, Send) and probe.who not in self.closed:
            message, told = probe.message, len(self.heard)
            name = message.get("type") if isinstance(message.get("data"), dict) else None
            kind = self.kinds.get(name)
            if kind is None or (kind != "hello" and probe.who not in self.users):
                self.say(probe.who, type="erreur", data={"demande": name, "message": f"Type inconnu : {name}"})
            elif kind == "quit":
                self.gone(probe.who)
                self.closed.add(probe.who)
            else:
                self.do(kind, name, probe.who, message["data"])
            if self.closes and kind is None:
                self.heard = self.heard[:told]
                self.gone(probe.who)
                self.closed.add(probe.who)
        return ServerSeen(tuple(self.heard), True, tuple(self.closed))

    def say(self, who: str, **message: Any) -> None:
        self.heard.append((who, json.dumps(message)))

    def gone(self, who: str) -> None:
        name = self.users.pop(who, None)
        for group, found in self.groups.items():
            if name in found["membres"]:
                found["membres"].remove(name)
                self.tell_members(group, type="depart", data={"salon": group, "pseudo": name})

    def tell_members(self, group: str, **message: Any) -> None:
        for who, name in self.users.items():
            if name in self.groups[group]["membres"]:
                self.say(who, **message)

    def do(self, kind: str, name: str, who: str, data: dict[str, str]) -> None:
        me, salon = self.users.get(who, ""), data.get("salon", "")
        dest = next((at for at, user in self.users.items() if user == data.get("destinataire")), None)
        found = self.groups.get(salon)
        done = {"type": f"{name}_ok", "data": {"salon": salon}}
        if kind == "hello":
            self.users[who] = data["pseudo"]
            self.say(who, type="bienvenue", data={"pseudo": data["pseudo"]})
        elif kind == "users":
            self.say(who, type=name, data={"pseudos": [*self.users.values()]})
        elif kind == "groups":
            found_so = [{"chef": (f["membres"] or ["?"])[0], "nom": g} for g, f in self.groups.items()]
            self.say(who, type=name, data={"salons": found_so})
        elif kind in ("tell", "broadcast"):
            for at in self.users:
                if at != who and (kind == "broadcast" or at == dest):
                    self.say(at, type=name, data={"expediteur": me, "contenu": data["contenu"]})
        elif kind == "create":
            self.groups[salon] = {"membres": [me], "bannis": [], "textes": []}
            self.say(who, **done)
        elif found is None or (kind == "join" and me in found["bannis"]):
            self.say(who, type="erreur", data={"demande": name, "message": f"pas de salon {salon}"})
        else:
            self.do_in_group(kind, name, who, data, found, dest)

    def do_in_group(self, kind: str, name: str, who: str, data: dict[str, str], found: Any, dest: str | None) -> None:
        me, salon, other = self.users[who], data["salon"], data.get("destinataire", "")
        if kind == "join" and me not in found["membres"]:
            found["membres"].append(me)
        elif kind == "leave" and me in found["membres"]:
            found["membres"].remove(me)
        elif kind in ("kick", "ban") and other in found["membres"]:
            found["membres"].remove(other)
            found["bannis"] += [other] if kind == "ban" else []
        elif kind == "unban" and other in found["bannis"]:
            found["bannis"].remove(other)
        elif kind == "text":
            found["textes"].append(data["contenu"])
            for at, user in self.users.items():
                if at != who and user in found["membres"]:
                    self.say(at, type=name, data={"salon": salon, "expediteur": me, "contenu": data["contenu"]})
        elif kind == "members":
            self.say(who, type=name, data={"salon": salon, "membres": [*found["membres"]]})
            return
        elif kind == "messages":
            self.say(who, type=name, data={"messages": [{"qui": me, "contenu": text} for text in found["textes"]]})
            return
        elif kind == "states":
            self.say(who, type=name, data={"faits": [{"quoi": "created", "qui": me}]})
            return
        elif kind == "invite" and dest is not None:
            self.say(dest, type="invitation", data={"salon": salon, "expediteur": me})
        else:
            self.say(who, type="erreur", data={"demande": name, "message": "rien à faire"})
            return
        self.say(who, type=f"{name}_ok", data={"salon": salon})


CAPITALS = {kind: kind.upper() for kind in WORDS} | {
    "hello": "LOGIN",
    "users": "WHO",
    "tell": "WHISPER",
    "broadcast": "SHOUT",
    "groups": "ROOMS",
    "create": "CREATE_ROOM",
    "text": "SAY",
    "messages": "HISTORY",
    "states": "LOG",
}
ENGLISH = {kind: kind for kind in WORDS} | {"users": "list", "tell": "send", "text": "gbroadcast", "messages": "msgs"}


@pytest.mark.parametrize(
    ("words", "closes"),
    [(WORDS, False), (CAPITALS, False), (ENGLISH, True)],
    ids=["French", "capitals", "it closes"],
)
def test_names_are_found_by_what_they_do(words: dict[str, str], closes: bool) -> None:
    finding = conduct(learn_server("paper"), OtherWords(words, closes=closes).observe)
    found = {kind: request["type"] for kind, request in finding.dialect.requests.items()}
    if closes:
        found["quit"] = words["quit"]  # anything that it does not know has the same effect
    assert found == words
    assert finding.dialect.requests["tell"]["data"]["destinataire"] == "{dest}"
    assert not finding.lacks
    assert conduct(learn_server("paper"), OtherWords(words, closes=closes).observe) == finding


def test_what_its_own_client_sends_is_taken_first() -> None:
    odd = {kind: f"x{number}" for number, kind in enumerate(WORDS)}
    fields = {"me": "pseudo", "dest": "destinataire", "group": "salon", "text": "contenu", "reason": "raison"}
    data = {fields[hole]: f"{{{hole}}}" for hole in fields}
    partner = Dialect("p", "client", ("type",), requests={k: {"type": name, "data": data} for k, name in odd.items()})
    finding = conduct(learn_server("paper", partner=partner), OtherWords(odd).observe)
    assert finding.dialect.requests == partner.requests
    assert finding.dialect.rule("text").template["data"]["contenu"] == "{text}"  # type: ignore[union-attr]
    assert not finding.lacks


def answers(words: dict[str, str]) -> Iterator[Rule]:
    yield from conduct(learn_server("paper"), OtherWords(words).observe).dialect.answers


def test_groups_have_names_and_owners_and_who_goes_leaves_them() -> None:
    rules = [*answers(WORDS)]
    assert next(rule.template for rule in rules if rule.kind == "groups")["data"]["salons"] == [
        {"chef": "{who}", "nom": "{group}"}
    ]
    assert {"type": "depart", "data": {"salon": "{group}", "pseudo": "{who}"}} in [
        rule.template for rule in rules if rule.kind == "leave"
    ]
    assert not any(rule.kind == "disconnect" for rule in rules)
    assert next(rule.template for rule in rules if rule.kind == "states")["data"]["faits"] == ["{event}"]


def test_a_refusal_is_known_by_what_all_refusals_share() -> None:
    acks = [Rule("join", {"action": "join_reply", "code": 200, "text": "welcome to {group}"}, "own")]
    seen = [
        ({"action": "join_reply", "code": 404, "text": "no such group"}, {}, "join"),
        ({"action": "kick_reply", "code": 403, "text": "not yours"}, {}, "kick"),
    ]
    assert [rule.template for rule in errors_of(seen, acks)] == [
        {"code": 404, "text": "{say}"},
        {"code": 403, "text": "{say}"},
    ]
    only_a_key: list[Any] = [
        ({"error": "no such group"}, {}, "join"),
        ({"error": "NOT_YOURS"}, {}, "kick"),
    ]
    assert [rule.template for rule in errors_of(only_a_key, acks)] == [{"error": "{say}"}]


def test_who_repeats_the_request_and_adds_an_error_refuses_it() -> None:
    echo = {"action": "join", "sender": "{who}", "group": "{group}"}
    server = Dialect("s", "server", requests={"join": echo}, answers=(Rule("join", echo),))
    meaning = read_answer(
        server, {"action": "join", "sender": "bob", "group": "wob", "error": "banned"}, "bob", ["join"]
    )
    assert (meaning.kind, meaning.get("about")) == ("error", "join")
    assert read_answer(server, {"action": "join", "sender": "bob", "group": "wob"}, "bob", ["join"]).kind == "join"


def test_an_event_is_shown_whole() -> None:
    assert as_page({"list": [{"who": "{who}"}]}, "states") == {"list": ["{event}"]}
    assert as_page({"sender": "{who}", "msg": "{who}: {text}"}, "messages") == {"sender": "{who}", "msg": "{say}"}
    assert as_page({"list": [{"who": "{who}", "text": "{text}"}]}, "messages") == {
        "list": [{"who": "{who}", "text": "{text}"}]
    }


def test_names_are_spelled_as_those_that_are_known() -> None:
    assert spelling_of("CREATE_ROOM") == (Spelling("", "_", "upper"),)
    assert spelling_of("client-hello")[0] == Spelling("client-", "-", "lower")
    assert spelling_of("newUser")[0] == Spelling("", "", "camel")
    first = [*names_to_try("create", spelling_of("list_all"), ("creer_salon", "zut"))]
    assert first[0] == "creer_salon"
    assert "zut" not in first
    assert len(first) == len({*first})
