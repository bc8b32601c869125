"""`tchat` against a server that means harm, and in a home that somebody else has prepared."""

from __future__ import annotations

import itertools
import json
import os
import pty
import re
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from serving import SECONDS, TS, Server, environment, serving

from tchat_client.address import Address
from tchat_client.patience import patience
from tchat_client.sanitise import clean, json_line
from tchat_client.settings import State

Answer = Callable[[dict[str, Any]], dict[str, Any]]
EVIL = "\x1b]0;owned\x07\x9b2J\u202e\u2028\u2029\x85\r\nforged"
HERE = Address("127.0.0.1", 1)


@contextmanager
def hostile(answer: Answer, *, name: str = "alice", groups: tuple[str, ...] = ()) -> Iterator[tuple[str, list[Any]]]:
    """The address of a server that answers each request with what *answer* says, and what it was asked."""
    asked: list[Any] = []

    def serve() -> None:
        with suppress(OSError, ValueError), listener.accept()[0] as connection:
            connection.settimeout(SECONDS)
            for line in connection.makefile("rb"):
                request = json.loads(line)
                asked.append(request)
                if request["action"] == "client-hello":
                    seqs = dict.fromkeys(groups, 0)
                    reply = {"action": "server-hello", "from": name, "version": 1, "server": "s", "token": "t"}
                    reply |= {"groups": [*groups], "seqs": seqs}
                else:
                    reply = answer(request)
                reply = {"msg": "", "id": request["id"], **reply}
                connection.sendall(json.dumps(reply, ensure_ascii=False).encode() + b"\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", asked
        thread.join(SECONDS)


def tchat(
    directory: Path, *args: str, stdin: bytes = b"", seconds: float = SECONDS, **env: str
) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "tchat_client", *args],
        cwd=directory,
        env=environment(directory, **{"TCHAT_NAME": "alice", **env}),
        input=stdin,
        capture_output=True,
        timeout=seconds,
        check=False,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in err, err
    return done.returncode, out, err


def is_safe(text: str) -> bool:
    return all(char == "\n" or char.isprintable() for char in text)


@pytest.mark.parametrize("options", [(), ("--plain",)], ids=["pipe", "plain"])
def test_names_in_a_welcome_drive_no_terminal(options: tuple[str, ...], tmp_path: Path) -> None:
    with hostile(lambda _: {"action": "ping", "version": 1, "server": EVIL}, name=EVIL, groups=(EVIL,)) as (address, _):
        _, out, err = tchat(tmp_path, *options, address, stdin=b"ping;\n")
    assert "Connected" in out
    assert is_safe(out + err)


@pytest.mark.parametrize(
    "answer",
    [
        {"action": "groups", "list": [EVIL], "private": [], "mine": [], "more": False},
        {"action": EVIL, EVIL: [EVIL]},
        {"action": "error", "code": EVIL, "msg": EVIL},
    ],
    ids=["ours", "foreign", "error"],
)
@pytest.mark.parametrize("is_json", [True, False], ids=["json", "text"])
def test_answers_drive_no_terminal_and_json_is_one_object_a_line(
    answer: dict[str, Any], is_json: bool, tmp_path: Path
) -> None:
    with hostile(lambda _: answer) as (address, _):
        _, out, err = tchat(tmp_path, *["--json"] * is_json, "--timeout", "1s", address, stdin=b"groups;\n")
    assert is_safe(out + err)
    assert "owned" in out
    if is_json:
        lines = [json.loads(line) for line in (out + err).splitlines()]
        assert any(EVIL in (line.get("code"), line["action"], *line.get("list", ())) for line in lines)


@pytest.mark.parametrize("text", [EVIL, "\U000e0041", "\ud800", "é ☃ 😀"])
def test_a_line_of_json_says_the_same_and_holds_no_control(text: str) -> None:
    line = json_line({"msg": text})
    assert json.loads(line) == {"msg": text}
    assert is_safe(line)
    assert line.isprintable()
    assert is_safe(clean(text))


def numbers() -> Iterator[int]:
    return itertools.count(1)


def endless_groups() -> Answer:
    count = numbers()
    return lambda _: {"action": "groups", "list": [f"g{next(count):09}"], "private": [], "mine": [], "more": True}


def standing_groups() -> Answer:
    return lambda _: {"action": "groups", "list": ["same"], "private": [], "mine": [], "more": True}


def endless_members() -> Answer:
    count = numbers()
    about = {"action": "members", "group": "wob", "online": [], "owner": "alice", "private": False, "more": True}
    return lambda _: {**about, "list": [f"u{next(count):09}"]}


def standing_members() -> Answer:
    about = {"action": "members", "group": "wob", "online": [], "owner": "alice", "private": False, "more": True}
    return lambda _: {**about, "list": ["same"]}


def huge_groups() -> Answer:
    count = numbers()

    def answer(_: dict[str, Any]) -> dict[str, Any]:
        names = [f"g{next(count):09}{'x' * 900}" for _ in range(900)]
        return {"action": "groups", "list": names, "private": [], "mine": [], "more": True}

    return answer


def standing_messages() -> Answer:
    event = {"action": "gbroadcast", "sender": "x", "group": "wob", "msg": "hi", "seq": 7, "ts": TS}
    return lambda r: {"action": "msgs", "group": "wob", "list": [event], "more": True, "first": 7, "last": 7}


@pytest.mark.parametrize(
    ("answer", "args"),
    [
        (endless_groups(), ("groups",)),
        (standing_groups(), ("groups",)),
        (huge_groups(), ("groups",)),
        (endless_members(), ("members", "wob")),
        (standing_members(), ("members", "wob")),
        (standing_messages(), ("messages", "wob", "-n", "100000")),
    ],
    ids=["endless groups", "standing groups", "huge groups", "endless members", "standing members", "standing texts"],
)
def test_a_list_that_does_not_end_is_ended(answer: Answer, args: tuple[str, ...], tmp_path: Path) -> None:
    with hostile(answer) as (address, asked):
        code, _, err = tchat(tmp_path, *args, "--server", address)
    assert code == 5
    assert "the list does not end" in err
    assert len(asked) < 3000


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [(None, 1), (0, 1), (-5, 1), (float("nan"), 1), (1e-9, 0.1), (2.5, 2.5), (1e300, 60), (float("inf"), 60)],
)
def test_the_wait_a_server_asks_for_is_a_sane_one(asked: float | None, seconds: float) -> None:
    assert patience(asked) == seconds


def test_a_server_that_is_never_ready_is_given_up(tmp_path: Path) -> None:
    refusal = {"action": "error", "code": "rate-limited", "retry_after": 0.0001}
    with hostile(lambda _: refusal) as (address, asked):
        code, _, err = tchat(tmp_path, "send", "wob", "hi", "--server", address)
    assert code == 1
    assert "rate-limited" in err
    assert len(asked) < 40


@pytest.fixture
def state(tmp_path: Path) -> State:
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    return State(directory)


@pytest.mark.parametrize(
    "text",
    [
        "{" * 100_000,
        "[" * 100_000,
        '{"127.0.0.1:1":{"alice":"\\ud800"}}',
        '{"127.0.0.1:1":{"alice":"a\\nb"}}',
        '{"127.0.0.1:1":{"alice":"' + "x" * 5000 + '"}}',
        '{"127.0.0.1:1":' + "1" * 10_000 + "}",
        "\x00",
        " " * 3_000_000 + '{"127.0.0.1:1":{"alice":"T"}}',
    ],
    ids=["braces", "brackets", "surrogate", "line end", "long", "number", "nul", "large"],
)
def test_a_damaged_token_file_is_as_good_as_none_and_mended(text: str, state: State) -> None:
    state.tokens_path.write_text(text)
    assert state.token("alice", HERE) is None
    state.keep_token("alice", "T", HERE)
    assert state.failure is None
    assert state.token("alice", HERE) == "T"


def test_a_fifo_or_a_link_in_place_of_the_token_file_is_replaced(state: State, tmp_path: Path) -> None:
    secret = tmp_path / "elsewhere"
    secret.write_text('{"127.0.0.1:1":{"alice":"of another"}}')
    for plant in (lambda: os.mkfifo(state.tokens_path), lambda: state.tokens_path.symlink_to(secret)):
        state.tokens_path.unlink(missing_ok=True)
        plant()
        assert state.token("alice", HERE) is None
        state.keep_token("alice", "T", HERE)
        assert state.failure is None
        assert stat.S_ISREG(state.tokens_path.lstat().st_mode)
    assert "of another" in secret.read_text()


def test_planted_links_are_not_followed(state: State, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (state.directory / f"tokens.{os.getpid()}").symlink_to(victim)
    (state.directory / "history").symlink_to(victim)
    state.keep_token("alice", "T", HERE)
    assert state.token("alice", HERE) == "T"
    assert state.history_path() is None
    assert state.failure is not None
    assert victim.read_text() == "precious"


def test_a_fifo_in_place_of_the_history_is_not_waited_for(state: State) -> None:
    os.mkfifo(state.directory / "history")
    assert state.history_path() is None


def test_what_others_may_read_is_made_private(state: State) -> None:
    state.directory.chmod(0o777)
    state.tokens_path.write_text('{"127.0.0.1:1":{"alice":"T"}}')
    state.tokens_path.chmod(0o666)
    assert state.token("alice", HERE) == "T"
    assert stat.S_IMODE(state.tokens_path.stat().st_mode) == 0o600
    state.keep_token("bob", "U", HERE)
    assert stat.S_IMODE(state.directory.stat().st_mode) == 0o700
    assert [path.name for path in state.directory.iterdir()] == ["tokens.json"]


def test_a_prepared_home_costs_a_client_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "state" / "tchat"
    directory.mkdir(parents=True, mode=0o777)
    os.mkfifo(directory / "tokens.json")
    with hostile(lambda _: {"action": "ping", "version": 1, "server": "s"}) as (address, _):
        assert tchat(tmp_path, "ping", "--server", address, seconds=10)[0] == 0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.mark.parametrize(("language", "sentence"), [("en", "everybody on this machine"), ("fr", "tout le monde")])
def test_a_password_on_the_command_line_is_refused(language: str, sentence: str, tmp_path: Path) -> None:
    code, out, err = tchat(tmp_path, "do", "register;hunter2", "--server", "127.0.0.1:1", "--lang", language)
    assert code == 2
    assert sentence in err
    assert "TCHAT_PASSWORD" in err
    assert "hunter2" not in out + err


def test_a_password_comes_from_the_environment_instead(server: Server, tmp_path: Path) -> None:
    where = {"TCHAT_SERVER": server.address, "TCHAT_NAME": "paula", "TCHAT_PASSWORD": "hunter2"}
    assert tchat(tmp_path, "do", "register;", **where)[0] == 0
    (tmp_path / "other").mkdir()
    assert tchat(tmp_path / "other", "ping", **where)[0] == 0
    (tmp_path / "stranger").mkdir()
    assert tchat(tmp_path / "stranger", "ping", **{**where, "TCHAT_PASSWORD": "wrong"})[0] == 1


def test_a_password_is_asked_for_on_a_terminal_and_not_shown(server: Server, tmp_path: Path) -> None:
    main, terminal = pty.openpty()
    env = environment(tmp_path, TCHAT_SERVER=server.address, TCHAT_NAME="petra")
    process = subprocess.Popen(
        [sys.executable, "-m", "tchat_client", "do", "register;"],
        env=env,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    shown = b""
    for question in (b"new password for petra: ", b"again: "):
        while question not in shown:
            shown += os.read(main, 4096)
        time.sleep(0.2)
        os.write(main, b"hunter2\n")
    with suppress(OSError):
        while data := os.read(main, 4096):
            shown += data
    assert process.wait(SECONDS) == 0
    os.close(main)
    assert b"hunter2" not in shown
    assert re.search(rb"petra is protected", shown)
