"""What the client's tests need: a server that keeps its data, an environment, the server's end of a socket."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import live
from live import ROOT, Server

__all__ = ["ROOT", "SECONDS", "TS", "Peer", "Server", "environment", "serving"]

SECONDS = 30
TS = "2026-01-01T00:00:00.000Z"


@contextmanager
def serving(directory: Path, *options: str) -> Iterator[Server]:
    """Run a server whose data stay in *directory*."""
    with live.serving(directory, "--db", str(directory / "tchat.db"), *options) as server:
        yield server


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
