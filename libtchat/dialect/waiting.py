"""What a client asked for and the server behind a bridge has not answered yet, and for how long to wait for it."""

from __future__ import annotations

from attrs import define, field

from libtchat.dialect.template import Meaning
from libtchat.message.request import Request
from libtchat.message.value import frozen

__all__ = ["Asked", "Waiting"]

ACK_SECONDS = 0.4
FORGET_SECONDS = 5.0

_ANSWERED_ALONE = ("users", "members", "groups", "messages", "states", "hello", "quit")


@frozen
class Asked:
    """Something asked at the time *at*; *request*: as the client wrote it, None if it was not this protocol.

    A guard is a question of our own: whether what the client wants would kill the server.
    """

    meaning: Meaning
    request: Request | None
    at: float
    is_guard: bool = False


@define
class Waiting:
    """What is waited for, the oldest first; *silent*: the kinds of request this server never answers."""

    silent: frozenset[str]
    _asked: list[Asked] = field(factory=list, init=False)

    def put(self, asked: Asked) -> None:
        """Wait for one more."""
        self._asked.append(asked)

    def kinds(self) -> list[str]:
        """Return the kinds of what is waited for."""
        return [asked.meaning.kind for asked in self._asked]

    def find(self, kind: str) -> Asked | None:
        """Return the oldest of *kind*."""
        return next((asked for asked in self._asked if asked.meaning.kind == kind), None)

    def answered(self, meaning: Meaning) -> Asked | None:
        """Return what *meaning* answers, and wait for that no longer."""
        waiting = [asked for asked in self._asked if asked.meaning.kind == meaning.kind]
        if meaning.kind == "error":
            waiting = [asked for asked in self._asked if not asked.is_guard and asked.meaning.kind != "hello"]
            waiting = [a for a in waiting if a.meaning.kind == meaning.get("about")] or waiting or self._asked
        elif meaning.copy != "own" and meaning.kind not in _ANSWERED_ALONE:
            return None
        if not waiting:
            return None
        self._asked.remove(waiting[0])
        return waiting[0]

    def forget_guards(self) -> None:
        """Wait for no guard any more."""
        self._asked = [asked for asked in self._asked if not asked.is_guard]

    def due(self) -> list[float]:
        """Return when each has waited long enough."""
        return [asked.at + self._patience(asked) for asked in self._asked]

    def late(self, now: float) -> list[Asked]:
        """Return those that have waited long enough, and wait for them no longer."""
        late = [asked for asked in self._asked if now >= asked.at + self._patience(asked)]
        for asked in late:
            self._asked.remove(asked)
        return late

    def is_unanswerable(self, asked: Asked) -> bool:
        """Whether the server never answers this."""
        return asked.meaning.kind in self.silent and not asked.is_guard

    def _patience(self, asked: Asked) -> float:
        return ACK_SECONDS if self.is_unanswerable(asked) else FORGET_SECONDS
