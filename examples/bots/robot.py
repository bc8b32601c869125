"""`python robot.py HOST:PORT GROUP FILE` echoes, rolls dice, kicks spammers and keeps a log, in 30 lines."""

import asyncio
import sqlite3
import sys
from contextlib import suppress
from random import randint

from libtchat import Said
from tchat_client import Client, Refused


async def main(address: str, group: str, path: str) -> None:
    log = sqlite3.connect(path, isolation_level=None)
    log.execute("CREATE TABLE IF NOT EXISTS texts (seq, ts, sender, msg)")
    last = log.execute("SELECT seq, ts FROM texts ORDER BY rowid DESC LIMIT 1").fetchone()
    lately = "SELECT count(*) FROM texts WHERE sender = ? AND julianday(?) - julianday(ts) < 3 / 86400.0"
    async with Client(address, "robot", groups=[group], resume={group: last} if last else {}, retry=True) as chat:
        async for heard in chat:
            if isinstance(said := heard.message, Said):
                text = "" if heard.mine or heard.missed else said.msg
                log.execute("INSERT INTO texts VALUES (?, ?, ?, ?)", (said.seq, said.ts, said.sender, said.msg))
                with suppress(Refused):  # the group may not be its own, and the spammer gone by now
                    if text and log.execute(lately, (said.sender, said.ts)).fetchone()[0] > 5:
                        await chat.kick(group, said.sender, "more than 5 texts in 3 seconds")
                    elif text == "!dice" or text.startswith("!echo "):
                        await chat.say(group, text[6:] if text != "!dice" else f"{said.sender} rolls {randint(1, 6)}")


asyncio.run(main(*sys.argv[1:]))
