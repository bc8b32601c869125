"""`tchat-server` as it is typed."""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from live import NO_RATES, ROOT, TIMEOUT_SECONDS, Client

ANYWHERE = ("--listen", "127.0.0.1:0", "--db", ":memory:")


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("HOST", "PORT", "XDG_STATE_HOME")}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


class Running:
    """A server that runs; its banner is read from its standard output."""

    def __init__(self, directory: Path, *options: str, lines: int = 3, **env: str) -> None:
        self.port_file, self.log_file = directory / "ports", directory / "log"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [*COMMAND, *NO_RATES, "--port-file", str(self.port_file), *options],
                env=environment(**env),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        timer = threading.Timer(TIMEOUT_SECONDS, self.process.kill)  # a banner that does not come is a failure
        timer.start()
        self.banner = [self.process.stdout.readline().rstrip("\n") for _ in range(lines)]
        timer.cancel()
        assert self.banner[0].startswith(("tchat-server ", "{")), self.log()
        self.ports = [int(line) for line in self.port_file.read_text().split()]
        self.port = self.ports[0]
        self.clients: list[Client] = []

    def client(self, name: str | None = None, *, port: int = 0, trust: Path | None = None) -> Client:
        """Connect, over TLS to exactly the certificate in the directory *trust* if that is given."""
        client = Client(port or self.port)
        self.clients.append(client)
        if trust is not None:
            context = ssl.create_default_context(cafile=trust / "cert.pem")
            client.sock = context.wrap_socket(client.sock, server_hostname="127.0.0.1")
        if name is not None:
            client.welcome = client.ask(action="client-hello", **{"from": name})
        return client

    def log(self) -> str:
        return self.log_file.read_text("utf-8")

    def logs(self, pattern: str) -> str:
        """Wait for a log line that matches and return it: a log has no other way to tell."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if found := re.search(pattern, self.log()):
                return found[0]
            time.sleep(0.005)
        raise AssertionError(f"no {pattern!r} in: {self.log()}")

    def ends(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(TIMEOUT_SECONDS)


@contextmanager
def running(directory: Path, *options: str, lines: int = 3, **env: str) -> Iterator[Running]:
    server = Running(directory, *options, lines=lines, **env)
    try:
        yield server
        if server.process.poll() is None:
            assert server.ends() == 0, server.log()
        assert "Traceback" not in server.log(), server.log()
    finally:
        server.process.kill()
        server.process.communicate(timeout=TIMEOUT_SECONDS)
        for client in server.clients:
            client.sock.close()


COMMAND = [sys.executable, "-m", "tchat_server"]
