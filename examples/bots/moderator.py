"""`python moderator.py HOST:PORT GROUP WORD...` owns GROUP; who says a WORD is warned, then kicked, then banned."""

import asyncio
import sys
from collections import Counter
from contextlib import suppress

from libtchat import ErrorCode, Said, user_key
from tchat_client import Client, Refused

PENALTIES = ("warned", "kicked", "banned")


async def main(address: str, group: str, *words: str) -> None:
    faults: Counter[str] = Counter()
    async with Client(address, "moderator", retry=True) as chat:
        with suppress(Refused):  # it is there from an earlier run
            await chat.create(group)
        async for heard in chat:
            match heard.message:
                case Said(sender=who, msg=text) if not heard.mine and any(word in text.casefold() for word in words):
                    faults[user_key(who)] += 1
                    try:
                        await punish(chat, group, who, faults[user_key(who)])
                    except Refused as refused:
                        if refused.code is not ErrorCode.TARGET_NOT_MEMBER:  # gone already
                            print(refused, flush=True)


async def punish(chat: Client, group: str, who: str, faults: int) -> None:
    match PENALTIES[min(faults, 3) - 1]:
        case "warned":
            await chat.say(group, f"{who}: mind your words, please")
        case "kicked":
            await chat.kick(group, who, "mind your words")
        case "banned":
            await chat.ban(group, who, "warned and kicked in vain")


asyncio.run(main(*sys.argv[1:]))
