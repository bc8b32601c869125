"""What is stored, as a shell answers with it. Values only."""

from __future__ import annotations

from libtchat.direct import Box
from libtchat.group import Group, Standing
from libtchat.message.event import Invited, LogEvent
from libtchat.message.names import Key
from libtchat.message.value import frozen

__all__ = ["Known", "Loaded", "Membership", "Retried", "Retry", "StoredUser"]


@frozen
class Loaded:
    """A group as stored: *snapshot*, then *tail*. Both empty: the name was never used."""

    snapshot: Group | None = None
    tail: tuple[LogEvent, ...] = ()


@frozen
class Membership:
    """What one user is to one group: *seq* is the group's last; *invitation* as it was sent, if invited.

    *box*: the user's in the log of the texts with another one, if something waits there.
    """

    key: Key
    name: str
    private: bool
    standing: Standing
    seq: int
    invitation: Invited | None = None
    box: Box | None = None


@frozen
class Retry:
    """An accepted request that bore an id: which event it made, when (seconds since the epoch), and its digest."""

    id: str
    key: Key
    seq: int
    time: float
    digest: str


@frozen
class Known:
    """What a request must know of its target: the name as displayed, None if nobody knows the user.

    Attributes:
        invitations: how many wait for the user's answer.
        is_protected: the name has a password.
        senders: of how many users texts wait for this one.
    """

    name: str | None = None
    invitations: int = 0
    is_protected: bool = False
    senders: int = 0


@frozen
class Retried:
    """The accepted request that bore an id, None if none is remembered."""

    retry: Retry | None = None


@frozen
class StoredUser:
    """A user as stored; all fields empty if nothing is.

    Attributes:
        password_hash: None if the name is not protected.
        memberships: every group whose member the user is, or is invited to; and every log where a text waits.
        created: how many groups the user created.
        has_retries: ids of the user's may be remembered (see `FindRetry`).
    """

    password_hash: str | None = None
    memberships: tuple[Membership, ...] = ()
    created: int = 0
    has_retries: bool = False
