"""The `websockets` package as it is used for a chat: every text goes to all who joined, by its own broadcast."""

from __future__ import annotations

import asyncio
import sys

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

ANSWERS = {"hello": "welcome", "join": "joined", "ask": "answer"}
members: set[ServerConnection] = set()


async def relay(connection: ServerConnection) -> None:
    try:
        async for text in connection:
            if text == "join":
                members.add(connection)
            if text in ANSWERS:
                await connection.send(ANSWERS[text])
            else:
                broadcast(members, text)
    except ConnectionClosed:
        pass
    finally:
        members.discard(connection)


async def main() -> None:
    async with serve(relay, "127.0.0.1", int(sys.argv[1]), compression=None, ping_interval=None, backlog=1024):
        await asyncio.Future()


uvloop.run(main())
