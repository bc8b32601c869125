"""What an operator does to a server, or forgets to do: none of it may end or freeze the server, or show a secret."""

from __future__ import annotations

import fcntl
import os
import pty
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from certificates import certificate
from commandline import ANYWHERE, environment, running
from live import TIMEOUT_SECONDS, Client, serving

PASSPHRASE = ("-aes256", "-passout", "pass:x")


def take_terminal() -> None:
    """Make standard input one's terminal, in a session of one's own."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def broken_certificate(cert: Path, key: Path, other: Path) -> None:
    cert.write_text("no certificate")


def certificate_of_another_key(cert: Path, key: Path, other: Path) -> None:
    shutil.copy(other / "cert.pem", cert)


def key_that_is_gone(cert: Path, key: Path, other: Path) -> None:
    shutil.copy(other / "cert.pem", cert)
    key.unlink()


def encrypted_key(cert: Path, key: Path, other: Path) -> None:
    shutil.copy(other / "cert.pem", cert)
    command = ["openssl", "pkey", "-in", str(other / "key.pem"), *PASSPHRASE, "-out", str(key)]
    subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_SECONDS)


@pytest.fixture
def directories(tmp_path: Path) -> tuple[Path, Path]:
    """Two directories with a certificate and its key."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        certificate(tmp_path / name)
    return tmp_path / "one", tmp_path / "two"


def tls(directory: Path) -> tuple[str, str]:
    return f"--tls-cert={directory / 'cert.pem'}", f"--tls-key={directory / 'key.pem'}"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (broken_certificate, "cert.pem"),
        (certificate_of_another_key, "do not belong together"),
        (key_that_is_gone, "No such file"),
        (encrypted_key, "encrypted"),
    ],
)
def test_a_reload_that_fails_changes_nothing(
    damage: Callable[[Path, Path, Path], None], reason: str, directories: tuple[Path, Path], tmp_path: Path
) -> None:
    one, two = directories
    trust = tmp_path / "trust"
    shutil.copytree(one, trust)
    with running(tmp_path, *ANYWHERE, *tls(one)) as server:
        damage(one / "cert.pem", one / "key.pem", two)
        for word in ("first", "second"):
            server.process.send_signal(signal.SIGHUP)
            assert reason in server.logs(r"error +TLS files not reloaded, the old ones stay in use: .*")
            assert server.client(word, trust=trust).welcome["action"] == "server-hello"


def test_a_key_with_a_passphrase_is_refused_and_never_asked_about(
    directories: tuple[Path, Path], tmp_path: Path
) -> None:
    one, two = directories
    encrypted_key(one / "cert.pem", one / "key.pem", two)
    main, terminal = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tchat_server", *ANYWHERE, *tls(one)],
            env=environment(),
            stdin=terminal,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            start_new_session=True,
            preexec_fn=take_terminal,
            check=False,
        )
    finally:
        os.close(main)
        os.close(terminal)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "key.pem is encrypted" in done.stderr


def test_sighup_without_tls_is_a_line_in_the_log(tmp_path: Path) -> None:
    with running(tmp_path, *ANYWHERE) as server:
        alice = server.client("alice")
        server.process.send_signal(signal.SIGHUP)
        server.logs("SIGHUP: there are no TLS files to reload")
        assert alice.ask(action="ping")["action"] == "ping"


def test_a_server_whose_terminal_is_closed_says_goodbye(tmp_path: Path) -> None:
    main, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tchat_server", *ANYWHERE, "--port-file", str(tmp_path / "port")],
        env=environment(),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=take_terminal,
    )
    os.close(terminal)
    try:
        while not (tmp_path / "port").exists():
            time.sleep(0.01)
            assert process.poll() is None
        with Client(int((tmp_path / "port").read_text())) as alice:
            alice.hello("alice")
            os.close(main)
            assert alice.until("server-quit")
        assert process.wait(TIMEOUT_SECONDS) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("options", [(), ("--trace",)], ids=["log", "trace"])
def test_standard_error_that_nobody_reads_stops_nothing(options: tuple[str, ...], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    port = tmp_path / "port"
    process = subprocess.Popen(
        [sys.executable, "-m", "tchat_server", *ANYWHERE, "--port-file", str(port), "--rate", "0", *options],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=writing,
    )
    os.close(writing)
    fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, 4096)
    try:
        while not port.exists():
            time.sleep(0.01)
            assert process.poll() is None
        with Client(int(port.read_text())) as alice:
            alice.sock.settimeout(5)
            alice.hello("alice")
            alice.ask(action="cgroupe", group="wob")
            for number in range(100):
                alice.ask(action="gbroadcast", group="wob", msg=f"{number}" * 40)
                with Client(int(port.read_text())) as stranger:
                    stranger.sock.settimeout(5)
                    stranger.write(b"GET / HTTP/1.1\r\n\r\n")
                    stranger.rest_of_lines()
            assert alice.ask(action="ping")["action"] == "ping"
        process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        os.close(reading)


HANGING = """
import os, time
from tchat_server.store.sqlite import writer
perform = writer.Writer.perform
def hang(self, jobs):
    while os.path.exists({plan!r}):
        time.sleep(0.05)
    perform(self, jobs)
writer.Writer.perform = hang
"""


def test_grace_bounds_the_whole_exit_also_when_the_disk_hangs(tmp_path: Path) -> None:
    plan = tmp_path / "hang"
    prelude = HANGING.format(plan=str(plan))
    with serving(tmp_path, "--db", str(tmp_path / "tchat.db"), "--grace", "2", prelude=prelude) as server:
        alice = server.client("alice")
        assert alice.ask(action="cgroupe", group="wob")["seq"] == 1
        plan.touch()
        alice.send(action="gbroadcast", group="wob", msg="never acknowledged")
        time.sleep(0.1)
        begun = time.monotonic()
        server.ask_to_stop()
        assert server.process.wait(TIMEOUT_SECONDS) == 4
        assert time.monotonic() - begun < 3
        assert "ended after --grace 2: storage does not answer" in server.log()
        server.process.returncode = 0  # it is what was expected


def test_trace_shows_no_secret_wherever_it_stands(tmp_path: Path) -> None:
    with running(tmp_path, *ANYWHERE, "--trace") as server:
        alice = server.client()
        alice.sock.sendall(b'{"action":"client-hello","from":"alice","pass')
        time.sleep(0.05)
        alice.sock.sendall(b'word":"hun')
        time.sleep(0.05)
        alice.sock.sendall(b'ter2"}\n')
        alice.until("error")
        token = alice.ask(action="client-hello", **{"from": "alice"})["token"]
        alice.ask(messageFormat={"action": "register", "password": "hunter2"})
        alice.sock.sendall(b'{"action":"client-hello","from":"alice","p\\u0061ssword":"hunter2"}\n')
        alice.get()
        alice.sock.sendall(b'{"action":"client-hello","from":"alice","password":"hunter2",}\n')
        alice.get()
        alice.sock.sendall(b'{"action":"client-hello",\n "from":"alice",\n "password":\n  "hunter2"}\n')
        alice.get()
        alice.ask(action="ping")
        server.logs('> {"action":"ping"')
        text = server.log()
        assert "hunter2" not in text
        assert "ter2" not in text
        assert token not in text
        assert text.count("***") >= 5
        assert '"action":"register"' in text.replace(" ", "")
