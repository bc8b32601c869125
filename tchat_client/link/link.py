"""A user's connection to one server: say hello, send, hear, and come back when the connection goes."""

from __future__ import annotations

import asyncio
import random
import secrets
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

from attrs import define, evolve, field

from libtchat.message.reply import Error, Foreign, Message, Pong, Welcome
from libtchat.message.request import Hello, ListStates, Ping, Quit, Request
from libtchat.mirror import Heard, Mirror, Notice
from libtchat.wire.connection import ClientEnd
from tchat_client.address import Address
from tchat_client.errors import HelloRefused, LinkError, Lost, NoReply
from tchat_client.introduction import Introduction
from tchat_client.link.answers import Answers
from tchat_client.link.opening import cannot_connect, no_tchat, open_streams
from tchat_client.link.outgoing import Outgoing
from tchat_client.link.trace import Trace
from tchat_client.link.watcher import Offline, Online, Times, Watcher
from tchat_client.patience import patience

if TYPE_CHECKING:
    from libtchat.dialect.dialect import Dialect

__all__ = ["Link"]


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
    _outgoing: Outgoing = field(factory=Outgoing)
    _answers: Answers = field(factory=Answers)
    _cause: LinkError | None = None
    _heard_at: float = 0
    _resting_until: float = 0
    _trace: Trace = field(factory=Trace)

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
        reader, self._writer = await open_streams(self.address, self.tls, self.dialect, self.times.connect_seconds)
        self._connection = ClientEnd()
        self._cause, self._trace = None, Trace()
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
        self._outgoing.put(self._connection.send(request), request.id, quiet=quiet, is_ping=isinstance(request, Ping))
        if not quiet:
            asyncio.get_running_loop().call_later(self.times.unconfirmed_seconds, self._check_answered, request)
        return request

    def send_raw(self, text: str) -> None:
        """Send *text* as it is."""
        self._outgoing.put(text.encode() + b"\n", None)

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
        try:
            return await self._answers.wait(sent.id, seconds)
        except TimeoutError:
            self.mirror.forget(sent.id)
            raise NoReply("no-reply", seconds=f"{seconds:g}") from None

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

    async def _hello(self) -> None:
        """Say hello until the server welcomes us; one that never answers is taken to have accepted."""
        self.is_ours = False
        me = Introduction(self.name, self.password, self.token, self.watcher.kept_token, self.watcher.password)
        try:
            answer = await me.say(lambda hello: self.ask(hello, quiet=True, seconds=self.times.hello_seconds))
        except NoReply:
            return
        except Lost as lost:
            raise cannot_connect(self.address, LinkError("closed-by-peer")) from lost
        if isinstance(answer, Welcome):
            self.is_ours = answer.version >= 1
            self.token = answer.token or None
            if self.token and self.name:
                self.watcher.token(self.token)
        elif isinstance(answer, Foreign) and not answer.raw.lstrip().startswith("{"):
            raise no_tchat(self.address)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Take in what the server sends, until it sends no more."""
        self._heard_at = asyncio.get_running_loop().time()
        is_farewell = False
        try:
            while data := await reader.read(65_536):
                self._heard_at = asyncio.get_running_loop().time()
                messages = self._connection.receive(data)
                self._trace.incoming(data, self.watcher, is_mid_frame=self._connection.mid_frame)
                notices: list[Notice] = []
                for message in messages:
                    notices += self._take(message)
                # a goodbye that we did not ask for is the server's own end: one comes back
                is_farewell |= any(isinstance(n, Heard) and isinstance(n.request, Quit) for n in notices)
                if notices:
                    self.watcher.heard(notices)
                self._pump()
                self._outgoing.move_on()
                if self._connection.broken:
                    self._fail(no_tchat(self.address))
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
            if isinstance(notice.message, Pong) and id in self._outgoing.pings:
                self.round_trip_seconds = asyncio.get_running_loop().time() - self._outgoing.pings.pop(id)
            self._resolve(id, notice.message)
            if notice.quiet and isinstance(notice.message, Error):
                self._rest(patience(notice.message.retry_after))
        is_nameless = isinstance(message, Error) and message.request is None and message.id is None
        oldest = self._answers.oldest()
        if (isinstance(message, Foreign) or is_nameless) and not self.is_ours and oldest is not None:
            self._resolve(oldest, message)
        return notices

    def _resolve(self, id: str, message: Message | Foreign) -> None:
        if self._answers.resolve(id, message):
            self.mirror.forget(id)

    async def _write(self, writer: asyncio.StreamWriter) -> None:
        """Send what is to be sent, until the connection goes."""
        try:
            await self._outgoing.write(writer, self.watcher, self.times.pause_seconds, self.mirror.is_pending)
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
        self._answers.fail(cause)
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
        self._outgoing.clear()
        lost = self.mirror.disconnected()
        if lost and cause is not None:
            self.watcher.heard(lost)

    def _check_answered(self, request: Request) -> None:
        if self.is_ours and request.id is not None and self.is_open and self.mirror.is_pending(request.id):
            self.watcher.unconfirmed(request)
