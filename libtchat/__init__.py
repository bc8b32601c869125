"""libtchat: the tchat protocol as pure values and functions; no socket, file, clock, thread or random inside.

Most programs need one of these: `Hub` and `ServerEnd` to be a server, `Mirror` and `ClientEnd` to be a
client, `Group` with `decide` and `evolve` to keep groups in a server of their own, or the codec alone. Requests are
in `libtchat.message.request`, events in `libtchat.message.event`, other server messages in `libtchat.message.reply`,
what a hub tells its shell in `libtchat.effect`. A name is imported when it is first used, so a program pays for what
it needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from libtchat.group import Group, decide, evolve, fold
    from libtchat.hub.hub import Hub
    from libtchat.message.errors import ErrorCode, Refused, TchatError, Violation
    from libtchat.message.limits import ServerLimits
    from libtchat.mirror import Mirror
    from libtchat.wire.codec import decode_message, decode_request, encode, encode_page, encode_request
    from libtchat.wire.connection import ClientEnd, ServerEnd

__all__ = [
    "ClientEnd",
    "ErrorCode",
    "Group",
    "Hub",
    "Mirror",
    "Refused",
    "ServerEnd",
    "ServerLimits",
    "TchatError",
    "Violation",
    "decide",
    "decode_message",
    "decode_request",
    "encode",
    "encode_page",
    "encode_request",
    "evolve",
    "fold",
]

_HOMES = {
    "group": ("Group", "decide", "evolve", "fold"),
    "hub.hub": ("Hub",),
    "message.errors": ("ErrorCode", "Refused", "TchatError", "Violation"),
    "message.limits": ("ServerLimits",),
    "mirror": ("Mirror",),
    "wire.codec": ("decode_message", "decode_request", "encode", "encode_page", "encode_request"),
    "wire.connection": ("ClientEnd", "ServerEnd"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'libtchat' has no attribute {name!r}")
    return getattr(import_module(f"libtchat.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
