"""A group's state as bytes, for snapshots in a log: one JSON object, which only this module writes and reads."""

from __future__ import annotations

from typing import Any

from libtchat.direct import Box
from libtchat.group import Group
from libtchat.message.event import Invited
from libtchat.wire import strict_json
from libtchat.wire.fields import shape_of

__all__ = ["decode_box", "decode_group", "encode_box", "encode_group"]

_MAX_DEPTH = 4
_MANY = 1_000_000  # keys and commas: a group has many members


def encode_group(group: Group) -> bytes:
    """Write a group's state."""
    invited = {key: _invitation(event) for key, event in group.invited.items()}
    found = {"name": group.name, "private": group.private, "seq": group.seq, "ts": group.ts, "owner": group.owner}
    if group.closed:
        found["closed"] = True
    members, banned = dict(group.members.items()), dict(group.banned.items())
    boxes = {"boxes": {key: shape_of(Box).write(box) for key, box in group.boxes.items()}} if group.boxes else {}
    return strict_json.dumps({**found, "members": members, "invited": invited, "banned": banned, **boxes})


def decode_group(data: bytes) -> Group:
    """Read what `encode_group` wrote, the order of members kept.

    Raises:
        ProtocolError: bad-json or bad-request; the bytes are damaged.
    """
    found = strict_json.loads(data, max_depth=_MAX_DEPTH, max_keys=_MANY, max_commas=_MANY)
    group: Group = shape_of(Group).read(found, False)
    return group


def encode_box(box: Box) -> bytes:
    """Write what one of two users has still to get."""
    return strict_json.dumps(shape_of(Box).write(box))


def decode_box(data: bytes) -> Box:
    """Read what `encode_box` wrote.

    Raises:
        ProtocolError: bad-json or bad-request; the bytes are damaged.
    """
    box: Box = shape_of(Box).read(strict_json.loads(data), False)
    return box


def _invitation(event: Invited) -> dict[str, Any]:
    return {"action": event.action, "sender": event.sender, **shape_of(Invited).write(event)}
