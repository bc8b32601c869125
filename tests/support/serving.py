"""What the client's tests need: a server that keeps its data, an environment, the server's end of a socket."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import live
from live import ROOT, Server

__all__ = ["ROOT", "SECONDS", "TS", "Peer", "Server", "accepting", "environment", "serving"]

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


@asynccontextmanager
async def accepting(serve: Callable[[Peer, int], Awaitable[object]]) -> AsyncIterator[str]:
    """Be a server that treats its Nth connection (from 0) as *serve* says; give its address.

    Raises:
        AssertionError: at the end, if *serve* found something wrong.
    """
    count = 0
    problems: list[Exception] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        number, count = count, count + 1
        try:
            await serve(Peer(reader, writer), number)
        except ConnectionError:
            pass
        except (AssertionError, LookupError, TimeoutError, ValueError) as problem:
            problems.append(problem)
        finally:
            writer.close()  # also where it is cancelled, at the end of a test that was faster
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
    assert problems == []
