"""What the server must survive, continued: rows of the table in SECURITY.md about names, passwords and clocks."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from live import TIMEOUT_SECONDS, Bystanders, Client, Server, serving

SLOW_SAVE = """
import pathlib, time
from tchat_server.log import writer
write = writer.SavePassword.write
def slow(self, session):
    pathlib.Path({saving!r}).touch()
    while not pathlib.Path({go!r}).exists():
        time.sleep(0.01)
    write(self, session)
writer.SavePassword.write = slow
"""


def until(path: Path) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.01)


def test_row_56_nobody_enters_under_a_name_whose_password_is_being_stored(tmp_path: Path) -> None:
    saving, go = tmp_path / "saving", tmp_path / "go"
    prelude = SLOW_SAVE.format(saving=str(saving), go=str(go))
    with serving(tmp_path, "--db", str(tmp_path / "tchat.db"), prelude=prelude) as server, Bystanders(server):
        alice = server.client("alice")
        assert alice.ask(action="cgroupe", group="secrets", private=True)["action"] == "cgroupe"
        alice.send(action="register", password="secret")
        until(saving)
        alice.reset()
        watch = server.client("watch")
        while "alice" in watch.ask(action="client-list-clients")["list"]:
            pass
        with server.client() as mallory, server.client() as owner:
            mallory.send(action="client-hello", **{"from": "alice"})
            mallory.send(action="msgs", group="secrets")
            owner.send(action="client-hello", password="secret", **{"from": "alice"})
            assert watch.ask(action="ping")["action"] == "ping"
            go.touch()
            assert mallory.get()["code"] == "auth-required"
            assert mallory.get()["code"] == "bad-request"
            assert owner.get()["groups"] == ["secrets"]


def test_row_58_a_login_does_not_wait_for_those_who_register(tmp_path: Path) -> None:
    with serving(tmp_path, "--register-burst", "1000") as server:
        with Bystanders(server) as bystanders:
            with server.client("alice") as alice:
                assert alice.ask(action="register", password="secret")["action"] == "register"
            crowd = [server.client(f"r{number}") for number in range(250)]
            for client in crowd:
                client.send(action="register", password="x")
            assert login(server, "127.0.0.1") < 1.0
            assert bystanders.chat() < 0.5
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < 3, "it does not wait for hashes nobody needs any more"


def login(server: Server, source: str) -> float:
    begun = time.monotonic()
    with server.client(source=source) as owner:
        owner.hello("alice", password="secret")
    return time.monotonic() - begun


def test_row_58_registers_are_throttled_by_address(tmp_path: Path) -> None:
    with serving(tmp_path) as server, Bystanders(server):
        answers = [register(server.client(f"r{number}", source="127.0.0.2")) for number in range(40)]
        assert answers.count("") in range(30, 36)
        assert set(answers) == {"", "rate-limited"}
        assert register(server.client("bob", source="127.0.0.3")) == ""


def register(client: Client) -> str:
    return str(client.ask(action="register", password="secret").get("code", ""))


@pytest.mark.parametrize("strangers", [["127.0.0.2"], [f"127.0.0.{n}" for n in range(2, 8)]], ids=["one", "six"])
def test_row_58_strangers_who_try_a_name_do_not_keep_its_owner_out(tmp_path: Path, strangers: list[str]) -> None:
    with serving(tmp_path) as server, Bystanders(server):
        with server.client("alice", source="127.0.0.20") as alice:
            assert register(alice) == ""
        crowd = [server.client(source=strangers[number % len(strangers)]) for number in range(30)]
        for round in range(10):
            for client in crowd:
                client.send(action="client-hello", password="guess", **{"from": "alice"})
            login(server, f"127.0.0.{20 + round}")
        assert {client.get()["code"] for client in crowd} <= {"auth-failed", "rate-limited"}
