"""Which peers are which user, and who is online.

A peer is one connection. A user with a session is online, perhaps on several peers. Nothing here is durable, and
nothing here decides who may be whom: see `libtchat.hub.identity`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable

from attrs import Factory, define

from libtchat.effect import Answer, Item, Membership, PeerId, Question
from libtchat.group import Standing
from libtchat.hub.retries import Retries
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.names import Key, UserKey
from libtchat.rate import Bucket

__all__ = ["Peer", "Presence", "Session", "Unanswered"]


@define(eq=False)
class Session:
    """An online user: its peers, and what the log knows of it.

    Attributes:
        memberships: per group; one with standing NONE is a group the user may be about to enter.
        created: how many groups the user created.
        retries: the ids of accepted requests.
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

    def groups(self, *standings: Standing) -> list[Membership]:
        """List the memberships with one of *standings*, by key."""
        if not self.memberships:
            return []
        return [m for _, m in sorted(self.memberships.items()) if m.standing in standings]


class Unanswered(Exception):
    """A peer's item can't go on before `question` is answered; then it starts again."""

    def __init__(self, question: Question) -> None:
        super().__init__(question)
        self.question = question


@define(eq=False)
class Peer:
    """One connection: who it is, and what it waits for.

    Attributes:
        token: a random text nobody knows yet, for the session that begins with it.
        origin: where it comes from, for throttling; any text.
        awaited: the question out for it; until the answer came, its items wait in `inbox`.
        answers: what was answered so far for the item at work.
        ended: nothing more is taken from it.
    """

    id: PeerId
    token: str
    origin: str
    requests: Bucket
    session: Session | None = None
    awaited: Question | None = None
    answers: dict[Question, Answer] = Factory(dict)
    inbox: deque[Item] | None = None
    ended: bool = False

    def ask(self, question: Question) -> Answer:
        """Return the answer to *question*.

        Raises:
            Unanswered: it was not asked yet for the item at work.
            Refused: unavailable, if it can't be had.
        """
        try:
            answer = self.answers[question]
        except KeyError:
            raise Unanswered(question) from None
        if answer is None:
            raise Refused(ErrorCode.UNAVAILABLE)
        return answer


@define
class Presence:
    """All named peers, by user. *arrivals*: how many peers were named so far."""

    _sessions: dict[UserKey, Session] = Factory(dict)
    _order: list[UserKey] = Factory(list)
    _everybody: tuple[PeerId, ...] | None = ()
    _arrived: dict[PeerId, int] = Factory(dict)
    arrivals: int = 0

    def __len__(self) -> int:
        return len(self._sessions)

    def session(self, user: UserKey) -> Session | None:
        """Return the session of *user*, None if that user is not online."""
        return self._sessions.get(user)

    def attach(self, peer: Peer, session: Session) -> bool:
        """Make *peer* one of the session's; tell whether it is the first, so that the user came online."""
        peer.session = session
        self.arrivals += 1
        self._arrived[peer.id] = self.arrivals
        session.peers = (*session.peers, peer.id)
        self._everybody = None
        if len(session.peers) > 1:
            return False
        self._sessions[session.key] = session
        insort(self._order, session.key)
        return True

    def detach(self, peer: Peer) -> bool:
        """Take *peer* from its session; tell whether it was the last, so that the user went."""
        session = peer.session
        if session is None:
            return False
        del self._arrived[peer.id]
        session.peers = tuple(other for other in session.peers if other != peer.id)
        self._everybody = None
        if session.peers:
            return False
        del self._sessions[session.key]
        del self._order[bisect_left(self._order, session.key)]
        return True

    def everybody(self) -> tuple[PeerId, ...]:
        """Return every named peer; the same tuple while nobody comes or goes."""
        if self._everybody is None:
            self._everybody = self.peers(self._sessions)
        return self._everybody

    def peers(self, users: Iterable[UserKey]) -> tuple[PeerId, ...]:
        """Return the peers of those of *users* who are online."""
        sessions = self._sessions
        return tuple(peer for user in users if user in sessions for peer in sessions[user].peers)

    def among(self, users: Iterable[UserKey]) -> list[UserKey]:
        """Return those of *users* who are online."""
        sessions = self._sessions
        return [user for user in users if user in sessions]

    def earlier(self, peers: tuple[PeerId, ...], arrivals: int) -> tuple[PeerId, ...]:
        """Return those of *peers* who were named when there had been so many *arrivals*."""
        return peers if arrivals == self.arrivals else tuple(p for p in peers if self._arrived.get(p, 0) <= arrivals)

    def online(self, after: UserKey | None = None) -> Iterable[tuple[UserKey, str]]:
        """Go through the online users with a key above *after*, by key: key and name."""
        start = 0 if after is None else bisect_right(self._order, after)
        return ((key, self._sessions[key].name) for key in self._order[start:])
