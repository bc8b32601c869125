"""What the hub tells the shell to do, and what the shell answers: values only.

A shell carries the effects out in their order. `Send`, `Read`, `Resend` and `ReadGroups` to one peer keep their
order on the wire: what comes after a read waits for it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NewType

from libtchat.errors import ErrorCode
from libtchat.event import Event, Invited
from libtchat.group import Group, Standing
from libtchat.names import Key, UserKey
from libtchat.reply import Groups, Message
from libtchat.value import frozen

__all__ = [
    "Answer",
    "Append",
    "Ask",
    "CheckPassword",
    "Close",
    "Effect",
    "HashPassword",
    "Kinds",
    "LoadGroup",
    "LoadUser",
    "Loaded",
    "Membership",
    "Part",
    "PeerId",
    "Question",
    "Read",
    "ReadGroups",
    "Resend",
    "Retry",
    "SaveUser",
    "Send",
    "User",
]

PeerId = NewType("PeerId", int)
"""One connection. Never used twice by one hub."""


class Kinds(StrEnum):
    """Which events a page shows."""

    MESSAGES = "messages"
    STATES = "states"
    ALL = "all"


@frozen
class Send:
    """Write *message* to each of *peers*; the same tuple object while an audience is unchanged.

    *source* is the peer that said it, if somebody did: what it costs to carry is its cost.
    """

    peers: tuple[PeerId, ...]
    message: Message
    source: PeerId | None = None


@frozen
class Part:
    """Events to append to one group's log, all or none.

    Attributes:
        expected: the log's last seq before them; another one is a conflict.
        events: one or more, their seqs expected+1, expected+2...
        after: the group's state after them, for a snapshot.
        digests: per event, the digest of the request when it bore an `id`, else "" (see `Retry`).
    """

    key: Key
    expected: int
    events: tuple[Event, ...]
    after: Group
    digests: tuple[str, ...]


@frozen
class Append:
    """Make *parts* durable, then tell the hub `committed` or `rejected`. At most one is out at a time."""

    parts: tuple[Part, ...]


@frozen
class Read:
    """Answer *peer* with a page of a group's log: the *limit* entries nearest the cursor, ascending.

    With *after* those above it, else those nearest below *before*; always only seqs below *before*, because
    later ones were not told yet. *group* is the name as displayed, *id* the request's.
    """

    peer: PeerId
    key: Key
    group: str
    kinds: Kinds
    after: int | None
    before: int
    limit: int
    action: str
    id: str | None


@frozen
class Resend:
    """Send *peer* the event *seq* of a group once more, as it was sent."""

    peer: PeerId
    key: Key
    seq: int


@frozen
class ReadGroups:
    """Answer *peer* with *reply*, completed by `libtchat.query.fill` with the public groups above key *after*."""

    peer: PeerId
    reply: Groups
    after: Key


@frozen
class Close:
    """Close the connection once everything sent to it is written. *code*: why, None after a quit."""

    peer: PeerId
    code: ErrorCode | None


@frozen
class LoadGroup:
    """Load a group. Answer: Loaded."""

    key: Key


@frozen
class LoadUser:
    """Load what is stored of a user. Answer: User."""

    key: UserKey


@frozen
class SaveUser:
    """Store a user's name and password hash, once. Answer: True if stored, False if there was a password already."""

    key: UserKey
    name: str
    password_hash: str


@frozen
class HashPassword:
    """Derive a slow hash. Answer: str."""

    password: str


@frozen
class CheckPassword:
    """Check a password, in the same time whether or not there is a hash. Answer: bool."""

    password: str
    password_hash: str | None


Question = LoadGroup | LoadUser | SaveUser | HashPassword | CheckPassword


@frozen
class Ask:
    """Answer *question* with `Hub.answered`; the peer's later requests wait for it, nobody else's."""

    peer: PeerId
    question: Question


@frozen
class Loaded:
    """A group as stored: *snapshot*, then *tail*. Both empty: the name was never used."""

    snapshot: Group | None = None
    tail: tuple[Event, ...] = ()


@frozen
class Membership:
    """What one user is to one group: *seq* is the group's last; *invitation* as it was sent, if invited."""

    key: Key
    name: str
    private: bool
    standing: Standing
    seq: int
    invitation: Invited | None = None


@frozen
class Retry:
    """An accepted request that bore an id: which event it made, when (seconds since the epoch), and its digest."""

    id: str
    key: Key
    seq: int
    time: float
    digest: str


@frozen
class User:
    """A user as stored; all fields empty if nothing is.

    Attributes:
        name: as displayed: registered, or as some group knows it.
        password_hash: None if the name is not protected.
        memberships: every group that knows the user, also as banned.
        created: how many groups the user created.
        retries: ids of the last `retry_seconds`, oldest first.
    """

    name: str | None = None
    password_hash: str | None = None
    memberships: tuple[Membership, ...] = ()
    created: int = 0
    retries: tuple[Retry, ...] = ()


Answer = Loaded | User | str | bool | None
"""What the shell answers; None: it can't be had now (the peer is told `unavailable`)."""

Effect = Send | Append | Read | Resend | ReadGroups | Ask | Close
