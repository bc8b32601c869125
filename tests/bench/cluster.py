"""Two nodes over three servers of an engine, all on this machine; and what a record costs the one that writes it, the
one that follows it, and the engine.

As a program it is such a writer or follower: `cluster.py write|follow URL CACHE SECONDS GROUPS`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
from contender import ROOT, Contender, Running, serving

sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from engine import Engine, engine  # noqa: E402

from libtchat.effect import Part  # noqa: E402
from libtchat.group import Group, evolve  # noqa: E402
from libtchat.message.names import Key, UserKey, group_key  # noqa: E402
from libtchat.message.request import Create, Say  # noqa: E402
from libtchat.rules import decide  # noqa: E402
from tchat_server.store.event_log import EncodedPart, encode_part  # noqa: E402
from tchat_server.store.nats.log import NatsLog  # noqa: E402
from tchat_server.store.nats.url import parse_url  # noqa: E402

__all__ = ["record_costs", "two_nodes"]

TS = "2026-01-01T00:00:00.000Z"


@contextlib.contextmanager
def two_nodes(contender: Contender, directory: Path) -> Iterator[Running]:
    """Run an engine of three servers and two nodes; the block begins when both accept connections.

    Raises:
        RuntimeError: one did not start.
    """
    with engine(directory / "engine", 3) as found, contextlib.ExitStack() as stack:
        monitors = ",".join(f"127.0.0.1:{port}" for port in found.monitors)
        url, nodes = found.url(monitor=monitors), []
        for number in range(2):
            home = directory / f"node{number}"
            home.mkdir()
            (home / "url").write_text(url)
            nodes.append(stack.enter_context(serving(contender, home, None)))
        yield attrs.evolve(nodes[0], others=(nodes[1].port,))


def record_costs(directory: Path, seconds: float, groups: int) -> dict[str, float]:
    """Measure what a record of one text costs, in microseconds of a processor.

    Args:
        groups: how many of them an append is of, so how many records.
    Raises:
        RuntimeError: the writer or the follower failed.
    """
    with engine(directory / "engine", 3) as found:
        programs = [_start(role, found, directory / f"{role}.db", seconds, groups) for role in ("follow", "write")]
        for program in programs:
            assert program.stdout is not None
            program.stdout.readline()  # it is ready
        for program in programs:
            assert program.stdin is not None
            program.stdin.write("go\n")
            program.stdin.flush()
        before = _spent(found)
        answers = [program.communicate(timeout=seconds + 60) for program in programs]
        spent = _spent(found) - before
        if any(program.returncode for program in programs):
            raise RuntimeError(" ".join(" ".join(said.split())[-300:] for _, said in answers))
    followed, written = (json.loads(out) for out, _ in answers)
    return {
        "records_per_second": written["records"] / written["seconds"],
        "write_us": written["cpu"] * 1e6 / written["records"],
        "follow_us": followed["cpu"] * 1e6 / followed["records"],
        "engine_us": spent * 1e6 / written["records"],
        "generator_share": 0.0,
    }


def _start(role: str, found: Engine, cache: Path, seconds: float, groups: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, __file__, role, found.url(), str(cache), str(seconds), str(groups)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _spent(found: Engine) -> float:
    """Return how many seconds of a processor the engine has used."""
    used = 0
    for server in found.servers:
        assert server.process is not None
        for thread in Path(f"/proc/{server.process.pid}/task").iterdir():
            used += int((thread / "schedstat").read_text().split()[0])
    return used / 1e9


class _Book:
    """What is said next in groups of one user."""

    def __init__(self, groups: int) -> None:
        self._groups: dict[Key, Group | None] = {group_key(f"g{number}"): None for number in range(groups)}

    def parts(self) -> list[EncodedPart]:
        return [self._next(key) for key in self._groups]

    def _next(self, key: Key) -> EncodedPart:
        group = self._groups[key]
        request = Create(key) if group is None else Say(key, "x" * 100)
        event = decide(group, request, "alice", ts=TS, key=UserKey(Key("alice")))
        self._groups[key] = changed = evolve(group, event)
        return encode_part(Part(key, event.seq - 1, (event,), changed, ("",)))


async def _write(log: NatsLog, seconds: float, groups: int) -> int:
    book, end = _Book(groups), time.monotonic() + seconds
    while time.monotonic() < end:
        failed = await log.append(book.parts())
        if failed:
            raise RuntimeError(f"refused: {list(failed)}")
    return log.publisher.appended_total


async def _follow(log: NatsLog, seconds: float, groups: int) -> int:
    await asyncio.sleep(seconds + 0.5)
    await log.reached()
    return log.intake.followed_total


async def _main(role: str, url: str, cache: str, seconds: float, groups: int) -> None:
    log = await NatsLog.open(parse_url(url), Path(cache))
    print("ready", flush=True)
    sys.stdin.readline()
    begun, spent = time.monotonic(), time.process_time()
    records = await (_write if role == "write" else _follow)(log, seconds, groups)
    print(json.dumps({"records": records, "seconds": time.monotonic() - begun, "cpu": time.process_time() - spent}))
    await log.close()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), int(sys.argv[5])))
