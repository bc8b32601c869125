"""Where events are kept: the EventLog port. The adapters are `memory`, `sqlite` and `nats` beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from libtchat.cluster import News
from libtchat.effect import PageKind, Part
from libtchat.message.event import LogEvent
from libtchat.message.names import Key, UserKey
from libtchat.message.value import frozen
from libtchat.stored import Known, Loaded, Retried, StoredUser
from libtchat.wire import codec
from tchat_server.ops.control import Control

__all__ = [
    *("EncodedPart", "EventLog", "LogUnavailable", "LogUnusable", "NamePage", "Page", "Ready", "Removed", "RemovesOld"),
    "UserRow",
    "encode_part",
]

_T = TypeVar("_T")


class LogUnavailable(Exception):
    """The storage can't answer a read now; it may later."""


class LogUnusable(Exception):
    """The storage is not to be used as it is. The message is one line: which file, and what to do."""


@frozen
class EncodedPart(Part):
    """A part of an append whose events are encoded: what is stored is what is sent once it is durable.

    Attributes:
        lines: for each event its bytes, without a line end.
    """

    lines: tuple[bytes, ...]


def encode_part(part: Part) -> EncodedPart:
    """Encode the events of *part*, each once."""
    lines = tuple(map(codec.encode, part.events))
    return EncodedPart(part.key, part.expected, part.events, part.after, part.digests, lines)


@frozen
class Page:
    """Some of a group's events, ascending.

    Attributes:
        lines: the events as they were sent, one JSON object each, without a line ending.
        more: there are further ones in the direction asked.
        first: the seq of the page's first event, None when it is empty.
        last: that of its last one.
        begins: the seq of the first event that is still there, None if none was removed.
    """

    lines: tuple[bytes, ...] = ()
    more: bool = False
    first: int | None = None
    last: int | None = None
    begins: int | None = None

    @staticmethod
    def cut(
        nearest: Iterable[tuple[int, bytes]], *, ascending: bool, limit: int, max_bytes: int, begins: int | None = None
    ) -> Page:
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
            return Page(begins=begins)
        if not ascending:
            taken.reverse()
        return Page(tuple(line for _, line in taken), more, taken[0][0], taken[-1][0], begins)


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


@frozen
class Removed:
    """What a step of removing old events did.

    Attributes:
        events: how many it removed.
        after: the key of a group to go on after; None: all were looked at.
    """

    events: int
    after: Key | None


@frozen
class UserRow:
    """What an operator sees of a user.

    Attributes:
        groups: how many the user is in.
        invitations: how many wait for the user's answer.
        barred: until when the user may not come in, in seconds since the epoch; None: the user may.
    """

    name: str
    has_password: bool
    groups: int
    invitations: int
    barred: float | None = None


class Ready(Generic[_T]):
    """An awaitable that waits for nothing. A caller may check for it, and take `value` without awaiting it."""

    __slots__ = ("value",)
    value: _T

    def __init__(self, value: _T) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, Any, _T]:
        return self.value
        yield


class EventLog(Protocol):
    """The one seam for storage. All methods are called on the event loop; none may block it.

    Its clock tells how old what is stored is. It only goes forward, also from one run of the server to the next.

    What a call raises, it raises when it is awaited. One that returns `Ready` is done when it returns; what it answers
    is as of then.

    Several servers may append to one log, each through an EventLog of its own (a *node*). Then:
    - What was appended by others is told (see `follow`), and what `append` wrote here is not.
    - What is read by `load`, `load_user`, `find_retry`, `read` and `public_groups` has in it all that was told, and all
      that `append` had reported, before the call. `load` has nothing in it that was neither told nor reported when its
      answer arrives. The password in `load_user`, and all of `find_user`, are of what any node was acknowledged before
      the call.
    """

    control: Control | None
    """Where an operator asks; None: there is no such place."""

    @property
    def clock(self) -> Callable[[], float]:
        """What tells, in seconds, how old what is stored is."""

    def append(self, parts: Sequence[EncodedPart]) -> Awaitable[Mapping[Key, tuple[LogEvent, ...]]]:
        """Append every part, each all or none, and return when they are durable.

        Returns:
            The failed parts: newer events of somebody else's (a conflict), or () when the storage is unavailable.
            Empty when all are durable. The adapter reads back until it is certain; it never guesses. Among several
            nodes the newer events were told before.
        Raises:
            LogUnavailable: the log was closed before anything certain could be learnt. Tell nobody anything.
        """

    def load(self, key: Key) -> Awaitable[Loaded]:
        """Load one group. Raises LogUnavailable."""

    def load_user(self, key: UserKey) -> Awaitable[StoredUser]:
        """Load what is stored of one user. Raises LogUnavailable."""

    def find_user(self, key: UserKey) -> Awaitable[Known]:
        """Find whether one user is known, in a time that does not grow with what is stored. Raises LogUnavailable."""

    def find_retry(self, key: UserKey, id: str) -> Awaitable[Retried]:
        """Find the event that one user's request with this id made in the last ten minutes. Raises LogUnavailable.

        It may be forgotten earlier if `max_retries` newer ones of that user are remembered (R-op-retry-window).
        """

    def save_user(
        self,
        key: UserKey,
        name: str,
        password_hash: str | None,
        *,
        replaces: str | None = None,
        invitation: str | None = None,
    ) -> Awaitable[bool]:
        """Store a password hash, None: none any more. Raises LogUnavailable.

        Args:
            replaces: the hash that is to be stored now, None: none.
            invitation: the mark of an invitation code, which is used up.
        Returns:
            False if another hash is stored now, or the code does not hold: nothing has changed.
        """

    def invite(self, mark: str) -> Awaitable[bool]:
        """Let the invitation code with this mark hold, once. True. Raises LogUnavailable."""

    def save_bar(self, key: UserKey, name: str, until: float | None) -> Awaitable[bool]:
        """Store until when a user may not come in (inf: for ever), None: the user may. Raises LogUnavailable.

        Returns:
            False if the user might come in already: nothing has changed.
        """

    def barred(self) -> Awaitable[Mapping[UserKey, float]]:
        """Find who may not come in, and until when: seconds since the epoch. Raises LogUnavailable."""

    def users(self) -> Awaitable[tuple[UserRow, ...]]:
        """List everybody who is known, by key. Takes a time that grows with what is stored. Raises LogUnavailable."""

    def logs_of_two(self, key: UserKey) -> Awaitable[tuple[Key, ...]]:
        """List the logs of the texts between a user and another one, by key.

        Takes a time that grows with what is stored. Raises LogUnavailable.
        """

    def number_guest(self) -> Awaitable[int]:
        """Return a number that no guest had before, whatever happened to clocks. Raises LogUnavailable."""

    def read(
        self, key: Key, kinds: PageKind, *, after: int | None, before: int, limit: int, max_bytes: int
    ) -> Awaitable[Page]:
        """Read a page as `libtchat.effect.Read` says, at least one entry if there is one. Raises LogUnavailable."""

    def public_groups(self, *, after: Key | None, limit: int, max_bytes: int) -> Awaitable[NamePage]:
        """List the public groups that have members, by key. Raises LogUnavailable."""

    def follow(self, told: Callable[[Sequence[News]], None]) -> None:
        """Have *told* called, on the event loop, with what other nodes append. Called once, before anything is asked.

        That is also what they store of passwords and of who may not come in. Records of groups are durable on a
        majority. Those of one group, and what `append` wrote here, make its log without a gap, in order; a record
        follows in it all that was told or reported before. Nothing of before the first call of any other method needs
        to be told. Where nobody else appends, *told* is never called.
        """

    def reached(self) -> Awaitable[None]:
        """Wait until all is told that any node's `append` had reported before the call. Raises LogUnavailable.

        Calls may overlap; one that is answered answers all those before it.
        """

    async def close(self) -> None:
        """Finish what was begun and release the storage."""


@runtime_checkable
class RemovesOld(Protocol):
    """What a log may do besides: remove old events."""

    def remove_old(self, *, before: str, messages: int | None, after: Key) -> Awaitable[Removed]:
        """Remove old events from the beginning of each log, in steps; what they led to stays. Raises LogUnavailable.

        Args:
            before: what has a lower `ts` goes; "": nothing for that reason.
            messages: what is before the last so many texts of a log goes; None: nothing for that reason.
            after: groups with a key above this one are looked at: all, for "".
        """
