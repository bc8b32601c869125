"""Who is online: which peers are which user.

A peer is one connection. Nothing here is durable, and nothing here decides who may be whom: see
`libtchat.hub.identity`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable

from attrs import Factory, define

from libtchat.effect import PeerId
from libtchat.hub.peer import Peer
from libtchat.hub.user import OnlineUser
from libtchat.message.names import UserKey

__all__ = ["Presence"]


@define
class Presence:
    """All named peers, by user, and the users who are connected to other nodes.

    Attributes:
        is_shared: there are other nodes. Somebody may be connected there of whom nothing was told yet.
        arrivals: how many peers were named so far.
    """

    _users: dict[UserKey, OnlineUser] = Factory(dict)
    _elsewhere: dict[UserKey, str] = Factory(dict)
    _order: list[UserKey] = Factory(list)
    _everybody: tuple[PeerId, ...] | None = ()
    _arrived: dict[PeerId, int] = Factory(dict)
    arrivals: int = 0
    is_shared: bool = False

    def __len__(self) -> int:
        return len(self._order)

    def user(self, key: UserKey) -> OnlineUser | None:
        """Return the user with this key, None if that one is not online."""
        return self._users.get(key)

    def elsewhere(self, key: UserKey) -> str | None:
        """Return the name of a user who is connected to another node, None if nobody has that key there."""
        return self._elsewhere.get(key)

    def set_elsewhere(self, key: UserKey, name: str | None) -> bool:
        """Take note that a user is connected to another node, or is no more; tell whether who is online changed."""
        was_online = self._is_shown(key)
        if name is not None:
            self._list(key)
            self._elsewhere[key] = name
        elif self._elsewhere.pop(key, None) is not None:
            self._unlist(key)
        return self._is_shown(key) is not was_online

    def attach(self, peer: Peer, user: OnlineUser) -> bool:
        """Make *peer* one of the user's; tell whether it is the first of its own, so that the user came online."""
        peer.user = user
        self.arrivals += 1
        self._arrived[peer.id] = self.arrivals
        user.peers = (*user.peers, peer.id)
        self._everybody = None
        if len(user.peers) == 1:
            self._list(user.key)
            self._users[user.key] = user
        user.shown += not peer.on_behalf
        return user.shown == 1 and not peer.on_behalf and user.key not in self._elsewhere

    def detach(self, peer: Peer, user: OnlineUser) -> bool:
        """Take *peer* from its user; tell whether it was the last, so that the user went."""
        del self._arrived[peer.id]
        user.peers = tuple(other for other in user.peers if other != peer.id)
        self._everybody = None
        user.shown -= not peer.on_behalf
        if user.peers:
            return False
        del self._users[user.key]
        self._unlist(user.key)
        return True

    def everybody(self) -> tuple[PeerId, ...]:
        """Return every named peer; the same tuple while nobody comes or goes."""
        if self._everybody is None:
            self._everybody = self.peers(self._users)
        return self._everybody

    def peers(self, users: Iterable[UserKey]) -> tuple[PeerId, ...]:
        """Return the peers of those of *users* who are online."""
        online = self._users
        return tuple(peer for user in users if user in online for peer in online[user].peers)

    def among(self, users: Iterable[UserKey]) -> list[UserKey]:
        """Return those of *users* who are online."""
        return [user for user in users if user in self._users or user in self._elsewhere]

    def earlier(self, peers: tuple[PeerId, ...], arrivals: int) -> tuple[PeerId, ...]:
        """Return those of *peers* who were named when there had been so many *arrivals*."""
        return peers if arrivals == self.arrivals else tuple(p for p in peers if self._arrived.get(p, 0) <= arrivals)

    def online(self, after: UserKey | None = None) -> Iterable[tuple[UserKey, str]]:
        """Go through the online users with a key above *after*, by key: key and name."""
        start = 0 if after is None else bisect_right(self._order, after)
        users, elsewhere = self._users, self._elsewhere
        return (
            (key, users[key].name if key in users else elsewhere[key])
            for key in self._order[start:]
            if key in elsewhere or users[key].shown
        )

    def _is_shown(self, key: UserKey) -> bool:
        user = self._users.get(key)
        return key in self._elsewhere or (user is not None and user.shown > 0)

    def _list(self, key: UserKey) -> None:
        if key not in self._users and key not in self._elsewhere:
            insort(self._order, key)

    def _unlist(self, key: UserKey) -> None:
        if key not in self._users and key not in self._elsewhere:
            del self._order[bisect_left(self._order, key)]
