"""The ids of one user's accepted requests: whether a request with an id was carried out already (R-retry-same).

Those in flight and the last few are here. Older ones are in the log only, which is asked for one when a request bears
an id that is not here and may be there.
"""

from __future__ import annotations

import hashlib

import attrs
from attrs import Factory, define

from libtchat.message.request import GroupRequest, Tell
from libtchat.stored import Retry

__all__ = ["Retries", "digest"]

_KEPT = 64
"""How many ids of durable events are here at least, if there are so many; at most twice as many."""


@define(eq=False)
class Retries:
    """What is known of one user's ids, each of which is remembered for so many *seconds*.

    Attributes:
        stored_until: when the last id that is not here, but perhaps in the log, is to be forgotten: seconds since the
            epoch.
        moved: how often ids were moved out of here. What the log answered before the last time may be out of date.
    """

    seconds: float = 0.0
    stored_until: float = 0.0
    moved: int = 0
    _known: dict[str, Retry] = Factory(dict)
    _in_flight: set[str] = Factory(set)

    def find(self, id: str, now: float) -> Retry | None:
        """Return what a request with this id made, if it is here and is to be remembered still."""
        first = self._known.get(id)
        if first is None or (first.time < now - self.seconds and id not in self._in_flight):
            return None
        return first

    def expect(self, retry: Retry) -> None:
        """Note an event that was decided; it is kept here until it is durable."""
        self._known.pop(retry.id, None)
        self._known[retry.id] = retry
        self._in_flight.add(retry.id)

    def undo(self, id: str) -> None:
        """Forget an event that was not stored after all."""
        self._known.pop(id, None)
        self._in_flight.discard(id)

    def learn(self, retry: Retry) -> None:
        """Note an event that is durable."""
        if not retry.digest:  # another server's: only the log knows the rest
            self._moved(retry)
            return
        self._in_flight.discard(retry.id)
        self._known.setdefault(retry.id, retry)
        durable = len(self._known) - len(self._in_flight)
        if durable > 2 * _KEPT:
            leaving = [it for id, it in self._known.items() if id not in self._in_flight][: durable - _KEPT]
            for it in leaving:
                del self._known[it.id]
            self._moved(leaving[-1])

    def _moved(self, last: Retry) -> None:
        self.stored_until = max(self.stored_until, last.time + self.seconds)
        self.moved += 1


def digest(request: GroupRequest | Tell) -> str:
    """Return what tells *request* from another one with the same id: everything but who asks."""
    fields = (request.action, *(getattr(request, field.name) for field in attrs.fields(type(request))[1:]))
    return hashlib.blake2b(repr(fields).encode(), digest_size=16).hexdigest()
