"""How far a server is followed that asks for time, or for one page more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from itertools import count

from attrs import define, field

from libtchat.message.reply import Error, Foreign, Message
from libtchat.message.request import Broadcast, Register, Request, Tell
from tchat_client.errors import NoAnswer, NotTchat, Refused

__all__ = ["MAX_TRIES", "Bound", "may_repeat", "patience", "patiently", "persistently"]

Ask = Callable[[Request], Awaitable[Message | Foreign]]

MAX_TRIES = 30
"""How often something is tried again for a server that asks for patience."""

_LEAST_SECONDS, _USUAL_SECONDS, _MOST_SECONDS = 0.1, 1.0, 60.0
_MOST_PAGES = 2000  # of names: some 400 000
_MOST_CHARACTERS = 32 * 1024 * 1024


def patience(asked: float | None) -> float:
    """Return how many seconds to wait where a server asks for *asked* (`retry_after`): 0.1 to 60, 1 if that is none."""
    if asked is None or not asked > 0:
        return _USUAL_SECONDS
    return min(max(asked, _LEAST_SECONDS), _MOST_SECONDS)


async def patiently(
    ask: Ask, request: Request, *, passes: tuple[str, ...] = ("rate-limited",), tries: int = MAX_TRIES
) -> Message | Foreign:
    """Return the answer to *request*; where the server asks for patience, have it, so many *tries*.

    Args:
        passes: codes of refusals that the same request may not meet again.
    Raises:
        Refused: by another code, or at the last try.
    """
    for number in count(1):
        answer = await ask(request)
        if not isinstance(answer, Error):
            break
        if answer.code not in passes or number == tries:
            raise Refused(answer, request)
        await asyncio.sleep(patience(answer.retry_after))
    return answer


def may_repeat(request: Request) -> bool:
    """Tell whether a server of this protocol does *request* once, however often it is asked with one `id`."""
    return not isinstance(request, Tell | Broadcast | Register)


async def persistently(
    ask: Ask, request: Request, *, ready: Callable[[], Awaitable[object]], may_repeat: Callable[[], bool]
) -> Message | Foreign:
    """Return the answer to *request*, over as many connections as it takes: asked again, it has the same `id`.

    Args:
        ready: waits until there is a connection.
        may_repeat: whether the server does it once, however often it is asked (R-retry-reconnect).
    Raises:
        NoAnswer: it may not be asked again, or was asked too often; and what *ready* raises.
    """
    for number in count(1):
        await ready()
        try:
            answer = await ask(request)
            break
        except NoAnswer as problem:
            problem.request = request
            if not may_repeat() or number == MAX_TRIES:
                raise
    return answer


@define
class Bound:
    """Counts the pages of one list, so that a server which always has more is not followed for ever."""

    most_pages: int = _MOST_PAGES
    most_characters: int = _MOST_CHARACTERS
    _seen: set[Hashable] = field(factory=set)
    _characters: int = 0

    def take(self, place: Hashable, characters: int) -> None:
        """Note that a page of so many *characters* came, and that the next one is asked for from *place*.

        Raises:
            NotTchat: there were too many pages or characters, or that place was asked for before.
        """
        self._characters += characters
        if place in self._seen or len(self._seen) >= self.most_pages or self._characters > self.most_characters:
            raise NotTchat("endless-list", pages=len(self._seen) + 1)
        self._seen.add(place)
