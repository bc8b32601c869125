"""A storm on loopback: hundreds of clients that join, leave, talk, kick, die and come back, some of them hostile.

Afterwards the views of all clients and the whole log of every group must tell one story, and the server must be as
small as before. `make soak SECONDS=90`; a short form runs in the suite.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import struct
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from live import Client, Server, serving

Json = dict[str, Any]
GROUPS = [f"g{number}" for number in range(8)]
EVENTS = {"cgroupe", "join", "leave", "invite", "kick", "ban", "unban", "gbroadcast"}
ENDINGS = ["quit", "close", "reset", "half", "hostile", "deaf"]
HOSTILE = [
    b"{}\n" * 200,
    b'{"a":' * 300 + b"\n",
    b"\xff\xfe{}\n",
    b'{"action":"join","group":"\\ud800"}\n',
    b"[1]\n",
    b'{"x":"',
]


class Story:
    """What all clients together were told: per group, each seq and the one message it was."""

    def __init__(self) -> None:
        self.told: dict[str, dict[int, str]] = {group: {} for group in GROUPS}
        self.faults: list[str] = []
        self.counts: Counter[str] = Counter()

    def hear(self, name: str, last: dict[str, int], message: Json) -> None:
        """Note one live event, and what is wrong with it."""
        group, seq = message["group"], message["seq"]
        text = json.dumps(message, sort_keys=True)
        if self.told[group].setdefault(seq, text) != text:
            self.faults.append(f"{group} {seq} was told in two ways")
        if seq <= last.get(group, 0) and message["action"] != "invite":
            self.faults.append(f"{name} heard {group} {seq} after {last[group]}")
        last[group] = max(seq, last.get(group, 0))


async def live(port: int, number: int, clients: int, story: Story, choose: random.Random, end: float) -> None:
    """One person: connects, does this and that, goes in one way or another, comes back."""
    name, token = f"u{number}", ""
    while time.monotonic() < end:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        except OSError:
            story.counts["refused"] += 1
            continue
        hello = {"action": "client-hello", "from": name, **({"token": token} if token else {})}
        writer.write(json.dumps(hello).encode() + b"\n")
        heard = asyncio.create_task(hear(reader, name, story))
        for _ in range(choose.randint(5, 60)):
            if time.monotonic() > end or heard.done():
                break
            writer.write(something(choose, number, clients))
            story.counts["requests"] += 1
            await asyncio.sleep(choose.random() * 0.1)
        ending = choose.choice(ENDINGS)
        story.counts[ending] += 1
        if ending == "quit":
            writer.write(b'{"action":"client-quit"}\n')
            await asyncio.wait([heard], timeout=5)
        elif ending == "half":
            writer.write_eof()
            await asyncio.wait([heard], timeout=5)
        elif ending == "hostile":
            writer.write(choose.choice(HOSTILE))
            await asyncio.sleep(0.05)
        elif ending == "deaf":
            heard.cancel()
            writer.write(b"".join(something(choose, number, clients) for _ in range(50)))
            await asyncio.sleep(0.2)
        elif ending == "reset":
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        heard.cancel()
        (given,) = await asyncio.gather(heard, return_exceptions=True)
        token = (given or token) if isinstance(given, str) else ""
        writer.transport.abort() if ending == "reset" else writer.close()


async def hear(reader: asyncio.StreamReader, name: str, story: Story) -> str:
    """Read until the end; return the token."""
    token, last = "", dict[str, int]()
    try:
        while line := await reader.readline():
            if not line.endswith(b"\r\n"):
                break
            message = json.loads(line)
            story.counts["messages"] += 1
            if message["action"] == "server-hello":
                token = message["token"]
            elif message["action"] == "error":
                story.counts[message["code"]] += 1
            elif message["action"] in EVENTS:
                story.hear(name, last, message)
    except (OSError, asyncio.CancelledError):
        pass
    return token


def something(choose: random.Random, number: int, clients: int) -> bytes:
    """Return a request, mostly a sensible one."""
    action = choose.choices(
        [
            "gbroadcast",
            "join",
            "leave",
            "kick",
            "ban",
            "unban",
            "invite",
            "states",
            "msgs",
            "members",
            "groups",
            "ping",
        ],
        [30, 20, 6, 4, 2, 3, 4, 3, 3, 3, 2, 3],
    )[0]
    message: Json = {"action": action, "sender": f"u{number}", "group": choose.choice(GROUPS)}
    if action in ("kick", "ban", "unban", "invite"):
        message["dest"] = f"u{choose.randrange(clients)}"
    if action == "gbroadcast":
        message["msg"] = "x" * choose.randint(1, 200)
    return json.dumps(message).encode() + b"\n"


def whole_logs(admin: Client) -> dict[str, list[Json]]:
    """Return every event of every group, page by page."""
    logs: dict[str, list[Json]] = {}
    for group in GROUPS:
        log: list[Json] = []
        while True:
            page = admin.ask(action="states", group=group, all=True, after=len(log), limit=1000)
            assert page["action"] == "states", page
            log += page["list"]
            if not page["more"]:
                break
        logs[group] = log
    return logs


def faults_of(log: list[Json]) -> list[str]:
    """Replay a log: gaps, and who may be what when (I1, I2, I3, I8)."""
    faults, is_now, order, owner = [], dict[str, str](), list[str](), None
    for number, event in enumerate(log, 1):
        who, dest, action = event["sender"], event.get("dest"), event["action"]
        about, before = (dest or who), is_now.get(dest or who, "none")
        if event["seq"] != number:
            faults.append(f"seq {event['seq']} at {number}")
        legal, after = {
            "cgroupe": (("none",), "member"),
            "join": (("none", "invited"), "member"),
            "leave": (("member", "invited"), "none"),
            "invite": (("none",), "invited"),
            "kick": (("member", "invited"), "none"),
            "ban": (("none", "member", "invited"), "banned"),
            "unban": (("banned",), "none"),
            "gbroadcast": (("member",), "member"),
        }[action]
        if before not in legal:
            faults.append(f"{number}: {action} of {about}, who was {before}")
        if action in ("kick", "ban", "unban") and who != owner:
            faults.append(f"{number}: {action} by {who}, but {owner} is owner")
        is_now[about] = after
        if after == "member" and before != "member":
            order.append(about)
        elif after != "member" and before == "member":
            order.remove(about)
        owner = owner if owner in order else order[0] if order else None
    return faults


async def storm(server: Server, clients: int, seconds: float, seed: int) -> Story:
    story, end = Story(), time.monotonic() + seconds
    people = (
        live(server.port, number, clients, story, random.Random(f"{seed}.{number}"), end) for number in range(clients)
    )
    await asyncio.gather(*people)
    return story


def run(directory: Path, *, clients: int, seconds: float, seed: int) -> list[str]:
    """Return what is wrong after a storm, and print a summary."""
    print(f"a storm of {clients} clients for {seconds:.0f} s, seed {seed}", flush=True)
    database = ("--db", str(directory / "tchat.db"))
    with serving(directory, *database, "--mid-frame-seconds", "2", "--presence", "groups") as server:
        for number, group in enumerate(GROUPS):
            with server.client(f"u{number}") as owner:
                assert owner.ask(action="cgroupe", group=group)["seq"] == 1
        with server.client("admin") as admin:
            for group in GROUPS:
                assert admin.ask(action="join", group=group)["seq"] == 2
            descriptors = server.descriptors() - 1
        asyncio.run(storm(server, clients, min(2.0, seconds / 5), seed + 1))
        assert server.has_descriptors(descriptors), "connections stayed"
        rss = server.rss_kib()
        begun, cpu = time.monotonic(), server.cpu_seconds()
        story = asyncio.run(storm(server, clients, seconds, seed))
        took, cpu = time.monotonic() - begun, server.cpu_seconds() - cpu
        faults = story.faults
        if not server.has_descriptors(descriptors):
            faults.append(f"{server.descriptors()} descriptors, {descriptors} before")
        grown = server.rss_kib() - rss
        if grown > 32 * 1024:
            faults.append(f"memory grew by {grown} KiB")
        with server.client("admin") as admin:
            logs = whole_logs(admin)
        for group, log in logs.items():
            faults += [f"{group} {fault}" for fault in faults_of(log)]
            stored = {event["seq"]: json.dumps(event, sort_keys=True) for event in log}
            told = story.told[group]
            faults += [f"{group} {seq} was told but is not stored so" for seq in told if stored.get(seq) != told[seq]]
        events = sum(map(len, logs.values()))
        assert story.counts["messages"] > 0
        counts = dict(story.counts.most_common())
        print(f"after {took:.0f} s: {counts.pop('requests')} requests, {counts.pop('messages')} messages heard")
        print(f"events stored, those of a short storm before included: {events}")
        print("how clients ended:", ", ".join(f"{counts.pop(ending, 0)} {ending}" for ending in ENDINGS))
        print("errors they were told:", ", ".join(f"{count} {code}" for code, count in counts.items()))
        print(f"server: {cpu:.1f} s CPU, memory {grown:+} KiB, descriptors {server.descriptors() - descriptors:+}")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=90.0)
    parser.add_argument("--clients", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        faults = run(Path(directory), clients=options.clients, seconds=options.seconds, seed=options.seed)
    for fault in faults[:50]:
        print("WRONG:", fault)
    print("nothing is wrong" if not faults else f"{len(faults)} things are wrong")
    return bool(faults)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped: nothing was checked")
