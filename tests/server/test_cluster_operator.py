"""What an operator has done in a chat that two nodes share: asked anywhere, it holds everywhere."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from engine import Engine, engine
from live import TIMEOUT_SECONDS, Server, fresh, serving

from tchat_server.cli import cli
from tchat_server.ops.control import asked
from tchat_server.store.nats.connection import Connection
from tchat_server.store.nats.subject import RosterSubjects
from tchat_server.store.nats.url import parse_url

Run = Callable[..., str]


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine(tmp_path_factory.mktemp("engine")) as found:
        yield found


@pytest.fixture(scope="module")
def nodes(one: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """Two nodes, where a password takes a code."""
    places = [tmp_path_factory.mktemp(name) for name in ("here", "there")]
    options = ("--db", one.url(), "--registration", "invite")
    here, there = ((*options, "--cache", str(place / "copy.db")) for place in places)
    with serving(places[0], *here) as first, serving(places[1], *there) as second:
        yield first, second


@pytest.fixture
def here(nodes: tuple[Server, Server]) -> Iterator[Server]:
    yield nodes[0]
    nodes[0].close_clients()


@pytest.fixture
def there(nodes: tuple[Server, Server]) -> Iterator[Server]:
    yield nodes[1]
    nodes[1].close_clients()


@pytest.fixture
def run(one: Engine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs a command on the engine: it returns what was printed, or the one line that says why not."""

    def run(act: str, *words: str, code: int = 0, typed: str = "", db: str = "", prints: bool = False) -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        args = [act, db or one.url(), *words]
        if not code:
            cli.main(args, standalone_mode=False)
            return capsys.readouterr().out
        with pytest.raises(click.ClickException) as problem:
            cli.main(args, standalone_mode=False)
        line = problem.value.format_message()
        assert (problem.value.exit_code, "\n" in line, one.password in line) == (code, False, False)
        assert bool(capsys.readouterr().out) is prints
        return line

    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return run


def does(node: Server, act: str, **fields: Any) -> dict[str, Any]:
    """Ask one node, at the socket beside its copy."""
    with asked(node.directory / "copy.db.sock", {"act": act, **fields}, TIMEOUT_SECONDS) as answer:
        assert answer is not None, "no server listens"
        return dict(answer)


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_who_is_connected_anywhere_is_seen_from_anywhere(here: Server, there: Server, run: Run) -> None:
    names = {node.address: fresh("u") for node in (here, there)}
    here.client(names[here.address])
    there.client(names[there.address])
    listed = [rows(run("who", "--json")), *(does(node, "who")["rows"] for node in (here, there))]
    for each in listed:
        assert {row["node"]: row["name"] for row in each} == names
    text = run("who").splitlines()
    assert (text[0].split(), text[-1]) == (["NAME", "ADDRESS", "IN", "OUT", "NODE"], "users: 2, connections: 2")


def test_who_is_banned_is_gone_from_every_node_and_comes_in_nowhere(here: Server, there: Server, run: Run) -> None:
    name = fresh("bob")
    tabs = [here.client(name)]
    tabs.append(there.client())
    tabs[1].hello(name, token=tabs[0].welcome["token"])
    assert run("ban-user", name, "--for", "1h").endswith("(connections closed: 2)\n")
    for tab in tabs:
        assert tab.rest()[-1]["msg"].startswith("you are banned from this server until 20")
    for node in (here, there):
        refused = node.client().ask(action="client-hello", **{"from": name.upper()})
        assert (refused["code"], 3000 < refused["retry_after"] <= 3600) == ("forbidden", True)
    assert does(there, "ban-user", name=name) == {"done": "ban-user", "name": name, "until": "ever", "closed": 0}
    assert [row["banned"] for row in rows(run("users", "--json")) if row["name"] == name] == ["ever"]
    assert run("unban-user", name) == f"{name} may come in again\n"
    assert f"{name} is not banned" in run("unban-user", name, code=1)
    assert there.client(name).welcome["action"] == "server-hello"


def test_who_is_on_another_node_is_disconnected_and_may_come_back(here: Server, there: Server) -> None:
    bob = there.client(fresh("bob"))
    assert does(here, "kick-user", name=bob.name) == {"done": "kick-user", "name": bob.name, "closed": 1}
    assert bob.rest()[-1]["msg"] == "the operator closed this connection"
    here.client().hello(bob.name, token=bob.welcome["token"])
    assert does(here, "kick-user", name=fresh("nobody"))["refused"] == "not-connected"


def test_what_an_operator_says_is_heard_on_all_nodes(here: Server, there: Server, run: Run) -> None:
    clients = [node.client(fresh("u")) for node in (here, there)]
    assert run("announce", "the server stops at noon") == "told (users: 2)\n"
    for client in clients:
        assert (client.get()["msg"], client.sync()) == ("the server stops at noon", [])


def test_a_code_of_one_node_is_used_once_whatever_the_node(here: Server, there: Server, run: Run) -> None:
    (code,) = run("invite-code").splitlines()
    alice, bob = here.client(fresh("alice")), there.client(fresh("bob"))
    assert bob.ask(action="register", password="x", invitation="none")["field"] == "invitation"
    for client in (alice, bob):
        client.send(action="register", password="x", invitation=code)
    assert sorted(client.get()["action"] for client in (alice, bob)) == ["error", "register"]
    assert len(set(run("invite-code", "--count", "20").splitlines())) == 20


def registered(node: Server, name: str, password: str) -> Any:
    (code,) = does(node, "invite-code", count=1)["codes"]
    client = node.client(name)
    assert client.ask(action="register", password=password, invitation=code)["action"] == "register"
    return client


def test_a_new_password_ends_what_is_open_on_other_nodes(here: Server, there: Server, run: Run) -> None:
    bob = registered(there, fresh("bob"), "old")
    told = run("passwd", bob.name, typed="geheim\n")
    assert told == f"{bob.name} has a new password (connections closed: 1)\n"
    assert bob.rest()[-1]["msg"] == "the operator gave this name a new password"
    for node in (here, there):
        back = node.client()
        for given in ({"password": "old"}, {"token": bob.welcome["token"]}):
            assert back.code(action="client-hello", **{"from": bob.name}, **given) == "auth-failed"
        back.hello(bob.name, password="geheim")
        assert back.sync() == []
    assert "geheim" not in here.log() + there.log()


def test_who_is_removed_is_in_no_group_and_anybody_may_have_the_name(here: Server, there: Server, run: Run) -> None:
    bob, carl, group = registered(there, fresh("bob"), "old"), here.client(fresh("carl")), fresh("wob")
    bob.ask(action="cgroupe", group=group)
    carl.ask(action="join", group=group)
    does(there, "ban-user", name=carl.name + "x")
    assert run("remove-user", bob.name) == f"{bob.name} is removed (groups left: 1, connections closed: 1)\n"
    assert [message.get("msg") for message in bob.rest() if message["action"] == "error"] == [
        "the operator removed this name"
    ]
    assert carl.until("leave")[-1]["owner"] == carl.name
    for node in (there, here):
        assert node.client().ask(action="client-hello", **{"from": bob.name})["action"] in ("server-hello", "error")
    assert there.client().code(action="client-hello", **{"from": bob.name}) == "name-in-use"
    assert bob.name not in {row["name"] for row in rows(run("users", "--json"))}
    assert f"nobody is called {fresh('x')[:1]}" in run("remove-user", "x", code=1)


def test_a_text_of_another_node_is_removed_and_its_group_closed(here: Server, there: Server, run: Run) -> None:
    alice, bob, group = here.client(fresh("alice")), there.client(fresh("bob")), fresh("wob")
    alice.ask(action="cgroupe", group=group)
    bob.ask(action="join", group=group)
    assert bob.ask(action="gbroadcast", group=group, msg="nobody is to read this again")["seq"] == 3
    assert does(here, "redact", group=group, seq=3)["author"] == bob.name
    assert run("close", group) == f"{group} takes no more texts (event 5)\n"
    for client in (alice, bob):
        assert [message["seq"] for message in client.until("close")][-2:] == [4, 5]
        (text,) = client.ask(action="msgs", group=group)["list"]
        assert (text["redacted"], text["seq"]) == (True, 3)
        assert client.code(action="gbroadcast", group=group, msg="hi") == "group-closed"
    assert run("close", group, "--undo") == f"{group} takes texts again (event 6)\n"
    assert f"{alice.name}, who owns {group}, is connected" in run("own", group, bob.name, code=1)
    assert run("own", group, bob.name, "--force") == f"{bob.name} owns {group} (event 7)\n"
    assert f"{bob.name} owns {group} already" in run("own", group, bob.name, code=1)
    assert f"there is no group {group}x" in run("redact", f"{group}x", "1", code=1)


def test_a_text_that_is_kept_reaches_who_is_on_another_node(here: Server, there: Server) -> None:
    bob, alice = registered(there, fresh("bob"), "x"), here.client(fresh("alice"))
    assert "kept" not in alice.ask(action="client-send", dest=bob.name, msg="one")
    assert bob.get()["msg"] == "one"
    bob.ask(action="client-quit")
    while bob.name in alice.ask(action="client-list-clients")["list"]:
        time.sleep(0.01)  # R-op-several-went
    assert alice.ask(action="client-send", dest=bob.name, msg="two")["kept"] is True
    again = there.client()
    again.hello(bob.name, password="x")
    assert again.get()["msg"] == "two"


async def _say_of_lease(url: str, node: str, *, ended: bool) -> None:
    connection, chat = await Connection.open(parse_url(url)), RosterSubjects(parse_url(url).name)
    said = json.dumps({"node": node, "ended": ended}).encode()
    await connection.publish(chat.lease(node), said, {"Nats-TTL": "60s"}, seconds=5)
    await connection.close()


def test_a_node_that_died_just_now_is_told_of(one: Engine, here: Server, there: Server, run: Run) -> None:
    asyncio.run(_say_of_lease(one.url(), "dead", ended=False))
    try:
        names = [node.client(fresh("alice")).name for node in (here, there)]  # after that each knows of it
        said = does(here, "who")
        assert (sorted(row["name"] for row in said["rows"]), said["silent"]) == (sorted(names), 1)
        for act, *words in (("who",), ("announce", "hi"), ("kick-user", names[0])):
            assert "servers that did not answer: 1" in run(act, *words, code=4, prints=True)
    finally:
        asyncio.run(_say_of_lease(one.url(), "dead", ended=True))


def test_without_a_node_it_is_one_line(one: Engine, run: Run, tmp_path: Path) -> None:
    other = one.url(fresh("chat").replace(".", "-"))
    copy = tmp_path / f"{parse_url(other).name}.node.db"
    assert "there is no chat" in run("who", db=other, code=4)
    with serving(
        tmp_path, "--db", other, prelude=f"import os; os.environ['STATE_DIRECTORY'] = {str(tmp_path)!r}"
    ) as node:
        alice = node.client("alice")
        alice.ask(action="cgroupe", group="wob")
        alice.ask(action="leave", group="wob")
        node.stop()
        assert "no server of nats://" in run("ban-user", "bob", db=other, code=1)
        assert run("own", "wob", "bob", db=other) == "bob owns wob (event 3)\n"
        for act, *words in (("who",), ("users",), ("close", "wob")):
            assert "a node's own copy: start that node, or name" in run(act, *words, db=str(copy), code=4)
    assert "Connection refused" in run("who", db="nats://tchat:SECRET@127.0.0.1:1/chat", code=4)
