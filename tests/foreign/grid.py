"""Play a chat between a foreign client and a foreign server with the bridge between: what works?

It learns nothing: `python tests/foreign/grid.py DIR` takes the dialects from DIR (`client-NAME.toml`, ...).
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
HOST = "127.0.0.1"
OURS = [sys.executable, "-m", "tchat_server", "--listen", f"{HOST}:{{port}}", "--db", ":memory:", "--rate", "0"]
WAIT_SECONDS = 2.5


_IN_TERMINAL = "import pty, sys; pty.spawn(['sh', '-c', 'stty -echo; exec \"$@\"', 'sh', *sys.argv[1:]])"


class Screen:
    """A program whose output is read."""

    def __init__(self, command: Sequence[str], **environment: str) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, cwd=ROOT, bufsize=0, start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        )  # fmt: skip
        self.text = ""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            while data := self.process.stdout.read(65_536):
                self.text += data.decode("utf-8", "replace")

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.write(line.encode() + b"\n")

    def shows(self, word: str, since: int = 0, seconds: float = WAIT_SECONDS) -> bool:
        return wait(lambda: word in self.text[since:], seconds)

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, 9)
        self.process.wait()
        self.reader.join(5)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()


def wait(holds: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


class Peer:
    """A client of this protocol, as plain as can be."""

    def __init__(self, port: int, name: str) -> None:
        self.name = name
        self.socket = socket.create_connection((HOST, port), 5)
        self.socket.settimeout(None)  # who hears nothing for a while still listens
        self.lines: queue.Queue[str] = queue.Queue()
        self.heard: list[str] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.send(action="client-hello")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.reader.join(5)

    def _read(self) -> None:
        with (
            contextlib.suppress(OSError, ValueError),
            self.socket.makefile("r", encoding="utf-8", errors="replace") as lines,
        ):
            for line in lines:
                self.heard.append(line)

    def send(self, **fields: str) -> None:
        with contextlib.suppress(OSError):
            self.socket.sendall(
                json.dumps({"from": self.name, "sender": self.name, "name": self.name, **fields}).encode() + b"\n"
            )
            time.sleep(0.03)

    def hears(self, *words: str, since: int = 0, seconds: float = WAIT_SECONDS) -> bool:
        return wait(lambda: any(all(word in line for word in words) for line in self.heard[since:]), seconds)

    def asks(self, *words: str, **fields: str) -> bool:
        since = len(self.heard)
        self.send(**fields)
        return self.hears(*words, since=since)

    def lacks(self, word: str, **fields: str) -> bool:
        """Whether the list asked for does not hold *word*."""
        for _ in range(3):
            since = len(self.heard)
            self.send(**fields)
            if wait(lambda at=since: any('"list"' in line or '"error"' in line for line in self.heard[at:]), 1.0):
                if '"error"' in "".join(self.heard[since:]):
                    return True  # outsiders are told nothing
                if not any(f'"{word}"' in line.partition('"list"')[2].partition("]")[0] for line in self.heard[since:]):
                    return True
            time.sleep(0.1)
        return False


def free_port() -> int:
    """Return a port below those that the system gives to connections, so that none of ours takes it meanwhile."""
    for _ in range(100):
        port = 20_000 + secrets.randbelow(12_000)
        if not listens(port):
            return port
    raise AssertionError("no port is free")


class Chat:
    def __init__(self, client: Sequence[str], typed: dict[str, str], port: int, peers_port: int) -> None:
        self.typed = typed
        mark = os.urandom(3).hex().translate(str.maketrans("0123456789", "ghijklmnop"))
        self.name, self.group, self.other = f"alice{mark}", f"wob{mark}", f"web{mark}"
        self.bob, self.carol = Peer(peers_port, f"bob{mark}"), Peer(peers_port, f"carol{mark}")
        words = [
            part.replace("{name}", self.name).replace("{host}", HOST).replace("{port}", str(port)) for part in client
        ]
        if "tests/foreign/tty_client.js" in words:
            words = [sys.executable, "-c", _IN_TERMINAL, *words]
        self.screen = Screen(words, HOST=HOST, PORT=str(port))
        if "{name}" not in " ".join(client):  # it asks
            for answer in (self.name, HOST, str(port)):
                self.screen.type(answer)
        self.marks = 0

    def close(self) -> None:
        self.screen.stop()
        for peer in (self.bob, self.carol):
            peer.close()

    def mark(self) -> str:
        self.marks += 1
        return f"mot{self.marks}{self.name[-4:]}"

    def type(self, kind: str, **values: str) -> int:
        since = len(self.screen.text)
        parts = self.typed[kind].split(" \u2192 ")
        for part in parts:
            self.screen.type(re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], ""), part))
            if len(parts) > 1:
                time.sleep(0.15)
        time.sleep(0.05)
        return since


def steps(chat: Chat) -> Iterator[tuple[str, Callable[[], bool]]]:
    bob, carol, screen, group = chat.bob, chat.carol, chat.screen, chat.group

    def step(kind: str, act: Callable[[], bool]) -> tuple[str, Callable[[], bool]]:
        return kind, act

    def shows_more(since: int) -> bool:
        return wait(lambda: len(screen.text[since:].strip()) > 0, WAIT_SECONDS)

    def users() -> bool:
        return screen.shows(bob.name, chat.type("users"))

    def broadcast() -> bool:
        mark = chat.mark()
        chat.type("broadcast", text=mark)
        return bob.hears(mark)

    def broadcast_back() -> bool:
        mark = chat.mark()
        bob.send(action="client-broadcast", msg=mark)
        return screen.shows(mark)

    def tell() -> bool:
        mark = chat.mark()
        chat.type("tell", dest=bob.name, text=mark)
        return bob.hears(mark)

    def tell_back() -> bool:
        mark = chat.mark()
        bob.send(action="client-send", to=chat.name, msg=mark)
        return screen.shows(mark)

    def create() -> bool:
        since = chat.type("create", group=group)
        shown = wait(lambda: len(screen.text[since:].strip()) > 0, WAIT_SECONDS)
        bob.send(action="join", group=group)
        return bob.asks(chat.name, action="members", group=group) and shown

    def join() -> bool:
        bob.send(action="cgroupe", group=chat.other)
        since = chat.type("join", group=chat.other)
        shown = wait(lambda: len(screen.text[since:].strip()) > 0, WAIT_SECONDS)
        return bob.asks(chat.name, action="members", group=chat.other) and shown

    def text() -> bool:
        mark = chat.mark()
        chat.type("text", group=group, text=mark)
        return bob.hears(mark)

    def text_back() -> bool:
        mark = chat.mark()
        bob.send(action="gbroadcast", group=group, msg=mark)
        chat.said = mark
        return screen.shows(mark)

    def members() -> bool:
        return screen.shows(bob.name, chat.type("members", group=group))

    def messages() -> bool:
        return screen.shows(getattr(chat, "said", "?"), chat.type("messages", group=group))

    def groups() -> bool:
        return screen.shows(group, chat.type("groups"))

    def states() -> bool:
        return screen.shows(bob.name, chat.type("states", group=group))

    def invite() -> bool:
        chat.type("invite", group=group, dest=carol.name)
        return carol.hears(group)

    def kick() -> bool:
        mark = chat.mark()
        since = chat.type("kick", group=group, dest=bob.name, reason=mark)
        return bob.lacks(bob.name, action="members", group=group) and shows_more(since)

    def ban() -> bool:
        bob.send(action="join", group=group)
        since = chat.type("ban", group=group, dest=bob.name, reason=chat.mark())
        bob.send(action="join", group=group)
        return bob.lacks(bob.name, action="members", group=group) and shows_more(since)

    def unban() -> bool:
        since = chat.type("unban", group=group, dest=bob.name)
        time.sleep(0.1)
        bob.send(action="join", group=group)
        return bob.asks(bob.name, '"list"', action="members", group=group) and shows_more(since)

    def leave() -> bool:
        since = chat.type("leave", group=group)
        carol.send(action="join", group=group)
        return carol.lacks(chat.name, action="members", group=group) and shows_more(since)

    for kind, act in list(locals().items()):
        if callable(act) and kind not in ("step", "shows_more") and kind.partition("_")[0] in chat.typed:
            yield step(kind, act)


def play(client: Sequence[str], typed: dict[str, str], port: int, peers_port: int) -> tuple[list[str], list[str]]:
    chat = Chat(client, typed, port, peers_port)
    done: list[str] = []
    missed: list[str] = []
    try:
        time.sleep(0.6)
        for kind, act in steps(chat):
            (done if act() else missed).append(kind)
        if chat.screen.process.poll() is not None:
            missed.append("DIED")
        if os.environ.get("SHOW"):
            print(chat.screen.text[-3000:])
    finally:
        chat.close()
    return done, missed


@contextlib.contextmanager
def serving(command: Sequence[str]) -> Iterator[int]:
    """Start a server on a free port; on another one if somebody else took that."""
    for attempt in range(4):
        port = free_port()
        words = [part.replace("{port}", str(port)).replace("{host}", HOST) for part in command]
        server = Screen(words, PORT=str(port), HOST=HOST)
        if wait(lambda: server.process.poll() is not None or listens(port), 10) and server.process.poll() is None:  # noqa: B023
            break
        server.stop()
        assert attempt < 3, server.text
    try:
        yield port
    finally:
        if server.process.poll() is not None or os.environ.get("SHOW"):
            print("  server said:", server.text[-600:])
        server.stop()


def listens(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection((HOST, port), 1).close()
        return True
    return False


@contextlib.contextmanager
def bridged(port: int, dialects: Sequence[str], server: str | None, *options: str) -> Iterator[int]:
    with tempfile.TemporaryDirectory() as folder:
        ports = Path(folder) / "port"
        bridge = Screen(
            [sys.executable, "-m", "tchat_client", "bridge", "--listen", f"{HOST}:0", "--to", f"{HOST}:{port}",
             "--port-file", str(ports), *(("--as", server) if server else ()),
             *(("--trace",) if os.environ.get("SHOW") else ()), *options, *dialects]
        )  # fmt: skip
        try:
            assert wait(lambda: ports.exists() and ports.read_text().strip() != "", 10), bridge.text
            yield int(ports.read_text().split()[0])
        finally:
            if os.environ.get("SHOW"):
                print(bridge.text[-30000:])
            bridge.stop()


def main(directory: Path, only: Sequence[str]) -> None:
    teams = tomllib.loads((HERE / "teams.toml").read_text("utf-8"))
    servers = {"tchat": (OURS, None)} | {
        row["name"]: (row["command"], str(directory / f"server-{row['name']}.toml")) for row in teams["server"]
    }
    total = [0, 0]
    for row in teams["client"]:
        for name, (command, dialect) in servers.items():
            if only and (row["name"] not in only[0].split(",") or (len(only) > 1 and name not in only[1].split(","))):
                continue
            path = directory / f"client-{row['name']}.toml"
            if not path.exists() or (dialect and not Path(dialect).exists()):
                print(f"{row['name']:>12} on {name:<12} not learnt")
                continue
            typed = json.loads((directory / f"client-{row['name']}.json").read_text("utf-8"))
            with serving(command) as port, bridged(port, [str(path)], dialect) as inner:
                done, missed = play(row["command"], typed, inner, inner)
            total[0] += len(done)
            total[1] += len(done) + len(missed)
            print(
                f"{row['name']:>12} on {name:<12} {len(done)}/{len(done) + len(missed)}  {' '.join(missed)}", flush=True
            )
    print("total", total)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
