"""tchat inside an asyncio program of your own: it serves TCP on your event loop, and a clock of yours talks in it."""

import asyncio
import sys

from libtchat import Create, ErrorCode, Refused
from tchat_server import Chat


async def tell_the_time(chat: Chat) -> None:
    """Create a group, and say something in it every hour."""
    try:
        await chat.ask_as("clock", Create("time"))
    except Refused as refused:
        if refused.code is not ErrorCode.GROUP_EXISTS:
            raise
    while True:
        await chat.say_as("clock", "time", "another hour is over")
        await asyncio.sleep(3600)


async def main(port: int = 0) -> None:
    """Serve until the program is stopped."""
    async with Chat() as chat:
        host, port = await chat.listen("127.0.0.1", port)
        print(f"chat on {host}:{port}", flush=True)
        await tell_the_time(chat)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
