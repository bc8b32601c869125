"""The `tchat-server` command as people run it: what it prints, its files, signals, exit codes, TLS and admin pages."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from commandline import ANYWHERE, COMMAND, Running, environment, running
from live import TIMEOUT_SECONDS

from tchat_server.cli import main


def run(*args: str, code: int = 0, prefix: tuple[str, ...] = (), **env: str) -> tuple[str, str]:
    """Run the command to its end and return what it printed; a failure is exactly one line, never a traceback."""
    done = subprocess.run(
        [*prefix, *COMMAND, *args],
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == (code != 0), done.stderr
    return done.stdout, done.stderr.rstrip("\n")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound database: alice owns wob, bob is a member, eve is banned."""
    path = tmp_path_factory.mktemp("original") / "tchat.db"
    with running(path.parent, "--listen", "127.0.0.1:0", "--db", str(path)) as server:
        alice, bob = server.client("alice"), server.client("bob")
        assert alice.ask(action="cgroupe", group="wob")["seq"] == 1
        assert bob.ask(action="join", group="wob")["seq"] == 2
        bob.ask(action="gbroadcast", group="wob", msg="bonjour")
        alice.send(action="ban", group="wob", dest="eve")
        alice.until("ban")
    return path


@pytest.fixture
def db(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(original, tmp_path / "tchat.db"))


def test_the_banner_says_where_and_how_and_the_port_file_which_port(tmp_path: Path) -> None:
    with running(tmp_path, *ANYWHERE) as server:
        assert server.port > 0
        assert re.fullmatch(
            rf"tchat-server \d[\w.]* on 127\.0\.0\.1:{server.port}, data in :memory:\. "
            rf"Try: tchat 127\.0\.0\.1:{server.port} --name alice",
            server.banner[0],
        )
        assert server.banner[1] == f"in a browser: http://127.0.0.1:{server.port}/"
        assert server.banner[2] == f"loopback only; --listen 0.0.0.0:{server.port} accepts other machines"
        assert server.client("alice").welcome["server"].startswith("tchat-server ")


def test_several_addresses_are_all_served_and_listed_in_the_port_file_whatever_was_planted(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "ports.new").symlink_to(tmp_path / "victim")
    with running(tmp_path, *ANYWHERE, "--listen", "127.0.0.2:0", lines=1) as server:
        assert len(server.ports) == 2
        assert (tmp_path / "victim").read_text() == "precious"
        assert f"127.0.0.1:{server.ports[0]}, 127.0.0.2:{server.ports[1]}" in server.banner[0]
        sock = socket.create_connection(("127.0.0.2", server.ports[1]), TIMEOUT_SECONDS)
        sock.sendall(b'{"action":"ping"}\n')
        assert b'"action":"ping"' in sock.recv(4096)
        sock.close()


def test_host_and_port_come_from_the_environment_unless_an_option_says_otherwise(tmp_path: Path) -> None:
    with running(tmp_path, "--db", ":memory:", lines=1, HOST="127.0.0.2", PORT="0") as server:
        assert f" on 127.0.0.2:{server.port}," in server.banner[0]
    with running(tmp_path, *ANYWHERE, HOST="127.0.0.2", PORT="http") as server:
        assert f" on 127.0.0.1:{server.port}," in server.banner[0]
    _, line = run("--db", ":memory:", code=2, PORT="http")
    assert line == "PORT='http' in the environment is not a port number"


def test_the_database_is_in_the_state_directory_by_default_and_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "tchat" / "tchat.db"
    with running(tmp_path, "--listen", "127.0.0.1:0", XDG_STATE_HOME=str(tmp_path / "state")) as server:
        assert f"data in {path}." in server.banner[0]
        server.client("alice").ask(action="cgroupe", group="wob")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert run("check", str(path))[0] == "1 groups, 1 events, 0 of them messages\n"


def test_a_port_in_use_is_one_line_that_offers_another(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        _, line = run("--listen", f"127.0.0.1:{port}", "--db", str(tmp_path / "a.db"), code=3)
        assert line == f"port {port} is in use: choose --listen 127.0.0.1:{port + 1}"
        admin = ("--admin-listen", f"127.0.0.1:{port}")
        _, line = run(*ANYWHERE, *admin, code=3)
        assert line == f"port {port} is in use: choose --admin-listen 127.0.0.1:{port + 1}"
    assert "can't listen on 192.0.2.1:0" in run("--listen", "192.0.2.1:0", "--db", ":memory:", code=3)[1]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("frobnicate",), "No such command 'frobnicate'."),
        (("--listen", "here"), "'here' is not HOST:PORT"),
        (("--listen", "127.0.0.1:65536"), "'127.0.0.1:65536' is not HOST:PORT"),
        (("--rate", "-1"), "Invalid value for '--rate'"),
        (("--max-peers", "0"), "Invalid value for '--max-peers'"),
        (("--durability", "some"), "Invalid value for '--durability'"),
        (("--tls-cert", "cert.pem"), "--tls-cert and --tls-key go together"),
        (("--tls-listen", ":0"), "--tls-listen needs --tls-cert and --tls-key"),
        (("own", "wob"), "Missing argument 'NAME'."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_options_are_one_line_and_exit_code_2(
    options: tuple[str, ...], line: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Here without a process for each: they end before there is a server."""
    for name in {"HOST", "PORT", "XDG_STATE_HOME"} & os.environ.keys():
        monkeypatch.delenv(name)
    monkeypatch.setenv("TCHAT_LANG", "en")
    monkeypatch.setattr(sys, "argv", ["tchat-server", *options])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capfd.readouterr()
    assert (ended.value.code, out, err.count("\n")) == (2, "", 1)
    assert line in err


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--nope",), "No such option '--nope'."),
        (("--tls-cert", "no.pem", "--tls-key", "no.pem"), "no.pem: No such file or directory"),
        ((*ANYWHERE, "--port-file", "/dev/null/ports"), "/dev/null/ports cannot be written: Not a directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_program_that_cannot_start_as_it_is_told_ends_in_one_line(options: tuple[str, ...], line: str) -> None:
    out, err = run(*options, code=2)
    assert line in err
    assert out == ""


def test_help_and_version_are_printed() -> None:
    assert "--tls-cert" in run("--help")[0]
    assert re.fullmatch(r"tchat-server, version \d\S*\n", run("--version")[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path, *ANYWHERE) as server:
        alice = server.client("alice")
        nobody = server.client()
        assert server.ends(number) == 0
        assert [message["action"] for message in alice.rest()] == ["server-quit"]
        assert [message["action"] for message in nobody.rest()] == ["server-quit"]


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    options = ("--grace", "600", "--max-out-bytes", str(100 << 20), "--admin-listen", "127.0.0.1:0")
    with running(tmp_path, *ANYWHERE, *options, lines=4) as server:
        deaf, alice = server.client("deaf"), server.client("alice")
        alice.ask(action="cgroupe", group="wob")
        deaf.ask(action="join", group="wob")
        for _ in range(2000):  # more than all buffers of a connection hold
            alice.send(action="gbroadcast", group="wob", msg="x" * 8000)
            alice.until("gbroadcast")
        server.process.send_signal(signal.SIGTERM)
        assert alice.rest()[-1]["action"] == "server-quit"
        assert server.process.poll() is None, "it did not wait for what deaf has not read"
        assert fetch(server, "/readyz") == (503, "not now\n")
        assert server.ends() == 1
        deaf.sock.close()


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 5000)


def overwrite(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096 : 4096 * 4] = b"\xa5" * (4096 * 3)
    path.write_bytes(data)


def write_text(path: Path) -> None:
    path.write_text("Dear diary, this is no database at all.\n" * 100)


def make_newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()


def make_other(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA application_id = 1234")
    connection.close()


def make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "advice"),
    [
        (truncate, r"(is truncated, .*|is damaged: .*): ?restore a backup|.*restore a backup"),
        (overwrite, r"is damaged: `tchat-server check` says where; restore a backup"),
        (write_text, r"is not a database: choose another file with --db"),
        (make_newer, r": database schema 7 is newer than this server \(3\): install a newer tchat-server"),
        (make_other, r"is another program's database: choose another file with --db"),
        (make_directory, r"cannot be opened, Is a directory: .*"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_storage_that_must_not_be_used_is_refused_in_one_line(
    db: Path, damage: Callable[[Path], None], advice: str
) -> None:
    damage(db)
    before = db.read_bytes() if db.is_file() else b""
    _, line = run("--listen", "127.0.0.1:0", "--db", str(db), code=4)
    assert re.fullmatch(rf"{re.escape(str(db))} ?({advice})", line), line
    assert (db.read_bytes() if db.is_file() else b"") == before, "a refused file was changed"


def test_a_database_has_one_server(db: Path) -> None:
    with running(db.parent, "--listen", "127.0.0.1:0", "--db", str(db)) as server:
        _, line = run("--listen", "127.0.0.1:0", "--db", str(db), code=4)
        assert line.startswith(f"{db}: database is locked by another tchat-server: ")
        assert server.client("alice").welcome["groups"] == ["wob"]


def test_what_is_no_directory_or_cannot_be_written_is_refused(db: Path, tmp_path: Path) -> None:
    _, line = run("--listen", "127.0.0.1:0", "--db", str(db / "tchat.db"), code=4)
    assert line.startswith(f"{db}/tchat.db cannot be opened, ")
    prefix: tuple[str, ...] = ()
    if os.geteuid() == 0:  # root may write anywhere, unless it gives that up
        if shutil.which("setpriv") is None:
            pytest.skip("root may write anywhere, and there is no setpriv")
        prefix = ("setpriv", "--bounding-set", "-dac_override")
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    _, line = run("--listen", "127.0.0.1:0", "--db", str(locked / "tchat.db"), code=4, prefix=prefix)
    assert line.startswith(f"{locked}/tchat.db cannot be opened, Permission denied: ")
    db.chmod(0o400)
    _, line = run("--listen", "127.0.0.1:0", "--db", str(db), code=4, prefix=prefix)
    assert line.startswith(f"{db} cannot be ")


def test_check_counts_and_finds_damage(db: Path) -> None:
    assert run("check", str(db))[0] == "1 groups, 4 events, 1 of them messages\n"
    with sqlite3.connect(db) as connection:
        connection.execute("DELETE FROM entries WHERE kind = 0")
    connection.close()
    out, line = run("check", str(db), code=4)
    assert out.splitlines()[0].startswith("group wob: ")
    assert line == f"{db}: 1 faults; restore a backup"
    out, line = run("check", str(db), code=4, TCHAT_LANG="fr")
    assert out.splitlines()[0].startswith("groupe wob : après l'évènement ")
    assert line == f"{db} : 1 défauts ; restaurez une sauvegarde"
    overwrite(db)
    assert run("check", str(db), code=4)[1].endswith("restore a backup")
    assert "does not exist" in run("check", str(db) + "x", code=4)[1]
    os.truncate(db, 20_000)
    for language, said in (
        ("en", " is damaged so that nothing in it can be read: restore a backup"),
        ("fr", " est endommagé, rien ne peut y être lu : restaurez une sauvegarde"),
    ):
        assert run("check", str(db), code=4, TCHAT_LANG=language)[1] == f"{db}{said}"
    write_text(db)
    assert run("check", str(db), code=4)[1] == f"{db} is not a database: name the database of a tchat-server"


def test_a_backup_made_while_the_server_runs_can_be_served(db: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with running(tmp_path, "--listen", "127.0.0.1:0", "--db", str(db)) as server:
        alice = server.client("alice")
        said = alice.ask(action="gbroadcast", group="wob", msg="before the backup")
        assert run("backup", str(db), str(copy))[0] == f"{db} is copied to {copy}\n"
        alice.ask(action="gbroadcast", group="wob", msg="after the backup")
        assert "exists already" in run("backup", str(db), str(copy), code=4)[1]
        assert run("check", str(db))[0] == "1 groups, 6 events, 3 of them messages\n"
    assert run("check", str(copy))[0] == "1 groups, 5 events, 2 of them messages\n"
    with running(tmp_path, "--listen", "127.0.0.1:0", "--db", str(copy)) as server:
        alice = server.client("alice")
        assert alice.ask(action="msgs", group="wob")["list"][-1] == said
        assert alice.ask(action="gbroadcast", group="wob", msg="on")["seq"] == said["seq"] + 1


def test_own_gives_a_group_whose_owner_is_gone_another_one(db: Path) -> None:
    for group, name, why in (
        ("nowhere", "bob", "there is no group nowhere"),
        ("wob", "carol", "carol is not a member of wob"),
        ("wob", "eve", "eve is not a member of wob"),
        ("wob", "alice", "alice owns wob already"),
    ):
        assert why in run("own", str(db), group, name, code=1)[1]
    assert run("own", str(db), "wob", "Bob")[0] == "bob owns wob (event 5)\n"
    assert run("check", str(db))[0] == "1 groups, 5 events, 1 of them messages\n"
    with running(db.parent, "--listen", "127.0.0.1:0", "--db", str(db)) as server:
        bob = server.client("bob")
        members = bob.ask(action="members", group="wob")
        assert (members["owner"], members["list"]) == ("bob", ["bob"])
        last = bob.ask(action="states", group="wob", limit=1)["list"][0]
        assert (last["action"], last["sender"], last["owner"], last["seq"]) == ("leave", "alice", "bob", 5)
        assert bob.ask(action="unban", group="wob", dest="eve")["seq"] == 6


NASTY = "\x1b]0;owned\x07 \u202e \x9b31m \u2028 2026-01-01T00:00:00Z info forged"


def is_safe(text: str) -> bool:
    return all(char == "\n" or char.isprintable() for char in text)


def test_trace_prints_every_message_and_nothing_that_drives_a_terminal(tmp_path: Path) -> None:
    with running(tmp_path, *ANYWHERE, "--trace") as server:
        alice = server.client("alice")
        alice.ask(action="cgroupe", group="wob")
        assert alice.ask(action="gbroadcast", group="wob", msg=NASTY)["msg"] == NASTY
        alice.sock.sendall(b'{"action":"ping"} \x1b[2J\r\xff\xe2\x80\xae\n')
        alice.until("error")
        peer = f"127.0.0.1:{alice.sock.getsockname()[1]}"
        server.logs('> .*"bad-json"')
        assert f'{peer} < {{"action": "cgroupe", "group": "wob"}}' in server.log()
        assert f'{peer} > {{"action":"cgroupe"' in server.log()
        for action in ("groups", "msgs", "states", "members", "client-list-clients"):
            alice.ask(action=action, group="wob")
        for answer in ("groups", "msgs", "states", "members", "server-list-clients"):
            server.logs(rf'{peer} > {{"action":"{answer}"')
    assert is_safe(server.log())
    whole = re.compile(rf"{peer} [<>] |\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ ")
    assert all(whole.match(line) for line in server.log().splitlines())


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_log_line_is_one_line_whatever_is_in_it(form: str) -> None:
    code = (
        "import logging, sys; from tchat_server.ops.logs import set_up_logging; "
        "from tchat_server.ops.outlet import Outlet; outlet = Outlet(2); set_up_logging('info', sys.argv[1], outlet); "
        "logging.info('name %s', sys.argv[2]); logging.debug('hidden'); outlet.close(9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, form, NASTY + "\nforged"], env=environment(), capture_output=True, check=True
    )
    text = done.stderr.decode("utf-8")
    assert is_safe(text)
    assert text.count("\n") == 1
    if form == "json":
        entry = json.loads(text)
        assert (entry["level"], entry["message"]) == ("info", f"name {NASTY}\nforged")
    else:
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ info    name \\x1b\]0;owned", text)


def test_the_log_says_why_each_connection_ended_and_never_what_was_said(tmp_path: Path) -> None:
    with running(tmp_path, *ANYWHERE, "--log-format", "json", lines=1) as server:
        started = json.loads(server.banner[0])
        assert (started["message"], started["listen"]) == ("serving", [f"127.0.0.1:{server.port}"])
        alice, bob, carol = (server.client(name) for name in ("alice", "bob", "carol"))
        alice.ask(action="client-broadcast", msg="a secret between us")
        alice.send(action="client-quit")
        assert alice.rest()[-1]["action"] == "server-quit"
        server.logs(r"gone: quit")
        carol.sync()
        carol.sock.close()
        server.logs(r"gone: closed by the peer")
        bob.reset()
        server.logs(r"gone: lost: .*reset by peer")
    entries = [json.loads(line) for line in server.log().splitlines()]
    assert [(entry["user"], entry["cause"].partition(":")[0]) for entry in entries] == [
        ("alice", "quit"),
        ("carol", "closed by the peer"),
        ("bob", "lost"),
    ]
    assert "secret" not in server.log()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two directories, each with a cert.pem and a key.pem for 127.0.0.1."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make certificates with")
    directories = (tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second"))
    for directory in directories:
        subprocess.run(
            [
                *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
                *("-keyout", str(directory / "key.pem"), "-out", str(directory / "cert.pem"), "-days", "2"),
                *("-subj", "/CN=tchat test", "-addext", "subjectAltName=IP:127.0.0.1"),
            ],
            capture_output=True,
            check=True,
        )
    return directories


@pytest.fixture
def secure(certificates: tuple[Path, Path], tmp_path: Path) -> Iterator[Running]:
    """A server with a TLS port, then a plain one, in the port file in the order plain, TLS."""
    for name in ("cert.pem", "key.pem"):
        shutil.copy(certificates[0] / name, tmp_path)
    options = ("--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem"))
    with running(tmp_path, *ANYWHERE, "--tls-listen", "127.0.0.1:0", *options) as server:
        yield server


def test_people_chat_over_tls_with_those_who_do_not(secure: Running, certificates: tuple[Path, Path]) -> None:
    plain, tls = secure.ports
    alice, bob = secure.client("alice", port=tls, trust=certificates[0]), secure.client("bob", port=plain)
    assert alice.ask(action="cgroupe", group="wob")["seq"] == 1
    bob.ask(action="join", group="wob")
    alice.until("join")
    for text in ("é" * 4000, "short"):
        bob.send(action="gbroadcast", group="wob", msg=text)
        assert alice.get() == bob.get()
    alice.send(action="client-quit")
    assert alice.get()["action"] == "server-quit"
    assert alice.next() is None


def test_tls_alone_needs_no_other_option(certificates: tuple[Path, Path], tmp_path: Path) -> None:
    options = ("--tls-cert", str(certificates[0] / "cert.pem"), "--tls-key", str(certificates[0] / "key.pem"))
    with running(tmp_path, *ANYWHERE, *options) as server:
        assert server.client("alice", port=server.port, trust=certificates[0]).welcome["action"] == "server-hello"
        with pytest.raises(ssl.SSLCertVerificationError):
            server.client("bob", port=server.port, trust=certificates[1])


def test_plain_bytes_on_the_tls_port_end_at_once_and_the_log_says_why(secure: Running) -> None:
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", secure.ports[1]), TIMEOUT_SECONDS) as sock:
        sock.sendall(b'{"action":"ping"}\n')
        answer = b""
        with suppress(ConnectionResetError):
            while data := sock.recv(4096):
                answer += data
    assert b"ping" not in answer
    assert time.monotonic() - begun < 5
    secure.logs(r"127\.0\.0\.1:\d+ gone: no TLS handshake: .+")


def test_tls_on_the_plain_port_ends_at_once_and_the_log_says_why(secure: Running) -> None:
    begun = time.monotonic()
    context = ssl.create_default_context()
    address = ("127.0.0.1", secure.ports[0])
    with socket.create_connection(address, TIMEOUT_SECONDS) as sock, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(sock, server_hostname="127.0.0.1")
    assert time.monotonic() - begun < 5
    secure.logs(r"127\.0\.0\.1:\d+ gone: .+")


def test_sighup_serves_the_new_certificate_and_drops_nobody(
    secure: Running, certificates: tuple[Path, Path], tmp_path: Path
) -> None:
    port = secure.ports[1]
    alice = secure.client("alice", port=port, trust=certificates[0])
    for name in ("cert.pem", "key.pem"):
        shutil.copy(certificates[1] / name, tmp_path)
    secure.process.send_signal(signal.SIGHUP)
    secure.logs("TLS files reloaded")
    bob = secure.client("bob", port=port, trust=certificates[1])
    assert bob.ask(action="client-send", to="alice", msg="still there?")["msg"] == "still there?"
    assert alice.get()["msg"] == "still there?"
    (tmp_path / "cert.pem").write_text("no certificate")
    secure.process.send_signal(signal.SIGHUP)
    secure.logs("TLS files not reloaded, the old ones stay in use: ")
    assert secure.client("carol", port=port, trust=certificates[1]).welcome["action"] == "server-hello"
    assert bob.ask(action="ping")["action"] == "ping"


def fetch(server: Running, path: str) -> tuple[int, str]:
    port = server.banner[3].rpartition(" ")[2]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=TIMEOUT_SECONDS) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_admin_pages_tell_health_and_numbers(tmp_path: Path) -> None:
    with running(tmp_path, *ANYWHERE, "--admin-listen", "127.0.0.1:0", lines=4) as server:
        assert re.fullmatch(r"/healthz, /readyz and /metrics on port \d+", server.banner[3])
        alice = server.client("alice")
        alice.ask(action="cgroupe", group="wob")
        assert alice.code(action="cgroupe", group="wob") == "group-exists"
        assert fetch(server, "/healthz") == (200, "ok\n")
        assert fetch(server, "/readyz") == (200, "ok\n")
        assert fetch(server, "/nope")[0] == 404
        status, text = fetch(server, "/metrics")
        assert status == 200
        numbers: dict[str, Any] = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        assert (numbers["tchat_peers"], numbers["tchat_appends_total"]) == ("1", "1")
        assert numbers["tchat_frames_in_total"] == "3"
        assert numbers['tchat_errors_total{code="group-exists"}'] == "1"
    assert "healthz" not in server.log()
