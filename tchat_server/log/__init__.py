"""Where events are kept: the EventLog port. Each adapter is a module beside this one."""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Iterable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from libtchat.effect import Kinds, Loaded, Part, User
from libtchat.event import Event
from libtchat.names import Key, UserKey
from libtchat.value import frozen

__all__ = ["EventLog", "LogRefused", "LogUnavailable", "NamePage", "Page", "Ready"]

_T = TypeVar("_T")


class LogUnavailable(Exception):
    """The storage can't answer a read now; it may later."""


class LogRefused(Exception):
    """The storage is not to be used as it is. The message is one line: which file, and what to do."""


@frozen
class Page:
    """Some of a group's events, ascending.

    Attributes:
        lines: the events as they were sent, one JSON object each, without a line ending.
        more: there are further ones in the direction asked.
        first, last: the seqs of the page's ends, None when it is empty.
    """

    lines: tuple[bytes, ...] = ()
    more: bool = False
    first: int | None = None
    last: int | None = None

    @staticmethod
    def cut(nearest: Iterable[tuple[int, bytes]], *, ascending: bool, limit: int, max_bytes: int) -> Page:
        """Make a page of (seq, line) pairs, those nearest the cursor first; no more of them are drawn than needed.

        A line counts with one byte more, for what separates it from the next.
        """
        taken: list[tuple[int, bytes]] = []
        size, more = 0, False
        for entry in nearest:
            size += len(entry[1]) + 1
            if taken and (len(taken) == limit or size > max_bytes):
                more = True
                break
            taken.append(entry)
        if not taken:
            return Page()
        if not ascending:
            taken.reverse()
        return Page(tuple(line for _, line in taken), more, taken[0][0], taken[-1][0])


@frozen
class NamePage:
    """Some group names, in the order of their keys; *more*: there are further ones."""

    names: tuple[str, ...] = ()
    more: bool = False

    @staticmethod
    def cut(names: Iterable[str], *, limit: int, max_bytes: int) -> NamePage:
        """Make a page of names in order, at least one if there is one; each counts with its quotes and comma."""
        taken: list[str] = []
        size = 0
        for name in names:
            size += len(name.encode()) + 3
            if taken and (len(taken) == limit or size > max_bytes):
                return NamePage(tuple(taken), more=True)
            taken.append(name)
        return NamePage(tuple(taken))


class Ready(Generic[_T]):
    """An awaitable that waits for nothing. Who sees that it is one takes `value` at once."""

    __slots__ = ("value",)

    def __init__(self, value: _T) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, Any, _T]:
        return self.value
        yield


class EventLog(Protocol):
    """The one seam for storage. All methods are called on the event loop; none may block it.

    What a call raises, it raises when it is awaited. One that returns `Ready` is done when it returns; what it answers
    is as of then.
    """

    def append(self, parts: Sequence[Part]) -> Awaitable[Mapping[Key, tuple[Event, ...]]]:
        """Append every part, each all or none, and return when they are durable.

        Returns:
            The failed parts: newer events of somebody else's (a conflict), or () when the storage is unavailable.
            Empty when all are durable. The adapter reads back until it is certain; it never guesses.
        Raises:
            LogUnavailable: the log was closed before anything certain could be learnt. Tell nobody anything.
        """

    def load(self, key: Key) -> Awaitable[Loaded]:
        """Load one group. Raises LogUnavailable."""

    def load_user(self, key: UserKey) -> Awaitable[User]:
        """Load what is stored of one user. Raises LogUnavailable."""

    def save_user(self, key: UserKey, name: str, password_hash: str) -> Awaitable[bool]:
        """Store a password hash; False if the user has one already. Raises LogUnavailable."""

    def read(
        self, key: Key, kinds: Kinds, *, after: int | None, before: int, limit: int, max_bytes: int
    ) -> Awaitable[Page]:
        """Read a page as `libtchat.effect.Read` says, at least one entry if there is one. Raises LogUnavailable."""

    def public_groups(self, *, after: Key | None, limit: int, max_bytes: int) -> Awaitable[NamePage]:
        """List the public groups that have members, by key. Raises LogUnavailable."""

    async def close(self) -> None:
        """Finish what was begun and release the storage."""
