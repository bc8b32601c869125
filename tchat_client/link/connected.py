"""One connection to a server: what is read and written on it, who waits for an answer, and when it counts as gone."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

from attrs import define, field

from libtchat.client import ClientConnection
from libtchat.message.errors import ErrorCode
from libtchat.message.limits import MAX_FRAME_BYTES
from libtchat.message.reply import Error, Foreign, Message, Pong
from libtchat.message.request import ListStates, Ping, Quit, Request
from libtchat.mirror import Heard, Notice
from tchat_client.address import Address
from tchat_client.errors import LinkError, Lost, Misused, NoAnswer, NoReply, NotOpen, Refused
from tchat_client.link.answers import Answers
from tchat_client.link.opening import no_tchat
from tchat_client.link.outgoing import Outgoing
from tchat_client.link.trace import Trace
from tchat_client.link.watcher import Times, Watcher
from tchat_client.patience import patience

__all__ = ["Connected"]


@define(eq=False)
class Connected:
    """One connection, from its first byte to its last.

    Attributes:
        client: the messages and the view; it outlives the connection.
        follows: keep the mirror complete, members and all, and the connection alive.
        may_turn: there is another server to turn to: one that owes an answer and says nothing at all is left early.
        opened: set by whoever said hello, cleared when the connection goes.
        cause: why the connection went; None while it is there, and after a goodbye.
        round_trip_seconds: of the last ping, None before one was answered.
    """

    address: Address
    client: ClientConnection
    watcher: Watcher
    times: Times
    opened: asyncio.Event
    follows: bool
    may_turn: bool = False
    cause: LinkError | None = field(default=None, init=False)
    round_trip_seconds: float | None = field(default=None, init=False)
    _writer: asyncio.StreamWriter | None = field(default=None, init=False)
    _tasks: list[asyncio.Task[None]] = field(factory=list, init=False)
    _outgoing: Outgoing = field(factory=Outgoing, init=False)
    _answers: Answers = field(factory=Answers, init=False)
    _trace: Trace = field(factory=Trace, init=False)
    _heard_at: float = field(default=0, init=False)
    _resting_until: float = field(default=0, init=False)
    _is_reading: bool = field(default=True, init=False)
    _is_over: bool = field(default=False, init=False)

    def start(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin to read and write."""
        self._writer = writer
        self._tasks += [asyncio.create_task(self._read(reader)), asyncio.create_task(self._write(writer))]

    def welcome(self) -> None:
        """Go on after the hello: others may send, and what was missed is asked for."""
        self.opened.set()
        if self.follows:
            self._tasks.append(asyncio.create_task(self._keep_alive()))
        self.pump()

    def check(self) -> None:
        """Raise why nothing can be sent: Lost, NotTchat, or NotOpen after a goodbye."""
        if self.cause is not None:
            raise self.cause
        if self._is_over:
            raise NotOpen("cause.other", detail="this connection was closed: open another one")

    def send(self, request: Request, *, quiet: bool = False) -> Request:
        """Send *request* when its turn comes; return it as it is sent. Raises Refused if no server can take it."""
        self.check()
        request = self.client.complete(request)
        try:
            data = self.client.send(request, quiet=quiet)
        except RuntimeError as error:  # one has quit
            raise NotOpen("cause.other", detail=error) from None
        except (TypeError, ValueError) as error:
            raise Misused("cause.other", detail=f"{request.action} cannot be written: {error}") from None
        if len(data) > MAX_FRAME_BYTES and self.client.is_ours:  # a server closes after it, each time it is asked again
            self.client.mirror.forget(request.id or "")
            too_large = f"a message has at most {MAX_FRAME_BYTES} bytes"
            raise Refused(Error(ErrorCode.TOO_LARGE, msg=too_large, limit=MAX_FRAME_BYTES), request)
        self._outgoing.put(data, request.id, quiet=quiet, is_ping=isinstance(request, Ping))
        if not quiet:
            loop, times = asyncio.get_running_loop(), self.times
            loop.call_later(times.unconfirmed_seconds, self._check_answered, request)
            if self.may_turn:
                loop.call_later(times.unconfirmed_seconds + times.dead_seconds, self._check_alive, loop.time())
        return request

    def send_raw(self, text: str) -> None:
        """Send *text* as it is."""
        self.check()
        self._outgoing.put(text.encode() + b"\n", None)

    async def ask(self, request: Request, *, quiet: bool, seconds: float) -> Message | Foreign:
        """Send *request* and return its answer; see `Link.ask`."""
        sent = self.send(request, quiet=quiet)
        assert sent.id is not None
        try:
            return await self._answers.wait(sent.id, seconds)
        except TimeoutError:
            self.client.mirror.forget(sent.id)
            problem: NoAnswer = NoReply("no-reply", seconds=f"{seconds:g}")
        except NoAnswer as lost:
            problem = lost
        problem.request = sent
        raise problem from None

    def pump(self) -> None:
        """Ask what the mirror wants to know; one that does not follow wants the events it missed only."""
        is_resting = asyncio.get_running_loop().time() < self._resting_until
        if is_resting or not (self.opened.is_set() and self.client.is_open and self.watcher.has_room):
            return
        for request in self.client.mirror.wanted():
            if self.follows or isinstance(request, ListStates):
                self.send(request, quiet=True)

    async def end(self) -> LinkError | None:
        """Wait for the end of the connection; return why it ended, None after a goodbye."""
        if self._tasks:
            await asyncio.wait(self._tasks[:1])
        await self.drop()
        return self.cause

    async def quit(self) -> None:
        """Say goodbye and close."""
        try:
            if self.opened.is_set() and self.cause is None:
                with suppress(TimeoutError, NotOpen):
                    self.send(Quit(), quiet=True)
                    async with asyncio.timeout(self.times.quit_seconds):
                        await asyncio.wait(self._tasks[:1])
        finally:
            await self.drop()

    async def drop(self) -> None:
        """Close, and tell whoever waits for an answer. All is done that matters before it waits for anything."""
        self._fail(None)
        tasks, self._tasks = self._tasks, []
        writer, self._writer = self._writer, None
        for task in tasks:
            task.cancel()
        if writer is not None:
            writer.close()
        self._outgoing.clear()
        lost = self.client.closed()
        if lost and self.cause is not None:
            self.watcher.heard(lost)
        await asyncio.gather(*tasks, return_exceptions=True)
        if writer is not None:
            with suppress(OSError, ssl.SSLError, TimeoutError):
                async with asyncio.timeout(self.times.quit_seconds):
                    await writer.wait_closed()

    def _fail(self, cause: LinkError | None) -> None:
        """End this connection: everybody who waits is told."""
        if self._is_over:
            return
        self._is_over = True
        self.cause = cause
        self.opened.clear()
        self._answers.fail(cause)
        if self._tasks and self._tasks[0] is not asyncio.current_task():
            self._tasks[0].cancel()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Take in what the server sends, until it sends no more."""
        loop = asyncio.get_running_loop()
        self._heard_at = loop.time()
        try:
            while data := await self._next(reader):
                self._heard_at = loop.time()
                messages = self.client.messages(data)
                self._trace.incoming(data, self.watcher, is_mid_frame=self.client.mid_frame)
                notices = [notice for message in messages for notice in self._take(message)]
                if notices:
                    self.watcher.heard(notices)
                self.pump()
                self._outgoing.move_on()
                if self.client.broken:
                    self._fail(no_tchat(self.address))
                    return
        except (OSError, ssl.SSLError) as error:
            self._fail(Lost("cause.other", detail=error.strerror or error))
            return
        # a goodbye that we did not ask for is the server's own end: one comes back
        self._fail(None if self.client.has_left else Lost("closed-by-peer"))

    async def _next(self, reader: asyncio.StreamReader) -> bytes:
        """Return what comes next, once the watcher can take more."""
        self._is_reading = False
        await self.watcher.ready()
        self._is_reading = True
        return await reader.read(65_536)

    def _take(self, message: Message | Foreign) -> list[Notice]:
        notices = self.client.take(message)
        id: str | None = getattr(message, "id", None)
        if id is not None:
            self._resolve(id, message)  # also while the mirror holds it back
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
        if (isinstance(message, Foreign) or is_nameless) and not self.client.is_ours and oldest is not None:
            self._resolve(oldest, message)
        return notices

    def _resolve(self, id: str, message: Message | Foreign) -> None:
        if self._answers.resolve(id, message):
            self.client.mirror.forget(id)

    async def _write(self, writer: asyncio.StreamWriter) -> None:
        """Send what is to be sent, until the connection goes."""
        try:
            await self._outgoing.write(writer, self.watcher, self.times.pause_seconds, self.client.mirror.is_pending)
        except OSError as error:
            self._fail(Lost("cause.other", detail=error.strerror or error))

    async def _keep_alive(self) -> None:
        """Ping a silent server of ours; one that stays silent is gone, whatever the socket says."""
        loop, times = asyncio.get_running_loop(), self.times
        if self.client.is_ours:
            self.send(Ping(), quiet=True)
        while self.client.is_ours:
            await asyncio.sleep(max(0.0, self._heard_at + times.idle_seconds - loop.time()))
            if not self.client.is_open:
                return
            if loop.time() - self._heard_at < times.idle_seconds:
                continue
            asked_at = loop.time()
            self.send(Ping(), quiet=True)
            await asyncio.sleep(times.dead_seconds)
            if not self._is_reading:
                self._heard_at = loop.time()  # it may have said something that nobody has read
            elif self._heard_at < asked_at:
                self._fail(Lost("silent"))
                return

    def _rest(self, seconds: float) -> None:
        """Ask what the mirror wants later again, not in a tight loop."""
        loop = asyncio.get_running_loop()
        self._resting_until = loop.time() + seconds
        loop.call_later(seconds + 0.01, self.pump)

    def _check_answered(self, request: Request) -> None:
        is_waiting = request.id is not None and self.opened.is_set() and self.client.mirror.is_pending(request.id)
        if self.client.is_ours and is_waiting:
            self.watcher.unconfirmed(request)

    def _check_alive(self, asked_at: float) -> None:
        """Leave a server that has said nothing at all since something was asked: another one may answer."""
        if self._heard_at < asked_at and self._is_reading and self.client.is_ours and not self._is_over:
            self._fail(Lost("silent"))
