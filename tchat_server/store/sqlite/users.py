"""What is stored of one user: the account, the standings, the ids that may be repeated.

The functions raise sqlite3.Error, and ValueError for a row that is damaged.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from libtchat.direct import Box
from libtchat.group import Standing
from libtchat.message.direct import is_log_of
from libtchat.message.event import Invited
from libtchat.message.names import Key, UserKey
from libtchat.stored import Known, Membership, Retried, Retry, StoredUser
from libtchat.wire import codec
from libtchat.wire.snapshot import decode_box
from tchat_server.store.sqlite.checksum import Damaged, checksum
from tchat_server.store.sqlite.reader import check_group

__all__ = ["find_retry", "find_user", "last_retry_time", "load_user", "logs_of_two"]

_IS_KNOWN = """
SELECT EXISTS (SELECT 1 FROM users WHERE key = :user) OR EXISTS (SELECT 1 FROM standings WHERE user = :user)
    OR EXISTS (SELECT 1 FROM groups WHERE creator = :user) OR EXISTS (SELECT 1 FROM retries WHERE user = :user)"""
_MEMBERSHIPS = """
SELECT group_id, standings.name, standing, invitation, standings.checksum,
    groups.key, groups.name, private, creator, seq, groups.checksum
FROM standings INDEXED BY standings_by_kind JOIN groups ON groups.id = group_id
WHERE user = ? AND standing IN ('member', 'invited', 'waiting') ORDER BY groups.key"""
_ACCOUNT = "SELECT name, password_hash, checksum FROM users WHERE key = ?"
_STANDING = "SELECT group_id, name, standing, invitation, checksum FROM standings WHERE user = ? LIMIT 1"
_COUNT = "SELECT count(*) FROM standings WHERE user = ? AND standing = ?"
_HAS_RETRIES = "SELECT EXISTS (SELECT 1 FROM retries WHERE user = ?)"
_RETRY = """
SELECT group_id, retries.seq, time, digest, retries.checksum, groups.key
FROM retries JOIN groups ON groups.id = group_id
WHERE user = ? AND retries.id = ? AND time >= ? ORDER BY number DESC LIMIT 1"""


def load_user(connection: sqlite3.Connection, key: UserKey) -> StoredUser:
    """Load what is stored of one user."""
    ((is_known,),) = connection.execute(_IS_KNOWN, {"user": key})
    if not is_known:  # as most who come for the first time, at a third of the cost
        return StoredUser()
    account = _account(connection, key)
    standings = connection.execute(_MEMBERSHIPS, (key,)).fetchall()
    ((has_retries,),) = connection.execute(_HAS_RETRIES, (key,))
    ((created,),) = connection.execute("SELECT count(*) FROM groups WHERE creator = ?", (key,))
    return StoredUser(
        account and account[1],
        tuple(_membership(key, *row) for row in standings),
        created,
        bool(has_retries),
    )


def find_user(connection: sqlite3.Connection, key: UserKey) -> Known:
    """Find whether one user is known, and to how many groups it is invited."""
    ((invitations,),) = connection.execute(_COUNT, (key, Standing.INVITED))
    if (account := _account(connection, key)) is not None:
        ((senders,),) = connection.execute(_COUNT, (key, Standing.WAITING))
        return Known(account[0], invitations, True, senders)
    row = connection.execute(_STANDING, (key,)).fetchone()
    return Known(None if row is None else _standing_name(key, *row), invitations)


def logs_of_two(connection: sqlite3.Connection, key: UserKey) -> tuple[Key, ...]:
    """List the logs of the texts between a user and another one, by key."""
    keys = connection.execute("SELECT key FROM groups WHERE key GLOB 'DIRECT *' ORDER BY key")
    return tuple(Key(found) for (found,) in keys if is_log_of(found, key))


def find_retry(connection: sqlite3.Connection, key: UserKey, id: str, *, since: float) -> Retried:
    """Find what one user's request with an id made *since* then."""
    row = connection.execute(_RETRY, (key, id, since)).fetchone()
    return Retried(None if row is None else _retry(key, id, *row))


def last_retry_time(connection: sqlite3.Connection) -> float | None:
    """Return the time of the last retry stored, None if there is none. Raises sqlite3.Error."""
    row: tuple[float] | None = connection.execute("SELECT time FROM retries ORDER BY number DESC LIMIT 1").fetchone()
    return None if row is None else row[0]


def _account(connection: sqlite3.Connection, key: UserKey) -> tuple[str, str | None] | None:
    row = connection.execute(_ACCOUNT, (key,)).fetchone()
    if row is None:
        return None
    name, password_hash, stored = row
    if checksum(key, name, password_hash) != stored:
        raise Damaged(f"the account of {key}")
    return name, password_hash


def _standing_name(
    user: UserKey, group_id: int, name: str, standing: str, invitation: bytes | None, stored: int
) -> str:
    if checksum(user, group_id, name, standing, invitation) != stored:
        raise Damaged(f"the standing of {user} in group {group_id}")
    return name


def _membership(
    user: UserKey, group_id: int, name: str, standing: str, invitation: bytes | None, stored: int, key: str, *group: Any
) -> Membership:
    shown, private, _, seq, _ = group
    check_group(group_id, key, *group)
    _standing_name(user, group_id, name, standing, invitation, stored)
    it = Standing(standing)
    about: tuple[Invited | None, Box | None] = (None, None)
    if invitation is not None:
        about = (None, decode_box(invitation)) if it is Standing.WAITING else (_invitation(invitation), None)
    return Membership(Key(key), shown, bool(private), it, seq, *about)


def _retry(user: UserKey, id: str, group_id: int, seq: int, time: float, digest: str, stored: int, key: str) -> Retry:
    if checksum(user, id, group_id, seq, time, digest) != stored:
        raise Damaged(f"an id of {user} in group {key}")
    return Retry(id, Key(key), seq, time, digest)


def _invitation(line: bytes) -> Invited | None:
    event = codec.decode_event(line)
    return event if isinstance(event, Invited) else None
