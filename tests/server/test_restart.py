"""What a server's users find after it was stopped or killed and started again on the same file."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from drivers import CASES, SocketDriver
from live import Client, Json, serving
from scenario import Run


class Site:
    """A server's file, and the server that runs on it now."""

    def __init__(self, directory: Path, stack: contextlib.ExitStack) -> None:
        self._directory, self._stack = directory, stack
        self._clients: list[Client] = []
        self.db = directory / "tchat.db"
        self.start()

    def start(self) -> None:
        self.server = self._stack.enter_context(serving(self._directory, "--db", str(self.db)))

    def client(self, name: str | None = None) -> Client:
        client = self.server.client(name)
        self._stack.callback(client.sock.close)
        self._clients.append(client)
        return client

    def hang_up(self) -> None:
        """Let everybody go, and be sure that the server knows."""
        while self._clients:
            self._clients.pop().sock.close()
        watch = self.client("watch")
        assert any(watch.ask(action="client-list-clients")["list"] == ["watch"] for _ in range(10_000))
        watch.sock.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with contextlib.ExitStack() as stack:
        yield Site(tmp_path, stack)


def stop(site: Site) -> None:
    assert site.server.stop() == 0
    site.start()


def kill(site: Site) -> None:
    site.server.kill()
    site.start()


Ending = Callable[[Site], None]
restarts = pytest.mark.parametrize("ending", [stop, kill], ids=["SIGTERM", "kill -9"])
interruptions = pytest.mark.parametrize("ending", [Site.hang_up, stop, kill], ids=["reconnect", "SIGTERM", "kill -9"])


@restarts
def test_everybody_finds_groups_roles_bans_and_invitations(site: Site, ending: Ending) -> None:
    alice, bob, _, dan, eve = (site.client(name) for name in ("Alice", "bob", "carol", "dan", "eve"))
    alice.ask(action="cgroupe", group="wob")
    for client in (bob, dan, eve):
        client.ask(action="join", group="wob")
    alice.sync()
    alice.ask(action="invite", group="wob", dest="carol")
    alice.ask(action="kick", group="wob", dest="dan", reason="rest")
    alice.ask(action="ban", group="wob", dest="eve", reason="spam")
    alice.ask(action="cgroupe", group="Den", private=True)
    invitation = alice.ask(action="invite", group="den", dest="bob")
    bob.ask(action="cgroupe", group="left")
    bob.until("cgroupe")
    bob.ask(action="leave", group="left")
    ending(site)
    alice, bob, carol, dan, eve = (site.client(name) for name in ("alice", "bob", "carol", "dan", "eve"))
    assert alice.welcome["from"] == "alice"
    assert (alice.welcome["groups"], alice.welcome["seqs"]) == (["Den", "wob"], {"Den": 2, "wob": 7})
    assert (bob.welcome["groups"], bob.welcome["seqs"]) == (["wob"], {"wob": 7})
    assert bob.sync() == [invitation]
    assert (carol.welcome["groups"], [event["action"] for event in carol.sync()]) == ([], ["invite"])
    assert dan.welcome["groups"] == eve.welcome["groups"] == []
    assert dan.sync() == eve.sync() == []
    members = bob.ask(action="members", group="wob")
    assert {key: members[key] for key in ("seq", "list", "owner", "online", "invited", "banned")} == {
        "seq": 7,
        "list": ["Alice", "bob"],
        "owner": "Alice",
        "online": ["Alice", "bob"],
        "invited": ["carol"],
        "banned": ["eve"],
    }
    assert eve.code(action="join", group="wob") == "banned"
    assert bob.code(action="kick", group="wob", dest="alice") == "forbidden"
    assert dan.code(action="join", group="den") == "invite-required"
    assert dan.code(action="cgroupe", group="LEFT") == "group-exists"
    assert [client.ask(action="join", group=group)["seq"] for client, group in ((bob, "den"), (carol, "wob"))] == [3, 8]
    assert dan.ask(action="join", group="left")["owner"] == "dan"
    alice.sync()
    assert alice.ask(action="unban", group="wob", dest="eve")["seq"] == 9
    carol.sync()
    assert carol.ask(action="groups")["list"] == ["left", "wob"]


@restarts
def test_states_with_all_and_after_is_exactly_what_was_missed(site: Site, ending: Ending) -> None:
    alice, bob = site.client("alice"), site.client("bob")
    alice.ask(action="cgroupe", group="wob")
    bob.ask(action="join", group="wob")
    known = bob.ask(action="gbroadcast", group="wob", msg="the last thing bob heard")["seq"]
    bob.sock.close()
    alice.sync()
    missed = [alice.ask(action="gbroadcast", group="wob", msg=f'{n} "é" \\ \u2028') for n in range(5)]
    missed.append(alice.ask(action="ban", group="wob", dest="eve", reason="no reason; none", id="b"))
    missed += [alice.ask(action="gbroadcast", group="wob", msg=f"{n}", id=f"i{n}") for n in range(5)]
    ending(site)
    bob = site.client("bob")
    assert bob.welcome["seqs"] == {"wob": missed[-1]["seq"]}
    caught_up: list[Json] = []
    for page in pages(bob, "wob", known):
        assert page["first"] == page["list"][0]["seq"]
        assert page["last"] == page["list"][-1]["seq"]
        caught_up += page["list"]
    assert caught_up == missed
    assert bob.ask(action="states", group="wob", all=True, after=missed[-1]["seq"])["list"] == []


def pages(client: Client, group: str, after: int) -> Iterator[Json]:
    """Go through a group's events after a seq, in pages of three."""
    for _ in itertools.count():
        page = client.ask(action="states", group=group, all=True, after=after, limit=3)
        yield page
        if not page["more"]:
            return
        after = page["last"]


REQUESTS: dict[str, tuple[str, Json]] = {
    "cgroupe": ("alice", {"action": "cgroupe", "group": "new"}),
    "private cgroupe": ("alice", {"action": "cgroupe", "group": "secret", "private": True}),
    "gbroadcast": ("bob", {"action": "gbroadcast", "group": "wob", "msg": "bonjour"}),
    "invite": ("bob", {"action": "invite", "group": "wob", "dest": "carol"}),
    "join": ("carol", {"action": "join", "group": "wob"}),
    "kick": ("alice", {"action": "kick", "group": "wob", "dest": "carol", "reason": "why not"}),
    "ban": ("alice", {"action": "ban", "group": "wob", "dest": "carol", "reason": "spam"}),
    "unban": ("alice", {"action": "unban", "group": "wob", "dest": "carol"}),
    "leave": ("bob", {"action": "leave", "group": "wob"}),
}


@interruptions
def test_a_retry_by_id_gets_the_first_answer_and_makes_no_second_event(site: Site, ending: Ending) -> None:
    def users() -> dict[str, Client]:
        return {name: site.client(name) for name in ("alice", "bob", "carol")}

    clients = users()
    clients["alice"].ask(action="cgroupe", group="wob")
    clients["bob"].ask(action="join", group="wob")
    first: dict[str, Json] = {}
    for id, (name, request) in REQUESTS.items():
        for client in clients.values():
            client.sync()
        first[id] = clients[name].ask(**request, id=id)
        assert (first[id]["action"], first[id]["id"]) == (request["action"], id)
    seqs = {answer["group"]: answer["seq"] for answer in first.values()}
    ending(site)
    clients = users()
    for id, (name, request) in REQUESTS.items():
        assert clients[name].ask(**request, id=id) == first[id]
        other = {**request, "group": "another"}
        refusal = clients[name].ask(**other, id=id)
        assert (refusal["action"], refusal.get("code"), refusal.get("field")) == ("error", "bad-request", "id")
    for client in clients.values():
        assert client.sync() == []
    alice = clients["alice"]
    assert {group: alice.ask(action="members", group=group)["seq"] for group in seqs} == seqs
    assert clients["carol"].code(action="cgroupe", group="new", id="cgroupe") == "group-exists"  # hers, not a retry
    assert alice.ask(action="gbroadcast", group="wob", msg="bonjour", id="gbroadcast")["seq"] == seqs["wob"] + 1


@restarts
def test_a_protected_name_needs_its_password_and_others_come_back_without(site: Site, ending: Ending) -> None:
    alice, bob = site.client("alice"), site.client("bob")
    assert alice.ask(action="register", password="correct horse")["action"] == "register"
    bob.ask(action="cgroupe", group="wob")
    tokens = {client.name: client.welcome["token"] for client in (alice, bob)}
    ending(site)

    def hello(name: str, **proof: Any) -> Json:
        return site.client().ask(action="client-hello", **{"from": name}, **proof)

    assert hello("alice")["code"] == "auth-required"
    assert hello("ALICE", token=tokens["alice"])["code"] == "auth-failed"
    assert hello("alice", password="wrong horse")["code"] == "auth-failed"
    welcome = hello("alice", password="correct horse")
    assert welcome["action"] == "server-hello"
    assert welcome["token"] != tokens["alice"]
    assert hello("alice", token=welcome["token"])["action"] == "server-hello"
    back = hello("bob", token=tokens["bob"])
    assert (back["action"], back["groups"]) == ("server-hello", ["wob"])
    assert back["token"] != tokens["bob"]
    assert hello("bob", token=tokens["bob"])["code"] == "name-in-use"


@restarts
def test_a_guest_is_gone_with_the_server_and_its_groups_are_told(site: Site, ending: Ending) -> None:
    alice, guest = site.client("alice"), site.client()
    name = guest.ask(action="client-hello")["from"]
    guest.ask(action="cgroupe", group="wob")
    alice.ask(action="join", group="wob")
    guest.until("join")
    ending(site)
    alice, other = site.client("alice"), site.client()
    assert alice.welcome["groups"] == ["wob"]
    assert other.ask(action="client-hello")["from"] != name
    alice.send(action="members", group="wob")
    members = alice.until("members")
    assert (members[-1]["list"], members[-1]["owner"], members[-1]["seq"]) == (["alice"], "alice", 3)
    log = alice.ask(action="states", group="wob")["list"]
    assert (log[-1]["action"], log[-1]["sender"], log[-1]["owner"]) == ("leave", name, "alice")
    assert alice.ask(action="gbroadcast", group="wob", msg="alone")["seq"] == 4


def test_bytes_of_a_live_message_are_the_bytes_in_history_after_a_restart(site: Site) -> None:
    alice = site.client("alice")
    alice.ask(action="cgroupe", group="wob")
    live = []
    for text in ("plain", 'quotes " and \\', "é \u2028 \U0001f600", "\x1b[0m\x7f"):
        alice.send(action="gbroadcast", group="wob", msg=text)
        live.append(alice.line())
    kill(site)
    alice = site.client("alice")
    alice.send(action="msgs", group="wob")
    page = alice.line()
    assert None not in live
    assert page is not None
    assert b"[" + b",".join(filter(None, live)) + b"]" in page
    assert len(json.loads(page)["list"]) == 4


@pytest.fixture(scope="module")
def durable_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    directory = tmp_path_factory.mktemp("durable")
    with serving(directory, "--db", str(directory / "tchat.db"), "--broadcasts-per-second", "0") as server:
        yield server.port


@pytest.mark.parametrize("case", list(CASES.values()), ids=lambda case: case["id"])
def test_every_scenario_holds_over_a_file(case: dict[str, Any], durable_port: int) -> None:
    Run(case, SocketDriver(durable_port)).run()
