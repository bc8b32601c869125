"""Servers for the client's tests: a real one in a process of its own, and one end of a socket that a test speaks on."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SECONDS = 30
TS = "2026-01-01T00:00:00.000Z"


class Server:
    """A server on a free port; `restart` keeps port and data."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        self.options = options
        self.port = 0
        self.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until it listens: the first line of its output says so."""
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tchat_server", "--listen", f"127.0.0.1:{self.port}", "--rate", "0"),
                *("--db", str(self.directory / "tchat.db"), "--port-file", str(self.directory / "port"), *self.options),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.process.stdout is not None
        first = self.process.stdout.readline().decode()
        assert " on 127.0.0.1:" in first, first
        self.port = int(first.split(" on 127.0.0.1:")[1].split(",")[0])

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=SECONDS)

    def restart(self) -> None:
        self.stop()
        self.start()


@contextmanager
def serving(directory: Path, *options: str) -> Iterator[Server]:
    server = Server(directory, *options)
    try:
        yield server
    finally:
        server.stop()


def environment(directory: Path, **more: str) -> dict[str, str]:
    """The environment of a client whose state and configuration are *directory*'s, and whose language is English."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
    state = {"XDG_STATE_HOME": str(directory / "state"), "XDG_CONFIG_HOME": str(directory / "config")}
    return {**kept, **state, "PYTHONPATH": str(ROOT), "TZ": "UTC", "LANG": "C.UTF-8", **more}


class Peer:
    """The server's end of one connection, driven by a test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def get(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await asyncio.wait_for(self.reader.readline(), 5))
        return found

    def say(self, **message: Any) -> None:
        self.writer.write(json.dumps({"msg": "", **message}).encode() + b"\r\n")

    async def welcome(self, **seqs: int) -> dict[str, Any]:
        hello = await self.get()
        groups = {"groups": list(seqs), "seqs": seqs}
        self.say(action="server-hello", version=1, server="t", token="T", id=hello["id"], **{"from": "alice"}, **groups)
        return hello

    async def closed(self) -> bool:
        return await asyncio.wait_for(self.reader.read(), 5) == b""
