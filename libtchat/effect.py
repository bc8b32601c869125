"""What crosses the border of the hub: what a shell hands in, what the hub tells it to do, what it answers. Values only.

A shell carries the effects out in their order. `Send`, `Read`, `Resend` and `ReadGroups` to one peer keep their order
on the wire: what comes after a read waits for it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, NewType

from libtchat.cluster import Clustered, Relay, Seat
from libtchat.group import Group
from libtchat.message.errors import ErrorCode, Refused, Violation
from libtchat.message.event import LogEvent
from libtchat.message.names import Key, UserKey
from libtchat.message.reply import Error, Groups, Message
from libtchat.message.request import Request
from libtchat.message.value import frozen
from libtchat.stored import Known, Loaded, Retried, StoredUser

__all__ = [
    "Answer",
    "Append",
    "Ask",
    "AwaitRoom",
    "CheckPassword",
    "CheckRequest",
    "Close",
    "Effect",
    "FindRetry",
    "FindUser",
    "HashPassword",
    "Item",
    "LoadGroup",
    "LoadUser",
    "NumberGuest",
    "PageKind",
    "Part",
    "PeerId",
    "PresenceScope",
    "Question",
    "Read",
    "ReadGroups",
    "Registration",
    "Resend",
    "SaveUser",
    "Send",
    "Settled",
]

PeerId = NewType("PeerId", int)
"""One connection. Never used twice by one hub."""

Item = Request | Violation | None
"""What a shell hands in, made of a peer's bytes; None: nothing more will come."""

PresenceScope = Literal["auto", "all", "groups", "none"]
"""Who hears that a user came or went: everybody, those who share a group, nobody; auto: everybody while few are."""

Registration = Literal["open", "invite", "closed"]
"""Who may set a first password: everybody; who has a code of the operator's; nobody but the operator."""


class PageKind(StrEnum):
    """Which events a page shows."""

    MESSAGES = "messages"
    STATES = "states"
    ALL = "all"


@frozen
class Send:
    """Write *message* to each of *peers*; the same tuple object while an audience is unchanged.

    *source* is the peer that said it, if somebody did: what it costs to carry is its cost. *line*: its bytes, without
    a line end, if they came from another node; they are passed on.
    """

    peers: tuple[PeerId, ...]
    message: Message
    source: PeerId | None = None
    line: bytes | None = None


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
    events: tuple[LogEvent, ...]
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
    later ones were not told yet. *group* is the name as displayed, *id* the request's. What is below *since* is not
    shown: who asks may not read it.
    """

    peer: PeerId
    key: Key
    group: str
    kinds: PageKind
    after: int | None
    before: int
    limit: int
    action: str
    id: str | None
    since: int = 1


@frozen
class Resend:
    """Send *peer* the event *seq* of a group once more, as it was sent; *instead*, if it was removed by now."""

    peer: PeerId
    key: Key
    seq: int
    instead: Error | None = None


@frozen
class ReadGroups:
    """Answer *peer* with *reply*, completed by `libtchat.paging.fill` with the public groups above key *after*."""

    peer: PeerId
    reply: Groups
    after: Key


@frozen
class Close:
    """Close the connection once everything sent to it is written. *code*: why, None after a quit."""

    peer: PeerId
    code: ErrorCode | None


@frozen
class Settled:
    """Tell the operator what became of the ruling of this *ticket*: its durable event, or why it was refused."""

    ticket: int
    outcome: LogEvent | Error


@frozen
class LoadGroup:
    """Load a group. Answer: Loaded."""

    key: Key


@frozen
class LoadUser:
    """Load what is stored of a user. Answer: StoredUser."""

    key: UserKey


@frozen
class FindUser:
    """Find whether a user is known, and to how many groups it is invited. Answer: Known."""

    key: UserKey


@frozen
class FindRetry:
    """Find what a user's request with this id made, if it is remembered. Answer: Retried."""

    key: UserKey
    id: str


@frozen
class SaveUser:
    """Store a user's name and password hash in place of the hash *replaces*; *invitation*: a code, which is used up.

    Answer: True if stored, False if the user has another password now, or the code does not hold.
    """

    key: UserKey
    name: str
    password_hash: str
    replaces: str | None = None
    invitation: str | None = None


@frozen
class HashPassword:
    """Derive a slow hash. Answer: str."""

    password: str


@frozen
class CheckPassword:
    """Check a password, in the same time whether or not there is a hash. Answer: bool."""

    password: str
    password_hash: str | None


@frozen
class NumberGuest:
    """Find a number for a guest, one that none had before. Answer: int, 1 or more."""


@frozen
class CheckRequest:
    """Tell whether *user* may ask for this, before it is decided; only a hub that `asks_first` asks it.

    For a `Hello` *user* is who the peer claims to be, "" for a guest. Answer: bool, False is refused with `forbidden`;
    or a `Refused` that says why.
    """

    user: str
    request: Request


@frozen
class AwaitRoom:
    """Wait until there is room for about *size* bytes more for the peer *reader*, for whom much waits. Answer: True.

    It is only asked about peers in `Hub.crowded`.
    """

    reader: PeerId
    size: int


_Stored = LoadGroup | LoadUser | FindUser | FindRetry | SaveUser | NumberGuest

Question = _Stored | HashPassword | CheckPassword | CheckRequest | AwaitRoom | Clustered


@frozen
class Ask:
    """Answer *question* with `Hub.answered`, also when the peer is gone meanwhile; peer 0: the hub asks for itself.

    The peer's later requests wait for it, nobody else's. A `SaveUser` that is out may be asked again for another peer,
    who waits for the same outcome: it is stored once, and its answer is everybody's.
    """

    peer: PeerId
    question: Question


Answer = Loaded | StoredUser | Known | Retried | Seat | Refused | str | bool | int | None
"""What the shell answers; None: it can't be had now (the peer is told `unavailable`)."""

Effect = Send | Append | Read | Resend | ReadGroups | Ask | Close | Relay | Settled
