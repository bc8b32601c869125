"""A small load of honest clients: says how long each thing they did took, one line each, until its input ends.

For each line of its input it says `mark`, behind what waits at that moment; `end` is its last line.

Run as a process of its own (`python -m hostile.honest PORT`), so that what an attack costs the attacker is not taken
for the server's. A line is KIND STARTED SECONDS, in seconds of the monotonic clock; what is not answered at a mark
counts with the time it has waited so far.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
import time
from typing import Any

GROUP = "honest.group"
SPEAKERS = 4
SAY_SECONDS = 0.025
COME_SECONDS = 0.2
_waiting: dict[Any, tuple[str, float]] = {}


def begin(kind: str, key: Any) -> None:
    _waiting[key] = kind, time.monotonic()


def done(key: Any) -> None:
    if (begun := _waiting.pop(key, None)) is not None:
        report(*begun)


def report(kind: str, begun: float) -> None:
    print(kind, f"{begun:.6f} {time.monotonic() - begun:.6f}", flush=True)


def report_waiting() -> None:
    for kind, begun in list(_waiting.values()):
        report(kind, begun)


async def mark() -> None:
    """Answer the lines of the input until it ends."""
    while await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
        report_waiting()
        print("mark", flush=True)


class Honest:
    """One member of the group. Reads all there is; a text counts as heard when the last member has it."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def enter(self, port: int) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        self.send(action="client-hello", **{"from": self.name})
        await self.reader.readline()

    def send(self, **message: Any) -> None:
        self.writer.write(json.dumps(message).encode() + b"\n")

    async def listen(self, heard: dict[str, int]) -> None:
        while line := await self.reader.readline():
            message = json.loads(line)
            if message["action"] == "gbroadcast":
                text = message["msg"]
                heard[text] = heard.get(text, 0) + 1
                if heard[text] == SPEAKERS:
                    del heard[text]
                    done(text)
        raise ConnectionError(f"{self.name} was closed")


async def speak(members: list[Honest]) -> None:
    for number in itertools.count():
        begin("say", f"n{number}")
        members[number % SPEAKERS].send(action="gbroadcast", group=GROUP, msg=f"n{number}")
        await asyncio.sleep(SAY_SECONDS)


async def come(port: int) -> None:
    """Connect and say hello under a new name, again and again, whether or not the last one got in."""
    going: set[asyncio.Task[None]] = set()
    for number in itertools.count():
        task = asyncio.create_task(newcomer(port, f"honest.new{number}"))
        going.add(task)
        task.add_done_callback(going.discard)
        await asyncio.sleep(COME_SECONDS)


async def newcomer(port: int, name: str) -> None:
    begin("come", name)
    it = Honest(name)
    with contextlib.suppress(OSError):
        await it.enter(port)
        done(name)
        it.writer.close()


async def main(port: int) -> None:
    members = [Honest(f"honest.{number}") for number in range(SPEAKERS)]
    for member in members:
        await member.enter(port)
        member.send(action="cgroupe" if member is members[0] else "join", group=GROUP)
        await member.reader.readline()
    heard: dict[str, int] = {}
    end = asyncio.create_task(mark())
    work = [asyncio.create_task(member.listen(heard)) for member in members]
    work += [asyncio.create_task(speak(members)), asyncio.create_task(come(port))]
    print("ready", flush=True)
    ended, _ = await asyncio.wait([end, *work], return_when=asyncio.FIRST_COMPLETED)
    report_waiting()
    for task in ended & set(work):
        print("lost", repr(task.exception()).replace("\n", " "), flush=True)
    print("end", flush=True)
    for task in (end, *work):
        task.cancel()
    os._exit(0)  # a thread may still read the input


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
