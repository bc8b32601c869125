"""What a client has heard and its program has not taken yet: in order, and bounded."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from attrs import define, field

from libtchat.message.event import Event
from libtchat.message.limits import MAX_MSG_BYTES, MAX_PAGE_ENTRIES
from libtchat.message.reply import DirectMessage, PublicMessage
from libtchat.mirror import Heard, Missing, NoAnswer, Notice
from tchat_client.link import Offline, Online, Status, Watcher

__all__ = ["Inbox"]

_logger = logging.getLogger("tchat_client")

_TIMES_MOST = 10
"""How many times more may wait while an answer is awaited than otherwise: beyond, the oldest are dropped."""


@define(eq=False)
class Inbox(Watcher):
    """A queue of notices between the connection and the program.

    When *most* wait, nothing more is read from the server. But who awaits an answer, perhaps in the very loop that
    takes the notices, must be read to; and a program that only sends takes none. So there is a second bound. What is
    larger than a text of this protocol may be counts as several notices: no server fills the memory.

    Attributes:
        most: how many notices may wait before nothing more is read.
        more: called when there is room again.
        came_back: called when there is a connection again.
    """

    most: int
    more: Callable[[], None]
    came_back: Callable[[], None]
    _notices: deque[tuple[Notice, int]] = field(factory=deque, init=False)
    _weight: int = field(default=0, init=False)
    _dropped: dict[str, int] = field(factory=dict, init=False)
    _awaited: int = field(default=0, init=False)
    _is_closed: bool = field(default=False, init=False)
    _changed: asyncio.Event = field(factory=asyncio.Event, init=False)
    _readable: asyncio.Event = field(factory=asyncio.Event, init=False)

    @property
    def has_room(self) -> bool:  # type: ignore[override]
        """Fewer than `most` wait."""
        return self._weight < self.most

    def heard(self, notices: Sequence[Notice]) -> None:
        """Add what is news in *notices*."""
        for notice in filter(_is_news, notices):
            weight = _weight_of(notice)
            while self._notices and self._weight + weight > self.most * _TIMES_MOST:
                self._drop(self._take())
            self._notices.append((notice, weight))
            self._weight += weight
        self._changed.set()

    async def get(self) -> Notice | None:
        """Return the oldest notice when there is one; None when none comes any more."""
        while not (self._notices or self._dropped):
            if self._is_closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        if self._dropped:
            return Missing(*self._dropped.popitem())
        had_room, notice = self.has_room, self._take()
        if self.has_room and not had_room:
            self._readable.set()
            self.more()
        return notice

    def _take(self) -> Notice:
        notice, weight = self._notices.popleft()
        self._weight -= weight
        return notice

    def close(self) -> None:
        """Note that no notice comes any more."""
        self._is_closed = True
        self._changed.set()

    async def ready(self) -> None:
        """Wait until there is room, or somebody awaits an answer."""
        while not (self.has_room or self._awaited or self._is_closed):
            self._readable.clear()
            await self._readable.wait()

    @contextmanager
    def awaiting(self) -> Iterator[None]:
        """Have the server read from, whether there is room or not."""
        self._awaited += 1
        self._readable.set()
        try:
            yield
        finally:
            self._awaited -= 1

    def status(self, status: Status) -> None:
        """Log whether there is a connection."""
        match status:
            case Online(is_back=True):
                _logger.info("connected again")
                self.came_back()
            case Offline(seconds=seconds, cause=cause):
                _logger.warning("no connection: %s; trying again in %.1f s", cause, seconds)
            case _:
                pass

    def _drop(self, notice: Notice) -> None:
        if not self._dropped:
            _logger.warning("nobody hears: %d notices wait already, and the oldest are dropped", len(self._notices) + 1)
        if isinstance(notice.message, Event):
            group = notice.message.group
            self._dropped[group] = self._dropped.get(group, 0) + 1


def _weight_of(notice: Notice) -> int:
    message = notice.message
    characters = sum(len(getattr(message, name, "")) for name in ("msg", "raw", "text"))
    return 1 + characters // MAX_MSG_BYTES + len(getattr(message, "list", ())) // MAX_PAGE_ENTRIES


def _is_news(notice: Notice) -> bool:
    """Tell whether *notice* is something that happened, and no answer that whoever asked is given."""
    if not isinstance(notice, Heard):
        return not isinstance(notice, NoAnswer)
    is_answer = notice.request is not None and not isinstance(notice.message, Event | DirectMessage | PublicMessage)
    return not (notice.quiet or notice.repeated or is_answer)
