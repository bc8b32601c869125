"""What other programs write -> what this protocol writes: the table "Accepted, never sent", object to object.

Nothing here knows JSON texts or message classes; what is left wrong is for the codec to find.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from libtchat.message.errors import ErrorCode, ProtocolError

__all__ = ["ACTIONS", "FIELDS", "LISTS", "PRIVACY_TEXTS", "PUBLIC_FLAGS", "WRAPPER", "read_fields", "read_privacy"]

ACTIONS: Mapping[str, str] = {
    "cgroup": "cgroupe",
    "create-group": "cgroupe",
    "messages": "msgs",
    "client-connection": "client-hello",
    "connection": "client-hello",
}
"""An action as some write it -> its name."""

FIELDS: Mapping[str, tuple[str, ...]] = {
    "sender": ("from", "name", "user"),
    "dest": ("to",),
    "to": ("dest",),
    "group": ("groupe",),
    "msg": ("message", "content", "text", "description"),
}
"""A field -> where it is looked for when it is absent, in this order."""

PUBLIC_FLAGS = ("isPublic", "public")
"""Fields that are false when the group is to be private."""

PRIVACY_TEXTS = ("type", "groupType", "typeg")
"""Fields whose text contains `priv`, in any case, when the group is to be private, and else `pub`."""

WRAPPER = "messageFormat"
"""An object under this key is read in place of the object around it."""

LISTS = ("list", "data", "clients", "users", "members", "membres", "messages", "msgs", "groups", "events", "states")
"""Where other servers put what is in `list` here; also an array in `msg`."""


def read_fields(found: dict[str, Any], fields: tuple[tuple[str, tuple[str, ...]], ...]) -> None:
    """Put under each of *fields* what *found* has under another spelling, if it is absent."""
    for name, others in fields:
        if name not in found:
            for other in others:
                if other in found:
                    found[name] = found[other]
                    break


def read_privacy(found: dict[str, Any]) -> None:
    """Set `private` in a cgroupe if any of its privacy fields says so.

    Raises:
        ProtocolError: bad-request; one of them can't be read, and the group must not be public by mistake.
    """
    said = [found.get("private") is True]
    for name in PUBLIC_FLAGS:
        if (flag := found.get(name)) is not None:
            if type(flag) is not bool:
                raise _unreadable(name)
            said.append(not flag)
    for name in PRIVACY_TEXTS:
        if (text := found.get(name)) is not None:
            if type(text) is not str or not ("priv" in text.lower() or "pub" in text.lower()):
                raise _unreadable(name)
            said.append("priv" in text.lower())
    if found.get("private") is False or "private" not in found:
        found["private"] = any(said)


def _unreadable(name: str) -> ProtocolError:
    return ProtocolError(ErrorCode.BAD_REQUEST, f"{name} does not say whether the group is private", field=name)
