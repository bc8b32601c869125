"""What can be done at a server's connections, and in which words it is asked for something."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from attrs import field

from libtchat.dialect.dialect import Wire
from libtchat.dialect.probe import wrap
from libtchat.dialect.template import holes
from libtchat.dialect.vocabulary import KINDS
from libtchat.message.value import frozen

__all__ = [
    "COURSE",
    "CREATE_ACTIONS",
    "OTHER_ACTIONS",
    "Close",
    "Connect",
    "Hear",
    "Layout",
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
_MORE_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "{me}": ("username", "pseudo", "nickname", "expediteur", "nom", "login", "nick"),
    "{dest}": ("target", "receiver", "destinataire", "recipient"),
    "{group}": ("room", "salon", "channel", "groupName"),
    "{text}": ("contenu", "texte", "body"),
    "{reason}": ("raison", "motif"),
}


@frozen
class Layout:
    """How a server is asked.

    Attributes:
        path: the keys around the whole message.
        actions: the keys that say what it is, each with the same name.
        inside: the key under which everything else stands, "" if that is beside the action.
        is_rich: whether it has the rarer spellings too.
    """

    path: tuple[str, ...] = ()
    actions: tuple[str, ...] = ("action",)
    inside: str = ""
    is_rich: bool = False


COURSE = Layout()
"""As the course has it."""

CREATE_ACTIONS = ("cgroupe", "cgroup", "create-group", "creategroup", "create", "createGroup")
OTHER_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "create": CREATE_ACTIONS,
    "messages": ("msgs", "messages"),
    "text": ("gbroadcast", "bgroup", "group-broadcast"),
}


def request_template(kind: str, action: str | None = None, layout: Layout = COURSE) -> Any:
    """Return the request of *kind* in all spellings at once, so that any server finds the one it looks for."""
    row = KINDS[kind]
    wanted = ["{me}", *(f"{{{hole}}}" for hole in holes(row.typed))]
    if kind == "hello":
        wanted = ["{me}"]
    body = {key: hole for hole in wanted for key in _SPELLINGS[hole]}
    if layout.is_rich:
        body |= {key: hole for hole in wanted for key in _MORE_SPELLINGS[hole]}
    if "{dest}" in wanted:
        body.pop("user", None)
    named = dict.fromkeys(layout.actions, action or row.action)
    body = {key: hole for key, hole in body.items() if key not in named}
    return wrap({**named, **({layout.inside: body} if layout.inside else body)}, layout.path)
