"""What a client asks: one class per request, each listing exactly its wire fields (spec/protocol.md, "Requests").

`sender` is who asks, whatever the wire calls it (`sender`, `from` or `name`); it may be missing, because a
named connection need not repeat it. `sender` and `id` are given by name: `Say("wob", "hi", sender="alice")`. Names are
as the client wrote them: the group and the hub check them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from attrs import field

from libtchat.message.value import frozen

__all__ = [
    "REQUESTS",
    "Ban",
    "Broadcast",
    "Create",
    "GroupRequest",
    "Hello",
    "Invite",
    "Join",
    "Kick",
    "Leave",
    "ListGroups",
    "ListMembers",
    "ListMessages",
    "ListStates",
    "ListUsers",
    "Ping",
    "Quit",
    "Register",
    "ReportError",
    "Request",
    "Say",
    "Tell",
    "Unban",
]


@frozen
class Hello:
    """Name this connection; the first thing a client says. Without a name it becomes a guest.

    *kept*: texts that wait for the user are wanted now.
    """

    action: ClassVar[str] = "client-hello"
    sender: str | None = field(default=None, kw_only=True)
    password: str | None = None
    token: str | None = None
    kept: bool = field(default=True, kw_only=True)
    id: str | None = field(default=None, kw_only=True)


@frozen
class Tell:
    """Send a text to one user: if that one is away, it waits, should the name be protected."""

    action: ClassVar[str] = "client-send"
    sender: str | None = field(default=None, kw_only=True)
    to: str
    msg: str
    id: str | None = field(default=None, kw_only=True)


@frozen
class Broadcast:
    """Send a text to everybody connected."""

    action: ClassVar[str] = "client-broadcast"
    sender: str | None = field(default=None, kw_only=True)
    msg: str
    id: str | None = field(default=None, kw_only=True)


@frozen
class ListUsers:
    """List who is connected; *after*: names beyond this one."""

    action: ClassVar[str] = "client-list-clients"
    sender: str | None = field(default=None, kw_only=True)
    after: str | None = None
    id: str | None = field(default=None, kw_only=True)


@frozen
class Quit:
    """Close this connection in good order."""

    action: ClassVar[str] = "client-quit"
    sender: str | None = field(default=None, kw_only=True)
    id: str | None = field(default=None, kw_only=True)


@frozen
class ReportError:
    """Say why this client ends (Ctrl-C, a crash), then be closed like after a quit."""

    action: ClassVar[str] = "client-error"
    sender: str | None = field(default=None, kw_only=True)
    code: str | int | None = None
    msg: str | None = None
    id: str | None = field(default=None, kw_only=True)


@frozen
class Create:
    """Create a group; its creator becomes member and owner."""

    action: ClassVar[str] = "cgroupe"
    sender: str | None = field(default=None, kw_only=True)
    group: str
    private: bool = False
    id: str | None = field(default=None, kw_only=True)


@frozen
class Join:
    """Become a member of a group."""

    action: ClassVar[str] = "join"
    sender: str | None = field(default=None, kw_only=True)
    group: str
    id: str | None = field(default=None, kw_only=True)


@frozen
class Leave:
    """Stop being a member, or decline an invitation."""

    action: ClassVar[str] = "leave"
    sender: str | None = field(default=None, kw_only=True)
    group: str
    id: str | None = field(default=None, kw_only=True)


@frozen
class Invite:
    """Invite a user, who may then join."""

    action: ClassVar[str] = "invite"
    sender: str | None = field(default=None, kw_only=True)
    group: str
    dest: str
    id: str | None = field(default=None, kw_only=True)


@frozen
class Kick:
    """Remove a member, or revoke an invitation."""

    action: ClassVar[str] = "kick"
    sender: str | None = field(default=None, kw_only=True)
    group: str
    dest: str
    reason: str = ""
    id: str | None = field(default=None, kw_only=True)


@frozen
class Ban:
    """Remove a user and keep that user out until an unban."""

    action: ClassVar[str] = "ban"
    sender: str | None = field(default=None, kw_only=True)
    group: str
    dest: str
    reason: str = ""
    id: str | None = field(default=None, kw_only=True)


@frozen
class Unban:
    """Let a banned user join again."""

    action: ClassVar[str] = "unban"
    sender: str | None = field(default=None, kw_only=True)
    group: str
    dest: str
    id: str | None = field(default=None, kw_only=True)


@frozen
class Say:
    """Send a text to a group."""

    action: ClassVar[str] = "gbroadcast"
    sender: str | None = field(default=None, kw_only=True)
    group: str
    msg: str
    id: str | None = field(default=None, kw_only=True)


@frozen
class ListMembers:
    """List the members of a group; *after*: names beyond this one."""

    action: ClassVar[str] = "members"
    sender: str | None = field(default=None, kw_only=True)
    group: str
    after: str | None = None
    id: str | None = field(default=None, kw_only=True)


@frozen
class ListMessages:
    """Read a page of a group's texts; at most one of *before* and *after* (a seq), *limit* in entries."""

    action: ClassVar[str] = "msgs"
    sender: str | None = field(default=None, kw_only=True)
    group: str
    before: int | None = None
    after: int | None = None
    limit: int | None = None
    id: str | None = field(default=None, kw_only=True)


@frozen
class ListStates:
    """Read a page of a group's other events, or with *all* of every event."""

    action: ClassVar[str] = "states"
    sender: str | None = field(default=None, kw_only=True)
    group: str
    before: int | None = None
    after: int | None = None
    limit: int | None = None
    all: bool = False
    id: str | None = field(default=None, kw_only=True)


@frozen
class ListGroups:
    """List the groups one can see; *after*: names beyond this one."""

    action: ClassVar[str] = "groups"
    sender: str | None = field(default=None, kw_only=True)
    after: str | None = None
    id: str | None = field(default=None, kw_only=True)


@frozen
class Register:
    """Protect one's name with a password, or with another one: then *old* is the one it has.

    *invitation* is a code of the operator's, where the server asks for one.
    """

    action: ClassVar[str] = "register"
    sender: str | None = field(default=None, kw_only=True)
    password: str
    old: str | None = None
    invitation: str | None = None
    id: str | None = field(default=None, kw_only=True)


@frozen
class Ping:
    """Ask for a sign of life; works unnamed, and is never answered before an earlier request."""

    action: ClassVar[str] = "ping"
    id: str | None = field(default=None, kw_only=True)


GroupRequest = Create | Join | Leave | Invite | Kick | Ban | Unban | Say
"""The eight requests that, when accepted, become an event of a group."""

Request = (
    Hello
    | Tell
    | Broadcast
    | ListUsers
    | Quit
    | ReportError
    | GroupRequest
    | ListMembers
    | ListMessages
    | ListStates
    | ListGroups
    | Register
    | Ping
)

REQUESTS: Mapping[str, type[Request]] = {
    kind.action: kind
    for kind in (
        *(Hello, Tell, Broadcast, ListUsers, Quit, ReportError),
        *(Create, Join, Leave, Invite, Kick, Ban, Unban, Say),
        *(ListMembers, ListMessages, ListStates, ListGroups, Register, Ping),
    )
}
"""The wire's action -> the class."""
