"""A server and two clients in Node, written from spec/protocol.md alone, with each other and with ours."""

from __future__ import annotations

import contextlib
import json
import queue
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from node import missing

ROOT = Path(__file__).parents[2]
HERE = ROOT / "examples" / "node"
TIMEOUT_SECONDS = 20.0
OURS = [sys.executable, "-m", "tchat_server", "--listen", "127.0.0.1:0", "--db", ":memory:", "--rate", "0"]
SERVERS = {"python": OURS, "node": ["node", str(HERE / "server.js")]}


pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


class Program:
    """A running program whose lines are waited for."""

    def __init__(self, command: list[str]) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, cwd=ROOT, text=True, encoding="utf-8"
        )
        self.lines: list[str] = []
        self.came: queue.Queue[str | None] = queue.Queue()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.came.put(line.rstrip("\r\n"))
        self.came.put(None)

    def type(self, *lines: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines))
        self.process.stdin.flush()

    def wait_for(self, text: str) -> str:
        """Return the next line that contains *text*."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while True:
            try:
                line = self.came.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"{text!r} did not come, but {self.lines}") from None
            assert line is not None, f"the program ended before {text!r}: {self.lines}"
            self.lines.append(line)
            if text in line:
                return line

    def rest(self) -> list[str]:
        """Wait for the end of the program and return all its lines."""
        code = self.process.wait(TIMEOUT_SECONDS)
        self.reader.join(TIMEOUT_SECONDS)
        while (line := self.came.get_nowait()) is not None:
            self.lines.append(line)
        assert code == 0, f"exit code {code}: {self.lines}"
        return self.lines

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join(TIMEOUT_SECONDS)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()


Start = Callable[[list[str]], Program]


@pytest.fixture
def start() -> Iterator[Start]:
    """Give a way to start programs that end with the test."""
    programs: list[Program] = []

    def run(command: list[str]) -> Program:
        programs.append(Program(command))
        return programs[-1]

    yield run
    for program in reversed(programs):
        program.stop()


def serve(start: Start, kind: str, folder: Path) -> str:
    """Start a server of *kind* and return its port."""
    port_file = folder / "port"
    server = start([*SERVERS[kind], "--port-file", str(port_file)])
    server.wait_for("127.0.0.1")
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not port_file.exists():
        assert server.process.poll() is None, f"the server ended: {server.lines}"
        assert time.monotonic() < deadline, "there is no port file"
        time.sleep(0.01)
    return port_file.read_text().strip()


@pytest.fixture(params=list(SERVERS))
def port(request: pytest.FixtureRequest, start: Start, tmp_path: Path) -> str:
    return serve(start, request.param, tmp_path)


def client(start: Start, port: str, name: str) -> Program:
    program = start(["node", str(HERE / "client.js"), "--name", name, "127.0.0.1", port])
    program.wait_for(f"welcome {name}")
    return program


def test_node_server_is_conformant(start: Start, tmp_path: Path) -> None:
    port = serve(start, "node", tmp_path)
    command = [sys.executable, str(ROOT / "spec" / "conformance"), "server", f"127.0.0.1:{port}"]
    ran = subprocess.run([*command, "--strict", "--json"], capture_output=True, text=True, encoding="utf-8")
    verdict = json.loads(ran.stdout)
    wrong = [
        (case["id"], case["problem"])
        for case in verdict["cases"]
        if case["outcome"] != "passed" and case["level"] != "MAY"
    ]
    assert not wrong
    assert len(verdict["cases"]) > 300
    assert ran.returncode == 0, verdict["result"]


def test_node_client_is_conformant() -> None:
    command = [sys.executable, str(ROOT / "spec" / "conformance"), "client", "--strict", "--lang", "en", "--"]
    client = ["node", str(HERE / "client.js"), "--name", "{name}", "{host}", "{port}"]
    ran = subprocess.run([*command, *client], capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert ran.returncode == 0, ran.stdout


def test_the_node_server_is_started_by_the_tester_as_its_readme_says() -> None:
    lines = (HERE / "README.md").read_text("utf-8").splitlines()
    (line,) = [line for line in lines if line.startswith("python3 spec/conformance server")]
    ran = subprocess.run([sys.executable, *shlex.split(line)[1:]], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert ran.returncode == 0, ran.stdout


def test_node_clients_talk(start: Start, port: str) -> None:
    alice, bob = client(start, port, "alice"), client(start, port, "bob")
    alice.type("cg;wob", "bg;wob;before bob")
    alice.wait_for("[wob 2] alice: before bob")
    bob.type("j;wob", "bg;wob;hello; alice")
    alice.wait_for("[wob 3] ")
    alice.wait_for("[wob 4] bob: hello; alice")
    alice.type("bg;wob;hello bob", "s;bob;just you", "b;everybody")
    bob.wait_for("[wob 5] alice: hello bob")
    bob.wait_for("alice -> bob: just you")
    bob.wait_for("alice -> all: everybody")
    bob.type("messages;wob")
    for text in ("  [wob 2] alice: before bob", "  [wob 4] bob: hello; alice", "  [wob 5] alice: hello bob"):
        bob.wait_for(text)
    alice.type("members;wob", "kick;wob;bob;enough; now")
    alice.wait_for("online in wob: alice, bob")
    assert "enough; now" in bob.wait_for("[wob 6] ")
    bob.type("bg;wob;still there?", "groups;", "ls;")
    bob.wait_for("! not-member")
    bob.wait_for("wob")
    assert "alice" in bob.wait_for("bob")
    alice.type("states;wob", "q;")
    for seq in (1, 3, 6):
        alice.wait_for(f"  [wob {seq}] ")
    alice.rest()
    bob.type("q;")
    assert not any("still there" in line for line in alice.lines + bob.rest())


def test_node_client_catches_up(start: Start, port: str) -> None:
    alice, bob = client(start, port, "alice"), client(start, port, "bob")
    alice.type("cg;wob")
    alice.wait_for("[wob 1] ")
    bob.type("j;wob")
    alice.wait_for("[wob 2] ")
    alice.type("kick;wob;bob", "bg;wob;he is out", "bg;wob;for a while")
    bob.wait_for("[wob 3] ")
    alice.wait_for("[wob 5] ")
    bob.type("j;wob")
    bob.wait_for("[wob 6] ")
    bob.wait_for("[wob 4] alice: he is out")
    bob.wait_for("[wob 5] alice: for a while")
    bob.type("q;")
    assert len([line for line in bob.rest() if line.startswith("[wob 6] ")]) == 1


def test_node_clients_invite_and_ban(start: Start, port: str) -> None:
    alice, bob = client(start, port, "alice"), client(start, port, "bob")
    alice.type("cg;den;private")
    alice.wait_for("[den 1] ")
    bob.type("j;den")
    bob.wait_for("! invite-required")
    alice.type("invite;den;bob", "invite;den;bob")
    bob.wait_for("[den 2] ")
    bob.type("j;den", "leave;den")
    bob.wait_for("[den 3] ")
    alice.wait_for("[den 4] ")
    alice.type("ban;den;bob", "invite;den;bob")
    alice.wait_for("! target-banned")
    bob.type("j;den")
    bob.wait_for("! banned")
    alice.type("unban;den;bob")
    bob.wait_for("[den 6] ")
    bob.type("q;")
    assert len([line for line in bob.rest() if line.startswith("[den 2] ")]) == 1  # it came twice


def test_mistyped_lines_are_not_sent(start: Start, port: str) -> None:
    alice = client(start, port, "alice")
    alice.type("bgg;wob;secret", "bg;wob", "cg;wob;privat", "hello everybody", "groups;", "q;")
    lines = alice.rest()
    assert len([line for line in lines if line.startswith("? ")]) == 4
    assert not any("secret" in line or "privat;" in line for line in lines)
    assert not any(line.startswith("! ") for line in lines)


def test_naive_client_survives_a_burst(start: Start, port: str) -> None:
    count = 20
    alice = client(start, port, "alice")
    alice.type("cg;wob")
    alice.wait_for("[wob 1] ")
    naive = start(["node", str(HERE / "naive.js"), "127.0.0.1", port, "naive", "wob", str(count)])
    alice.wait_for("[wob 2] ")
    hello = {"action": "client-hello", "from": "bob"}
    texts = [{"action": "gbroadcast", "sender": "bob", "group": "wob", "msg": f"text {n}"} for n in range(1, count + 1)]
    requests = [hello, {"action": "join", "sender": "bob", "group": "wob"}, *texts]
    with socket.create_connection(("127.0.0.1", int(port)), TIMEOUT_SECONDS) as burst:
        burst.sendall(b"".join(json.dumps(request).encode() for request in requests))
        lines = naive.rest()
    assert [line for line in lines if " text " in line] == [f"{n} text {n}" for n in range(1, count + 1)]


def test_tchat_talks_through_the_node_server(start: Start, tmp_path: Path) -> None:
    port = serve(start, "node", tmp_path)
    bob = client(start, port, "bob")
    tchat = [sys.executable, "-m", "tchat_client", "--name", "alice", "--lang", "en", f"127.0.0.1:{port}"]
    typed = ["cg;wob", "bg;wob;hello; bob", "invite;wob;bob", "s;bob;psst", "members;wob", "messages;wob", "q;"]
    alice = start(tchat)
    alice.type(*typed)
    assert "\n".join(alice.rest()).count("hello; bob") == 2  # as it is sent, and in the history
    bob.wait_for("[wob 3] ")
    bob.wait_for("alice -> bob: psst")
    bob.type("j;wob", "messages;wob")
    bob.wait_for("[wob 4] ")
    bob.wait_for("  [wob 2] alice: hello; bob")
