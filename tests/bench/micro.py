"""What is measured inside this process: the parts of libtchat and of its logs, without sockets.

Every part is timed many times, each time beside a fixed loop of plain Python: the best of many is the cost on a core
of one's own, and its ratio to that loop's best can be compared between machines.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import attrs
from attrs import field, frozen

from libtchat.effect import Answer, Append, Ask, Item, LoadGroup, LoadUser, PageKind, Part, PeerId, Question
from libtchat.group import Group, evolve, fold
from libtchat.hub.hub import Hub
from libtchat.message.event import Created, Event, Said
from libtchat.message.limits import DEFAULT_LIMITS
from libtchat.message.names import group_key
from libtchat.message.request import Create, Hello, Join, Say
from libtchat.rules import decide
from libtchat.stored import Loaded, StoredUser
from libtchat.wire import codec, strict_json
from libtchat.wire.connection import ServerEnd
from tchat_server.store.event_log import EventLog, encode_part
from tchat_server.store.memory import MemoryLog
from tchat_server.store.sqlite.log import SqliteLog

__all__ = ["Timing", "measure"]

BATCH = 64
"""Requests that arrive in one read, events that share one commit: what a busy server sees."""

TS = "2026-01-01T00:00:00.000Z"
NOW = 1_767_225_600.0
UNLIMITED = attrs.evolve(DEFAULT_LIMITS, requests_per_second=0.0)
SAY = Say("wob", "x" * 100, sender="alice")
SAID = Said("alice", "wob", "x" * 100, 7, TS, None)
FRAME = codec.encode_request(SAY)
READ = (FRAME + b"\n") * BATCH

Chunk = Callable[[], float]
"""Does a part a number of times; returns the seconds of one."""


@frozen
class Timing:
    """What one part costs, in microseconds; *reference*: one turn of the loop of plain Python, at the same time."""

    id: str
    title: str
    samples: list[float] = field(factory=list)
    reference: list[float] = field(factory=list)


def measure(repeats: int) -> list[Timing]:
    """Time every part *repeats* times."""
    with _logs() as (runner, memory, sqlite):
        parts = [*_json_parts(), *_brain_parts(), *_log_parts(runner, memory, sqlite)]
        timings = [Timing(id, title) for id, title, _ in parts]
        for _ in range(repeats):
            for timing, (_, _, chunk) in zip(timings, parts, strict=True):
                timing.reference.append(_quietly(_reference) * 1e6)
                timing.samples.append(_quietly(chunk) * 1e6)
        pages = sorted(runner.run(_page_seconds(sqlite, max(20, repeats))))
    reference = [min(min(timing.reference) for timing in timings)]
    for id, share in (("p50", 0.5), ("p99", 0.99)):
        page = [pages[int(len(pages) * share)] * 1e6]
        timings.append(Timing(f"page-{id}", f"history page of 100 while writes go on, {id}", page, reference))
    return timings


def _quietly(chunk: Chunk) -> float:
    gc.collect(0)
    gc.disable()
    try:
        return chunk()
    finally:
        gc.enable()


def _timed(work: Callable[[], object], count: int) -> float:
    begun = time.perf_counter()
    for _ in range(count):
        work()
    return (time.perf_counter() - begun) / count


def _reference() -> float:
    counts: dict[int, int] = {}
    begun = time.perf_counter()
    for i in range(2000):
        counts[i & 63] = counts.get(i & 63, 0) + 1
    return (time.perf_counter() - begun) / 2000


def _json_parts() -> Iterator[tuple[str, str, Chunk]]:
    names: tuple[strict_json.BackendName, ...] = ("orjson", "stdlib") if strict_json.HAS_ORJSON else ("stdlib",)
    for name in names:
        for id, title, work in (
            ("decode", "decode a gbroadcast", partial(codec.decode_request, FRAME)),
            ("encode", "encode its event", partial(codec.encode, SAID)),
        ):
            yield f"{id}-{name}", f"{title}, {name}", partial(_with_backend, name, partial(_timed, work, 50))


def _with_backend(name: strict_json.BackendName, chunk: Chunk) -> float:
    before = strict_json.backend()
    strict_json.use_backend(name)
    try:
        return chunk()
    finally:
        strict_json.use_backend(before)


def _brain_parts() -> Iterator[tuple[str, str, Chunk]]:
    group = _group(100)
    yield "group", "group of 100: decide and evolve", partial(_timed, lambda: _decided(group), 50)
    hub, speaker = _hub(10)
    says = [SAY] * BATCH
    yield "hub", "hub: handle and commit", lambda: _timed(lambda: _handled(hub, speaker, says), 1) / BATCH
    connection = ServerEnd()
    yield "frames", "cut out of a read and decode", lambda: _timed(lambda: connection.receive(READ), 1) / BATCH

    def all_of_it() -> None:
        for append in _handled(hub, speaker, connection.receive(READ)):
            for part in append.parts:
                for event in part.events:
                    codec.encode(event)

    yield "all", "decode, handle, commit and encode", lambda: _timed(all_of_it, 1) / BATCH


def _group(members: int) -> Group:
    group = evolve(None, Created("alice", "wob", 1, TS, "alice", False, None))
    for number in range(1, members):
        group = evolve(group, decide(group, Join("wob"), f"u{number}", ts=TS))
    return group


def _decided(group: Group) -> Group:
    return evolve(group, decide(group, SAY, "alice", ts=TS))


_ANSWERS: dict[type[Question], Answer] = {LoadGroup: Loaded(), LoadUser: StoredUser()}


def _hub(members: int) -> tuple[Hub, PeerId]:
    """Return a hub with one group, and the peer of alice, who created it."""
    hub = Hub("bench", UNLIMITED)
    peers = [hub.connect(NOW, token="token") for _ in range(members)]
    for number, peer in enumerate(peers):
        for item in (Hello(sender=f"u{number}" if number else "alice"), Join("wob") if number else Create("wob")):
            hub.handle(peer, (item,), NOW)
            while effects := hub.drain():
                for effect in effects:
                    if isinstance(effect, Ask):
                        hub.answered(effect, _ANSWERS[type(effect.question)], NOW)
                    elif isinstance(effect, Append):
                        hub.committed(NOW)
    return hub, peers[0]


def _handled(hub: Hub, speaker: PeerId, items: Sequence[Item]) -> list[Append]:
    """Let the hub handle what came in one read, and commit what it appends."""
    hub.handle(speaker, items, NOW)
    appends = [effect for effect in hub.drain() if isinstance(effect, Append)]
    assert len(appends) == 1
    assert len(hub.committed(NOW)) == len(items)
    return appends


class _Author:
    """Makes parts for one group, each after the one before."""

    def __init__(self, name: str) -> None:
        self.name, self.key = name, group_key(name)
        self.group: Group | None = None

    def part(self, count: int) -> Part:
        last = self.group.seq if self.group else 0
        events = tuple(map(self._event, range(last + 1, last + count + 1)))
        after = self.group = fold(events, self.group)
        assert after is not None
        return Part(self.key, last, events, after, ("",) * count)

    def _event(self, seq: int) -> Event:
        if seq == 1:
            return Created("alice", self.name, 1, TS, "alice", False, None)
        return Said("alice", self.name, "x" * 100, seq, TS, None)


@contextmanager
def _logs() -> Iterator[tuple[asyncio.Runner, MemoryLog, SqliteLog]]:
    with tempfile.TemporaryDirectory(prefix="tchat-bench-") as directory, asyncio.Runner() as runner:
        sqlite = SqliteLog.open(Path(directory) / "tchat.db")
        try:
            yield runner, MemoryLog(), sqlite
        finally:
            runner.run(sqlite.close())


def _log_parts(runner: asyncio.Runner, memory: MemoryLog, sqlite: SqliteLog) -> Iterator[tuple[str, str, Chunk]]:
    for id, title, log, group, count in (
        ("memory", f"memory log, {BATCH} at once", memory, "wob", BATCH),
        ("sqlite", f"SQLite log (FULL), {BATCH} at once", sqlite, "wob", BATCH),
        ("sqlite-one", "SQLite log (FULL), alone", sqlite, "bow", 1),
    ):
        author = _Author(group)
        yield f"append-{id}", f"append an event, {title}", partial(_append_seconds, runner, log, author, count)


def _append_seconds(runner: asyncio.Runner, log: EventLog, author: _Author, count: int) -> float:
    return runner.run(_append(log, author.part(count))) / count


async def _append(log: EventLog, part: Part) -> float:
    begun = time.perf_counter()
    failed = await log.append((encode_part(part),))
    took = time.perf_counter() - begun
    assert not failed
    return took


async def _page_seconds(log: SqliteLog, count: int) -> list[float]:
    """Read *count* pages, anywhere in a log that grows meanwhile; return what each took."""
    author = _Author("history")
    for _ in range(20):
        await _append(log, author.part(BATCH))
    is_done = False

    async def write() -> None:
        while not is_done:
            await _append(log, author.part(BATCH))

    writing = asyncio.create_task(write())
    took = []
    for number in range(count):
        last = 101 + number * 37 % 1100
        begun = time.perf_counter()
        page = await log.read(author.key, PageKind.ALL, after=None, before=last + 1, limit=100, max_bytes=1 << 20)
        took.append(time.perf_counter() - begun)
        assert (page.last, len(page.lines)) == (last, 100)
    is_done = True
    await writing
    return took
