"""The lines of standard input, as they come."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator

from tchat_client.errors import Misused

__all__ = ["read_lines"]


async def read_lines(descriptor: int = 0) -> AsyncIterator[str]:
    """Yield the lines of standard input, or another *descriptor*, as they come, without their ends.

    A thread of its own reads, because nothing else waits for a terminal, a file and a pipe alike; and it reads the
    descriptor, because a thread inside `sys.stdin` would abort the interpreter's exit.

    Raises:
        Misused: a line is not UTF-8.
    """
    loop, chunks = asyncio.get_running_loop(), asyncio.Queue[bytes](maxsize=16)

    def read() -> None:
        data = b"?"
        while data:
            try:
                data = os.read(descriptor, 65_536)
            except OSError:
                data = b""
            try:
                asyncio.run_coroutine_threadsafe(chunks.put(data), loop).result()
            except RuntimeError:
                return  # the loop is gone: nobody wants more

    threading.Thread(target=read, daemon=True).start()
    number, rest, is_open = 0, b"", True
    while is_open:
        data = await chunks.get()
        is_open = bool(data)
        *lines, rest = (rest + data).split(b"\n")
        if not is_open and rest:
            lines.append(rest)
        for line in lines:
            number += 1
            try:
                yield line.decode("utf-8").removesuffix("\r")
            except UnicodeDecodeError:
                raise Misused("bad-utf8", line=number) from None
