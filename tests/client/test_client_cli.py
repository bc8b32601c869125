"""`tchat` for scripts: what it prints, its exit codes, one line for whatever goes wrong, and no traceback."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cable import Cable
from serving import ROOT, SECONDS, Server, environment, serving

from tchat_client.address import Address, parse_address, parse_addresses
from tchat_client.cli import main
from tchat_client.errors import Misused
from tchat_client.settings import State, parse_duration, read_config

Run = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="terminals and signals of POSIX")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


class Client:
    """Runs `tchat` as its own process, as one user with a home of its own."""

    def __init__(self, directory: Path, server: Server) -> None:
        self.directory = directory
        self.server = server
        self.opened: list[subprocess.Popen[bytes]] = []

    def __call__(
        self, *args: str, name: str = "alice", stdin: bytes | None = b"", code: int = 0, **env: str
    ) -> tuple[str, str]:
        """Run, check the exit code, and return what came on the two outputs."""
        done = subprocess.run(
            [sys.executable, "-m", "tchat_client", *args],
            cwd=self.directory,
            env=environment(self.directory, **{"TCHAT_SERVER": self.server.address, "TCHAT_NAME": name, **env}),
            input=stdin,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == code, (done.returncode, out, err)
        assert "Traceback" not in err
        assert err.count("\n") <= 1, "one line on standard error"
        return out, err

    def open(self, *args: str, name: str = "alice", **env: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tchat_client", *args],
            env=environment(self.directory, **{"TCHAT_SERVER": self.server.address, "TCHAT_NAME": name, **env}),
            cwd=self.directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.opened.append(process)
        return process


def connected(process: subprocess.Popen[bytes]) -> None:
    """Read what a client that was opened with `--trace` says until it is connected."""
    assert process.stderr is not None
    while b'"server-hello"' not in (line := process.stderr.readline()):
        assert line, "it ended before it was connected"


@pytest.fixture
def tchat(tmp_path: Path, server: Server) -> Iterator[Client]:
    client = Client(tmp_path, server)
    yield client
    for process in client.opened:  # its name is free again, whatever the test found
        process.kill()
        process.communicate(timeout=SECONDS)


@pytest.fixture(scope="module")
def wob(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A group of alice's, with bob in it and one text."""
    client = Client(tmp_path_factory.mktemp("wob"), server)
    client("do", "cg;wob")
    client(stdin=b"j;wob\nbg;wob;hi; there\n", name="bob")
    return "wob"


def test_piped_lines_are_done_in_order_and_what_arrives_is_printed(tchat: Client) -> None:
    out, _ = tchat(stdin="cg;piped\nbg;piped;hi; there\nçà va\nmembers;\n".encode(), name="pia")
    lines = [line.partition(" ")[2] for line in out.splitlines()[1:]]
    assert lines == [
        "piped  -- you created piped",
        "piped  pia: hi; there",
        "piped  pia: çà va",
        "-- piped: 1 member: pia (owner)",
    ]


def test_piped_lines_that_are_refused_or_mistyped_exit_1_and_the_rest_is_done(tchat: Client, wob: str) -> None:
    out, err = tchat(stdin=b"kick;wob;alice\nmemebrs;wob\nbg;wob;still here\n", name="bob", code=1)
    assert "kick;wob;alice: only the owner of wob may do this (forbidden)" in out
    assert "unknown command 'memebrs', did you mean members;[group]?" in out
    assert "bob: still here" in out
    assert err == ""


def test_piped_lines_can_be_answered_in_json(tchat: Client, wob: str) -> None:
    out, _ = tchat("--json", stdin=b"members;wob\nmemebrs;\nkick;wob;alice\n", name="bob", code=1)
    messages = [json.loads(line) for line in out.splitlines()]
    assert [message["action"] for message in messages] == ["members", "error", "error"]
    assert [message.get("code") for message in messages] == [None, "bad-request", "forbidden"]


def test_a_group_one_is_in_already_is_selected(tchat: Client, wob: str) -> None:
    out, err = tchat("--join", "wob", stdin=b"j;wob\nwho has the keys?\n")
    assert out.count("text goes to wob now") == 2
    assert "already" not in out + err
    assert "alice: who has the keys?" in out
    out, _ = tchat("--join", "wob", "--json", stdin=b"again\n")
    assert [json.loads(line).get("code", "") for line in out.splitlines()] == ["already-member", ""]


def test_a_typo_of_a_group_is_not_offered_for_creation(tchat: Client, wob: str) -> None:
    out, _ = tchat(stdin=b"groups;\nj;wpb\n", code=1)
    assert "there is no group wpb: did you mean wob? (group-not-found)" in out
    out, _ = tchat("--lang", "fr", stdin=b"j;wpb\n", code=1)
    assert "vouliez-vous dire wob ?" in out


def test_quit_ends_the_piped_lines(tchat: Client) -> None:
    out, _ = tchat(stdin=b"ping;\nq;\nls;\n")
    assert "round trip" in out
    assert "connected" not in out


def test_no_lines_at_all_is_fine(tchat: Client) -> None:
    out, _ = tchat(stdin=b"")
    assert out.startswith(f"Connected to {tchat.server.address} as alice.\n")


def test_who_names_several_servers_sees_which_one_it_is(tchat: Client) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        both = f"127.0.0.1:{nobody.getsockname()[1]},{tchat.server.address}"
        out, _ = tchat("--server", both, stdin=b"", TCHAT_SERVER="")
    assert out.startswith(f"Connected to {tchat.server.address} as alice.\n")


def test_send_says_nothing_and_the_text_is_there(tchat: Client, wob: str) -> None:
    assert tchat("send", "wob", "bonjour; tous") == ("", "")
    out, _ = tchat("messages", "wob", "-n", "1")
    assert out[6:] == "wob  alice: bonjour; tous\n"


def test_send_takes_its_text_from_a_pipe(tchat: Client, wob: str) -> None:
    tchat("send", "wob", stdin=b"two\nlines\n")
    out, _ = tchat("messages", "wob", "-n", "1", "--json")
    assert json.loads(out)["msg"] == "two\nlines"
    tchat("send", "wob", "-", stdin=b"dash")
    tchat("send", "wob", "--stdin", "line", stdin=b"1\n\n2\r\n3")
    out, _ = tchat("messages", "wob", "-n", "4", "--json")
    assert [json.loads(line)["msg"] for line in out.splitlines()] == ["dash", "1", "2", "3"]


def test_json_lines_are_the_messages_and_nothing_else(tchat: Client, wob: str) -> None:
    out, _ = tchat("send", "wob", "x", "--json")
    sent = json.loads(out)
    assert (sent["action"], sent["msg"], sent["sender"]) == ("gbroadcast", "x", "alice")
    assert json.loads(tchat("members", "wob", "--json")[0])["list"] == ["alice", "bob"]
    assert "wob" in json.loads(tchat("groups", "--json")[0])["mine"]
    assert json.loads(tchat("ping", "--json")[0])["version"] == 1
    states = [json.loads(line) for line in tchat("states", "wob", "--json")[0].splitlines()]
    assert [event["action"] for event in states] == ["cgroupe", "join"]
    assert json.loads(tchat("do", "members;wob", "--json", TCHAT_LANG="fr")[0])["msg"] == "members of wob: alice, bob"


def test_lists_are_one_name_per_line(tchat: Client, wob: str) -> None:
    assert tchat("members", "wob")[0] == "alice\nbob\n"
    assert "wob\n" in tchat("groups")[0].splitlines(keepends=True)


def test_more_entries_than_a_page_holds_are_all_there(tchat: Client) -> None:
    tchat("do", "cg;long")
    lines = "".join(f"{number} {'x' * 100}\n" for number in range(300))
    tchat("send", "long", "--stdin", "line", stdin=lines.encode())
    out, _ = tchat("messages", "long", "-n", "290", "--json")
    assert [json.loads(line)["msg"].split()[0] for line in out.splitlines()] == [str(n) for n in range(10, 300)]


def test_do_does_any_command_of_the_course(tchat: Client) -> None:
    out, _ = tchat("do", "cg;secret;private")
    assert out[6:] == "secret  -- you created secret\n"
    assert "kick;[group];user[;reason]" in tchat("do", "/help kick")[0]


def test_a_command_may_follow_the_address(tchat: Client, wob: str) -> None:
    tchat(tchat.server.address, "send", "wob", "do", TCHAT_SERVER="")
    out, _ = tchat("--json", tchat.server.address, "messages", "-n", "1", "wob", TCHAT_SERVER="")
    assert json.loads(out)["msg"] == "do"
    _, err = tchat("snd", "groups", code=2)
    assert "did you mean send?" in err


def test_ping_measures(tchat: Client) -> None:
    out, _ = tchat("ping")
    assert out.startswith("round trip ")
    assert "protocol 1" in out
    assert "aller-retour" in tchat("ping", "--lang", "fr")[0]
    assert "aller-retour" in tchat("ping", LC_ALL="fr_FR.UTF-8")[0]


def test_tail_prints_until_it_has_enough(tchat: Client, wob: str) -> None:
    tail = tchat.open("tail", "wob", "--json", "--count", "2", "--trace", name="bob")
    connected(tail)
    tchat("send", "wob", "one")
    tchat("send", "wob", "two")
    out, err = tail.communicate(timeout=SECONDS)
    assert [json.loads(line)["msg"] for line in out.splitlines()] == ["one", "two"]
    assert tail.returncode == 0, err


def test_tail_ends_after_its_time(tchat: Client, wob: str) -> None:
    assert tchat("tail", "wob", "--for", "0.2s") == ("", "")


def test_tail_comes_back_and_repeats_and_misses_nothing(tchat: Client, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    with serving(tmp_path / "own") as server:
        watched, writer = Client(tmp_path, server), Client(tmp_path / "writer", server)
        writer.directory.mkdir()
        watched("do", "cg;kept")
        writer("do", "j;kept", name="bob")
        cable = Cable(server)
        tail = watched.open("tail", "kept", "--json", "--count", "7", TCHAT_SERVER=cable.address)
        assert tail.stdout is not None
        assert tail.stderr is not None
        texts = iter("1234567")

        def send() -> str:
            writer("send", "kept", text := next(texts), name="bob")
            return text

        while "alice" not in writer("do", "ls;", name="bob")[0]:
            pass
        send()
        assert json.loads(tail.stdout.readline())["msg"] == "1"
        cable.pull()
        assert json.loads(tail.stderr.readline())["code"] == "offline"
        send(), send()
        cable.is_plugged = True
        assert [json.loads(tail.stdout.readline())["msg"] for _ in "23"] == ["2", "3"]
        server.stop()
        server.start()
        send(), send()
        assert [json.loads(tail.stdout.readline())["msg"] for _ in "45"] == ["4", "5"]
        server.kill()
        server.start()
        send(), send()
        out, _ = tail.communicate(timeout=SECONDS)
        assert [json.loads(line)["msg"] for line in out.splitlines()] == ["6", "7"]
        assert tail.returncode == 0
        cable.close()


def test_lines_sent_over_a_cable_that_breaks_are_there_once(tchat: Client, tmp_path: Path) -> None:
    tchat("do", "cg;broken")
    cable = Cable(tchat.server)
    send = tchat.open("send", "broken", "--stdin", "line", TCHAT_SERVER=cable.address)
    assert send.stdin is not None
    numbers = [str(number) for number in range(400)]
    send.stdin.write("".join(f"{number}\n" for number in numbers).encode())
    send.stdin.close()
    send.stdin = None  # or communicate would write to it
    pulls = 0
    while send.poll() is None:
        if cable.carried > (pulls + 1) * 9_000 and pulls < 2:
            cable.pull()
            pulls += 1
            cable.is_plugged = True
        time.sleep(0.002)
    _, err = send.communicate(timeout=SECONDS)
    cable.close()
    assert (send.returncode, pulls) == (0, 2), err
    assert b"connected again" in err
    out, _ = tchat("messages", "broken", "-n", "500", "--json")
    assert [json.loads(line)["msg"] for line in out.splitlines()] == numbers


def test_an_interrupted_tail_exits_130(tchat: Client, wob: str) -> None:
    tail = tchat.open("tail", "wob", "--trace")
    connected(tail)
    tail.send_signal(signal.SIGINT)
    _, err = tail.communicate(timeout=SECONDS)
    assert tail.returncode == 130
    assert b"Traceback" not in err


def test_a_closed_pipe_exits_141_in_silence(tchat: Client, wob: str) -> None:
    client = tchat.open("messages", "wob")
    assert client.stdout is not None
    client.stdout.close()
    client.stdout = None
    _, err = client.communicate(timeout=SECONDS)
    assert client.returncode == 141
    assert err == b""


def test_a_one_shot_beside_an_open_session_is_the_same_user(tchat: Client, wob: str) -> None:
    session = tchat.open("tail", "wob", "--count", "1", "--trace")
    connected(session)
    tchat("send", "wob", "beside")
    out, _ = session.communicate(timeout=SECONDS)
    assert b"alice: beside" in out
    path = tchat.directory / "state" / "tchat" / "tokens.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    stranger = Client(tchat.directory / "elsewhere", tchat.server)
    stranger.directory.mkdir()
    session = tchat.open("tail", "wob", "--for", "20s", "--trace")
    connected(session)
    _, err = stranger("ping", code=1)
    assert err == "tchat: the name alice is in use: choose another one with --name (name-in-use)\n"
    session.send_signal(signal.SIGINT)
    session.communicate(timeout=SECONDS)


def test_a_password_comes_from_a_file_or_the_environment_and_is_never_shown(tchat: Client) -> None:
    out, err = tchat("do", "register;", "--json", name="paula", TCHAT_PASSWORD="hunter2")
    assert "hunter2" not in out + err
    stranger = Client(tchat.directory / "elsewhere", tchat.server)
    stranger.directory.mkdir()
    assert "auth-required" in stranger("ping", name="paula", code=1)[1]
    assert "auth-failed" in stranger("ping", name="paula", code=1, TCHAT_PASSWORD="wrong")[1]
    (stranger.directory / "secret").write_text("hunter2\n")
    done = stranger("do", "ls;", "--password-file", "secret", name="paula")
    assert "paula" in done[0]


def test_a_script_changes_a_password(tchat: Client) -> None:
    tchat("do", "register;", name="olga", TCHAT_PASSWORD="one")
    stranger = Client(tchat.directory / "other", tchat.server)  # has no token
    stranger.directory.mkdir()
    for user in (tchat, stranger):
        _, err = user("do", "register;", name="olga", code=2, TCHAT_PASSWORD="two")
        assert err.startswith("tchat: the name olga has a password already: TCHAT_OLD_PASSWORD must hold that one")
    _, err = tchat("do", "register;", "--lang", "fr", name="olga", code=2, TCHAT_PASSWORD="two")
    assert "le nom olga a déjà un mot de passe : TCHAT_OLD_PASSWORD" in err
    _, err = stranger("do", "register;", name="olga", code=1, TCHAT_PASSWORD="two", TCHAT_OLD_PASSWORD="none")
    assert err == "tchat: wrong password for olga (auth-failed)\n"
    out, err = stranger("do", "register;", name="olga", TCHAT_PASSWORD="two", TCHAT_OLD_PASSWORD="one")
    assert "the name olga is protected by your password now" in out
    stranger("ping", name="olga", TCHAT_PASSWORD="two")
    _, err = tchat("do", "register;", name="nobody", code=1, TCHAT_PASSWORD="two", TCHAT_OLD_PASSWORD="one")
    assert err == "tchat: the name nobody has no password: go without TCHAT_OLD_PASSWORD\n"


def test_a_script_registers_with_an_invitation_code(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tchat_server", "invite-code", str(tmp_path / "tchat.db")]
    with serving(tmp_path, "--registration", "invite") as server:
        made = subprocess.run(command, capture_output=True, text=True, check=True, env=environment(tmp_path))
        tchat = Client(tmp_path, server)
        _, err = tchat("do", "register;", name="ida", code=2, TCHAT_PASSWORD="one")
        assert "with an invitation code of the operator's: TCHAT_INVITATION" in err
        tchat("do", "register;", name="ida", TCHAT_PASSWORD="one", TCHAT_INVITATION=made.stdout.strip())


def test_where_nobody_can_be_asked_for_a_password_it_is_said_where(tchat: Client) -> None:
    out, _ = tchat(stdin=b"register;\n", name="quinn", code=1)
    assert "in a terminal type tchat do 'register;', which does" in out


def test_a_password_for_a_name_without_one_says_so(tchat: Client) -> None:
    _, err = tchat("ping", name="nopass", code=1, TCHAT_PASSWORD="secret")
    assert err.startswith("tchat: the name nopass has no password: go without TCHAT_PASSWORD")
    assert "n'a pas de mot de passe" in tchat("ping", "--lang", "fr", name="nopass", code=1, TCHAT_PASSWORD="secret")[1]


@pytest.mark.parametrize("words", [("messages", "@zoe"), ("do", "states;@zoe")], ids=" ".join)
def test_a_refusal_that_names_who_asked_is_told_in_french(tchat: Client, words: tuple[str, ...]) -> None:
    _, err = tchat(*words, "--lang", "fr", name="nopass", code=1)
    assert "peuvent lire ceci : register; en donne un à nopass (auth-required)" in err


def test_a_config_file_says_who_and_where(tchat: Client) -> None:
    config = tchat.directory / "config" / "tchat" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'server = "{tchat.server.address}"\nname = "connie"\nlang = "fr"\n')
    out, _ = tchat("do", "ls;", TCHAT_SERVER="", TCHAT_NAME="")
    assert "connie" in out
    assert "connecté" in out


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("nam = 'a'", "there is no setting nam; there are server, name"),
        ("tls = 'yes'", "tls must be true | false"),
        ("join = 'wob'", 'join must be ["...", ...]'),
        ("notify = 'bel'", 'notify must be "bell" | "desktop"'),
        ("name = ", "Invalid value"),
    ],
)
def test_a_config_file_that_makes_no_sense_is_one_line(line: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(line)
    with pytest.raises(Misused) as problem:
        read_config(tmp_path / "config.toml")
    assert why in str(problem.value)
    assert str(tmp_path) in str(problem.value)


def test_host_and_port_of_the_environment_are_the_server(tchat: Client) -> None:
    host, _, port = tchat.server.address.partition(":")
    assert "protocol 1" in tchat("ping", TCHAT_SERVER="", HOST=host, PORT=port)[0]
    assert "protocol 1" in tchat("ping", "--server", tchat.server.address, HOST="nowhere.invalid")[0]
    assert "Connected" in tchat(tchat.server.address, TCHAT_SERVER="")[0]


def test_options_may_come_before_the_command(tchat: Client) -> None:
    assert "protocol 1" in tchat("--server", tchat.server.address, "ping", TCHAT_SERVER="")[0]


def test_shell_completion_knows_the_commands(tchat: Client) -> None:
    code = "from tchat_client.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(tchat.directory, COMP_WORDS="tchat me", COMP_CWORD="1", _TCHAT_COMPLETE="bash_complete"),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert {"plain,members", "plain,messages"} <= set(done.stdout.split())


def test_a_script_command_imports_no_prompt() -> None:
    modules = ", ".join(f"tchat_client.{name}" for name in ("cli", "script", "session", "options", "report"))
    code = f"import sys, {modules}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "tchat_client.script" in done.stdout
    assert "prompt_toolkit" not in done.stdout


def test_raw_messages_are_traced_on_standard_error(tchat: Client) -> None:
    client = tchat.open("ping", "--trace")
    out, err = client.communicate(timeout=SECONDS)
    assert b"round trip" in out
    assert b'> {"action":"client-hello"' in err
    assert b'< {"action":"ping"' in err


MISUSES = [
    (("--server", "a:b", "ping"), "'a:b' is no HOST:PORT"),
    (("--server", "127.0.0.1:99999", "ping"), "is no HOST:PORT"),
    (("--name", "a b", "ping"), "'a b' cannot be your name"),
    (("--name", "server", "ping"), "'server' cannot be your name"),
    (("--name", "x" * 33, "ping"), "cannot be your name"),
    (("grups",), "no command 'grups', did you mean groups?"),
    (("sned", "wob", "hi"), "did you mean send?"),
    (("do", "memebrs;wob"), "unknown command 'memebrs', did you mean members;[group]?"),
    (("do", "kick;wob"), "kick takes [group];user[;reason], for example kick;wob;bob;spam"),
    (("do", "hello"), "no current group"),
    (("do", "/trace on"), "makes sense in a session only"),
    (("do", "register;"), "no password: set TCHAT_PASSWORD"),
    (("send", "a b", "hi"), "'a b' cannot be a group name"),
    (("send", "wob", "x" * 9000), "the text has 9000 bytes, at most 8192"),
    (("send", "wob", ""), "no text"),
    (("send", "wob"), "no text"),
    (("send", "wob", "hi", "--stdin", "line"), "not both"),
    (("send",), "Missing argument 'GROUP'"),
    (("messages", "wob", "-n", "0"), "0 is not in the range"),
    (("tail", "wob", "--for", "soon"), "'soon' is no duration"),
    (("ping", "--nonsense"), "No such option"),
    (("ping", "--config", "nowhere.toml"), "cannot read nowhere.toml"),
    (("ping", "--password-file", "nowhere"), "cannot read nowhere"),
    (("ping", "--ca", "nowhere.pem"), "cannot read nowhere.pem"),
    (("a", "b", "c"), "Got unexpected extra argument"),
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `tchat` in this process, which is faster: for what ends before it connects."""
    for name in ("TCHAT_SERVER", "TCHAT_NAME", "TCHAT_LANG", "LC_ALL", "LC_MESSAGES", "LANG", "HOST", "PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def run(*args: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
        with pytest.raises(SystemExit) as ended:
            main(args)
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out, err

    return run


@pytest.mark.parametrize(("args", "sentence"), MISUSES, ids=[" ".join(args)[:30] for args, _ in MISUSES])
def test_misuse_is_one_line_and_exit_2(here: Run, args: tuple[str, ...], sentence: str) -> None:
    code, out, err = here("--server", "127.0.0.1:1", *args)
    assert (code, out) == (2, "")
    assert err.startswith("tchat: ")
    assert err.count("\n") == 1
    assert sentence in err


BROKEN_CONFIGS = [
    ("name = ", "cannot read"),
    ('nmae = "x"', "there is no setting nmae"),
    ("name = 5", "name must be"),
    ("join = [1]", "join must be"),
]


@pytest.mark.parametrize(("text", "sentence"), BROKEN_CONFIGS, ids=[text for text, _ in BROKEN_CONFIGS])
def test_a_broken_config_is_one_line_and_exit_2(here: Run, tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "c.toml").write_text(text)
    code, _, err = here("ping", "--config", "c.toml")
    assert code == 2
    assert sentence in err
    assert err.count("\n") == 1


def test_input_that_is_no_utf8_is_one_line_and_exit_2(tchat: Client, wob: str) -> None:
    assert tchat("send", "wob", stdin=b"ok\n\xff\n", code=2)[1] == "tchat: line 2 of the input is not UTF-8\n"
    assert "line 2" in tchat("send", "wob", "--stdin", "line", stdin=b"ok\n\xff\n", code=2)[1]
    assert "line 2" in tchat(stdin=b"ping;\n\xff\n", code=2)[1]


def test_refusals_exit_1_with_the_code(tchat: Client, wob: str) -> None:
    assert tchat("messages", "nowhere", code=1)[1] == (
        "tchat: there is no group nowhere: cg;nowhere creates it (group-not-found)\n"
    )
    assert "(not-member)" in tchat("send", "wob", "hi", name="eve", code=1)[1]
    assert "(not-member)" in tchat("tail", "wob", name="eve", code=1)[1]
    assert "pas membre de wob" in tchat("send", "wob", "hi", "--lang", "fr", name="eve", code=1)[1]
    error = json.loads(tchat("do", "kick;wob;alice", "--json", name="bob", code=1)[1])
    assert (error["action"], error["code"]) == ("error", "forbidden")


def test_errors_of_ones_own_are_json_too(tchat: Client) -> None:
    error = json.loads(tchat("grups", "--json", code=2)[1])
    assert (error["action"], error["code"]) == ("error", "unknown-subcommand")
    error = json.loads(tchat("ping", "--json", "--server", "127.0.0.1:1", code=3)[1])
    assert error["code"] == "cannot-connect"


def test_nobody_there_exits_3(tchat: Client) -> None:
    _, err = tchat("ping", "--server", "127.0.0.1:1", code=3)
    assert err == "tchat: cannot connect to 127.0.0.1:1: nobody listens there; start one with tchat-server\n"
    assert "cannot connect" in tchat(TCHAT_SERVER="127.0.0.1:1", code=3)[1]


@contextmanager
def stub(*chunks: bytes, closes: bool = True, pause: float = 0.0) -> Iterator[str]:
    """The address of a server that says one chunk per read, after a pause, and then closes, or stays silent."""

    def serve() -> None:
        with suppress(OSError), listener.accept()[0] as connection:
            connection.settimeout(SECONDS)
            for chunk in chunks:
                if not connection.recv(65_536):
                    break
                time.sleep(pause)
                connection.sendall(chunk)
            while not closes and connection.recv(65_536):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


HELLO = (
    b'{"action":"server-hello","from":"alice","version":1,"server":"s","token":"t","groups":[],"seqs":{},"msg":""}\r\n'
)


@pytest.mark.parametrize("banner", [b"SSH-2.0-x\r\n", b"HTTP/1.1 400 Bad\r\nServer: x\r\n\r\n", b"\xff\xfe\x00\x01\n"])
def test_a_server_of_another_protocol_exits_5(tchat: Client, banner: bytes) -> None:
    with stub(banner) as address:
        assert "not a tchat server" in tchat("ping", "--server", address, code=5)[1]


def test_a_connection_lost_before_the_answer_exits_4(tchat: Client) -> None:
    with stub(HELLO, b'{"action":"gbro') as address:
        _, err = tchat("send", "wob", "hi", "--server", address, code=4)
    assert "may or may not have been done" in err
    with stub(HELLO, b"") as address:
        _, err = tchat(stdin=b"bg;wob;hi\n", code=4, TCHAT_SERVER=address)
    assert "may or may not have been done" in err


def test_a_server_that_never_answers_exits_4_in_time(tchat: Client) -> None:
    with stub(HELLO, b"", closes=False) as address:
        _, err = tchat("ping", "--timeout", "0.3s", "--server", address, code=4)
    assert "did not answer in 0.3 s" in err


def test_who_has_more_patience_has_it_for_the_hello_too(tchat: Client) -> None:
    with stub(HELLO, pause=3.3) as address:  # 3 s are usual
        _, err = tchat("ping", "--timeout", "20s", "--server", address, code=4)
    assert "did not answer" not in err, "it waited for the hello, then the server closed"


def test_a_text_from_a_terminal_is_not_waited_for(tchat: Client) -> None:
    parent, child = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tchat_client", "send", "wob"],
            env=environment(tchat.directory, TCHAT_SERVER=tchat.server.address),
            stdin=child,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    finally:
        os.close(parent)
        os.close(child)
    assert done.returncode == 2
    assert done.stderr == b"tchat: no text: give one, or pipe it in\n"


@pytest.mark.parametrize(("env", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colour_is_for_terminals_that_want_it(tchat: Client, wob: str, env: dict[str, str], is_coloured: bool) -> None:
    parent, child = pty.openpty()
    variables = {"TERM": "xterm", "TCHAT_SERVER": tchat.server.address, "TCHAT_NAME": "alice", **env}
    try:
        subprocess.run(
            [sys.executable, "-m", "tchat_client", "messages", "wob", "-n", "1"],
            env=environment(tchat.directory, **variables),
            stdout=child,
            timeout=SECONDS,
            check=True,
        )
        shown = os.read(parent, 10_000)
    finally:
        os.close(parent)
        os.close(child)
    assert (b"\x1b[" in shown) is is_coloured
    assert "\x1b[" not in tchat("messages", "wob")[0]


def test_piped_lines_end_when_the_connection_does(tchat: Client) -> None:
    with stub(HELLO) as address:
        client = tchat.open(address)
        assert client.wait(timeout=SECONDS) == 4  # although its input is still open
        _, err = client.communicate(timeout=SECONDS)
    assert err == b"tchat: the server closed the connection\n"


def test_a_state_directory_that_cannot_be_written_costs_nothing(tchat: Client) -> None:
    (tchat.directory / "state").write_text("in the way")
    assert "protocol 1" in tchat("ping")[0]
    out, err = tchat(stdin=b"ping;\n")
    assert "cannot write" in out
    assert "round trip" in out
    assert err == ""


def test_a_damaged_tokens_file_is_as_good_as_none(tchat: Client) -> None:
    path = tchat.directory / "state" / "tchat" / "tokens.json"
    path.parent.mkdir(parents=True)
    for found in ("{", [], {tchat.server.address: 5}, {tchat.server.address: {"alice": 5}}):
        path.write_text(found if isinstance(found, str) else json.dumps(found))
        tchat("ping")


def test_tls_checks_the_server(tchat: Client) -> None:
    _, err = tchat("ping", "--tls", code=3)
    assert "TLS failed" in err or "cannot connect" in err


ADDRESSES = [
    ("chat.example", Address("chat.example", 8080)),
    ("chat.example:9", Address("chat.example", 9)),
    (":9000", Address("127.0.0.1", 9000)),
    ("[::1]:9", Address("::1", 9)),
    ("[::1]", Address("::1", 8080)),
    (" h:1 ", Address("h", 1)),
]


@pytest.mark.parametrize(("text", "address"), ADDRESSES, ids=[text for text, _ in ADDRESSES])
def test_an_address_is_read(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


def test_several_addresses_are_joined_with_commas() -> None:
    assert parse_addresses("a, b:9,[::1]") == (Address("a", 8080), Address("b", 9), Address("::1", 8080))
    with pytest.raises(Misused):
        parse_addresses("a,b:x")
    with pytest.raises(Misused):
        parse_addresses("a,")


def test_of_several_servers_the_first_that_answers_is_used(tchat: Client) -> None:
    gone = "127.0.0.1:1"
    out, _ = tchat("ping", TCHAT_SERVER=f"{gone},{tchat.server.address}")
    assert out
    out, err = tchat("ping", TCHAT_SERVER=f"{gone},127.0.0.1:2", code=3)
    assert "127.0.0.1:2" in err


@pytest.mark.parametrize("text", ["a:", "a:0", "a:x", "a:65536", "::1", "a b:1", "http://a:1", "a\x1b:1", "a:²"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Misused):
        parse_address(text)


def test_durations_are_read() -> None:
    assert [parse_duration(text) for text in ("30", "1.5s", "5m", "1h")] == [30, 1.5, 300, 3600]
    for text in ("", "s", "-1s", "0", "1d", "nan", "inf", "1e99h"):
        with pytest.raises(Misused):
            parse_duration(text)


def test_no_config_file_is_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert read_config(None) == {}


def test_tokens_are_kept_per_server_and_name_for_the_owner_alone(tmp_path: Path) -> None:
    state, one, two = State(tmp_path / "deep" / "state"), Address("a", 1), Address("b", 1)
    state.keep_token("Alice", "T1", one)
    state.keep_token("alice", "T2", two)
    state.keep_token("bob", "T3", one)
    assert (state.token("ALICE", one), state.token("alice", two), state.token("bob", one)) == ("T1", "T2", "T3")
    assert state.token("bob", two) is None
    assert state.token("bob", two, one) == "T3"  # two addresses of one server
    state.keep_token("carl", "T4", one, two)
    assert (state.token("carl", one), state.token("carl", two)) == ("T4", "T4")
    assert stat.S_IMODE(state.tokens_path.stat().st_mode) == 0o600
    assert state.failure is None
    history = state.history_path()
    assert history is not None
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


def test_the_texts_with_a_user_are_read_by_a_script(tchat: Client) -> None:
    secret = {"TCHAT_PASSWORD": "correct horse"}
    tchat("do", "register;", name="walt", **secret)
    tchat("do", "s;walt;tea at five?", name="vera")
    out, _ = tchat("messages", "@vera", name="walt", **secret)
    assert "vera → walt: tea at five?" in out
    _, err = tchat("tail", "@vera", name="walt", code=2, **secret)
    assert "'@vera' cannot be a group name" in err
