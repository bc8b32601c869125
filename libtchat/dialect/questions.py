"""What can be done at a server's connections, and in which words it is asked for something."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

from attrs import field

from libtchat.dialect.dialect import Wire
from libtchat.dialect.probe import wrap
from libtchat.dialect.template import holes
from libtchat.dialect.vocabulary import KINDS
from libtchat.message.value import frozen

__all__ = [
    "CREATE_ACTIONS",
    "OTHER_ACTIONS",
    "Close",
    "Connect",
    "Hear",
    "Send",
    "ServerLearning",
    "ServerProbe",
    "ServerSeen",
    "request_template",
]


@frozen
class Connect:
    """Open the connection *who* (the server is started anew if it is dead, and *fresh* ends it before)."""

    who: str
    fresh: bool = False


@frozen
class Send:
    """Send *message* at *who*; wait until what *until* describes has come there, or until nothing more comes."""

    who: str
    message: Any = field(hash=False)
    wire: Wire = Wire()
    until: Any = field(default=None, hash=False)


@frozen
class Close:
    """Close the connection *who*, and see what the others are told."""

    who: str


@frozen
class Hear:
    """Wait long for anything to come at *who*; if it does, wait for everything as long from now on."""

    who: str


@frozen
class ServerSeen:
    """What came: connection and text, in order; whether the server still runs, and which connections it closed."""

    came: tuple[tuple[str, str], ...] = ()
    alive: bool = True
    closed: tuple[str, ...] = ()


ServerProbe = Connect | Send | Close | Hear
ServerLearning = Generator[ServerProbe, ServerSeen, Any]
_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "{me}": ("sender", "from", "name", "user"),
    "{dest}": ("dest", "to"),
    "{group}": ("group", "groupe"),
    "{text}": ("msg", "message", "content", "text", "description"),
    "{reason}": ("reason",),
}


CREATE_ACTIONS = ("cgroupe", "cgroup", "create-group", "creategroup", "create", "createGroup")
OTHER_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "create": CREATE_ACTIONS,
    "messages": ("msgs", "messages"),
    "text": ("gbroadcast", "bgroup", "group-broadcast"),
}


def request_template(kind: str, action: str | None = None, path: Sequence[str] = ()) -> Any:
    """Return the request of *kind* in all spellings at once, so that any server finds the one it looks for."""
    row = KINDS[kind]
    wanted = ["{me}", *(f"{{{hole}}}" for hole in holes(row.typed))]
    if kind == "hello":
        wanted = ["{me}"]
    body = {key: hole for hole in wanted for key in _SPELLINGS[hole]}
    if "{dest}" in wanted:
        body.pop("user", None)
    return wrap({"action": action or row.action, **body}, path)
