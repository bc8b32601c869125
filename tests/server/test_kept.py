"""Texts that wait for somebody who is away, over real sockets, a real file and a real kill -9."""

from __future__ import annotations

from pathlib import Path

import pytest
from files import execute
from live import Client, Server, serving

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
