"""A bridge inside one process, for our own client on a server of another dialect."""

from __future__ import annotations

import asyncio
import socket
import ssl

from libtchat.dialect.dialect import Dialect
from tchat_client.bridge.pipe import Pipe, Route

__all__ = ["open_translated"]

_tasks: set[asyncio.Task[None]] = set()


async def open_translated(
    host: str, port: int, tls: ssl.SSLContext | None, dialect: Dialect
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a server of *dialect*; raises what `asyncio.open_connection` does.

    Returns:
        A connection in which this protocol is spoken.
    """
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=theirs)
    pipe = Pipe(Route(("", 0), (host, port), dialect, (), tls), reader, writer, lambda text: None)
    try:
        await pipe.open()
    except BaseException:
        writer.close()
        ours.close()
        raise
    task = asyncio.create_task(pipe.serve())
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return await asyncio.open_connection(sock=ours)
