"""A program with a chat inside, as docs/embed.md shows it: a handler counts events, the port is in the file named."""

import asyncio
import sys
from pathlib import Path

import uvloop

from libtchat import Event, ServerLimits
from tchat_server import Chat

UNLIMITED = ServerLimits(requests_per_second=0.0, bytes_per_second=0.0, delivered_bytes_per_second=0.0)


class Counter:
    """A handler that has little to do. *events*: how many it heard."""

    events = 0

    def __call__(self, event: Event) -> None:
        self.events += 1


async def main(port_file: Path) -> None:
    """Serve until the process is ended."""
    chat = Chat(limits=UNLIMITED)
    chat.on_event(Counter())
    async with chat:
        _, port = await chat.listen()
        port_file.write_text(f"{port}\n")
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1])))
