"""docs/cluster.md is true: its configuration starts an engine that a node serves with, and `make cluster` works."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from certificates import certificate
from engine import find_binary, free_ports
from live import ROOT, TIMEOUT_SECONDS, Client, serving

from tchat_server.store.nats.url import UrlMalformed, parse_url

PAGE = (ROOT / "docs" / "cluster.md").read_text("utf-8")


def test_its_configuration_starts_an_engine_that_a_node_serves_with(tmp_path: Path) -> None:
    binary = find_binary()
    ports = free_ports(9)
    certificate(tmp_path)
    (text,) = re.findall(r"```\n(server_name:.*?)```", PAGE, re.DOTALL)
    outside, inside = re.findall(r"^ *tls \{ .+ \}$", PAGE, re.MULTILINE)
    text = f"{outside}\n{text}".replace("cluster {\n", f"cluster {{\n{inside}\n")
    text = text.replace("ca.pem", "cert.pem").replace("/etc/nats", str(tmp_path))
    with ExitStack() as stack:
        for number in range(3):
            port, monitor, route = ports[number::3]
            own = text.replace("server_name: engine1", f"server_name: engine{number + 1}")
            own = own.replace("0.0.0.0:4222", f"127.0.0.1:{port}").replace("0.0.0.0:8222", f"127.0.0.1:{monitor}")
            own = own.replace("0.0.0.0:6222", f"127.0.0.1:{route}").replace("/var/lib/nats", f"{tmp_path}/{number}")
            for other in range(3):
                own = own.replace(f"engine{other + 1}:6222", f"127.0.0.1:{ports[6 + other]}")
            file = tmp_path / f"engine{number}.conf"
            file.write_text(own)
            process = stack.enter_context(subprocess.Popen([binary, "-c", file, "-l", tmp_path / f"log{number}"]))
            stack.callback(process.kill)
        credentials = tmp_path / "engine"
        credentials.write_text("tchat:CHANGE-ME\n")
        (url,) = re.findall(r"--db '(nats://[^']+)'", PAGE)
        for number in range(3):
            url = url.replace(f"engine{number + 1}:8222", f"127.0.0.1:{ports[3 + number]}")
            url = url.replace(f"engine{number + 1}", f"127.0.0.1:{ports[number]}")
        url = url.replace("/etc/tchat/engine", str(credentials)) + f"&ca={tmp_path / 'cert.pem'}"
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not all("Server is ready" in _read(tmp_path / f"log{number}") for number in range(3)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with serving(tmp_path, "--db", url, "--cache", str(tmp_path / "copy.db")) as node:
            assert node.client("alice").ask(action="cgroupe", group="wob")["seq"] == 1
            assert "sync" not in node.log()


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def test_its_table_has_all_that_a_url_may_say() -> None:
    with pytest.raises(UrlMalformed) as told:
        parse_url("nats://host/chat?colour=red")
    names = re.findall(r"(\w+)(?:,|$)", str(told.value).partition("there are ")[2])
    assert len(names) == 5
    assert [name for name in names if f"`{name}=" not in PAGE] == []


def test_make_cluster_starts_two_nodes_of_one_chat_and_ends_them() -> None:
    find_binary()
    assert "examples/cluster.py" in (ROOT / "Makefile").read_text("utf-8")
    ports = free_ports(2)
    command = [sys.executable, "examples/cluster.py", *map(str, ports)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout is not None
            told: list[str] = []
            while not (line := program.stdout.readline()).startswith("one chat on two nodes"):
                assert line, "it ended"
                told.append(line)
            with Client(ports[0]) as alice, Client(ports[1]) as bob:
                alice.hello("alice")
                bob.hello("bob")
                assert alice.ask(action="cgroupe", group="wob")["seq"] == 1
                assert bob.ask(action="join", group="wob")["seq"] == 2
                (pid,) = re.findall(rf"^node {ports[0]}: kill (\d+)$", "".join(told), re.MULTILINE)
                os.kill(int(pid), signal.SIGTERM)
                while alice.get()["action"] != "server-quit":
                    pass
                assert bob.ask(action="members", group="wob")["list"] == ["alice", "bob"]
            program.terminate()
            assert program.wait(TIMEOUT_SECONDS) == 0
        finally:
            program.kill()


def test_ports_that_make_cluster_cannot_have_are_told_before_anything_starts() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for ports, why in (
            ("8080,port", "two ports"),
            ("99999,1", "two ports"),
            ("8080", "two ports"),
            (f"{port},1", "in use"),
        ):
            command = [sys.executable, "examples/cluster.py", ports]
            done = subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
            )
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
            assert why in done.stderr
