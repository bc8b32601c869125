"""What is followed elsewhere and copied into a node's own file (see `cache`)."""

from __future__ import annotations

import sqlite3
from typing import assert_never

from libtchat.cluster import Record
from libtchat.message.names import UserKey
from libtchat.message.value import frozen
from tchat_server.store.sqlite.accounts import password_of, save_account, save_bar, save_invitation

__all__ = ["Followed", "FollowedAccount", "FollowedBar", "FollowedCode", "FollowedRecord", "write_account"]


@frozen
class FollowedRecord:
    """Events to copy, as of *time*."""

    record: Record
    time: float


@frozen
class FollowedAccount:
    """An account to copy; *password_hash* None: there is no password any more. *invitation*: the code it uses up."""

    key: UserKey
    name: str
    password_hash: str | None
    invitation: str | None


@frozen
class FollowedBar:
    """Until when a user may not come in, to copy; None: the user may."""

    key: UserKey
    name: str
    until: float | None


@frozen
class FollowedCode:
    """An invitation code to copy, which holds now."""

    mark: str


Followed = FollowedRecord | FollowedAccount | FollowedBar | FollowedCode


def write_account(connection: sqlite3.Connection, each: FollowedAccount | FollowedBar | FollowedCode) -> None:
    """Copy what is no event, in the open transaction."""
    match each:
        case FollowedAccount(key=key, name=name, password_hash=password_hash, invitation=mark):
            save_account(connection, key, name, password_hash, password_of(connection, key), mark)
        case FollowedBar(key=key, name=name, until=until):
            save_bar(connection, key, name, until)
        case FollowedCode(mark=mark):
            save_invitation(connection, mark)
        case _:
            assert_never(each)
