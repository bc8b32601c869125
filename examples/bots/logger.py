"""A logger: `python logger.py HOST:PORT GROUP FILE` keeps each event of GROUP in an SQLite file, once, in order."""

import asyncio
import sqlite3
import sys

from libtchat import Event, Gone, Missing, encode
from tchat_client import Client


async def main(address: str, group: str, path: str) -> None:
    log = sqlite3.connect(path, isolation_level=None)
    log.execute("CREATE TABLE IF NOT EXISTS events (seq INTEGER, ts TEXT, json TEXT)")
    last = log.execute("SELECT seq, ts FROM events ORDER BY rowid DESC LIMIT 1").fetchone()
    resume = {group: last} if last else {}  # what happens while this program is not running is fetched when it is
    async with Client(address, "logger", groups=[group], resume=resume) as chat:
        async for heard in chat:
            match heard:
                case Gone() | Missing():
                    print(f"events may be missing: {heard}", flush=True)
            if isinstance(event := heard.message, Event):
                log.execute("INSERT INTO events VALUES (?, ?, ?)", (event.seq, event.ts, encode(event).decode()))


asyncio.run(main(*sys.argv[1:]))
