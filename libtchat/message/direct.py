"""Texts from one user to another (spec/protocol.md, "Kept texts"): told to both, and kept in a log of the two, or not.

What is kept is an event, as those of a group are; its log has a key that no group's name has (see `direct_key`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from libtchat.message.names import Key, UserKey, user_key
from libtchat.message.value import frozen

__all__ = [
    *("KEPT", "DirectMessage", "KeptEvent", "Received", "Sent"),
    *("correspondent", "direct_key", "is_direct", "is_log_of"),
]

_PREFIX = "DIRECT "  # no key of a name is so: it would be in lower case
_MARK = "@"


@frozen
class DirectMessage:
    """A text from one user to another; both hear it."""

    action: ClassVar[str] = "server-send"
    sender: str
    to: str
    msg: str
    ts: str
    id: str | None = None


@frozen
class Sent(DirectMessage):
    """The same, kept as event *seq* of the log of the two.

    Attributes:
        kept: *to* was away: it waits for that user, or has waited.
        reader: the one of the two whose name had a password, if only one had: the other may not read it later.
    """

    seq: int = 0
    kept: bool = False
    reader: str | None = None

    @property
    def group(self) -> Key:
        """The name of the log, which is its key."""
        return direct_key(user_key(self.sender), user_key(self.to))


@frozen
class Received:
    """Nothing waits for *sender* from *to* any more, up to the event *last*: it has come.

    Attributes:
        removed: it never came: an operator removed *sender*, and who has that name from now on reads nothing of before.
    """

    action: ClassVar[str] = "server-received"
    sender: str
    to: str
    last: int
    seq: int
    ts: str
    removed: bool = False
    id: ClassVar[None] = None

    @property
    def group(self) -> Key:
        """The name of the log, which is its key."""
        return direct_key(user_key(self.sender), user_key(self.to))


KeptEvent = Sent | Received

KEPT: Mapping[str, type[KeptEvent]] = {kind.action: kind for kind in (Sent, Received)}
"""The wire's action -> the class, in the log of two users."""


def direct_key(one: UserKey, other: UserKey) -> Key:
    """Return the key of the log of two users, whoever asks. No group can have it."""
    return Key(_PREFIX + " ".join(sorted((one, other))))


def is_direct(key: str) -> bool:
    """Tell whether this is the key of a log of two users."""
    return key.startswith(_PREFIX)


def is_log_of(key: str, user: UserKey) -> bool:
    """Tell whether this is the key of a log of two users, one of whom is *user*."""
    return is_direct(key) and user in key[len(_PREFIX) :].split(" ")


def correspondent(group: str) -> str | None:
    """Return the user whose texts a request for the pages of *group* means (`@bob`), None if it means a group."""
    name = group.strip()
    return name[len(_MARK) :] if name.startswith(_MARK) else None
