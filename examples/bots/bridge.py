"""A bridge: `python bridge.py HOST:PORT GROUP GROUP` carries the texts of each group to the other, each once."""

import asyncio
import sys

from libtchat import Said, group_key
from tchat_client import Client, Refused


async def main(address: str, one: str, two: str) -> None:
    other = {group_key(one): two, group_key(two): one}
    async with Client(address, "bridge", groups=[one, two], retry=True) as chat:
        async for heard in chat:  # what was missed while there was no connection too
            match heard.message:
                case Said(sender=who, group=group, msg=text) if not heard.mine:
                    text = f"{who}: {text}".encode()[:8192].decode(errors="ignore")  # no text may be longer
                    try:
                        await chat.say(other[group_key(group)], text)
                    except Refused as refused:  # the bridge was kicked out, say
                        print(refused, flush=True)


asyncio.run(main(*sys.argv[1:]))
