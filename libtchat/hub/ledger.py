"""The loaded groups: what is in their logs, what is decided on top of it, and who hears of it."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable

from attrs import Factory, define

from libtchat.effect import Part, PeerId
from libtchat.group import Group, evolve, outsiders, subject
from libtchat.hub.presence import Presence
from libtchat.hub.user import OnlineUser
from libtchat.message.event import LogEvent, Said
from libtchat.message.names import Key, user_key

__all__ = ["Ledger", "Slot"]

_MANY = 10_000
_LIKE_MEMBERS = 16
"""A group counts as so many members, beside those it has: each takes some 300 bytes."""


@define(eq=False)
class Slot:
    """A loaded group: as in the log, as decided so far, and the peers of its newest members (None: not known).

    *online* is kept up to date as members and peers come and go; *audience* is made of it when an event needs it.
    """

    durable: Group | None = None
    newest: Group | None = None
    audience: tuple[PeerId, ...] | None = None
    online: dict[PeerId, None] | None = None

    def hear(self, peers: Iterable[PeerId]) -> None:
        """Add *peers* to those that hear of the group."""
        if self.online is not None:
            self.online.update(dict.fromkeys(peers))
            self.audience = None

    def hear_no_more(self, peers: Iterable[PeerId]) -> None:
        """Take *peers* from those that hear of the group."""
        if self.online is not None:
            for peer in peers:
                self.online.pop(peer, None)
            self.audience = None


@define
class Ledger:
    """All loaded groups of one hub.

    *keeps_empty*: also names never used are loaded until the next sweep, because another node may use them. *pinned*:
    groups that are not swept.
    """

    _presence: Presence
    keeps_empty: bool = False
    pinned: Container[Key] = ()
    _slots: dict[Key, Slot] = Factory(dict)
    _sweep_at: int = _MANY * _LIKE_MEMBERS
    _weight: int = 0

    def __len__(self) -> int:
        return len(self._slots)

    def slot(self, key: Key) -> Slot | None:
        """Return a group's slot, None if it is not loaded."""
        return self._slots.get(key)

    def hold(self, key: Key, slot: Slot) -> None:
        """Keep the slot of a group as long as there is something in it, or always if empty ones are kept."""
        if slot.newest is not None or self.keeps_empty:
            if key not in self._slots:
                self._weight += _weight(slot)
            self._slots[key] = slot
        else:
            self._slots.pop(key, None)

    def loaded(self) -> list[tuple[Key, Slot]]:
        """Return all groups that are loaded."""
        return list(self._slots.items())

    def is_current(self, key: Key, slot: Slot) -> bool:
        """Tell whether *slot* is still what is known of a group, or of a name never used."""
        found = self._slots.get(key)
        return found is slot or (found is None and not self.keeps_empty)

    def durable(self, key: Key) -> Group | None:
        """Return a loaded group as of everything that was told, None if it is not loaded or does not exist."""
        slot = self._slots.get(key)
        return slot.durable if slot is not None else None

    def tell(self, part: Part) -> None:
        """Let queries that leave from now on see the events of *part*."""
        if (slot := self._slots.get(part.key)) is not None:  # what others append is told of any group
            slot.durable = part.after

    def sweep(self) -> None:
        """Drop groups none of whose members is online, once there are many, or large ones.

        They are loaded again when asked for.
        """
        if self._weight < self._sweep_at:
            return
        online = self._presence.user
        self._slots = {
            key: slot
            for key, slot in self._slots.items()
            if key in self.pinned or (slot.durable and any(online(user) is not None for user in slot.durable.members))
        }
        self._weight = sum(map(_weight, self._slots.values()))
        self._sweep_at = max(_MANY * _LIKE_MEMBERS, 2 * self._weight)

    def came(self, peer: PeerId, user: OnlineUser) -> None:
        """Let *peer*, which came to be *user*, hear of the groups whose member that is."""
        for slot in self._slots_of(user):
            if slot.newest is not None and user.key in slot.newest.members:
                slot.hear((peer,))

    def went(self, peer: PeerId, user: OnlineUser) -> None:
        """Let *peer*, which was *user*, hear of no group any more."""
        for slot in self._slots_of(user):
            slot.hear_no_more((peer,))

    def audience(self, key: Key) -> tuple[PeerId, ...]:
        """Return the peers of a group's newest members; none, if it is not loaded."""
        slot = self._slots.get(key)
        return self.hearers(slot) if slot is not None else ()

    def extend(self, slot: Slot, event: LogEvent) -> tuple[Group, tuple[PeerId, ...]]:
        """Add a decided *event* to a group; return the group after it and the peers that hear it."""
        before = slot.newest
        slot.newest = after = evolve(before, event)
        if slot.audience and isinstance(event, Said):
            return after, slot.audience  # a text changes nobody's standing
        if before is not None and before.members is not after.members and (changed := subject(event)) is not None:
            self._weight += 1
            user = user_key(changed)
            change = slot.hear if user in after.members else slot.hear_no_more
            change(self._presence.peers((user,)))
        audience = self.hearers(slot)
        others = outsiders(before, event, after)
        return after, (audience + self._presence.peers(others) if others else audience)

    def rewind(self, keys: Collection[Key], untold: Iterable[Part]) -> None:
        """Forget what was decided on these groups and is not durable; *untold*: what is, and was not told yet."""
        for key in keys:
            slot = self._slots[key]
            slot.newest, slot.audience, slot.online = slot.durable, None, None
        for part in untold:
            if part.key in keys:
                self._slots[part.key].newest = part.after

    def hearers(self, slot: Slot) -> tuple[PeerId, ...]:
        """Return the peers of a group's newest members; the same tuple while it is unchanged."""
        if slot.audience is None:
            if slot.online is None:
                members = () if slot.newest is None else slot.newest.members
                slot.online = dict.fromkeys(self._presence.peers(members))
            slot.audience = tuple(slot.online)
        return slot.audience

    def _slots_of(self, user: OnlineUser) -> list[Slot]:
        return [slot for key in user.memberships if (slot := self._slots.get(key)) is not None]


def _weight(slot: Slot) -> int:
    group = slot.newest
    return (
        _LIKE_MEMBERS if group is None else _LIKE_MEMBERS + len(group.members) + len(group.invited) + len(group.banned)
    )
