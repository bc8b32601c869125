"""What a server says that is no event: answers to queries, notices and errors (spec/protocol.md, "Server messages").

One class per message, each listing exactly its wire fields, but for three that the codec writes: `action`,
`from` (always equal to `sender`), and the readable `msg` of those whose `msg` is not a text of somebody's.
A list is in `list`, its entries are names as displayed, in the order of their keys. `id` is the request's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from attrs import field

from libtchat.message.direct import DirectMessage, KeptEvent, Sent
from libtchat.message.event import Event, LogEvent, Said
from libtchat.message.value import frozen

__all__ = [
    "REPLIES",
    "DirectMessage",
    "Error",
    "Foreign",
    "Goodbye",
    "Groups",
    "Members",
    "Message",
    "Messages",
    "Pong",
    "PresenceNotice",
    "PublicMessage",
    "Registered",
    "Reply",
    "States",
    "Users",
    "Welcome",
]


@frozen
class Welcome:
    """The answer to a hello. *sender*: the name given; *groups*: those one is member of; *seqs*: their last seq."""

    action: ClassVar[str] = "server-hello"
    sender: str
    version: int
    server: str
    token: str
    groups: tuple[str, ...] = ()
    seqs: Mapping[str, int] = field(factory=dict, hash=False)
    id: str | None = None


@frozen
class PublicMessage:
    """A text to everybody connected."""

    action: ClassVar[str] = "server-broadcast"
    sender: str
    msg: str
    ts: str
    id: str | None = None


@frozen
class PresenceNotice:
    """*name* came or went. *event* is "connect" or "disconnect"; *sender* is always "server"."""

    action: ClassVar[str] = "server-broadcast"
    sender: str
    event: str
    name: str


@frozen
class Users:
    """Who is connected."""

    action: ClassVar[str] = "server-list-clients"
    list: tuple[str, ...]
    more: bool = False
    id: str | None = None


@frozen
class Goodbye:
    """The answer to a quit; the connection closes after it."""

    action: ClassVar[str] = "server-quit"
    sender: str | None = None
    id: str | None = None


@frozen
class Members:
    """Who is in a group, as of *seq*; *online* lists those of *list* that are connected.

    Only a member is also told who is *invited* and *banned* (None for others). *closed*: it takes no more texts.
    """

    action: ClassVar[str] = "members"
    group: str
    seq: int
    list: tuple[str, ...]
    online: tuple[str, ...]
    owner: str | None = None
    invited: tuple[str, ...] | None = None
    banned: tuple[str, ...] | None = None
    more: bool = False
    id: str | None = None
    closed: bool = False


@frozen
class Messages:
    """A page of a group's texts, ascending by seq; *first* and *last* are the seqs of its ends, if it has any.

    *begins*: the seq of the first event that is still there, if older ones were removed. A *group* that is `@` and a
    user name means the texts with that user.
    """

    action: ClassVar[str] = "msgs"
    group: str
    list: tuple[Said | Sent, ...]
    more: bool
    first: int | None = None
    last: int | None = None
    id: str | None = None
    begins: int | None = None


@frozen
class States:
    """A page of a group's events, ascending by seq; see `Messages`."""

    action: ClassVar[str] = "states"
    group: str
    list: tuple[LogEvent, ...]
    more: bool
    first: int | None = None
    last: int | None = None
    id: str | None = None
    begins: int | None = None


@frozen
class Groups:
    """The groups one can see: public ones with members, private ones one is in or invited to, and those one is in."""

    action: ClassVar[str] = "groups"
    list: tuple[str, ...]
    private: tuple[str, ...] = ()
    mine: tuple[str, ...] = ()
    more: bool = False
    id: str | None = None


@frozen
class Registered:
    """The name *sender* is protected by its password from now on."""

    action: ClassVar[str] = "register"
    sender: str
    id: str | None = None


@frozen
class Pong:
    """A sign of life."""

    action: ClassVar[str] = "ping"
    ts: str
    version: int
    server: str
    id: str | None = None


@frozen
class Error:
    """A request was refused or not understood; nothing has changed.

    *request* is the action as asked; *limit* is in the unit of the limit reached, *retry_after* in seconds.
    *msg* may be empty: the codec then writes the sentence for *code*.
    """

    action: ClassVar[str] = "error"
    code: str
    request: str | None = None
    group: str | None = None
    dest: str | None = None
    field: str | None = None
    limit: int | None = None
    retry_after: float | None = None
    id: str | None = None
    msg: str = ""


Reply = (
    Welcome
    | DirectMessage
    | PublicMessage
    | PresenceNotice
    | Users
    | Goodbye
    | Members
    | Messages
    | States
    | Groups
    | Registered
    | Pong
    | Error
)

Message = Event | KeptEvent | Reply
"""Everything a server of this protocol sends."""


@frozen
class Foreign:
    """What another server said that is no message of this protocol. *text*: for people; *raw*: as it came."""

    text: str
    raw: str


REPLIES: Mapping[str, type[Reply]] = {
    kind.action: kind
    for kind in (
        *(Welcome, DirectMessage, PublicMessage, Users, Goodbye),
        *(Members, Messages, States, Groups, Registered, Pong, Error),
    )
}
"""The wire's action -> the class. A `server-broadcast` with an `event` is a PresenceNotice instead."""
