"""What an operator does to users: who is there, passwords, bans, invitation codes, words to everybody."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from math import inf

from libtchat.group import Standing
from libtchat.hub import bars
from libtchat.message.direct import direct_key
from libtchat.message.errors import ErrorCode
from libtchat.message.limits import MAX_MSG_BYTES
from libtchat.message.names import Key, UserKey, is_guest, user_key
from libtchat.ruling import EndTexts, Expel
from tchat_server.clock import time_of_day
from tchat_server.net.peer import PeerProtocol
from tchat_server.operator.desk import Denied, Desk, Fields
from tchat_server.ops.control import Json
from tchat_server.password import hash_password, mark_of, new_code
from tchat_server.roster.port import Called

__all__ = ["announce", "ban_user", "invite_code", "kick_user", "passwd", "remove_user", "unban_user", "users", "who"]

_MAX_CODES = 1000
_MOST_PASSES = 10
"""How often a user who is removed is looked for in groups: whoever invites it again and again ends no removal."""


async def who(desk: Desk, fields: Fields) -> Json:
    """List the connections, by name; among several nodes with the address of the node."""
    others = await desk.others(fields)
    rows = [_connection(desk, peer) for peer in desk.server.peers]
    rows += [row for answer in others.answers for row in answer["rows"]]
    rows.sort(key=lambda row: (row["name"] is None, user_key(str(row["name"])), str(row["address"])))
    return {"users": len(desk.online()), "connections": len(rows), "rows": rows, **_silent(others)}


def _connection(desk: Desk, peer: PeerProtocol) -> dict[str, object]:
    row: dict[str, object] = {
        "name": desk.hub.user_of(peer.id),
        "address": peer.address,
        "in": peer.frames_in,
        "out": peer.outbox.count,
    }
    if desk.server.neighbours is not None:
        place = peer.transport.get_extra_info("sockname")
        row["node"] = None if place is None else f"{place[0]}:{place[1]}"
    return row


def _silent(others: Called) -> Json:
    return {"silent": others.silent} if others.silent else {}


async def users(desk: Desk, _: Fields) -> Json:
    """List everybody who is known."""
    online = desk.online()
    rows = [
        {
            "name": row.name,
            "password": row.has_password,
            "groups": row.groups,
            "invitations": row.invitations,
            "online": user_key(row.name) in online,
            "banned": shown_until(row.barred),
        }
        for row in await desk.log.users()
    ]
    return {"count": len(rows), "rows": rows}


async def passwd(desk: Desk, fields: Fields) -> Json:
    """Give a name a password; whoever uses the name now has to come back with it."""
    name, user = fields.user()
    password = fields.text("password")
    if is_guest(user):
        raise Denied("guest", name=name)
    stored = await desk.log.load_user(user)
    name = (await desk.log.find_user(user)).name or name
    hashed = await asyncio.to_thread(hash_password, password)
    if not await desk.log.save_user(user, name, hashed, replaces=stored.password_hash):
        raise Denied("meanwhile", name=name)
    desk.hub.protect(user, hashed)
    return {"name": name, "closed": await desk.end_session(user, "the operator gave this name a new password")}


async def remove_user(desk: Desk, fields: Fields) -> Json:
    """Take a name out of all groups and logs of two users, and its password away; nobody has it meanwhile."""
    name, user = fields.user()
    known = await desk.log.find_user(user)
    if known.name is None and user not in desk.online() and not await desk.log.logs_of_two(user):
        raise Denied("nobody", name=name)
    name = known.name or name
    async with desk.keeping_out(user, name, "the operator removed this name") as closed:
        return {"name": name, "groups": await _remove(desk, name, user), "closed": closed}


async def _remove(desk: Desk, name: str, user: UserKey) -> int:
    """Take a user who is kept out, out of everything; return how many groups it was in."""
    left = 0
    for _ in range(_MOST_PASSES):
        memberships = (await desk.log.load_user(user)).memberships
        groups = [it.name for it in memberships if it.standing is not Standing.WAITING]
        left += sum([await _expel(desk, group, name) for group in groups])
        if not groups:
            break
    await _end_texts(desk, name, user)  # before anybody can have the name, and once more for what came meanwhile
    stored = await desk.log.load_user(user)
    if stored.password_hash is not None:
        if not await desk.log.save_user(user, name, None, replaces=stored.password_hash):
            raise Denied("meanwhile", name=name)
        desk.hub.protect(user, None)
    await _end_texts(desk, name, user)
    return left


async def _expel(desk: Desk, group: str, name: str) -> bool:
    """Take a user out of a group; tell whether that was to be done still."""
    try:
        await desk.rule(Expel(group, name))
    except Denied as denied:
        if denied.answer["refused"] != ErrorCode.TARGET_NOT_MEMBER:
            raise
        return False
    return True


async def _end_texts(desk: Desk, name: str, user: UserKey) -> None:
    """Let nothing wait for a user, nor be read of its texts by whoever has the name next (R-op-forget)."""
    await _end(desk, direct_key(user, user), name)  # what was decided before this is in the log after it
    for key in await desk.log.logs_of_two(user):
        await _end(desk, key, name)


async def _end(desk: Desk, key: Key, name: str) -> None:
    with suppress(Denied):  # there is nothing to end
        await desk.rule(EndTexts(key, name))


async def ban_user(desk: Desk, fields: Fields) -> Json:
    """Let a name not come in, for so many seconds or for ever."""
    name, user = fields.user()
    if is_guest(user):
        raise Denied("guest", name=name)
    until = time_of_day() + fields.seconds("for")
    return {"name": name, "until": shown_until(until), "closed": await desk.ban(user, name, until)}


async def unban_user(desk: Desk, fields: Fields) -> Json:
    """Let a name come in again."""
    name, user = fields.user()
    if not await desk.log.save_bar(user, name, None):
        raise Denied("not-barred", name=name)
    desk.hub.bar(user, None)
    return {"name": name}


async def kick_user(desk: Desk, fields: Fields) -> Json:
    """Close the connections of a user, who may come back."""
    name, user = fields.user()
    closed = desk.dismiss(user, "the operator closed this connection")
    others = await desk.others(fields)
    closed += sum(answer.get("closed", 0) for answer in others.answers)
    if not closed and not others.silent:
        raise Denied("not-connected", name=name)
    return {"name": name, "closed": closed, **_silent(others)}


async def announce(desk: Desk, fields: Fields) -> Json:
    """Tell everybody who is connected."""
    text = fields.text("text")
    if len(text.encode("utf-8", "replace")) > MAX_MSG_BYTES:
        raise Denied("too-long", limit=MAX_MSG_BYTES)
    desk.hub.announce(text, desk.server.now())
    desk.server.tick_soon()
    return {"users": len(desk.online()), **_silent(await desk.others(fields))}


async def invite_code(desk: Desk, fields: Fields) -> Json:
    """Make codes with which a name can be registered once each."""
    codes = [new_code() for _ in range(fields.number("count", 1, _MAX_CODES))]
    await asyncio.gather(*(desk.log.invite(mark_of(code)) for code in codes))
    return {"codes": codes}


def shown_until(until: float | None) -> str | None:
    """Return the end of a ban for people: None if there is none (any more), `ever`, or the time in UTC."""
    if until is None or until <= time_of_day():
        return None
    return "ever" if until == inf else bars.shown(until)
