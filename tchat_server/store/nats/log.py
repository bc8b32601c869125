"""Events kept by NATS JetStream: `--db nats://…`, for several servers that are one.

Everything goes through the stream. What is appended here is known to be stored when it is followed, as what others
append is; everything is copied into the node's own file, and that is what is read.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from libtchat.cluster import News
from libtchat.effect import PageKind
from libtchat.message.event import LogEvent
from libtchat.message.limits import DEFAULT_LIMITS, ServerLimits
from libtchat.message.names import Key, UserKey
from libtchat.stored import Known, Loaded, Retried, StoredUser
from libtchat.wire import codec
from tchat_server.clock import guest_floor, time_of_day
from tchat_server.store.event_log import EncodedPart, LogUnavailable, NamePage, Page, Ready, UserRow
from tchat_server.store.nats.accounts import Accounts
from tchat_server.store.nats.connection import Connection
from tchat_server.store.nats.follower import Follower
from tchat_server.store.nats.heads import Heads
from tchat_server.store.nats.intake import Intake
from tchat_server.store.nats.proof import Proofs
from tchat_server.store.nats.publisher import MAX_RECORD_BYTES, Publisher
from tchat_server.store.nats.record import Events, Guests, encode_record
from tchat_server.store.nats.stream import Stream, open_stream
from tchat_server.store.nats.url import EngineUrl
from tchat_server.store.sqlite.cache import Cache

__all__ = ["NatsLog"]

_T = TypeVar("_T")

_GUESTS_AT_ONCE = 1000
_MAX_BACKLOG = 5000
_MAX_SEQ = 2**53
_MAX_PAGE = 2**31

logger = logging.getLogger("tchat_server")


class NatsLog:
    """An EventLog in an engine. Make it with `NatsLog.open`.

    Attributes:
        ahead: how many seconds the engine's clock was ahead of this machine's.
        stream, cache: where the events are, and this node's own copy of them.
    """

    def __init__(self, connection: Connection, stream: Stream, cache: Cache) -> None:
        self.connection, self.stream, self.cache = connection, stream, cache
        self._subjects, self._cache = stream.subjects, cache
        self.control = cache.log.control
        self.clock, self.ahead = cache.log.clock, stream.clock_offset
        self.intake = Intake(stream.subjects, cache, Heads(cache.heads), cache.damaged, cache.bars, cache.codes)
        self.follower = Follower(connection, stream.subjects, cache.position, self.intake.take, self._ease)
        self.publisher = Publisher(connection, self.follower, self.intake.heads)
        self.proofs = Proofs(self.publisher, self.follower, stream.subjects.mark(secrets.token_hex(6)))
        self._accounts = Accounts(stream.subjects, self.intake, self.publisher, self._password_of, self.reached)
        self._appending = asyncio.Lock()
        self._numbering = asyncio.Lock()
        self._guest_numbers: Iterator[int] = iter(())
        self._is_closed = False

    @classmethod
    async def open(
        cls,
        url: EngineUrl,
        path: Path,
        *,
        clock: Callable[[], float] | None = None,
        limits: ServerLimits = DEFAULT_LIMITS,
    ) -> NatsLog:
        """Connect to the engine, and copy what is there into the file at *path*.

        Args:
            clock: tells how old retries are; by default the engine's.
        Raises:
            LogUnusable: the engine or the file is not to be used; the message is one line.
            CopyHarmed: the file was damaged: it is removed now.
        """
        connection = await Connection.open(url)
        try:
            stream = await open_stream(connection, url, limits)
            now = time_of_day() + stream.clock_offset
            cache = await Cache.open(path, stream.identity, now=now, clock=clock, limits=limits)
        except BaseException:
            await connection.close()
            raise
        log = cls(connection, stream, cache)
        try:
            await log.follower.start()
            await log.reached()
            await cache.filled()
        except BaseException:
            await log.close()
            raise
        return log

    @property
    def backlog(self) -> int:
        """How many records wait to be copied."""
        return self._cache.backlog

    def follow(self, told: Callable[[Sequence[News]], None]) -> None:
        """Tell what other nodes append; see EventLog."""
        self.intake.told = told

    def reached(self) -> Awaitable[None]:
        """Wait until all is told that was acknowledged; see EventLog."""
        return self.proofs.reached()

    async def append(self, parts: Sequence[EncodedPart]) -> Mapping[Key, tuple[LogEvent, ...]]:
        """Append parts; see EventLog."""
        async with self._appending:
            now = self.clock()
            outcomes = await asyncio.gather(*(self._append(part, now) for part in parts))
        return {part.key: newer for part, newer in zip(parts, outcomes, strict=True) if newer is not None}

    async def _append(self, part: EncodedPart, now: float) -> tuple[LogEvent, ...] | None:
        """Append one part; return the newer events if it does not follow, () if it can't be stored."""
        self._check_open()
        subject = self._subjects.group(part.key)
        head = self.intake.heads.head(subject)
        if subject in self.intake.damaged or head.seq < part.expected:
            return ()
        if head.seq > part.expected:
            return await self._newer(part)
        nonce = secrets.token_hex(8)
        records = [encode_record(each) for each in _cut(part, now, nonce)]
        number = await self.publisher.append(subject, records, nonce, part.events[-1].seq)
        if number is None or subject in self.intake.damaged:
            return ()
        return None if number else await self._newer(part)

    async def _newer(self, part: EncodedPart) -> tuple[LogEvent, ...]:
        """Return the events of others that came in between: nearly always they were told just now."""
        if newer := self.intake.newer(part.key, part.expected):
            return newer
        ask = partial(self._cache.log.read, part.key, PageKind.ALL, before=_MAX_SEQ, limit=_MAX_PAGE)
        await self._cache.settled(None)
        page = await ask(after=part.expected, max_bytes=_MAX_PAGE)
        return tuple(map(codec.decode_event, page.lines))

    async def load(self, key: Key) -> Loaded:
        """Load one group."""
        self._check_group(key)
        return await self._read(partial(self._cache.log.load, key))

    async def load_user(self, key: UserKey) -> StoredUser:
        """Load what is stored of one user."""
        await self.reached()
        return await self._read(partial(self._cache.log.load_user, key))

    async def find_user(self, key: UserKey) -> Known:
        """Find whether one user is known; see EventLog."""
        await self.reached()
        return await self._read(partial(self._cache.log.find_user, key))

    async def find_retry(self, key: UserKey, id: str) -> Retried:
        """Find what one user's request with an id made; see EventLog."""
        return await self._read(partial(self._cache.log.find_retry, key, id))

    async def save_user(
        self,
        key: UserKey,
        name: str,
        password_hash: str | None,
        *,
        replaces: str | None = None,
        invitation: str | None = None,
    ) -> bool:
        """Store a password hash; see EventLog."""
        self._check_open()
        return await self._accounts.save_user(key, name, password_hash, replaces, invitation)

    async def invite(self, mark: str) -> bool:
        """Let an invitation code hold, once; see EventLog."""
        self._check_open()
        return await self._accounts.invite(mark)

    async def save_bar(self, key: UserKey, name: str, until: float | None) -> bool:
        """Store until when a user may not come in; see EventLog."""
        self._check_open()
        return await self._accounts.save_bar(key, name, until)

    def barred(self) -> Awaitable[Mapping[UserKey, float]]:
        """Find who may not come in; see EventLog."""
        return self._accounts.barred()

    async def users(self) -> tuple[UserRow, ...]:
        """List everybody who is known, by key."""
        await self.reached()
        return await self._read(self._cache.log.users)

    async def logs_of_two(self, key: UserKey) -> tuple[Key, ...]:
        """List the logs of the texts between a user and another one."""
        await self.reached()
        return await self._read(partial(self._cache.log.logs_of_two, key))

    def number_guest(self) -> Awaitable[int]:
        """Return a number that no guest had before, on any node; one in a thousand is written for."""
        number = next(self._guest_numbers, None)
        return self._number_guests() if number is None else Ready(number)

    async def _number_guests(self) -> int:
        self._check_open()
        subject = self._subjects.guests
        async with self._numbering:
            while (number := next(self._guest_numbers, None)) is None:
                first, nonce = max(self.intake.heads.head(subject).seq, guest_floor()), secrets.token_hex(8)
                record = encode_record(Guests(first + _GUESTS_AT_ONCE, nonce))
                stored = await self.publisher.append(subject, [record], nonce, first + _GUESTS_AT_ONCE)
                if stored is None:
                    raise LogUnavailable("no number for a guest was stored")
                if stored:
                    self._guest_numbers = iter(range(first, first + _GUESTS_AT_ONCE))
        return number

    async def read(
        self, key: Key, kinds: PageKind, *, after: int | None, before: int, limit: int, max_bytes: int
    ) -> Page:
        """Read a page; see EventLog."""
        self._check_group(key)
        ask = self._cache.log.read
        return await self._read(partial(ask, key, kinds, after=after, before=before, limit=limit, max_bytes=max_bytes))

    async def public_groups(self, *, after: Key | None, limit: int, max_bytes: int) -> NamePage:
        """List the public groups that have members, by key."""
        return await self._read(partial(self._cache.log.public_groups, after=after, limit=limit, max_bytes=max_bytes))

    async def close(self) -> None:
        """Let go of the engine and of the file. What is not certain yet stays so."""
        if self._is_closed:
            return
        self._is_closed = True
        self.intake.heads.give_up(LogUnavailable("it is not known whether the last append is stored"))
        await self.proofs.close()
        await self.follower.close()
        await self.connection.close()
        await self._cache.close()

    async def _password_of(self, key: UserKey) -> str | None:
        return (await self._read(partial(self._cache.log.load_user, key))).password_hash

    async def _read(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        await self._cache.settled()
        return await ask()

    async def _ease(self) -> None:
        if self._cache.backlog > _MAX_BACKLOG:
            await self._cache.settled(None)

    def _check_open(self) -> None:
        if self._is_closed:
            raise LogUnavailable("the log is closed")

    def _check_group(self, key: Key) -> None:
        if (reason := self.intake.damaged.get(self._subjects.group(key))) is not None:
            raise LogUnavailable(f"group {key} cannot be used: {reason}")


def _cut(part: EncodedPart, time: float, nonce: str) -> Iterator[Events]:
    """Yield the records of a part: one, unless it is too long for the engine."""
    first = size = 0
    for at, line in enumerate(part.lines):
        size += len(line) + 1
        if size > MAX_RECORD_BYTES and at > first:
            yield _events(part, first, at, time, nonce)
            first, size = at, len(line) + 1
    yield _events(part, first, len(part.lines), time, nonce)


def _events(part: EncodedPart, start: int, end: int, time: float, nonce: str) -> Events:
    return Events(part.key, part.expected + 1 + start, part.lines[start:end], part.digests[start:end], time, nonce)
