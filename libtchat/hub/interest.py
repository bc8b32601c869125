"""Which groups concern who is online here, whether they are loaded or not: other nodes append to any of them."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import Factory, define

from libtchat.hub.user import OnlineUser
from libtchat.message.names import Key, UserKey

__all__ = ["Interest"]


@define
class Interest:
    """The users online here, by the groups they are in or invited to."""

    _users: dict[Key, dict[UserKey, OnlineUser]] = Factory(dict)

    def __contains__(self, key: Key) -> bool:
        """Tell whether a group concerns anybody."""
        return key in self._users

    def users(self, key: Key) -> Iterable[OnlineUser]:
        """Return whom a group concerns."""
        return self._users.get(key, {}).values()

    def came(self, user: OnlineUser) -> None:
        """Take in a user who came online."""
        for key in user.memberships:
            self._users.setdefault(key, {})[user.key] = user

    def went(self, user: OnlineUser) -> None:
        """Forget a user who went."""
        for key in user.memberships:
            self._forget(user, key)

    def changed(self, user: OnlineUser, key: Key) -> None:
        """Take note that what an online user is to a group may be something else now."""
        if key in user.memberships:
            self._users.setdefault(key, {})[user.key] = user
        else:
            self._forget(user, key)

    def _forget(self, user: OnlineUser, key: Key) -> None:
        users = self._users.get(key, {})
        users.pop(user.key, None)
        if not users:
            self._users.pop(key, None)
