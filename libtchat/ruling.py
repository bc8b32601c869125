"""What an operator does: rulings, which no client can ask for, become events of a group's log, or of one of two users.

See spec/protocol.md, "What an operator does". Pure, like `libtchat.rules`, beside which it stands.
"""

from __future__ import annotations

from typing import ClassVar, assert_never

from libtchat.group import Group, Standing, successor
from libtchat.message.direct import Received
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.event import OPERATOR, Closed, Event, Joined, Left, Redacted
from libtchat.message.names import Key, check_user_name, group_key, user_key
from libtchat.message.value import frozen

__all__ = ["CloseGroup", "EndTexts", "Expel", "GiveGroup", "RedactText", "Ruling", "end_texts", "log_key", "rule"]


@frozen
class CloseGroup:
    """Let the group take no more texts; *undo*: let it take them again."""

    action: ClassVar[str] = "close"
    id: ClassVar[None] = None
    group: str
    undo: bool = False


@frozen
class RedactText:
    """Remove the text *seq*, which is of *author*."""

    action: ClassVar[str] = "redact"
    id: ClassVar[None] = None
    group: str
    seq: int
    author: str


@frozen
class GiveGroup:
    """Give the group to *dest*: a member, or anybody if it is empty (R-op-owner)."""

    action: ClassVar[str] = "own"
    id: ClassVar[None] = None
    group: str
    dest: str


@frozen
class Expel:
    """End the membership or invitation of *dest*, as a `leave` does."""

    action: ClassVar[str] = "expel"
    id: ClassVar[None] = None
    group: str
    dest: str


@frozen
class EndTexts:
    """End the part of *dest*, a user who is removed, in the log of two users with the key *group* (R-op-forget)."""

    action: ClassVar[str] = "forget"
    id: ClassVar[None] = None
    group: Key
    dest: str


Ruling = CloseGroup | RedactText | GiveGroup | Expel | EndTexts


def log_key(ruling: Ruling) -> Key:
    """Return the key of the log that *ruling* is about."""
    return ruling.group if isinstance(ruling, EndTexts) else group_key(ruling.group)


def end_texts(log: Group | None, ruling: EndTexts, *, ts: str) -> Received:
    """Decide that a user has no part any more in the *log* of two users.

    Raises:
        Refused: it has none.
    """
    box = None if log is None else log.boxes.get(user_key(ruling.dest))
    if log is None or box is None:
        raise Refused(ErrorCode.TARGET_NOT_MEMBER, f"{ruling.dest} reads nothing there: nothing to do")
    return Received(box.name, box.other, log.seq, log.seq + 1, max(ts, log.ts), removed=True)


def rule(group: Group | None, ruling: CloseGroup | RedactText | GiveGroup | Expel, *, ts: str) -> Event:
    """Decide what *ruling* does to *group*.

    Args:
        group: the group's state, None if its name was never used.
        ts: the server's time; see `libtchat.rules.decide`.
    Returns:
        The event, with `seq` one above the group's.
    Raises:
        Refused: there is nothing to do, or no such group or member; the detail is a sentence for the operator.
    """
    if group is None:
        raise Refused(ErrorCode.GROUP_NOT_FOUND, f"there is no group {ruling.group}: `tchat groups` lists them")
    name, seq, ts = group.name, group.seq + 1, max(ts, group.ts)
    match ruling:
        case CloseGroup(undo=undo):
            if group.closed is not undo:
                state = "open" if undo else "closed"
                raise Refused(ErrorCode.BAD_REQUEST, f"{name} is {state} already: nothing to do")
            return Closed(sender=OPERATOR, group=name, seq=seq, ts=ts, undone=undo)
        case RedactText(seq=text, author=author):
            return Redacted(sender=OPERATOR, group=name, redacts=text, author=author, seq=seq, ts=ts)
        case Expel(dest=dest):
            user = user_key(dest)
            shown = group.name_of(user)
            if shown is None or user in group.banned:
                raise Refused(ErrorCode.TARGET_NOT_MEMBER, f"{dest} is not in {name}: nothing to do")
            return Left(sender=shown, group=name, seq=seq, ts=ts, owner=successor(group, user))
        case GiveGroup():
            return _give(group, ruling.dest, seq, ts)
        case _:
            assert_never(ruling)


def _give(group: Group, dest: str, seq: int, ts: str) -> Event:
    name, user = group.name, user_key(dest)
    if group.owner_name is None:
        if group.standing(user) is Standing.BANNED:
            raise Refused(ErrorCode.BANNED, f"{dest} is banned from {name}: choose somebody else")
        try:
            shown = group.name_of(user) or check_user_name(dest)
        except Refused as refusal:
            raise Refused(refusal.code, f"{dest} cannot own {name}: {refusal}") from refusal
        return Joined(sender=shown, group=name, seq=seq, ts=ts, owner=shown)
    if user == group.owner:
        raise Refused(ErrorCode.BAD_REQUEST, f"{group.owner_name} owns {name} already: nothing to do")
    if user not in group.members:
        raise Refused(
            ErrorCode.TARGET_NOT_MEMBER,
            f"{dest} is not a member of {name}: choose one, `tchat members {name}` lists them",
        )
    return Left(sender=group.owner_name, group=name, seq=seq, ts=ts, owner=group.members[user])
