"""One client's connection to a server: connect, say hello, send, hear, and come back when the connection goes.

The only place of the client that knows asyncio's sockets, time-outs and random ids. What messages mean to the user is
the mirror's business, how they look the renderer's.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import ssl
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from socket import gaierror
from typing import TYPE_CHECKING

from attrs import define, evolve, field, frozen

from libtchat.message.reply import Error, Foreign, Message, Pong, Welcome
from libtchat.message.request import Hello, ListStates, Ping, Quit, Request
from libtchat.mirror import Heard, Mirror, Notice
from libtchat.wire.connection import ClientEnd
from libtchat.wire.redaction import Redactor, redact
from tchat_client.address import Address
from tchat_client.errors import CannotConnect, HelloRefused, LinkError, Lost, NoReply, NotTchat
from tchat_client.introduction import Introduction
from tchat_client.patience import patience

if TYPE_CHECKING:
    from libtchat.dialect.dialect import Dialect

__all__ = [
    "Connecting",
    "Link",
    "Offline",
    "Online",
    "Status",
    "Times",
    "Watcher",
]


@frozen
class Times:
    """How long to wait for what."""

    connect_seconds: float = 10
    hello_seconds: float = 3
    answer_seconds: float = 10
    unconfirmed_seconds: float = 3
    pause_seconds: float = 0.05
    idle_seconds: float = 30
    dead_seconds: float = 10
    quit_seconds: float = 1
    first_retry_seconds: float = 0.5
    last_retry_seconds: float = 30
    settled_seconds: float = 10


@frozen
class Connecting:
    """A connection is being made."""


@frozen
class Online:
    """The server said welcome. *is_back*: not for the first time."""

    is_back: bool


@frozen
class Offline:
    """The connection went, or could not be made again, for *cause*; the next try is in *seconds*."""

    seconds: float
    cause: LinkError | HelloRefused


Status = Connecting | Online | Offline


class Watcher:
    """What a link tells its owner; every method may be left as it is.

    Attributes:
        traces: whether `trace` is to be called.
    """

    traces: bool = False

    def heard(self, notices: Sequence[Notice]) -> None:
        """Take in what is to be shown."""

    def status(self, status: Status) -> None:
        """Take in a change of the connection."""

    def trace(self, direction: str, text: str) -> None:
        """Take in a raw message: `<` came in, `>` went out."""

    def unconfirmed(self, request: Request) -> None:
        """Take in that *request* has been waiting for its answer for a while."""

    def token(self, token: str) -> None:
        """Keep what proves one's identity next time."""

    def kept_token(self) -> str | None:
        """Return what was kept last, perhaps by another program of the same user."""
        return None

    async def password(self, error: Error) -> str | None:
        """Ask for the password of one's name; None gives up."""
        return None


@define(eq=False)
class Link:
    """A user's connection to one server, and then the next connection to it.

    Attributes:
        name: who to say hello as, None to be a guest.
        mirror: what is known, over all connections.
        dialect: the server's, None if it speaks this protocol or something near.
        round_trip_seconds: of the last ping, None before one was answered.
        is_ours: the server speaks this protocol, version 1 or later.
        follows: keep the mirror complete, members and all, and the connection alive.
        opened: set while there is a connection whose hello was said.
    """

    address: Address
    name: str | None = None
    tls: ssl.SSLContext | None = None
    token: str | None = None
    password: str | None = None
    watcher: Watcher = field(factory=Watcher)
    times: Times = field(factory=Times)
    dialect: Dialect | None = None
    mirror: Mirror = field(factory=Mirror)
    round_trip_seconds: float | None = None
    follows: bool = False
    is_ours: bool = False
    opened: asyncio.Event = field(factory=asyncio.Event)
    _connection: ClientEnd = field(factory=ClientEnd)
    _writer: asyncio.StreamWriter | None = None
    _tasks: list[asyncio.Task[None]] = field(factory=list)
    _mine: deque[tuple[bytes, str | None]] = field(factory=deque)
    _quiet: deque[tuple[bytes, str | None]] = field(factory=deque)
    _has_work: asyncio.Event = field(factory=asyncio.Event)
    _progress: asyncio.Event = field(factory=asyncio.Event)
    _waiting: dict[str, asyncio.Future[Message | Foreign]] = field(factory=dict)
    _cause: LinkError | None = None
    _pings: dict[str, float] = field(factory=dict)
    _heard_at: float = 0
    _resting_until: float = 0
    _traced: Redactor = field(factory=Redactor)
    _is_untraced: bool = False

    # -- for the owner

    @property
    def is_open(self) -> bool:
        """Whether requests can be sent now."""
        return self.opened.is_set()

    async def open(self) -> None:
        """Connect and say hello.

        Raises:
            CannotConnect: nobody answers at the address, or not in time.
            NotTchat: what answers is no tchat server.
            HelloRefused: the server does not accept the name.
        """
        reader, self._writer = await self._connect()
        self._connection = ClientEnd()
        self._cause, self._traced, self._is_untraced = None, Redactor(), False
        self.mirror.name = self.mirror.name or self.name or ""
        self._tasks = [asyncio.create_task(self._read(reader)), asyncio.create_task(self._write(self._writer))]
        try:
            await self._hello()
        except BaseException:
            await self._drop(None)
            raise
        self.opened.set()
        if self.follows:
            self._tasks.append(asyncio.create_task(self._keep_alive()))
        self._pump()

    async def run(self) -> None:
        """Stay connected until cancelled, or until one has quit.

        Raises what `open` does, for the first connection only, and HelloRefused for any.
        """
        loop, failures, is_back = asyncio.get_running_loop(), 0, False
        while True:
            began = loop.time()
            cause: LinkError | HelloRefused | None
            try:
                await self.open()
                self.watcher.status(Online(is_back))
                is_back = True
                cause = await self._end()
            except LinkError as error:
                if not is_back:
                    raise
                cause = error
            except HelloRefused as refused:
                if not is_back or refused.error.code not in ("name-in-use", "rate-limited", "unavailable"):
                    raise
                cause = refused
            if cause is None:
                return
            failures = 0 if loop.time() - began > self.times.settled_seconds else failures + 1
            delay = min(self.times.last_retry_seconds, self.times.first_retry_seconds * 2 ** min(failures, 10))
            delay *= random.uniform(0.5, 1)
            self.watcher.status(Offline(delay, cause))
            await asyncio.sleep(delay)

    def send(self, request: Request, *, quiet: bool = False) -> Request:
        """Send *request* when its turn comes; its answer is heard like everything else.

        Returns:
            The request as it is sent: with `id`, and one's name.
        """
        request = evolve(request, id=request.id or secrets.token_hex(8))
        if not isinstance(request, Ping | Hello):
            request = evolve(request, sender=self.mirror.name or self.name)
        self.mirror.sent(request, quiet=quiet)
        (self._quiet if quiet else self._mine).append((self._connection.send(request), request.id))
        self._has_work.set()
        if isinstance(request, Ping) and request.id:
            self._pings[request.id] = asyncio.get_running_loop().time()
        if not quiet:
            asyncio.get_running_loop().call_later(self.times.unconfirmed_seconds, self._check_answered, request)
        return request

    def send_raw(self, text: str) -> None:
        """Send *text* as it is."""
        self._mine.append((text.encode() + b"\n", None))
        self._has_work.set()

    async def ask(self, request: Request, *, quiet: bool = False, seconds: float | None = None) -> Message | Foreign:
        """Send *request* and return its answer; from a server that is not ours, what came first.

        Args:
            seconds: how long to wait, `times.answer_seconds` if None.
        Raises:
            Lost: the connection went before.
            NoReply: none came in time.
        """
        if seconds is None:  # many other servers answer some requests never
            seconds = self.times.answer_seconds if self.is_ours else min(1.0, self.times.answer_seconds)
        if self._cause is not None:
            raise self._cause
        sent = self.send(request, quiet=quiet)
        assert sent.id is not None
        future: asyncio.Future[Message | Foreign] = asyncio.get_running_loop().create_future()
        self._waiting[sent.id] = future
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            self.mirror.forget(sent.id)
            raise NoReply("no-reply", seconds=f"{seconds:g}") from None
        finally:
            self._waiting.pop(sent.id, None)

    async def closed(self) -> None:
        """Wait until the connection has gone.

        Raises:
            Lost: it went without a goodbye.
        """
        cause = await self._end()
        if cause is not None:
            raise cause

    async def quit(self) -> None:
        """Say goodbye and close."""
        if self.is_open and self._cause is None:
            self.send(Quit(), quiet=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(self.times.quit_seconds):
                    await asyncio.wait(self._tasks[:1])
        await self._drop(None)

    # -- one connection

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        seconds = self.times.connect_seconds
        try:
            async with asyncio.timeout(seconds):
                if self.dialect is not None:
                    from tchat_client.bridge.inside import open_translated

                    return await open_translated(self.address.host, self.address.port, self.tls, self.dialect)
                return await asyncio.open_connection(self.address.host, self.address.port, ssl=self.tls)
        except TimeoutError:
            cause = LinkError("cause.timeout", seconds=f"{seconds:g}")
        except gaierror:
            cause = LinkError("cause.unknown-host")
        except ConnectionRefusedError:
            cause = LinkError("cause.refused")
        except ssl.SSLError as error:
            cause = _tls_cause(error)
        except (OSError, ValueError) as error:
            raise self._cannot(getattr(error, "strerror", None) or str(error)) from None
        raise self._cannot(cause)

    def _cannot(self, cause: LinkError | str) -> CannotConnect:
        return CannotConnect("cannot-connect", address=self.address, cause=cause)

    def _no_tchat(self) -> NotTchat:
        return NotTchat("cannot-connect", address=self.address, cause=LinkError("cause.not-tchat"))

    async def _hello(self) -> None:
        """Say hello until the server welcomes us; one that never answers is taken to have accepted."""
        self.is_ours = False
        me = Introduction(self.name, self.password, self.token, self.watcher.kept_token, self.watcher.password)
        try:
            answer = await me.say(lambda hello: self.ask(hello, quiet=True, seconds=self.times.hello_seconds))
        except NoReply:
            return
        except Lost as lost:
            raise self._cannot(LinkError("closed-by-peer")) from lost
        if isinstance(answer, Welcome):
            self.is_ours = answer.version >= 1
            self.token = answer.token or None
            if self.token and self.name:
                self.watcher.token(self.token)
        elif isinstance(answer, Foreign) and not answer.raw.lstrip().startswith("{"):
            raise self._no_tchat()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Take in what the server sends, until it sends no more."""
        self._heard_at = asyncio.get_running_loop().time()
        is_farewell = False
        try:
            while data := await reader.read(65_536):
                self._heard_at = asyncio.get_running_loop().time()
                messages = self._connection.receive(data)
                self._trace_in(data)
                notices: list[Notice] = []
                for message in messages:
                    notices += self._take(message)
                # a goodbye that we did not ask for is the server's own end: one comes back
                is_farewell |= any(isinstance(n, Heard) and isinstance(n.request, Quit) for n in notices)
                if notices:
                    self.watcher.heard(notices)
                self._pump()
                self._progress.set()
                if self._connection.broken:
                    self._fail(self._no_tchat())
                    return
        except (OSError, ssl.SSLError) as error:
            self._fail(Lost("cause.other", detail=error.strerror or error))
            return
        self._fail(None if is_farewell else Lost("closed-by-peer"))

    def _take(self, message: Message | Foreign) -> list[Notice]:
        notices = self.mirror.apply(message)
        for notice in notices:
            if not isinstance(notice, Heard) or notice.request is None or notice.request.id is None:
                continue
            id = notice.request.id
            if isinstance(notice.message, Pong) and id in self._pings:
                self.round_trip_seconds = asyncio.get_running_loop().time() - self._pings.pop(id)
            self._resolve(id, notice.message)
            if notice.quiet and isinstance(notice.message, Error):
                self._rest(patience(notice.message.retry_after))
        is_nameless = isinstance(message, Error) and message.request is None and message.id is None
        if (isinstance(message, Foreign) or is_nameless) and not self.is_ours and self._waiting:
            self._resolve(next(iter(self._waiting)), message)
        return notices

    def _resolve(self, id: str, message: Message | Foreign) -> None:
        future = self._waiting.pop(id, None)
        if future is not None and not future.done():
            future.set_result(message)
            self.mirror.forget(id)

    async def _write(self, writer: asyncio.StreamWriter) -> None:
        """Send one request per write, the next when the answer has come or a pause has passed (R-client-one-write)."""
        try:
            while True:
                await self._has_work.wait()
                queue = self._mine or self._quiet
                if not queue:
                    self._has_work.clear()
                    continue
                data, id = queue.popleft()
                if self.watcher.traces:
                    for line in redact(data.decode("utf-8", "replace")):
                        self.watcher.trace(">", line)
                if id in self._pings:
                    self._pings[id] = asyncio.get_running_loop().time()
                writer.write(data)
                await writer.drain()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.times.pause_seconds):
                        while id is None or self.mirror.is_pending(id):
                            self._progress.clear()
                            await self._progress.wait()
        except OSError as error:
            self._fail(Lost("cause.other", detail=error.strerror or error))

    async def _keep_alive(self) -> None:
        """Ping a silent server of ours; one that stays silent is gone, whatever the socket says."""
        loop, times = asyncio.get_running_loop(), self.times
        if self.is_ours:
            self.send(Ping(), quiet=True)
        while self.is_ours:
            await asyncio.sleep(max(0.0, self._heard_at + times.idle_seconds - loop.time()))
            if loop.time() - self._heard_at < times.idle_seconds:
                continue
            asked_at = loop.time()
            self.send(Ping(), quiet=True)
            await asyncio.sleep(times.dead_seconds)
            if self._heard_at < asked_at:
                self._fail(Lost("silent"))
                return

    def _rest(self, seconds: float) -> None:
        """Ask what the mirror wants later again, not in a tight loop."""
        loop = asyncio.get_running_loop()
        self._resting_until = loop.time() + seconds
        loop.call_later(seconds + 0.01, self._pump)

    def _pump(self) -> None:
        """Ask what the mirror wants to know; one that does not follow wants the events it missed only."""
        if self.is_open and asyncio.get_running_loop().time() >= self._resting_until:
            for request in self.mirror.wanted():
                if self.follows or isinstance(request, ListStates):
                    self.send(request, quiet=True)

    def _fail(self, cause: LinkError | None) -> None:
        """End this connection: everybody who waits is told."""
        self._cause = self._cause or cause
        self.opened.clear()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(cause if isinstance(cause, NotTchat) else Lost("outcome-unknown"))
        if self._tasks and self._tasks[0] is not asyncio.current_task():
            self._tasks[0].cancel()

    async def _end(self) -> LinkError | None:
        """Wait for the end of the connection; return why it ended, None after a goodbye."""
        if self._tasks:
            await asyncio.wait(self._tasks[:1])
        cause = self._cause
        await self._drop(cause)
        return cause

    async def _drop(self, cause: LinkError | None) -> None:
        self.opened.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if self._writer is not None:
            self._writer.close()
            with suppress(OSError, ssl.SSLError, TimeoutError):
                async with asyncio.timeout(self.times.quit_seconds):
                    await self._writer.wait_closed()
            self._writer = None
        self._mine.clear()
        self._quiet.clear()
        self._pings.clear()
        lost = self.mirror.disconnected()
        if lost and cause is not None:
            self.watcher.heard(lost)

    def _check_answered(self, request: Request) -> None:
        if self.is_ours and request.id is not None and self.is_open and self.mirror.is_pending(request.id):
            self.watcher.unconfirmed(request)

    def _trace_in(self, data: bytes) -> None:
        """Trace what came: each message when it is whole, and none that began before traces were asked for."""
        is_mid_frame = self._connection.mid_frame
        if not self.watcher.traces or self._is_untraced:
            self._traced, self._is_untraced = Redactor(), is_mid_frame
            return
        for line in self._traced.feed(data, is_mid_frame=is_mid_frame):
            self.watcher.trace("<", line)


def _tls_cause(error: ssl.SSLError) -> LinkError:
    """Return what to tell about a failed handshake."""
    if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):  # the answer was not TLS
        return LinkError("cause.no-tls")
    detail = getattr(error, "verify_message", "").rstrip(".")
    return LinkError("cause.tls", detail=detail or error.reason or str(error))
