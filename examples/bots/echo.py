"""A bot: `python echo.py HOST:PORT GROUP` repeats what begins with `!echo`, and answers who writes to it alone."""

import asyncio
import sys
from contextlib import suppress

from libtchat import DirectMessage, Said
from tchat_client import Client, Refused


async def main(address: str, group: str) -> None:
    async with Client(address, "echo", groups=[group], retry=True) as chat:
        async for heard in chat:
            with suppress(Refused):  # who asked may be gone by now, or the bot removed from the group
                match heard.message:
                    case Said(msg=text) if text.startswith("!echo ") and not heard.mine and not heard.missed:
                        await chat.say(group, text.removeprefix("!echo "))
                    case DirectMessage(sender=who) if not heard.mine:
                        await chat.tell(who, f"I am a bot of {group}: say !echo there")


asyncio.run(main(*sys.argv[1:]))
