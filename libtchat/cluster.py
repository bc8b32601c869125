"""What several servers that are one to their users tell each other: values only.

Such a server is a *node*. All nodes append to one log and share one *roster*, which knows who is connected where. A
hub that has a node's name takes all of this; one that has none is alone, and asks for nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NewType

from attrs import field

from libtchat.message.event import LogEvent
from libtchat.message.names import Key, UserKey
from libtchat.message.reply import Message
from libtchat.message.value import frozen

__all__ = [
    *("Barred", "Clustered", "FindSeat", "News", "NodeId", "Protected", "Prove"),
    *("Record", "Relay", "ReleaseSeat", "Seat", "TakeSeat"),
]

NodeId = NewType("NodeId", str)
"""One run of one node: whoever starts again has another one."""


@frozen
class Record:
    """Events of one group as another node appended them. They are durable.

    Attributes:
        expected: the seq before them.
        events: one or more, their seqs expected+1, expected+2...
        digests: per event, the digest of the request when it bore an `id`, else ""; see `libtchat.effect.Part`.
        lines: per event its bytes as they were stored, without a line end. They go to members as they are, so that
            nodes of two versions say the same.
    """

    key: Key
    expected: int
    events: tuple[LogEvent, ...]
    digests: tuple[str, ...]
    lines: tuple[bytes, ...]


@frozen
class Protected:
    """A name is protected by another password now, as another node stored it; None: by none any more."""

    key: UserKey
    password_hash: str | None


@frozen
class Barred:
    """A user may not come in, as an operator said at another node.

    *until*: seconds since the epoch, inf is for ever; None: the user may.
    """

    key: UserKey
    until: float | None


News = Record | Protected | Barred
"""What a hub that is a node is told of the log that all of them share."""


@frozen
class Seat:
    """A name as the roster has it. Whoever shows its token is the user.

    Attributes:
        name: as displayed.
        nodes: per node, how many of its connections are the user: 1 or more. Nothing counts of a node whose lease
            ended. Empty: the user went, and the token is good for `token_seconds` more.
        revision: which change made it: each change of a name has a larger one than that before, and never 0.
            0: the roster has nothing of the name.
        why: the sentence for whoever is connected under an earlier token, which an operator ended; "" if none did.
    """

    key: UserKey
    name: str
    token: str
    nodes: Mapping[NodeId, int] = field(factory=dict, hash=False)
    revision: int = 0
    why: str = ""


@frozen
class Relay:
    """A text that is not stored, for connections to other nodes: to each at most once.

    Attributes:
        message: what they are to be told.
        users: whose connections; None: those of everybody.
        line: its bytes, without a line end; the shell of the node that sends it puts them in.
    """

    message: Message
    users: tuple[UserKey, ...] | None = None
    line: bytes = b""


@frozen
class Prove:
    """Wait until all is told that was acknowledged by any node before. Answer: True."""


@frozen
class FindSeat:
    """Find who has a name, as of now: nobody was told of a later change. Answer: Seat; its revision is 0 if nobody.

    Attributes:
        known: as far as this node was told is enough, for who is going to take that seat: if it is another one by now,
            that fails.
    """

    key: UserKey
    known: bool = False


@frozen
class TakeSeat:
    """Put *seat* in the place of that with its revision. Answer: its new revision; 0 if another one is there now."""

    seat: Seat


@frozen
class ReleaseSeat:
    """Let this node have one connection fewer of a user. Answer: True."""

    key: UserKey


Clustered = Prove | FindSeat | TakeSeat | ReleaseSeat
"""What a hub asks that is a node; one that is alone never does."""
