"""The clients among the examples do what they say, on a real server that is restarted under them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from serving import ROOT, Server, environment, serving

EXAMPLES = ROOT / "examples"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as running:
        yield running


@contextmanager
def running(example: str, *args: object, directory: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-u", str(EXAMPLES / example), *map(str, args)]
    with subprocess.Popen(
        command, cwd=directory, env=environment(directory), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def lines_until(process: subprocess.Popen[str], last: str) -> list[str]:
    """Return what it prints, up to the first line with *last* in it."""
    assert process.stdout is not None
    found: list[str] = []
    while not found or last not in found[-1]:
        line = process.stdout.readline()
        assert line, (found, process.stderr and process.stderr.read())
        found.append(line.rstrip("\n"))
    return found


def test_a_blocking_client_greets_and_fetches_what_it_missed(server: Server, tmp_path: Path) -> None:
    alice = server.client("alice")
    alice.ask(action="cgroupe", group="wob")
    with running("client_blocking.py", "127.0.0.1", server.port, "robot", "wob", directory=tmp_path) as robot:
        assert alice.get()["action"] == "join"
        alice.ask(action="gbroadcast", group="wob", msg="hello")
        assert alice.get()["msg"] == "hello alice"
        lines_until(robot, "robot: hello alice")
        server.stop()
        lines_until(robot, "no connection: ")
        server.start()
        alice = server.client("alice")
        alice.ask(action="gbroadcast", group="wob", msg="still there?")
        lines = lines_until(robot, "alice: still there?")  # `missed` as a rule: it comes back after a second
        assert not any("hello alice" in line for line in lines)
