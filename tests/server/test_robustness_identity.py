"""What the server must survive, continued: rows of the table in SECURITY.md about names, passwords and clocks."""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path

import pytest
from live import TIMEOUT_SECONDS, Bystanders, Client, Server, fresh, serving
from loops import on_both_loops
from watching import Clock

SLOW_SAVE = """
import pathlib, time
from tchat_server.store.sqlite import accounts
save = accounts.save_account
def slow(*what, **words):
    pathlib.Path({saving!r}).touch()
    while not pathlib.Path({go!r}).exists():
        time.sleep(0.01)
    return save(*what, **words)
accounts.save_account = slow
"""


def until(path: Path) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.01)


def test_row_49_nobody_enters_under_a_name_whose_password_is_being_stored(tmp_path: Path) -> None:
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


def test_row_51_a_login_does_not_wait_for_those_who_register(tmp_path: Path) -> None:
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


def test_row_51_registers_are_throttled_by_address(tmp_path: Path) -> None:
    with serving(tmp_path) as server, Bystanders(server):
        begun = time.monotonic()
        answers = [register(server.client(f"r{number}", source="127.0.0.2")) for number in range(60)]
        more = time.monotonic() - begun  # one a second
        assert 30 <= answers.count("") <= 31 + more
        assert set(answers) == {"", "rate-limited"}
        assert register(server.client("bob", source="127.0.0.3")) == ""


def register(client: Client) -> str:
    return str(client.ask(action="register", password="secret").get("code", ""))


@pytest.mark.parametrize("strangers", [["127.0.0.2"], [f"127.0.0.{n}" for n in range(2, 8)]], ids=["one", "six"])
def test_row_51_strangers_who_try_a_name_do_not_keep_its_owner_out(tmp_path: Path, strangers: list[str]) -> None:
    with serving(tmp_path) as server, Bystanders(server):
        with server.client("alice", source="127.0.0.20") as alice:
            assert register(alice) == ""
        crowd = [server.client(source=strangers[number % len(strangers)]) for number in range(30)]
        for round in range(10):
            for client in crowd:
                client.send(action="client-hello", password="guess", **{"from": "alice"})
            login(server, f"127.0.0.{20 + round}")
            if round == 0:  # he waited for a turn, not for all who came before
                assert len(select.select([client.sock for client in crowd], [], [], 0)[0]) < 25
        assert {client.get()["code"] for client in crowd} <= {"auth-failed", "rate-limited"}


def test_row_50_a_guests_number_is_never_given_again_whatever_the_clock_says(tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    database = ("--db", str(tmp_path / "tchat.db"))
    numbers: list[int] = []
    for offset in (0, -3e9, -3e9, 0):
        clock.set(offset)
        with serving(tmp_path, *database, prelude=clock.prelude) as server:
            with Bystanders(server):
                numbers += [guest(server) for _ in range(3)]
                clock.set(offset - 3600)
                numbers += [guest(server) for _ in range(3)]
            if offset:
                server.kill()
    assert len(set(numbers)) == len(numbers) == 24
    assert min(numbers) >= 1


def guest(server: Server) -> int:
    with server.client() as client:
        return int(client.ask(action="client-hello")["from"].removeprefix("guest-"))


@pytest.mark.parametrize("step", [660, -660, 86_400])
def test_row_53_a_retry_is_known_whatever_the_clock_is_set_to(tmp_path: Path, step: int) -> None:
    """Both of a text that is repeated while the server runs and of one that is repeated only after a restart."""
    clock = Clock(tmp_path)
    options = ("--db", str(tmp_path / "tchat.db"))
    said = {"action": "gbroadcast", "group": "wob", "msg": "once", "id": "retry"}
    later = {**said, "msg": "once more", "id": "later"}
    with serving(tmp_path, *options, prelude=clock.prelude) as server:
        alice = server.client("alice")
        alice.ask(action="cgroupe", group="wob")
        first, second = alice.ask(**said), alice.ask(**later)
        clock.set(step)
        assert alice.ask(**said) == first
        server.close_clients()
        assert server.client("alice").ask(**said) == first
        server.kill()
    with serving(tmp_path, *options, prelude=clock.prelude) as server, server.client("alice") as alice:
        assert [alice.ask(**said), alice.ask(**later)] == [first, second]
        assert alice.ask(action="gbroadcast", group="wob", msg="next")["seq"] == 4


def test_row_53_an_id_is_forgotten_when_its_time_is_over(tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    said = {"action": "gbroadcast", "group": "wob", "msg": "again", "id": "retry"}
    with serving(tmp_path, prelude=clock.time_goes_by) as server, server.client("alice") as alice:
        alice.ask(action="cgroupe", group="wob")
        assert alice.ask(**said)["seq"] == 2
        clock.set(590)
        assert alice.ask(**said)["seq"] == 2
        clock.set(610)
        assert alice.ask(**said)["seq"] == 3


def test_row_53_a_time_stamp_before_1970_is_well_formed(tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    clock.set(-time.time() - 0.75)
    with serving(tmp_path, prelude=clock.prelude) as server, server.client("alice") as alice:
        for _ in range(5):
            group = fresh("g")
            ts = alice.ask(action="cgroupe", group=group)["ts"]
            assert ts[:10] in ("1969-12-31", "1970-01-01"), ts
            assert len(ts) == len("1969-12-31T23:59:59.250Z"), ts
            assert 0 <= int(ts[20:23]) < 1000, ts


@on_both_loops
def test_row_53_who_spoke_while_the_server_was_stopped_is_read_before_its_time_is_judged(
    tmp_path: Path, prelude: str
) -> None:
    seconds = ("--silent-seconds", "1.5", "--mid-frame-seconds", "1.5")
    with serving(tmp_path, *seconds, prelude=prelude) as server, Bystanders(server):
        crowd = [server.client() for _ in range(20)]
        for client in crowd[10:]:
            client.write(b'{"action":"pi')
        mute = server.client()
        assert server.client().ask(action="ping")["action"] == "ping"  # all of them are accepted
        os.kill(server.pid, signal.SIGSTOP)
        for client in crowd[:10]:
            client.write(b'{"action":"pi')
        time.sleep(3)  # nothing can be waited for: nobody does anything
        for client in crowd:
            client.write(b'ng"}')
        os.kill(server.pid, signal.SIGCONT)
        assert [client.get()["action"] for client in crowd] == ["ping"] * 20
        assert mute.next() is None, "whoever says nothing is closed all the same"
