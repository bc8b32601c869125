"""Accounts in the SQLite file: passwords, who may not come in, invitation codes that hold. Functions of a connection.

Those that write do it in the open transaction, and tell whether they changed what they were to change.
"""

from __future__ import annotations

import sqlite3

from libtchat.message.names import UserKey
from tchat_server.store.event_log import UserRow
from tchat_server.store.sqlite.checksum import Damaged, checksum

__all__ = ["barred", "copy_account", "has_invitation", "invitations", "is_barred", "list_users", "password_of"]
__all__ += ["save_account", "save_bar", "save_invitation"]

_PASSWORD = "SELECT password_hash FROM users WHERE key = ?"
_SAVE = "INSERT OR REPLACE INTO users VALUES (?, ?, ?, ?)"
_REMOVE = "DELETE FROM users WHERE key = ?"
_USE_UP = "DELETE FROM invitations WHERE mark = ?"
_BAR = "INSERT OR REPLACE INTO bars VALUES (?, ?, ?, ?)"
_LIFT = "DELETE FROM bars WHERE key = ?"
_USERS = """
SELECT key, name, min(rank), sum(password), sum(member), sum(invited) FROM (
    SELECT key, name, 1 AS rank, 1 AS password, 0 AS member, 0 AS invited FROM users
    UNION ALL
    SELECT user, max(name), 2, 0, sum(standing = 'member'), sum(standing = 'invited') FROM standings GROUP BY user
    UNION ALL
    SELECT key, name, 3, 0, 0, 0 FROM bars
) GROUP BY key ORDER BY key"""  # the name is of the row with the lowest rank


def save_account(
    connection: sqlite3.Connection,
    key: UserKey,
    name: str,
    password_hash: str | None,
    replaces: str | None,
    invitation: str | None,
) -> bool:
    """Store a password hash, None: none any more; see EventLog.save_user."""
    if password_of(connection, key) != replaces:
        return False
    if invitation is not None and connection.execute(_USE_UP, (invitation,)).rowcount != 1:
        return False
    if password_hash is None:
        connection.execute(_REMOVE, (key,))
    else:
        row = (key, name, password_hash)
        connection.execute(_SAVE, (*row, checksum(*row)))
    return True


def copy_account(
    connection: sqlite3.Connection, key: UserKey, name: str, password_hash: str | None, invitation: str | None
) -> None:
    """Store a password hash that another node stored, whatever is there."""
    save_account(connection, key, name, password_hash, password_of(connection, key), invitation)


def password_of(connection: sqlite3.Connection, key: UserKey) -> str | None:
    """Return the user's password hash, None if there is none."""
    row = connection.execute(_PASSWORD, (key,)).fetchone()
    return None if row is None else str(row[0])


def save_bar(connection: sqlite3.Connection, key: UserKey, name: str, until: float | None) -> bool:
    """Store until when a user may not come in, None: the user may; see EventLog.save_bar."""
    if until is None:
        return connection.execute(_LIFT, (key,)).rowcount == 1
    row = (key, name, until)
    connection.execute(_BAR, (*row, checksum(*row)))
    return True


def is_barred(connection: sqlite3.Connection, key: UserKey, until: float | None) -> bool:
    """Tell whether just that is stored."""
    return barred(connection).get(key) == until


def barred(connection: sqlite3.Connection) -> dict[UserKey, float]:
    """Return who may not come in, and until when."""
    found: dict[UserKey, float] = {}
    for key, name, until, stored in connection.execute("SELECT key, name, until, checksum FROM bars"):
        if checksum(key, name, until) != stored:
            raise Damaged(f"the ban of {key}")
        found[key] = until
    return found


def save_invitation(connection: sqlite3.Connection, mark: str) -> bool:
    """Store the mark of an invitation code."""
    connection.execute("INSERT INTO invitations VALUES (?, ?)", (mark, checksum(mark)))
    return True


def has_invitation(connection: sqlite3.Connection, mark: str) -> bool:
    """Tell whether the code with this mark holds."""
    return connection.execute("SELECT 1 FROM invitations WHERE mark = ?", (mark,)).fetchone() is not None


def invitations(connection: sqlite3.Connection) -> set[str]:
    """Return the marks of all codes that hold."""
    return {mark for (mark,) in connection.execute("SELECT mark FROM invitations")}


def list_users(connection: sqlite3.Connection) -> tuple[UserRow, ...]:
    """List everybody who has a password, is in a group, invited, banned or barred, by key."""
    bars = barred(connection)
    return tuple(
        UserRow(name, bool(has_password), groups, invitations, bars.get(key))
        for key, name, _, has_password, groups, invitations in connection.execute(_USERS)
    )
