"""A real `tchat-server` in a process of its own, and plain blocking clients for it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]
TIMEOUT_SECONDS = 20.0
ROOT = Path(__file__).parents[2]
NO_RATES = [
    *("--rate", "0", "--bytes-per-second", "0", "--bytes-per-second-per-address", "0"),
    *("--delivered-bytes-per-second", "0"),
]
_names = itertools.count(1)


def fresh(word: str) -> str:
    """Return a name nobody has."""
    return f"{word}.{next(_names):x}"


class Client:
    """One connection. Presence notices are passed over."""

    def __init__(self, port: int, *, source: str = "", host: str = "127.0.0.1") -> None:
        self.sock = socket.create_connection((host, port), TIMEOUT_SECONDS, (source, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self.welcome: Json = {}
        self.name = ""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def hello(self, name: str, **more: Any) -> None:
        """Say hello; it must be accepted."""
        self.welcome = self.ask(action="client-hello", **{"from": name}, **more)
        assert self.welcome["action"] == "server-hello", self.welcome
        self.name = name

    def send(self, **message: Any) -> None:
        self.write(json.dumps(message).encode() + b"\n")

    def write(self, data: bytes) -> None:
        """Write bytes; a connection that is gone already is no fault of the test's."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(data)

    def write_some(self, data: bytes) -> None:
        """Write what the server takes before the time of the socket is over."""
        with contextlib.suppress(TimeoutError):
            self.write(data)

    def line(self) -> bytes | None:
        """Return the next line without its end, None when nothing more comes."""
        while b"\r\n" not in self._buffer:
            try:
                data = self.sock.recv(1 << 18)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def told(self) -> bytes | None:
        """Return the next line that is no presence notice: nobody can say between which others such a one comes."""
        while (line := self.line()) is not None:
            if json.loads(line).get("event") not in ("connect", "disconnect"):
                return line
        return None

    def next(self) -> Json | None:
        """Return the next message that is no presence notice, None when nothing more comes."""
        line = self.told()
        return None if line is None else json.loads(line)

    def get(self) -> Json:
        message = self.next()
        assert message is not None, "the connection was closed"
        return message

    def ask(self, **message: Any) -> Json:
        """Send a request and return the next message."""
        self.send(**message)
        return self.get()

    def code(self, **message: Any) -> str:
        """Send a request that is refused and return the error's code."""
        answer = self.ask(**message)
        assert answer["action"] == "error", answer
        return str(answer["code"])

    def until(self, action: str) -> list[Json]:
        """Return all messages up to one with this action, that one included."""
        found = [self.get()]
        while found[-1]["action"] != action:
            found.append(self.get())
        return found

    def rest(self) -> list[Json]:
        """Return all messages up to the end of the connection."""
        return list(iter(self.next, None))

    def rest_of_lines(self) -> list[bytes]:
        """Return all lines up to the end of the connection, the last one perhaps in part."""
        found = list(iter(self.line, None))
        return [*found, self._buffer] if self._buffer else found

    def sync(self) -> list[Json]:
        """Return everything that was sent before a ping is answered."""
        self.send(action="ping")
        return self.until("ping")[:-1]

    def reset(self) -> None:
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Server:
    """A `tchat-server` that runs.

    Args:
        directory: an empty one, for its files.
        options: of the command; `--db :memory:` and no rates unless given.
        prelude: Python to run in the server's process before anything of tchat is imported, to plan a fault.

    Attributes:
        host, prefix: where it listens, and what its command begins with: another machine, perhaps.
    """

    host: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()

    def __init__(self, directory: Path, *options: str, prelude: str = "", open_files: int = 0) -> None:
        self.directory, self._port_file = directory, directory / "port"
        self.log_file, self.out_file = directory / "log", directory / "out"
        self._options = [*options]
        self._options += [] if "--db" in options else ["--db", ":memory:"]
        self._options += [] if "--rate" in options else NO_RATES
        if open_files:
            prelude += f"\nimport resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({open_files}, {open_files}))"
        self._code = f"import sys; sys.argv[0] = 'tchat-server'\n{prelude}\nfrom tchat_server.cli import main; main()"
        self._clients: list[Client] = []
        self.port = 0
        self.start()

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def start(self) -> None:
        """Start, on the port it had, and wait until it listens."""
        self._port_file.unlink(missing_ok=True)
        command = [
            *self.prefix,
            sys.executable,
            "-c",
            self._code,
            "--listen",
            self.address,
            "--port-file",
            str(self._port_file),
        ]
        with self.log_file.open("ab") as log, self.out_file.open("wb") as out:
            self.process = subprocess.Popen([*command, *self._options], stdout=out, stderr=log, cwd=ROOT)
        self.pid = self.process.pid
        self._wait(lambda: self._port_file.exists() or self.process.poll() is not None)
        assert self.process.poll() is None, f"the server ended: {self.log()}"
        self.port, *self.other_ports = map(int, self._port_file.read_text().split())

    def restart(self) -> None:
        """Stop it, and start it again on the same port, with the same data."""
        self.stop()
        self.start()

    def client(self, name: str | None = None, *, source: str = "") -> Client:
        client = Client(self.port, source=source, host=self.host)
        self._clients.append(client)
        if name is not None:
            client.hello(name)
        return client

    def log(self) -> str:
        return self.log_file.read_text("utf-8")

    def logs(self, text: str) -> bool:
        """Wait until *text* is in the log; tell whether it came."""
        return self._wait(lambda: text in self.log(), must=False)

    def rss_kib(self, *, peak: bool = False) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmHWM:" if peak else "VmRSS:")[2].split()[0])

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def has_descriptors(self, most: int) -> bool:
        """Wait until at most so many descriptors are open."""
        return self._wait(lambda: self.descriptors() <= most, must=False)

    def ask_to_stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT_SECONDS)

    def stop(self) -> int:
        """Stop it and return its exit code."""
        self.process.terminate()
        return self.process.wait(TIMEOUT_SECONDS)

    def close_clients(self) -> None:
        """Close all connections, but those of bystanders."""
        for client in self._clients:
            client.sock.close()
        self._clients.clear()

    def end(self) -> None:
        """Close everything, whatever state it is in."""
        self.close_clients()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(TIMEOUT_SECONDS)

    def _wait(self, condition: Any, *, must: bool = True) -> bool:
        """Poll for what can't be waited for in another way."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not (is_met := bool(condition())) and time.monotonic() < deadline:
            time.sleep(0.005)
        assert is_met or not must, "it did not come"
        return is_met


@contextlib.contextmanager
def serving(directory: Path, *options: str, prelude: str = "", open_files: int = 0) -> Iterator[Server]:
    """Run a server; it must not have failed on its own when the block ends."""
    server = Server(directory, *options, prelude=prelude, open_files=open_files)
    try:
        yield server
        assert server.process.poll() in (None, 0, -signal.SIGKILL), f"the server ended: {server.log()}"
        assert "Traceback" not in server.log(), server.log()
        assert "internal error" not in server.log(), server.log()
    finally:
        server.end()


class Bystanders:
    """Two innocent users and their group: they chat before, while and after something happens."""

    def __init__(self, server: Server) -> None:
        self.group = fresh("quiet")
        self.alice, self.bob = Client(server.port), Client(server.port)
        self.alice.hello(fresh("alice"))
        self.bob.hello(fresh("bob"))
        self.alice.ask(action="cgroupe", group=self.group)
        self.bob.ask(action="join", group=self.group)
        self.alice.get()
        self.seq = 2

    def __enter__(self) -> Bystanders:
        self.chat()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.chat()
        self.alice.sock.close()
        self.bob.sock.close()

    def chat(self) -> float:
        """Say one thing each, heard by both; return the slower one's seconds."""
        took = []
        for sender in (self.alice, self.bob):
            self.seq += 1
            begun = time.monotonic()
            sender.send(action="gbroadcast", group=self.group, msg=f"n{self.seq}")
            for hearer in (self.alice, self.bob):
                heard = hearer.get()
                while heard["action"] == "server-broadcast":
                    heard = hearer.get()
                assert (heard["action"], heard.get("seq"), heard["msg"]) == ("gbroadcast", self.seq, f"n{self.seq}"), (
                    heard
                )
            took.append(time.monotonic() - begun)
        return max(took)
