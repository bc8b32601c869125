"""What a part of an append changes about users: their standings in its group, and the ids that may be retried.

Every adapter keeps both in the append's own transaction; this is where they are derived from the events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

import attrs

from libtchat.effect import Part
from libtchat.group import Group, Standing, subject
from libtchat.message.event import LogEvent, Redacted, Said
from libtchat.message.names import UserKey, user_key
from libtchat.stored import Retry
from libtchat.wire import codec
from libtchat.wire.wording import TOMBSTONE

__all__ = ["changed_users", "displayed_name", "first_waiting", "new_retries", "redactions", "tombstone"]


def changed_users(events: Iterable[LogEvent]) -> tuple[UserKey, ...]:
    """Return whose standing may be another one after *events*: each user once, in the order of the events."""
    return tuple({user_key(name): None for event in events if (name := subject(event)) is not None})


def displayed_name(group: Group, user: UserKey) -> str | None:
    """Return the name under which *group* knows *user*, None if it does not."""
    match group.standing(user):
        case Standing.MEMBER:
            return group.members[user]
        case Standing.INVITED:
            return group.invited[user].dest
        case Standing.BANNED:
            return group.banned[user]
        case Standing.WAITING:
            return group.boxes[user].name
        case Standing.NONE:
            return None
        case standing:
            assert_never(standing)


def first_waiting(group: Group) -> int:
    """Return the seq of the first text that waits for somebody, or that of the next event: what is below may go."""
    return min((seq for box in group.boxes.values() for seq in box.waiting), default=group.seq + 1)


def new_retries(part: Part, now: float) -> Iterator[tuple[UserKey, Retry]]:
    """Yield each event's user and retry, for the events whose request bore an id (R-retry)."""
    for event, digest in zip(part.events, part.digests, strict=True):
        if digest and event.id is not None:
            yield user_key(event.sender), Retry(event.id, part.key, event.seq, now, digest)


def redactions(events: Iterable[LogEvent]) -> tuple[int, ...]:
    """Return the seqs of the earlier texts that *events* have removed: what is stored of them is to be a tombstone."""
    return tuple(event.redacts for event in events if isinstance(event, Redacted))


def tombstone(line: bytes) -> bytes:
    """Return the line that is stored, and sent from now on, in place of the text *line* (R-op-redact).

    Raises:
        ProtocolError: the line is damaged.
        ValueError: it is no text.
    """
    said = codec.decode_event(line)
    if not isinstance(said, Said):
        raise ValueError(f"event {said.seq} is no text")
    return codec.encode(attrs.evolve(said, msg=TOMBSTONE, redacted=True))
