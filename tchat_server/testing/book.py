"""What tests of logs need: parts as a hub makes them, and pages as it asks for them."""

from __future__ import annotations

from collections.abc import Sequence

from libtchat.effect import PageKind, Part
from libtchat.group import Group, evolve, fold
from libtchat.message.direct import KeptEvent
from libtchat.message.event import Event, LogEvent
from libtchat.message.names import Key, group_key
from libtchat.message.request import Create, GroupRequest, Say
from libtchat.rules import decide
from tchat_server.store.event_log import EncodedPart, EventLog, Page, encode_part

TS = "2026-01-02T03:04:05.678Z"


BIG = 2**53
"""Above every seq."""


class Clock:
    """Seconds since the epoch, as the test says."""

    def __init__(self) -> None:
        self.now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Book:
    """Makes parts, as a hub and its shell do."""

    def __init__(self) -> None:
        self.groups: dict[Key, Group] = {}

    def part(self, *steps: tuple[str, GroupRequest]) -> EncodedPart:
        """Make the part for these (actor, request), all for one group."""
        key = group_key(steps[0][1].group)
        before = group = self.groups.get(key)
        events = []
        for actor, request in steps:
            event = decide(group, request, actor, ts=TS, known_dest=getattr(request, "dest", None))
            if group is None or event.seq > group.seq:
                group = evolve(group, event)
                events.append(event)
        assert group is not None
        self.groups[key] = group
        return _part(key, before, events, group)

    def told(self, event: Event) -> EncodedPart:
        """Make the part for what somebody decided who asks no group: an operator."""
        key = group_key(event.group)
        before = self.groups[key]
        self.groups[key] = after = evolve(before, event)
        return _part(key, before, [event], after)


def create(name: str = "wob", *, by: str = "alice", private: bool = False) -> tuple[str, Create]:
    """Return who creates a group, and how."""
    return by, Create(name, private)


def say(text: str = "hello", group: str = "wob", *, by: str = "alice", id: str | None = None) -> tuple[str, Say]:
    """Return who says something, and what."""
    return by, Say(group, text, id=id)


async def state_of(log: EventLog, group: str = "wob") -> Group | None:
    """Return a group as the log has it."""
    loaded = await log.load(group_key(group))
    return fold(loaded.tail, loaded.snapshot)


async def page(
    log: EventLog,
    group: str = "wob",
    kinds: PageKind = PageKind.ALL,
    *,
    after: int | None = None,
    before: int = BIG,
    limit: int = 1000,
    max_bytes: int = 1_000_000,
) -> Page:
    """Read a page of a group; all of it unless limited."""
    return await log.read(group_key(group), kinds, after=after, before=before, limit=limit, max_bytes=max_bytes)


def kept(before: Group | None, *events: KeptEvent) -> EncodedPart:
    """Make the part of these events of the log of two users, whose state is *before*."""
    after = fold(events, before)
    assert after is not None
    return _part(events[0].group, before, events, after)


def _part(key: str, before: Group | None, events: Sequence[LogEvent], after: Group) -> EncodedPart:
    digests = tuple(f"digest of {event.id}" if event.id else "" for event in events)
    return encode_part(Part(Key(key), before.seq if before else 0, tuple(events), after, digests))
