"""The real thing: `tchat` in a terminal (tmux) against a real server, looked at as a person would."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cable import Cable
from serving import SECONDS, Server, environment, serving
from terminal import Terminal

from tchat_server.ops.control import asked

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[dict[str, Terminal]]:
    opened: dict[str, Terminal] = {}
    yield opened
    for terminal in opened.values():
        terminal.close()


def test_a_conversation_of_two(server: Server, tmp_path: Path, terminals: dict[str, Terminal]) -> None:
    alice = terminals["alice"] = Terminal(tmp_path / "alice", server.address, "--name", "alice", columns=130)
    bob = terminals["bob"] = Terminal(tmp_path / "bob", server.address, "--name", "bob", "--lang", "fr", columns=130)
    alice.shows(f"Connected to {server.address} as alice", "online")
    bob.shows("en tant que bob", "en ligne")

    alice.enter("cg;wob")
    alice.shows("-- you created wob", "alice [wob]>")
    bob.enter("j;wob")
    bob.shows("-- vous avez rejoint wob", "2 membres : alice (propriétaire), bob", "bob [wob]>")
    alice.shows("* bob joined")

    alice.enter("bonjour Bob")
    bob.shows("» alice: bonjour Bob")
    bob.enter("memebrs;")
    bob.shows("commande inconnue « memebrs », vouliez-vous dire members;[groupe] ?")
    bob.enter("kick;;alice;non")
    bob.shows("!! kick;wob;alice;non: seul le propriétaire de wob peut faire cela (forbidden)")

    alice.type("kick;wob;b", "Tab")
    alice.shows("alice [wob]> kick;wob;bob")
    alice.enter(";trop de bruit")
    bob.shows("-- alice vous a exclu de wob: trop de bruit", "bob>")
    bob.enter("j;wob")
    alice.shows("-- you kicked bob: trop de bruit")
    alice.enter("ban;wob;bob")
    bob.shows("alice vous a banni de wob")
    alice.type("unb", "Tab")
    alice.type("wob;", "Tab")
    alice.shows("alice [wob]> unban;wob;bob")
    alice.type("", "Enter")
    bob.shows("a levé votre bannissement")
    alice.enter("states;")
    shown = alice.shows("you unbanned bob")
    assert "memebrs" not in shown

    alice.type("half a line", "C-c")
    alice.type("", "C-d")
    assert alice.exit_code() == 0
    bob.shows("* alice est parti")


def test_a_restart_of_the_server_loses_and_repeats_nothing(
    server: Server, tmp_path: Path, terminals: dict[str, Terminal]
) -> None:
    rita = terminals["rita"] = Terminal(tmp_path / "rita", server.address, "--name", "rita")
    rita.enter("cg;restart")
    rita.shows("you created restart")
    rita.enter("before")
    rita.shows("rita: before")
    server.stop()
    rita.shows("!! connection lost", "offline, again in")
    rita.enter("into the void")
    rita.shows("not sent, there is no connection")
    server.start()
    rita.shows("-- connected again")
    rita.type("", "Up", "Enter")
    screen = rita.shows("rita: into the void")
    assert screen.count("rita: before") == 1
    assert screen.count("rita: into the void") == 1


def test_two_sessions_of_one_user_both_come_back_after_a_restart(
    server: Server, tmp_path: Path, terminals: dict[str, Terminal]
) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    for place in ("left", "right"):
        terminals[place] = Terminal(tmp_path / place, server.address, "--name", "twin", **state)
        terminals[place].shows("Connected to")
    server.stop()
    for place in ("left", "right"):
        terminals[place].shows("!! connection lost", "nobody listens there")
    server.start()
    for place in ("left", "right"):
        terminals[place].shows("-- connected again")
    terminals["left"].enter("cg;twins")
    terminals["right"].shows("-- you created twins")


def test_what_was_missed_is_fetched_and_marked(server: Server, tmp_path: Path, terminals: dict[str, Terminal]) -> None:
    cable = Cable(server)
    mia = terminals["mia"] = Terminal(tmp_path / "mia", cable.address, "--name", "mia")
    nat = terminals["nat"] = Terminal(tmp_path / "nat", server.address, "--name", "nat")
    mia.enter("cg;missed")
    mia.shows("you created missed")
    nat.enter("j;missed")
    mia.shows("* nat joined")
    cable.pull()
    mia.shows("!! connection lost")
    for text in ("one", "two", "three"):
        nat.enter(text)
    nat.shows("nat: three")
    cable.is_plugged = True
    screen = mia.shows("nat: three", "3 missed above, live again")
    cable.close()
    assert [screen.count(f"+ missed  nat: {text}") for text in ("one", "two", "three")] == [1, 1, 1]
    assert screen.index("nat: one") < screen.index("nat: two") < screen.index("nat: three")


def test_typing_goes_on_under_a_flood(server: Server, tmp_path: Path, terminals: dict[str, Terminal]) -> None:
    flo = terminals["flo"] = Terminal(tmp_path / "flo", server.address, "--name", "flo")
    flo.enter("cg;flood")
    flo.shows("you created flood")
    lines = "j;flood\n" + "".join(f"bg;flood;flood {number}\n" for number in range(700)) + "bg;flood;the last\n"
    source = subprocess.Popen(
        [sys.executable, "-m", "tchat_client", server.address, "--name", "source"],
        env=environment(tmp_path / "source"),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert source.stdin is not None
    source.stdin.write(lines.encode())
    source.stdin.close()
    flo.shows("source: flood 9")
    flo.enter("typed in between")
    screen = flo.shows("flo: typed in between", "source: the last")
    assert source.wait(timeout=SECONDS) == 0
    numbers = [int(line.rpartition(" ")[2]) for line in screen.splitlines() if "source: flood " in line]
    assert numbers == list(range(700))
    assert screen.index("flo: typed in between") < screen.index("source: the last")


def test_a_narrow_and_a_resized_terminal_work(server: Server, tmp_path: Path, terminals: dict[str, Terminal]) -> None:
    ned = terminals["ned"] = Terminal(tmp_path / "ned", server.address, "--name", "ned", columns=20, lines=8)
    ned.enter("cg;narrow")
    ned.shows("-- you\n  created narrow", "\n>")
    ned.enter("a text that is longer than the terminal is wide")
    ned.shows("narrow  ned: a\n  text that is\n  longer than the\n  terminal is wide\n")
    ned.tmux("resize-window", "-x", "100", "-y", "30")
    ned.shows("ned [narrow]>", f"{server.address} online   narrow")
    ned.type("", "C-d")
    assert ned.exit_code() == 0


def test_a_dumb_terminal_gets_one_line_per_event(
    server: Server, tmp_path: Path, terminals: dict[str, Terminal]
) -> None:
    dan = terminals["dan"] = Terminal(tmp_path / "dan", "--plain", server.address, "--name", "dan")
    dan.shows("Connected to")
    dan.enter("cg;plain")
    dan.shows("-- you created plain")
    dan.enter("/quit")
    assert dan.exit_code() == 0


def test_nobody_there_is_one_line_and_exit_3(tmp_path: Path, terminals: dict[str, Terminal]) -> None:
    lost = terminals["lost"] = Terminal(tmp_path / "lost", "127.0.0.1:1", "--name", "lost")
    screen = lost.shows("tchat: cannot connect to 127.0.0.1:1: nobody listens there; start one with tchat-server")
    assert "Traceback" not in screen
    assert lost.exit_code() == 3


def test_ctrl_c_at_a_question_for_a_password_ends_a_script_at_once(
    server: Server, tmp_path: Path, terminals: dict[str, Terminal]
) -> None:
    for answers in ((), ("one",)):
        place = f"vera{len(answers)}"
        vera = terminals[place] = Terminal(tmp_path / place, "do", "register;", TCHAT_SERVER=server.address)
        vera.shows("new password for")
        for answer in answers:
            vera.enter(answer)
            vera.shows("again: ")
        vera.type("", "C-c")
        assert vera.exit_code() == 130


def test_what_waited_for_somebody_away_comes_marked_and_once(
    server: Server, tmp_path: Path, terminals: dict[str, Terminal]
) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path / "state"), "TCHAT_PASSWORD": "secret"}
    walt = terminals["walt"] = Terminal(tmp_path / "walt", server.address, "--name", "walt", columns=110)
    walt.enter("register;secret")
    walt.shows("protected by your password now")
    walt.enter("q;")
    assert walt.exit_code() == 0
    vera = terminals["vera"] = Terminal(tmp_path / "vera", server.address, "--name", "vera", columns=110)
    vera.enter("s;walt;tea at five?")
    vera.shows("vera → walt: tea at five?  (walt is away: this waits)")
    vera.enter("s;nobody;hello?")
    vera.shows("nobody is not here, and nothing waits for a name without a password")
    back = terminals["back"] = Terminal(
        tmp_path / "back", server.address, "--name", "walt", "--lang", "fr", columns=110, **state
    )
    back.shows("vera → walt: tea at five?  (pendant votre absence)")
    vera.shows("* walt has got what waited")
    vera.enter("s;walt;good")
    back.shows("vera → walt: good")
    server.stop()
    back.shows("connexion perdue")
    server.start()
    back.shows("de nouveau connecté")
    vera.shows("connected again")
    back.enter("s;vera;oui")
    vera.shows("walt → vera: oui")
    back.enter("messages;@vera")
    screen = back.shows("walt → vera: oui")
    assert screen.count("(pendant votre absence)") == 1


def test_a_password_is_changed_and_what_an_operator_does_is_shown(
    tmp_path: Path, terminals: dict[str, Terminal]
) -> None:
    with serving(tmp_path, "--registration", "invite") as server:

        def operator(act: str, **fields: object) -> dict[str, Any]:
            with asked(tmp_path / "tchat.db.sock", {"act": act, **fields}, SECONDS) as answer:
                assert answer is not None
                return dict(answer)

        (code,) = operator("invite-code", count=1)["codes"]
        alice = terminals["alice"] = Terminal(tmp_path / "alice", server.address, "--name", "alice", columns=130)
        alice.shows("online")
        alice.enter("register;")
        for question, answer in (("new password for alice", "one"), ("again", "one"), ("invitation code", code)):
            alice.shows(question)
            alice.enter(answer)
        alice.shows("is protected by your password now")
        alice.enter("register;")
        for question, answer in (("new password for alice", "two"), ("again", "two"), ("old password for", "one")):
            alice.shows(question)
            alice.enter(answer)
        protected = "is protected by your password now"
        while alice.shows(protected).count(protected) < 2:
            time.sleep(0.02)
        alice.enter("register;")
        for question, answer in (("new password for alice", "six"), ("again", "six"), ("old password for", "one")):
            screen = alice.shows(question)
            alice.enter(answer)
        assert screen.count("is protected by your password now") == 2
        assert "!!" not in screen
        assert alice.shows("!! register;***", "old password for").count("!!") == 1  # and it is asked again
        alice.type("", "C-c")
        alice.shows("nothing done")
        alice.enter("cg;wob")
        alice.shows("you created wob")
        alice.enter("hello")
        alice.shows("alice: hello")
        operator("redact", group="wob", seq=2)
        operator("close", group="wob")
        operator("announce", text="the server stops at noon")
        alice.shows("removed a text of alice", "closed wob", "!! the operator: the server stops at noon")
        alice.enter("messages;wob")
        screen = alice.shows("a text of alice was removed")
        assert code not in screen
        assert screen.count("is protected by your password now") == 2
