"""The log of the texts between two users: what its events add up to.

It is a log like a group's, so that it has numbers, pages, catching up, retries, checksums and removal without a line of
its own; but it has no members and no owner: each of the two has a box in it, if the name has a password. Who may be
told what, and what waits for whom, is in the boxes (spec/protocol.md, "Kept texts").
"""

from __future__ import annotations

from collections.abc import Mapping

from libtchat.message.direct import KeptEvent, Sent
from libtchat.message.names import UserKey, user_key
from libtchat.message.value import frozen

__all__ = ["NO_BOXES", "Box", "boxes_after"]


@frozen
class Box:
    """What one of the two may read, and has not got yet.

    Attributes:
        name: the user's, as displayed.
        other: the other user's.
        since: the first event the user may read: the name had a password then (R-kept-alone).
        waiting: the seqs of the texts that wait for the user, rising.
        size: the bytes of these texts, or a bit more.
    """

    name: str
    other: str
    since: int
    waiting: tuple[int, ...] = ()
    size: int = 0


NO_BOXES: Mapping[UserKey, Box] = {}
"""Those of a group."""


def boxes_after(boxes: Mapping[UserKey, Box], event: KeptEvent) -> Mapping[UserKey, Box]:
    """Return the boxes after *event*. Who is no reader of it has none any more: the name may be somebody else's."""
    if not isinstance(event, Sent):
        key = user_key(event.sender)
        box, others = boxes.get(key), {other: box for other, box in boxes.items() if other != key}
        return boxes if box is None else others if event.removed else {**boxes, key: _emptied(box, event.last)}
    found: dict[UserKey, Box] = {}
    for name, other in ((event.sender, event.to), (event.to, event.sender)):
        key = user_key(name)
        if event.reader is None or user_key(event.reader) == key:
            found[key] = boxes.get(key) or Box(name, other, event.seq)
    if event.kept:
        key = user_key(event.to)
        box = found[key]
        found[key] = Box(box.name, box.other, box.since, (*box.waiting, event.seq), box.size + len(event.msg.encode()))
    return found


def _emptied(box: Box, last: int) -> Box:
    waiting = tuple([seq for seq in box.waiting if seq > last])
    return Box(box.name, box.other, box.since, waiting, box.size if waiting else 0)
