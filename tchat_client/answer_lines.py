"""What answers a query, as lines for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from libtchat.message.names import user_key
from libtchat.message.reply import (
    Goodbye,
    Groups,
    Members,
    Message,
    Pong,
    Registered,
    Users,
    Welcome,
)
from tchat_client.sanitise import clean

__all__ = ["answer_lines"]

Say = Callable[..., str]
"""Returns the sentence of a key, filled in; what is filled in is cleaned."""


def answer_lines(say: Say, address: str, round_trip_ms: int | None, message: Message) -> list[str]:
    """Return the lines of an answer to a query, without time: clean text."""
    match message:
        case Welcome(sender=name, groups=groups):
            lines = [say("server-hello.plain", address=address, name=name)]
            return [*lines, say("server-hello.groups", names=", ".join(groups))] if groups else lines
        case Users(list=names):
            return [_listed(say, "server-list-clients", names, message.more)]
        case Members():
            return _members(say, message)
        case Groups(list=names):
            private = set(message.private)
            shown = [say("groups.private", name=name) if name in private else name for name in names]
            lines = [_listed(say, "groups", shown, message.more) if names else say("groups.none")]
            return [*lines, say("groups.mine", names=", ".join(message.mine))] if message.mine else lines
        case Registered(sender=name):
            return [say("register", name=name)]
        case Pong():
            time = "?" if round_trip_ms is None else round_trip_ms
            return [say("ping", milliseconds=time, server=message.server, version=message.version)]
        case Goodbye():
            return [say("server-quit")]
        case _:
            return [clean(str(getattr(message, "msg", "")) or message.action)]


def _members(say: Say, message: Members) -> list[str]:
    owner = None if message.owner is None else user_key(message.owner)
    names = [say("members.owner", name=name) if user_key(name) == owner else clean(name) for name in message.list]
    lines = [_listed(say, "members", names, message.more) if names else say("members.none")]
    for key, others in (("members.invited", message.invited), ("members.banned", message.banned)):
        if others:
            lines.append(say(key, names=", ".join(others)))
    if message.closed:
        lines.append(say("members.closed"))
    return [f"{clean(message.group)}: {line}" for line in lines]


def _listed(say: Say, key: str, names: Iterable[str], more: bool) -> str:
    shown = [*names]
    return say(key, count=len(shown), names=", ".join([*shown, *([say("list.more")] * more)]))
