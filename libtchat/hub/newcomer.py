"""Newcomers: users who are read from the log, so that they may come online.

What is stored of a user is read while events go on. An event that leaves the line meanwhile may or may not be in what
was read, and one still in the line is not: the newcomer is told of both here.
"""

from __future__ import annotations

from attrs import Factory, define, evolve

from libtchat.cluster import Seat
from libtchat.effect import Part
from libtchat.group import subject
from libtchat.hub.clock import Clock
from libtchat.hub.entry import AnyEntry, Decision, Run
from libtchat.hub.line import Line
from libtchat.hub.user import OnlineUser
from libtchat.message.names import Key, UserKey, user_key

__all__ = ["Newcomers", "News"]


@define(eq=False)
class News:
    """What happened to a user since the first of its hellos that wait now.

    Attributes:
        hellos: how many wait.
        events: what became durable about the user.
        password_hash: what the name is protected with; only if it changed: *is_protection_new*.
        ended: the seat by which an operator ended the token that was in use, the last one told.
    """

    hellos: int = 0
    events: list[Part] = Factory(list)
    password_hash: str | None = None
    is_protection_new: bool = False
    ended: Seat | None = None


@define
class Newcomers:
    """The news of all users of whom a hello waits."""

    _line: Line[AnyEntry]
    _clock: Clock
    _news: dict[UserKey, News] = Factory(dict)
    _passed: dict[Key, int] = Factory(dict)

    def __len__(self) -> int:
        return len(self._news)

    def __contains__(self, user: UserKey) -> bool:
        """Tell whether a hello of *user* waits."""
        return user in self._news

    def begin(self, user: UserKey) -> News:
        """Gather the news of *user* from now on, for one more hello."""
        news = self._news.setdefault(user, News())
        news.hellos += 1
        return news

    def end(self, user: UserKey) -> None:
        """Take note that one hello of *user* waits no longer."""
        news = self._news[user]
        news.hellos -= 1
        if not news.hellos:
            del self._news[user]
        if not self._news:
            self._passed.clear()

    def pass_by(self, key: Key, seq: int) -> None:
        """Take note that a group went on which nobody here has to do with, as far as is known."""
        if self._news:
            self._passed[key] = seq

    def note(self, part: Part) -> None:
        """Keep an event that just became durable for those it is about."""
        if self._news:
            event = part.events[-1]
            for user in {user_key(event.sender), user_key(subject(event) or event.sender)} & self._news.keys():
                self._news[user].events.append(part)

    def protect(self, user: UserKey, password_hash: str | None) -> None:
        """Take note of what the name of *user* is protected with from now on, None: with nothing any more."""
        if (news := self._news.get(user)) is not None:
            news.password_hash, news.is_protection_new = password_hash, True

    def end_token(self, seat: Seat) -> None:
        """Take note that an operator ended the token in use; *seat* has the one in its place."""
        if (news := self._news.get(seat.key)) is not None:
            news.ended = seat

    def bring_up_to_date(self, user: OnlineUser, news: News) -> None:
        """Tell a *user* who comes online what is not in the log as it was read.

        What the user asked on an earlier connection and was not told yet becomes this one's.
        """
        for part in news.events:
            user.learn(part, self._clock.now)
        for key in user.memberships.keys() & self._passed.keys():
            if (membership := user.memberships[key]).seq < self._passed[key]:
                user.memberships[key] = evolve(membership, seq=self._passed[key])
        self._adopt(user)

    def _adopt(self, user: OnlineUser) -> None:
        """Take over what the user has in the line from before: it is repeated, and undone, here."""
        for entry in self._line.revisable():
            if isinstance(entry, Decision | Run) and entry.user.key == user.key:
                entry.user = user
                if entry.part is not None:
                    user.expect(entry.part, self._clock.now)
        for _, part in self._line.durable():
            if user_key(part.events[-1].sender) == user.key:
                user.approach(part, self._clock.now)
