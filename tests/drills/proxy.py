"""A slow line to each of some ports: `python proxy.py SECONDS PORT...` prints the ports to use instead.

What comes back is handed on so many seconds later. It ends with its input.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from subprocess import PIPE, Popen

__all__ = ["slow_line"]

_CHUNK = 65_536
_MAX_CHUNKS = 256


@contextmanager
def slow_line(seconds: float, ports: list[int]) -> Iterator[list[int]]:
    """Run the proxy in a process of its own; yield the ports to use instead of *ports*."""
    command = [sys.executable, __file__, str(seconds), *map(str, ports)]
    with Popen(command, stdin=PIPE, stdout=PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield [*map(int, process.stdout.readline().split())]
        finally:
            process.stdin.close()


async def main(seconds: float, ports: list[int]) -> None:
    servers = [await asyncio.start_server(_Line(seconds, port).carry, "127.0.0.1", 0) for port in ports]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.to_thread(sys.stdin.read)


class _Line:
    def __init__(self, seconds: float, port: int) -> None:
        self._seconds, self._port = seconds, port

    async def carry(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, there = await asyncio.open_connection("127.0.0.1", self._port)
        with suppress(asyncio.CancelledError):  # it ends
            await asyncio.gather(self._carry(near, there, 0.0), self._carry(far, back, self._seconds))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_MAX_CHUNKS)

        async def write() -> None:
            while True:
                due, data = await chunks.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not data:
                    return
                writer.write(data)
                await writer.drain()

        writing = asyncio.create_task(write())
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                await chunks.put((loop.time() + seconds, data))
        await chunks.put((loop.time() + seconds, b""))
        with suppress(OSError):
            await writing
        writer.close()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), [*map(int, sys.argv[2:])]))
