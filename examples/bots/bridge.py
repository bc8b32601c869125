"""A bridge: `python bridge.py HOST:PORT GROUP GROUP` carries the texts of each group to the other, each once."""

import asyncio
import sys

from libtchat import Said, group_key
from tchat_client import Client


async def main(address: str, one: str, two: str) -> None:
    other = {group_key(one): two, group_key(two): one}
    async with Client(address, "bridge", groups=[one, two], retry=True) as chat:
        async for heard in chat:  # what was missed while there was no connection too
            match heard.message:
                case Said(sender=who, group=group, msg=text) if not heard.mine:
                    await chat.say(other[group_key(group)], f"{who}: {text}")


asyncio.run(main(*sys.argv[1:]))
