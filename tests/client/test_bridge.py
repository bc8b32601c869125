"""`tchat bridge`, `tchat --dialect`, `tchat-server --dialects`: foreign programs and ours, over real sockets."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from certificates import certificate, secure
from foreign.grid import HOST, OURS, Peer, Screen, bridged, play, serving, wait

HERE = Path(__file__).parents[1] / "foreign"
DIALECTS = HERE / "dialects"
NEEDS_NODE = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
SELECT = [sys.executable, str(HERE / "select_server.py"), "{host}", "{port}"]
THREADS = [sys.executable, str(HERE / "threads_client.py"), "{host}", "{port}", "{name}"]
ACK = [sys.executable, str(HERE / "ack_server.py"), "{port}"]
AMPHI = ["node", str(HERE / "amphi_client.js"), "{host}", "{port}"]
CHUNK = ["node", str(HERE / "chunk_client.js"), "{name}", "{host}", "{port}"]
TYPED = {
    "tell": "s;{dest};{text}",
    "broadcast": "b;{text}",
    "users": "ls;",
    "create": "cg;{group}",
    "join": "j;{group}",
    "text": "bg;{group};{text}",
    "members": "members;{group}",
    "messages": "messages;{group}",
    "groups": "groups;",
    "leave": "leave;{group}",
    "invite": "invite;{group};{dest}",
    "kick": "kick;{group};{dest};{reason}",
    "ban": "ban;{group};{dest};{reason}",
    "unban": "unban;{group};{dest}",
    "states": "states;{group}",
}


def file(name: str) -> str:
    return str(DIALECTS / f"{name}.toml")


@pytest.mark.parametrize("server", [None, "select"])
@pytest.mark.parametrize("client", ["threads", pytest.param("chunk", marks=NEEDS_NODE)])
def test_a_foreign_client_can_do_everything_through_the_bridge(client: str, server: str | None) -> None:
    command = {"threads": THREADS, "chunk": CHUNK}[client]
    others = [file("client-threads"), file("client-chunk"), file("client-wrapped")]
    with (
        serving(SELECT if server else OURS) as port,
        bridged(port, others, server and file(f"server-{server}")) as inner,
    ):
        done, missed = play(command, TYPED, inner, inner)
    assert missed == []
    assert len(done) == 18


@NEEDS_NODE
def test_programs_with_names_of_their_own_for_everything_understand_each_other() -> None:
    with serving(ACK) as port, bridged(port, [file("client-amphi")], file("server-ack")) as inner:
        done, missed = play(AMPHI, TYPED, inner, inner)
    assert missed == []
    assert len(done) == 18


def test_the_conformance_tester_passes_through_the_bridge() -> None:
    tester = [sys.executable, str(HERE.parent.parent / "spec" / "conformance"), "server"]
    with serving(OURS) as port, bridged(port, [file("client-wrapped"), file("client-threads")], None) as inner:
        ran = subprocess.run([*tester, f"{HOST}:{inner}", "--json"], capture_output=True, text=True, timeout=120)
    verdict = json.loads(ran.stdout)
    assert [case["id"] for case in verdict["cases"] if case["outcome"] != "passed"] == []


@pytest.fixture
def relay() -> Iterator[Callable[[bytes], int]]:
    """Give a server that sends the same bytes to everybody who says something, and never reads again."""
    is_over = threading.Event()
    with socket.create_server((HOST, 0)) as listener:

        def serve(data: bytes) -> None:
            with contextlib.suppress(OSError):
                peer, _ = listener.accept()
                with peer:
                    peer.recv(65_536)
                    peer.sendall(data)
                    is_over.wait(1)

        threads = []

        def start(data: bytes) -> int:
            threads.append(threading.Thread(target=serve, args=(data,), daemon=True))
            threads[0].start()
            return int(listener.getsockname()[1])

        yield start
        is_over.set()
        threads[0].join(5)


@pytest.mark.parametrize(
    "data",
    [b"nonsense\n" * 50, b"{" * 100_000, b'{"a":' * 5000, b"\xff\xfe\n", b'{"action":5}', b""],
    ids=["no JSON", "braces", "deep", "no UTF-8", "no action", "nothing"],
)
def test_a_server_that_talks_nonsense_ends_no_bridge(relay: Callable[[bytes], int], data: bytes) -> None:
    with bridged(relay(data), [], file("server-select")) as inner:
        peer = Peer(inner, "al")
        peer.send(action="ping")
        heard = peer.hears("pong") or peer.hears("closed")
        peer.close()
        assert heard


def test_the_bridge_talks_tls_to_a_server_that_it_can_check(tmp_path: Path) -> None:
    said = '{"action": "client-broadcast", "from": "al", "message": "psst"}\n'
    with serving([*OURS, *secure(tmp_path)]) as port:
        with bridged(port, [file("client-threads")], None, "--tls", f"--ca={tmp_path / 'cert.pem'}") as inner:
            bob = Peer(inner, "bob")
            assert bob.hears("server-hello")
            with socket.create_connection((HOST, inner), 5) as al:
                al.sendall(b'{"action": "client-hello", "from": "al"}\n')
                time.sleep(0.1)
                al.sendall(said.replace("message", "content").encode())
                assert bob.hears("al", "psst")
            bob.close()
        other = tmp_path / "other"
        other.mkdir()
        with bridged(port, [], None, "--tls", f"--ca={certificate(other)}") as inner:
            stranger = Peer(inner, "eve")
            heard = stranger.hears("server-hello", seconds=1)
            stranger.close()
            assert not heard


@pytest.mark.parametrize(
    "text",
    ["x" * 8192, "{who} {list} {say} {nothing} {{", "bob is thrown out of wob by al: {reason}", "server \x1b[2J"],
    ids=["8 KiB", "a template", "a notice", "controls"],
)
def test_a_text_is_a_text_whatever_stands_in_it(text: str) -> None:
    with serving(ACK) as port, bridged(port, [], file("server-ack")) as inner:
        al, bob = Peer(inner, "al"), Peer(inner, "bob")
        assert al.hears("server-hello")
        assert bob.hears("server-hello")
        al.send(action="client-send", to="bob", msg=text)
        assert wait(lambda: len(bob.heard) > 1, 5)
        heard = [json.loads(line) for line in bob.heard[1:]]
        assert [(m["action"], m["sender"], m["msg"]) for m in heard] == [("server-send", "al", text)]
        for peer in (al, bob):
            peer.close()


def test_64_kibibytes_of_text_are_refused_and_the_bridge_goes_on() -> None:
    with serving(ACK) as port, bridged(port, [], file("server-ack")) as inner:
        al = Peer(inner, "al")
        assert al.asks('"too-large"', "above 8192 bytes", action="client-broadcast", msg="x" * 60_000)
        al.send(action="client-broadcast", msg="x" * 70_000)
        assert al.hears("too-large")
        al.close()
        bob = Peer(inner, "bob")
        assert bob.asks('"bob"', action="client-list-clients")
        bob.close()


def test_who_says_nothing_but_what_is_no_message_is_not_listened_to_for_ever() -> None:
    with (
        socket.create_server((HOST, 0)) as server,
        bridged(server.getsockname()[1], [], file("server-ack")) as inner,
        socket.create_connection((HOST, inner), 10) as stranger,
    ):
        stranger.sendall(b"this is no message\n" * 4)
        assert stranger.recv(1) == b""


def test_a_server_must_wait_for_a_client_that_does_not_read() -> None:
    frame = json.dumps({"action": "shout", "origin": "bob", "text": "x" * 1000}).encode() + b"\n"
    with socket.create_server((HOST, 0)) as listener, bridged(listener.getsockname()[1], [], file("server-ack")) as at:
        client = socket.create_connection((HOST, at), 5)
        client.sendall(b'{"action": "client-hello", "from": "al"}\n')
        server, _ = listener.accept()
        server.settimeout(3)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 50_000_000:
                sent += server.send(frame * 64)
        client.close()
        server.close()
    assert sent < 50_000_000


def test_a_server_that_vanishes_is_told_of(relay: Callable[[bytes], int]) -> None:
    with bridged(relay(b""), [], file("server-select")) as inner:
        peer = Peer(inner, "al")
        heard = peer.hears("the server has closed the connection", seconds=5)
        peer.close()
        assert heard


@pytest.mark.parametrize("client", [None, "client-threads"], ids=["our client", "a foreign one"])
def test_what_a_server_says_that_is_no_message_is_shown_as_a_sentence(
    client: str | None, relay: Callable[[bytes], int]
) -> None:
    said = b"Bienvenue chez nous \x1b[2J!\n"
    with (
        bridged(relay(said), [file(client)] if client else [], file("server-select")) as inner,
        socket.create_connection((HOST, inner), 5) as al,
        al.makefile("r", encoding="utf-8") as lines,
    ):
        al.sendall(b'{"action": "client-hello", "from": "al"}\n')
        shown = json.loads(lines.readline())
    assert shown["msg" if client is None else "message"] == "Bienvenue chez nous \ufffd[2J!"


def test_what_a_client_cannot_be_shown_is_in_the_bridge_s_log(tmp_path: Path, relay: Callable[[bytes], int]) -> None:
    mute = tmp_path / "mute.toml"
    mute.write_text(
        'name = "mute"\nside = "client"\n[requests]\nhello = { action = "client-hello", nick = "{me}" }\n', "utf-8"
    )
    command = [sys.executable, "-m", "tchat_client", "bridge", "--listen", f"{HOST}:0", "--port-file"]
    to = ["--to", f"{HOST}:{relay(b'un' + bytes([10]) + b'deux' + bytes([10]))}", "--as", file("server-select")]
    bridge = Screen([*command, str(tmp_path / "port"), *to, str(mute)])
    try:
        assert wait(lambda: (tmp_path / "port").exists(), 10)
        with socket.create_connection((HOST, int((tmp_path / "port").read_text())), 5) as al:
            al.sendall(b'{"action":"client-hello","nick":"al"}\n')
            assert bridge.shows("gone", seconds=5)
    finally:
        bridge.stop()
    assert bridge.text.count("what is no message and this client cannot be shown: un") == 1
    assert "deux" not in bridge.text


def test_a_server_that_answers_late_is_waited_for() -> None:
    late = [sys.executable, str(HERE / "late.py"), "server", "2.5", f"{HOST}:{{port}}"]
    with (
        serving([*late, sys.executable, str(HERE / "select_server.py"), HOST, "PORT"]) as port,
        bridged(port, [], file("server-select")) as inner,
    ):
        al, bob = Peer(inner, "al"), Peer(inner, "bob")
        assert al.hears("server-hello", seconds=8)
        assert bob.hears("server-hello", seconds=8)
        al.send(action="client-send", to="bob", msg="at last")  # asked about first: a text to nobody ends the server
        assert bob.hears("at last", seconds=10)
        for peer in (al, bob):
            peer.close()
        assert "did not" not in "".join(al.heard)


def test_our_client_talks_to_a_foreign_server(tmp_path: Path) -> None:
    with serving(SELECT) as port:
        command = [
            sys.executable,
            "-m",
            "tchat_client",
            "--dialect",
            file("server-select"),
            "--name",
            "al",
            "--lang",
            "en",
        ]
        ran = subprocess.run(
            [*command, f"{HOST}:{port}"],
            input="cg;wob\nbg;wob;hello\nmessages;wob\nmembers;wob\nstates;wob\nj;nix\nls;\nq;\n",
            capture_output=True, text=True, timeout=60, env={"XDG_STATE_HOME": str(tmp_path), "PATH": "/usr/bin"},
        )  # fmt: skip
    for shown in ("created wob", "hello", "wob: 1 member: al", "no such group", "created by al"):
        assert shown in ran.stdout + ran.stderr
    assert "not confirmed" not in ran.stdout
    assert "has closed" not in ran.stdout


def test_our_server_speaks_the_dialects_it_was_given() -> None:
    with serving([*OURS, "--dialects", str(DIALECTS)]) as port:
        done, missed = play(THREADS, TYPED, port, port)
    assert missed == []
    assert len(done) == 18


def test_a_hundred_clients_at_once() -> None:
    with serving(OURS) as port, bridged(port, [file("client-threads")], None) as inner:
        peers = []
        for number in range(100):
            peer = socket.create_connection((HOST, inner), 5)
            peer.sendall(json.dumps({"action": "client-hello", "from": f"user{number}"}).encode() + b"\n")
            peers.append(peer)
        last = peers[-1]
        last.settimeout(10)
        time.sleep(0.5)
        last.sendall(json.dumps({"from": "user99", "action": "client-list-clients"}).encode() + b"\n")
        heard = b""
        while b"user98" not in heard:
            heard += last.recv(65_536)
        for peer in peers:
            peer.close()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--listen", "127.0.0.1:0", "--to", "127.0.0.1:9", "nowhere.toml"], "nowhere.toml: No such file"),
        (["--listen", "127.0.0.1:0", "--to", "127.0.0.1:9", file("server-select")], "is given with --as"),
        (["--listen", "127.0.0.1:0", "--to", "127.0.0.1:9", "--listen", "127.0.0.1:0"], "every --listen"),
    ],
)
def test_a_bridge_that_cannot_be_says_why_in_one_line(words: list[str], complaint: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tchat_client", "bridge", *words], capture_output=True, text=True, timeout=30
    )
    assert ran.returncode == 2
    assert complaint in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_a_bridge_ends_when_it_is_told_to() -> None:
    with socket.create_server((HOST, 0)) as server:
        to = f"{HOST}:{server.getsockname()[1]}"
        bridge = Screen([sys.executable, "-m", "tchat_client", "bridge", "--listen", f"{HOST}:0", "--to", to])
        assert wait(lambda: "listening" in bridge.text, 10)
        port = int(bridge.text.partition(f"{HOST}:")[2].partition(",")[0])
        with socket.create_connection((HOST, port), 5) as client, server.accept()[0] as upstream:
            client.sendall(b'{"action":"ping"}\n')
            assert upstream.recv(1)  # it is connected to both
            bridge.process.send_signal(signal.SIGTERM)
            assert bridge.process.wait(5) == 0
        bridge.stop()
    assert "Traceback" not in bridge.text


def test_a_bridge_whose_log_nobody_reads_goes_on_and_ends_when_it_is_told_to(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)
    ports = tmp_path / "port"
    with socket.create_server((HOST, 0)) as server:
        to = f"{HOST}:{server.getsockname()[1]}"
        command = [sys.executable, "-m", "tchat_client", "bridge", "--listen", f"{HOST}:0", "--to", to]
        with subprocess.Popen([*command, "--port-file", str(ports)], stderr=writing) as bridge:
            try:
                assert wait(lambda: ports.exists() and ports.read_text().strip() != "", 10), "it waits for its log"
                with socket.create_connection((HOST, int(ports.read_text())), 5) as client:
                    client.sendall(b"hi")
                    server.settimeout(5)
                    with server.accept()[0] as inner:
                        assert inner.recv(2) == b"hi"
                bridge.send_signal(signal.SIGTERM)
                assert bridge.wait(5) == 0
            finally:
                bridge.kill()
    os.close(reading)
    os.close(writing)


def test_a_bridge_starts_the_server_behind_it(tmp_path: Path) -> None:
    ports = tmp_path / "port"
    bridge = Screen(
        [sys.executable, "-m", "tchat_client", "bridge", "--listen", f"{HOST}:0", "--as", file("server-select"),
         "--run", f"{sys.executable} {HERE / 'select_server.py'} {{host}} {{port}}", "--port-file", str(ports)]
    )  # fmt: skip
    try:
        assert wait(lambda: ports.exists() and ports.read_text().strip() != "", 10), bridge.text
        peer = Peer(int(ports.read_text()), "al")
        heard = peer.asks("al", action="client-list-clients")
        peer.close()
        assert heard
    finally:
        bridge.process.send_signal(signal.SIGTERM)
        bridge.process.wait(5)
        bridge.stop()
