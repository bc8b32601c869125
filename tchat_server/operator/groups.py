"""What an operator does to groups: each is an event of the group's log (`libtchat.ruling`)."""

from __future__ import annotations

from libtchat.effect import PageKind
from libtchat.group import Group, fold
from libtchat.message.event import Said
from libtchat.message.names import Key, group_key, user_key
from libtchat.ruling import CloseGroup, GiveGroup, RedactText
from libtchat.wire import codec
from tchat_server.operator.desk import Denied, Desk, Fields
from tchat_server.ops.control import Json

__all__ = ["close", "own", "redact"]

_MAX_EVENT_BYTES = 64 * 1024


async def close(desk: Desk, fields: Fields) -> Json:
    """Let a group take no more texts, or with `undo` take them again."""
    event = await desk.rule(CloseGroup(fields.text("group"), bool(fields.found.get("undo"))))
    return {"group": event.group, "seq": event.seq, "undone": bool(fields.found.get("undo"))}


async def redact(desk: Desk, fields: Fields) -> Json:
    """Remove one text from a group's log."""
    group, seq = fields.text("group"), fields.number("seq", 1, 2**53)
    key = group_key(group)
    state = await _state(desk, key)
    page = await desk.log.read(key, PageKind.ALL, after=seq - 1, before=seq + 1, limit=1, max_bytes=_MAX_EVENT_BYTES)
    text = codec.decode_event(page.lines[0]) if page.lines else None
    if state is not None and not isinstance(text, Said):
        raise Denied("no-text", group=state.name, seq=seq)
    if isinstance(text, Said) and text.redacted:
        raise Denied("redacted", group=text.group, seq=seq)
    author = text.sender if text is not None else ""
    event = await desk.rule(RedactText(group, seq, author))
    return {"group": event.group, "redacts": seq, "author": author, "seq": event.seq}


async def own(desk: Desk, fields: Fields) -> Json:
    """Give a group whose owner is gone another one; from one who is connected it is taken with `force` only."""
    given = GiveGroup(fields.text("group"), fields.text("name"))
    state = await _state(desk, group_key(given.group))
    owner = None if state is None else state.owner
    if state is not None and owner in desk.online() and owner != user_key(given.dest) and not fields.found.get("force"):
        raise Denied("owner-here", group=state.name, name=state.owner_name)
    event = await desk.rule(given)
    return {"group": event.group, "name": getattr(event, "owner", None), "seq": event.seq}


async def _state(desk: Desk, key: Key) -> Group | None:
    """Return a group as it is stored, what other nodes did too; None if its name was never used."""
    await desk.log.reached()
    loaded = await desk.log.load(key)
    return fold(loaded.tail, loaded.snapshot)
