"""The clients among the examples do what they say, on a real server that is restarted under them."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from live import Client
from serving import ROOT, SECONDS, Server, environment, serving

EXAMPLES = ROOT / "examples" / "bots"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as running:
        yield running


@contextmanager
def running(example: str, *args: object, directory: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-u", str(EXAMPLES / example), *map(str, args)]
    with subprocess.Popen(
        command, cwd=directory, env=environment(directory), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def lines_until(process: subprocess.Popen[str], last: str) -> list[str]:
    """Return what it prints, up to the first line with *last* in it."""
    assert process.stdout is not None
    found: list[str] = []
    while not found or last not in found[-1]:
        line = process.stdout.readline()
        assert line, (found, process.stderr and process.stderr.read())
        found.append(line.rstrip("\n"))
    return found


def test_a_blocking_client_greets_and_fetches_what_it_missed(server: Server, tmp_path: Path) -> None:
    alice = server.client("alice")
    alice.ask(action="cgroupe", group="wob")
    with running("blocking.py", "127.0.0.1", server.port, "robot", "wob", directory=tmp_path) as robot:
        assert alice.get()["action"] == "join"
        alice.ask(action="gbroadcast", group="wob", msg="hello")
        assert alice.get()["msg"] == "hello alice"
        lines_until(robot, "robot: hello alice")
        server.stop()
        lines_until(robot, "no connection: ")
        server.start()
        alice = server.client("alice")
        alice.ask(action="gbroadcast", group="wob", msg="still there?")
        lines = lines_until(robot, "alice: still there?")  # `missed` as a rule: it comes back after a second
        assert not any("hello alice" in line for line in lines)


@pytest.fixture
def alice(server: Server) -> Client:
    """A user who has made a group."""
    alice = server.client("alice")
    alice.ask(action="cgroupe", group="wob")
    return alice


def says(user: Client, *texts: str, group: str = "wob") -> list[str]:
    """Say *texts*, one after the other; return what is heard after each that somebody else says."""
    answers: list[str] = []
    for text in texts:
        user.send(action="gbroadcast", group=group, msg=text)
        while (heard := user.get()).get("sender") == user.name:
            pass
        answers.append(heard.get("msg", ""))
    return answers


def test_a_bot_in_twenty_lines_answers(server: Server, alice: Client, tmp_path: Path) -> None:
    assert len([line for line in (EXAMPLES / "echo.py").read_text("utf-8").splitlines() if line]) <= 20
    with running("echo.py", server.address, "wob", directory=tmp_path):
        assert alice.get()["action"] == "join"
        assert says(alice, "!echo one") == ["one"]
        alice.send(action="client-send", to="echo", msg="who are you?")
        texts = [alice.get()["msg"] for _ in range(2)]
        assert texts[1] == "I am a bot of wob: say !echo there"
        server.restart()
        back = server.client("alice")
        while "echo" not in back.ask(action="members", group="wob")["online"]:
            pass
        assert says(back, "!echo two") == ["two"]


def test_the_bot_lives_on_when_who_asked_is_gone_and_when_it_is_kicked_out(
    server: Server, alice: Client, tmp_path: Path
) -> None:
    with running("echo.py", server.address, "wob", directory=tmp_path):
        assert alice.get()["action"] == "join"
        for number in range(20):
            with server.client(f"bob{number}") as bob:
                bob.send(action="client-send", to="echo", msg="hello")
                bob.send(action="client-quit")
        alice.send(action="gbroadcast", group="wob", msg="!echo one")
        alice.send(action="kick", group="wob", dest="echo")
        while alice.get()["action"] != "kick":
            pass
        alice.send(action="client-send", to="echo", msg="are you there?")
        while alice.get().get("msg") != "I am a bot of wob: say !echo there":
            pass


def test_a_robot_that_does_not_own_its_group_or_whose_spammer_left_lives_on(
    server: Server, alice: Client, tmp_path: Path
) -> None:
    with running("robot.py", server.address, "wob", tmp_path / "texts.db", directory=tmp_path):
        assert alice.get()["action"] == "join"
        for number in range(7):
            alice.send(action="gbroadcast", group="wob", msg=str(number))
        bob = server.client("bob")
        bob.ask(action="join", group="wob")
        for number in range(7):
            bob.send(action="gbroadcast", group="wob", msg=str(number))
        bob.send(action="leave", group="wob")
        carol = server.client("carol")
        carol.ask(action="join", group="wob")
        assert says(carol, "!echo still there") == ["still there"]


def test_a_robot_in_thirty_lines_echoes_rolls_kicks_and_has_a_log_without_gaps(server: Server, tmp_path: Path) -> None:
    assert len((EXAMPLES / "robot.py").read_text("utf-8").splitlines()) <= 30
    with server.client("robot") as owner:
        owner.ask(action="cgroupe", group="wob")
    alice = server.client("alice")
    alice.ask(action="join", group="wob")
    path = tmp_path / "texts.db"
    with running("robot.py", server.address, "wob", path, directory=tmp_path) as robot:
        while "robot" not in alice.ask(action="members", group="wob")["online"]:
            pass
        assert says(alice, "!echo one") == ["one"]
        assert says(alice, "!dice")[0].startswith("alice rolls ")
        robot.kill()
    alice.ask(action="gbroadcast", group="wob", msg="!echo while it is down")
    bob = server.client("bob")
    bob.ask(action="join", group="wob")
    with running("robot.py", server.address, "wob", path, directory=tmp_path):
        while "robot" not in bob.ask(action="members", group="wob")["online"]:
            pass
        for number in range(6):
            bob.send(action="gbroadcast", group="wob", msg=str(number))
        while (heard := bob.get())["action"] != "kick":
            assert heard["sender"] == "bob", "what was missed is not answered"
        assert (heard["sender"], heard["dest"]) == ("robot", "bob")
    with sqlite3.connect(path) as log:
        rows = log.execute("SELECT sender, msg FROM texts").fetchall()
    log.close()
    assert [msg for sender, msg in rows if sender != "robot"] == [
        "!echo one",
        "!dice",
        "!echo while it is down",
        *"012345",
    ]


def test_a_moderator_warns_kicks_and_bans(server: Server, tmp_path: Path) -> None:
    with running("moderator.py", server.address, "wob", "damn", directory=tmp_path):
        alice = server.client("alice")
        while alice.ask(action="join", group="wob")["action"] == "error":
            pass
        assert says(alice, "Damn!") == ["alice: mind your words, please"]
        alice.send(action="gbroadcast", group="wob", msg="DAMN it")
        assert [alice.get()["action"] for _ in range(2)] == ["gbroadcast", "kick"]
        alice.ask(action="join", group="wob")
        alice.send(action="gbroadcast", group="wob", msg="damned")
        assert [alice.get()["action"] for _ in range(2)] == ["gbroadcast", "ban"]


def test_a_logger_that_is_killed_and_whose_server_is_restarted_has_each_event_once(
    server: Server, alice: Client, tmp_path: Path
) -> None:
    path = tmp_path / "log.db"

    def logged(last: str) -> list[str]:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            with suppress(sqlite3.OperationalError), closing(sqlite3.connect(path)) as log:
                rows = [json.loads(text) for (text,) in log.execute("SELECT json FROM events ORDER BY rowid")]
                if rows and rows[-1].get("msg") == last:
                    seqs = [row["seq"] for row in rows]
                    assert seqs == [*range(seqs[0], seqs[-1] + 1)], "in order, each once, none missing"
                    return [row["msg"] for row in rows if row["action"] == "gbroadcast"]
            time.sleep(0.02)
        raise AssertionError(f"{last} was not logged")

    with running("logger.py", server.address, "wob", path, directory=tmp_path) as logger:
        assert alice.get()["action"] == "join"
        alice.ask(action="gbroadcast", group="wob", msg="one")
        logged("one")
        logger.kill()
    alice.ask(action="gbroadcast", group="wob", msg="two")
    with running("logger.py", server.address, "wob", path, directory=tmp_path):
        logged("two")
        server.restart()
        alice = server.client("alice")
        alice.ask(action="gbroadcast", group="wob", msg="three")
        assert logged("three") == ["one", "two", "three"]


def test_a_bridge_carries_each_text_to_the_other_group(server: Server, alice: Client, tmp_path: Path) -> None:
    bob = server.client("bob")
    bob.ask(action="cgroupe", group="dev")
    with running("bridge.py", server.address, "wob", "dev", directory=tmp_path):
        assert alice.get()["action"] == "join"
        assert bob.get()["action"] == "join"
        alice.ask(action="gbroadcast", group="wob", msg="hello over there")
        assert bob.get()["msg"] == "alice: hello over there"
        bob.ask(action="gbroadcast", group="dev", msg="hello")
        assert alice.get()["msg"] == "bob: hello"
        assert alice.sync() == bob.sync() == [], "nothing is carried back"


def test_a_bridge_lives_on_with_texts_that_get_too_long_and_when_it_is_kicked_out(
    server: Server, alice: Client, tmp_path: Path
) -> None:
    bob = server.client("bob")
    bob.ask(action="cgroupe", group="dev")
    with running("bridge.py", server.address, "wob", "dev", directory=tmp_path) as bridge:
        assert alice.get()["action"] == "join"
        assert bob.get()["action"] == "join"
        for text in ("x" * 8190, "é" * 4094):
            alice.ask(action="gbroadcast", group="wob", msg=text)
            assert bob.get()["msg"] == f"alice: {text}".encode()[:8192].decode(errors="ignore")
        bob.ask(action="kick", group="dev", dest="bridge")
        alice.ask(action="gbroadcast", group="wob", msg="to nobody")
        lines_until(bridge, "refused")
        assert "bridge" in alice.ask(action="members", group="wob")["online"]
        assert bridge.poll() is None
