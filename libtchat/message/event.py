"""Facts in a group's log: an accepted request, stamped with what only the server knows.

One class per event, each listing exactly its wire fields (spec/protocol.md, "Events"). `seq` counts 1, 2, 3...
within the group; `ts` is UTC, ISO 8601 with milliseconds; `owner` is present when the owner changes;
`sender` and `dest` are names as displayed; `id` is the requester's, if it gave one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from libtchat.message.direct import KeptEvent
from libtchat.message.value import frozen

__all__ = [
    "EVENTS",
    "OPERATOR",
    "Banned",
    "Closed",
    "Created",
    "Event",
    "Invited",
    "Joined",
    "Kicked",
    "Left",
    "LogEvent",
    "Redacted",
    "Said",
    "Unbanned",
]

OPERATOR = "server"
"""Who did what an operator did: a name no user can have (R-name-reserved)."""


@frozen
class Created:
    """*sender* created the group and is its first member and owner."""

    action: ClassVar[str] = "cgroupe"
    sender: str
    group: str
    seq: int
    ts: str
    owner: str
    private: bool = False
    id: str | None = None


@frozen
class Joined:
    """*sender* became a member."""

    action: ClassVar[str] = "join"
    sender: str
    group: str
    seq: int
    ts: str
    owner: str | None = None
    id: str | None = None


@frozen
class Left:
    """*sender* is no longer a member, or declined an invitation."""

    action: ClassVar[str] = "leave"
    sender: str
    group: str
    seq: int
    ts: str
    owner: str | None = None
    id: str | None = None


@frozen
class Invited:
    """*sender* invited *dest*."""

    action: ClassVar[str] = "invite"
    sender: str
    group: str
    dest: str
    seq: int
    ts: str
    id: str | None = None


@frozen
class Kicked:
    """*sender* removed *dest*, or revoked the invitation of *dest*."""

    action: ClassVar[str] = "kick"
    sender: str
    group: str
    dest: str
    reason: str
    seq: int
    ts: str
    id: str | None = None


@frozen
class Banned:
    """*sender* removed *dest*, who may not come back."""

    action: ClassVar[str] = "ban"
    sender: str
    group: str
    dest: str
    reason: str
    seq: int
    ts: str
    id: str | None = None


@frozen
class Unbanned:
    """*sender* lifted the ban of *dest*."""

    action: ClassVar[str] = "unban"
    sender: str
    group: str
    dest: str
    seq: int
    ts: str
    id: str | None = None


@frozen
class Said:
    """*sender* sent a text to the group. *redacted*: an operator removed it, and *msg* says so (R-op-redact)."""

    action: ClassVar[str] = "gbroadcast"
    sender: str
    group: str
    msg: str
    seq: int
    ts: str
    id: str | None = None
    redacted: bool = False


@frozen
class Closed:
    """An operator closed the group, which takes no more texts; *undone*: it takes them again (R-op-close)."""

    action: ClassVar[str] = "close"
    sender: str
    group: str
    seq: int
    ts: str
    undone: bool = False
    id: str | None = None


@frozen
class Redacted:
    """An operator removed the text *redacts* of *author*, which is a tombstone from now on (R-op-redact)."""

    action: ClassVar[str] = "redact"
    sender: str
    group: str
    redacts: int
    author: str
    seq: int
    ts: str
    id: str | None = None


Event = Created | Joined | Left | Invited | Kicked | Banned | Unbanned | Said | Closed | Redacted

LogEvent = Event | KeptEvent
"""What a log holds: that of a group, or of the texts between two users."""

EVENTS: Mapping[str, type[Event]] = {
    kind.action: kind for kind in (Created, Joined, Left, Invited, Kicked, Banned, Unbanned, Said, Closed, Redacted)
}
"""The wire's action -> the class."""
