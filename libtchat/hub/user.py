"""An online user: its peers, and what the log knows of it."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import Factory, define

from libtchat.effect import Part, PeerId
from libtchat.group import Standing, subject
from libtchat.hub.retries import Retries
from libtchat.message.event import Created, Joined
from libtchat.message.names import Key, UserKey, user_key
from libtchat.rate import Bucket
from libtchat.stored import Membership, Retry

__all__ = ["OnlineUser"]


@define(eq=False)
class OnlineUser:
    """A user with a peer or several.

    Attributes:
        memberships: per group; one with standing NONE is a group the user may be about to enter.
        created: how many groups the user created.
        retries: the ids of accepted requests.
        shown: how many of its peers are the user's own; without one the user is not online for others.
    """

    key: UserKey
    name: str
    token: str
    broadcasts: Bucket
    password_hash: str | None = None
    memberships: dict[Key, Membership] = Factory(dict)
    created: int = 0
    retries: Retries = Factory(Retries)
    peers: tuple[PeerId, ...] = ()
    shown: int = 0

    @classmethod
    def without_peer(cls, key: UserKey, name: str, memberships: Iterable[Membership] = ()) -> OnlineUser:
        """Make one who is not online here, so asks for nothing: the server acts for that user, or tells of it."""
        return cls(key, name, "", Bucket(0, 0), memberships={it.key: it for it in memberships})

    def groups(self, *standings: Standing) -> list[Membership]:
        """List the memberships with one of *standings*, by key."""
        if not self.memberships:
            return []
        return [m for _, m in sorted(self.memberships.items()) if m.standing in standings]

    def expect(self, part: Part, now: float) -> None:
        """Note an event that the user asked for and that is not durable: a group to enter, an id used."""
        self.created += isinstance(part.events[-1], Created)
        self.approach(part, now)

    def approach(self, part: Part, now: float) -> None:
        """Note an event that the user asked for and was not told: a group to enter, an id used."""
        event, after = part.events[-1], part.after
        if isinstance(event, (Created, Joined)):
            membership = Membership(part.key, after.name, after.private, Standing.NONE, event.seq)
            self.memberships.setdefault(part.key, membership)
        if (retry := _retry(part, now)) is not None and retry.digest:
            self.retries.expect(retry)

    def undo(self, part: Part) -> None:
        """Forget an event that the user asked for and that was not stored after all."""
        event = part.events[-1]
        self.created -= isinstance(event, Created)
        if event.id is not None:
            self.retries.undo(event.id)

    def learn(self, part: Part, now: float) -> None:
        """Note an event that is durable and perhaps concerns the user."""
        event, after, user = part.events[-1], part.after, self.key
        changed = subject(event)
        if changed is not None and user_key(changed) == user:
            standing, invitation = after.standing(user), after.invited.get(user)
            self.memberships[part.key] = Membership(
                part.key, after.name, after.private, standing, after.seq, invitation, after.boxes.get(user)
            )
        if event.id is not None and user_key(event.sender) == user:
            self.learn_id(part, now)

    def learn_id(self, part: Part, now: float) -> None:
        """Note that what the user asked with an id is durable."""
        if (retry := _retry(part, now)) is not None:
            self.retries.learn(retry)


def _retry(part: Part, now: float) -> Retry | None:
    event = part.events[-1]
    return None if event.id is None else Retry(event.id, part.key, event.seq, now, part.digests[-1])
