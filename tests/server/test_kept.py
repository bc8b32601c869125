"""Texts that wait for somebody who is away, over real sockets, a real file and a real kill -9."""

from __future__ import annotations

from pathlib import Path

import pytest
from files import execute
from live import TIMEOUT_SECONDS, Client, Server, serving

from tchat_server.cli import cli
from tchat_server.ops.control import asked
from tchat_server.store.sqlite.maintenance import backup, check


def register(server: Server, name: str) -> Client:
    client = server.client(name)
    assert client.ask(action="register", sender=name, password=name)["action"] == "register"
    return client


def come(server: Server, name: str) -> tuple[Client, list[str]]:
    """Say hello with the password; return the texts that come with the welcome, and say that they did."""
    client = server.client()
    client.hello(name, password=name)
    told = client.sync()
    return client, [it["msg"] for it in told if it["action"] == "server-send"]


def test_no_text_that_was_acknowledged_is_lost_when_the_server_is_killed_again_and_again(tmp_path: Path) -> None:
    db = tmp_path / "tchat.db"
    with serving(tmp_path, "--db", str(db), "--max-kept-texts", "1000", "--rate", "0") as server:
        register(server, "bob").sock.close()
        acknowledged: dict[str, int] = {}
        asked: list[str] = []
        for round in range(6):
            alice = server.client("alice")
            burst = [f"{round}-{number}" for number in range(40)]
            retried = [text for text in asked if text not in acknowledged]
            for text in (*retried, *burst):
                alice.send(**{"action": "client-send", "from": "alice", "to": "bob", "msg": text, "id": text})
            asked += burst
            for _ in range(5 + 5 * round):
                answer = alice.get()
                assert acknowledged.setdefault(answer["id"], answer["seq"]) == answer["seq"]
            server.kill()
            server.restart()
        alice = server.client("alice")
        for text in asked:
            message = {"action": "client-send", "from": "alice", "to": "bob", "msg": text, "id": text}
            answer = alice.ask(**message)
            assert acknowledged.setdefault(text, answer["seq"]) == answer["seq"]
        bob, got = come(server, "bob")
        assert got == sorted(asked, key=acknowledged.__getitem__)
        assert sorted(acknowledged.values()) == [*range(1, len(asked) + 1)]
        assert come(server, "bob")[1] == []
        bob.sync()
        page = bob.ask(action="msgs", sender="bob", group="@alice", limit=1000)
        assert [it["msg"] for it in page["list"]] == got[-len(page["list"]) :]
        assert server.stop() == 0
    assert check(db).faults == []
    backup(db, tmp_path / "copy.db")
    assert check(tmp_path / "copy.db").faults == []


def test_what_a_killed_server_had_sent_but_not_seen_received_comes_again(tmp_path: Path) -> None:
    with serving(tmp_path, "--db", str(tmp_path / "tchat.db")) as server:
        register(server, "bob").sock.close()
        server.client("alice").ask(action="client-send", to="bob", msg="hi")
        bob = server.client()
        bob.send(**{"action": "client-hello", "from": "bob", "password": "bob"})
        assert [bob.get()["action"], bob.get()["msg"]] == ["server-hello", "hi"]
        server.kill()
        server.restart()
        assert come(server, "bob")[1] == ["hi"]
        assert come(server, "bob")[1] == []


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        ("DELETE FROM standings", "texts DIRECT alice bob: bob is waiting by its events, not so in the table"),
        ("UPDATE groups SET creator = 'eve'", "do not agree with the table of groups"),
        ("UPDATE entries SET lines = replace(lines, 'hi', 'ho')", "damaged"),
    ],
)
def test_check_looks_at_the_texts_of_two_users(tmp_path: Path, damage: str, fault: str) -> None:
    db = tmp_path / "tchat.db"
    with serving(tmp_path, "--db", str(db)) as server:
        register(server, "bob").sock.close()
        server.client("alice").ask(action="client-send", to="bob", msg="hi")
        assert server.stop() == 0
    report = check(db)
    assert (report.faults, report.groups, report.events, report.messages) == ([], 0, 1, 1)
    execute(db, damage)
    assert any(fault in found for found in check(db).faults)


def removes(db: Path, name: str) -> None:
    with asked(db.with_name(db.name + ".sock"), {"act": "remove-user", "name": name}, TIMEOUT_SECONDS) as answer:
        assert answer is not None
        assert answer["done"] == "remove-user"


def leaves(client: Client) -> None:
    client.send(action="client-quit")
    assert client.rest()[-1]["action"] == "server-quit"


def reads(client: Client, name: str, other: str) -> list[str]:
    """Return what *client*, who is *name*, may read of the texts with *other*."""
    found = []
    for action, more in (("msgs", {}), ("states", {"all": True})):
        client.send(action=action, sender=name, group=f"@{other}", **more)
        found += [it["msg"] for it in client.until(action)[-1]["list"]]
    return found


@pytest.mark.parametrize("runs", [True, False], ids=["running", "file"])
def test_who_registers_a_removed_name_anew_gets_nothing_of_before(tmp_path: Path, *, runs: bool) -> None:
    db = tmp_path / "tchat.db"
    with serving(tmp_path, "--db", str(db)) as server:
        alice, bob = register(server, "alice"), register(server, "bob")
        assert alice.ask(action="client-send", to="bob", msg="read long ago")["seq"] == 1
        leaves(bob)
        assert alice.ask(action="client-send", to="bob", msg="secret")["kept"] is True
        if runs:
            removes(db, "bob")
            (told,) = alice.until("server-received")[-1:]
            assert (told["sender"], told["removed"], told["last"]) == ("bob", True, 2)
        else:
            assert server.stop() == 0
            assert cli.main(["remove-user", str(db), "bob"], standalone_mode=False) is None
            server.restart()
            alice, _ = come(server, "alice")
        bob = register(server, "bob")
        assert reads(bob, "bob", "alice") == []
        assert reads(alice, "alice", "bob")[:2] == ["read long ago", "secret"], "it is alice's log still"
        leaves(bob)
        assert alice.ask(action="client-send", to="bob", msg="hello, new bob")["kept"] is True
        bob, got = come(server, "bob")
        assert got == ["hello, new bob"]
        assert [text for text in reads(bob, "bob", "alice") if text != "bob has received what waited"] == got * 2
        assert server.stop() == 0
    assert check(db).faults == []


def test_who_registers_the_name_of_a_removed_sender_reads_nothing_of_before(tmp_path: Path) -> None:
    db = tmp_path / "tchat.db"
    with serving(tmp_path, "--db", str(db)) as server:
        register(server, "bob").sock.close()
        alice = register(server, "alice")
        assert alice.ask(action="client-send", to="bob", msg="for bob")["kept"] is True
        removes(db, "alice")
        alice = register(server, "alice")
        assert reads(alice, "alice", "bob") == []
        bob, got = come(server, "bob")
        assert got == ["for bob"], "what was sent is bob's"
        bob.sync()
        assert "for bob" not in reads(alice, "alice", "bob")
        removes(db, "bob")
        removes(db, "alice")
        assert server.stop() == 0
    assert check(db).faults == []
