"""Users about to enter: what becomes durable about them while the log is read is not missed by their session.

What is stored of a user is loaded while events go on. An event that leaves the line meanwhile may or may not be in
what was loaded, and one still in the line is not: both are made known to the session here.
"""

from __future__ import annotations

from attrs import Factory, define

from libtchat.effect import Membership, Part, PeerId, Retry
from libtchat.group import Standing, subject
from libtchat.hub.entry import AnyEntry, Decision, Run
from libtchat.hub.line import Line
from libtchat.hub.presence import Session
from libtchat.message.event import Created, Joined
from libtchat.message.names import UserKey, user_key

__all__ = ["Entrances", "expect", "learn", "learn_id"]


@define
class Entrance:
    """One user's: `peers` are about to enter; `noted` left the line meanwhile and is about that user.

    Attributes:
        password_hash: what the name was protected with meanwhile, if it was.
    """

    peers: set[PeerId] = Factory(set)
    noted: list[Part] = Factory(list)
    password_hash: str | None = None


@define
class Entrances:
    """All users about to enter."""

    _line: Line[AnyEntry]
    _users: dict[UserKey, Entrance] = Factory(dict)

    def begin(self, peer: PeerId, user: UserKey) -> None:
        """Note what becomes durable about *user* from now on; *peer* is going to enter, or to be refused."""
        self._users.setdefault(user, Entrance()).peers.add(peer)

    def end(self, peer: PeerId, user: UserKey, session: Session | None, now: float) -> None:
        """Bring a new *session* up to date with what was noted; None: the peer did not enter after all.

        What the user asked on an earlier connection and is not durable yet becomes the new session's.
        """
        if (entrance := self._users.get(user)) is None:
            return
        if session is not None:
            for part in entrance.noted:
                learn(session, part, now)
            if not session.peers:
                self._adopt(session, now)
        entrance.peers.discard(peer)
        if not entrance.peers:
            del self._users[user]

    def note(self, part: Part) -> None:
        """Keep an event that just became durable for those it is about."""
        if self._users:
            event = part.events[-1]
            for user in {user_key(event.sender), user_key(subject(event) or event.sender)} & self._users.keys():
                self._users[user].noted.append(part)

    def protect(self, user: UserKey, password_hash: str) -> None:
        """Note that the name of *user* is protected from now on."""
        if (entrance := self._users.get(user)) is not None:
            entrance.password_hash = password_hash

    def protection(self, user: UserKey) -> str | None:
        """Return what the name of *user* was protected with since the first of its peers began to enter."""
        entrance = self._users.get(user)
        return entrance.password_hash if entrance is not None else None

    def _adopt(self, session: Session, now: float) -> None:
        """Take over what an earlier session of the user has in the line: it is repeated, and undone, here."""
        for entry in self._line.revisable():
            if isinstance(entry, Decision | Run) and entry.session.key == session.key:
                entry.session = session
                if entry.part is not None:
                    expect(session, entry.part, now)
        for entry, part in self._line.durable():
            if isinstance(entry, Decision | Run) and entry.session.key == session.key:
                _expect_id(session, part, now)


def expect(session: Session, part: Part, now: float) -> None:
    """Let *session* know what it decided and is not durable: a group it may enter, and an id it used."""
    key, event, after = part.key, part.events[-1], part.after
    if isinstance(event, (Created, Joined)):
        membership = Membership(key, after.name, after.private, Standing.NONE, event.seq)
        session.memberships.setdefault(key, membership)
        session.created += isinstance(event, Created)
    _expect_id(session, part, now)


def learn(session: Session, part: Part, now: float) -> None:
    """Let *session* know an event that is durable and concerns its user."""
    key, event, after, user = part.key, part.events[-1], part.after, session.key
    changed = subject(event)
    if changed is not None and user_key(changed) == user:
        standing, invitation = after.standing(user), after.invited.get(user)
        session.memberships[key] = Membership(key, after.name, after.private, standing, after.seq, invitation)
    if event.id is not None and user_key(event.sender) == user:
        learn_id(session, part, now)


def learn_id(session: Session, part: Part, now: float) -> None:
    """Let *session* know that what its user asked with an id is durable."""
    if (retry := _retry(part, now)) is not None:
        session.retries.learn(retry)


def _expect_id(session: Session, part: Part, now: float) -> None:
    if (retry := _retry(part, now)) is not None:
        session.retries.expect(retry)


def _retry(part: Part, now: float) -> Retry | None:
    event = part.events[-1]
    return None if event.id is None else Retry(event.id, part.key, event.seq, now, part.digests[-1])
