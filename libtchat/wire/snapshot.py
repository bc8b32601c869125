"""A group's state as bytes, for snapshots in a log: one JSON object, which only this module writes and reads."""

from __future__ import annotations

from typing import Any

from libtchat.group import Group
from libtchat.message.event import Invited
from libtchat.wire import strict_json
from libtchat.wire.fields import shape_of

__all__ = ["decode_group", "encode_group"]

_MAX_DEPTH = 3
_MANY = 1_000_000  # keys and commas: a group has many members


def encode_group(group: Group) -> bytes:
    """Write a group's state."""
    invited = {key: _invitation(event) for key, event in group.invited.items()}
    found = {"name": group.name, "private": group.private, "seq": group.seq, "ts": group.ts, "owner": group.owner}
    if group.closed:
        found["closed"] = True
    members, banned = dict(group.members.items()), dict(group.banned.items())
    return strict_json.dumps({**found, "members": members, "invited": invited, "banned": banned})


def decode_group(data: bytes) -> Group:
    """Read what `encode_group` wrote, the order of members kept.

    Raises:
        ProtocolError: bad-json or bad-request; the bytes are damaged.
    """
    found = strict_json.loads(data, max_depth=_MAX_DEPTH, max_keys=_MANY, max_commas=_MANY)
    group: Group = shape_of(Group).read(found, False)
    return group


def _invitation(event: Invited) -> dict[str, Any]:
    return {"action": event.action, "sender": event.sender, **shape_of(Invited).write(event)}
