"""Accounts in the SQLite file: passwords, who may not come in, invitation codes that hold. Functions of a connection.

Those that write do it in the open transaction, and tell whether they changed what they were to change.
"""

from __future__ import annotations

import sqlite3

from libtchat.message.names import UserKey
from tchat_server.store.event_log import UserRow
from tchat_server.store.sqlite.checksum import Damaged, checksum

__all__ = ["barred", "has_invitation", "invitations", "is_barred", "list_users", "password_of", "save_account"]
__all__ += ["save_bar", "save_invitation"]

_PASSWORD = "SELECT password_hash FROM users WHERE key = ?"
_SAVE = "INSERT OR REPLACE INTO users VALUES (?, ?, ?, ?)"
_REMOVE = "DELETE FROM users WHERE key = ?"
_USE_UP = "DELETE FROM invitations WHERE mark = ?"
_BAR = "INSERT OR REPLACE INTO bars VALUES (?, ?, ?, ?)"
_LIFT = "DELETE FROM bars WHERE key = ?"
_USERS = """
SELECT key, name, 1, 0, 0 FROM users UNION ALL
SELECT user, max(name), 0, sum(standing = 'member'), sum(standing = 'invited') FROM standings GROUP BY user"""


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
    found: dict[UserKey, UserRow] = {}
    for key, name, has_password, groups, invitations in connection.execute(_USERS):
        known = found.get(key)
        found[key] = UserRow(
            name if known is None else known.name,
            bool(has_password) or (known is not None and known.has_password),
            groups + (0 if known is None else known.groups),
            invitations + (0 if known is None else known.invitations),
            bars.get(key),
        )
    for key, name, until in connection.execute("SELECT key, name, until FROM bars"):
        found.setdefault(key, UserRow(name, False, 0, 0, until))
    return tuple(row for _, row in sorted(found.items()))
