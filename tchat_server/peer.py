"""A user's connection that the program around carries: a WebSocket of its own framework, a queue, anything."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterable, Awaitable, Callable
from types import TracebackType
from typing import Any

import attrs

from libtchat.message.errors import ErrorCode, Refused, Violation
from libtchat.message.reply import Error, Message
from libtchat.message.request import Ping, Request
from libtchat.wire import codec, strict_json
from tchat_server.misuse import Misused
from tchat_server.net.channel import line_of
from tchat_server.net.ending import close_code
from tchat_server.net.insider import Insider

__all__ = ["Peer", "ask"]

logger = logging.getLogger("tchat_server")

Receive = AsyncIterable[str | bytes]
Send = Callable[[str], Awaitable[object]]
Close = Callable[[int], Awaitable[object]]

_LEAVING_SECONDS = 1.0
"""How long to wait for the other side of a connection when one side failed, or is told to end."""


class Peer:
    """One connection of a user, for `async with`; `Chat.peer` makes it.

    Within the block the user is online, with all the groups of before. What others say waits until `pump` carries it.

    Attributes:
        user: who it is; None: the client says so itself, with a password or token if need be.
    """

    def __init__(self, connect: Callable[[], Insider], check: Callable[[], None], user: str | None) -> None:
        self.user: str | None = user
        self._connect, self._check = connect, check
        self._insider: Insider | None = None
        self._refusal: Refused | None = None
        self._was_pumped = False

    @property
    def reason(self) -> str:
        """Why it ended, for people: "quit", "does not read", "limit-reached"...; empty while it goes on."""
        if self._refusal is not None:
            return str(self._refusal.code)
        ending = None if self._insider is None else self._insider.ending
        return "" if ending is None else str(ending.reason)

    @property
    def close_code(self) -> int:
        """What to close a WebSocket with (RFC 6455, 7.4.1): 1000, 1001, 1008 or 1011."""
        return close_code(self.reason)

    async def __aenter__(self) -> Peer:
        if self._insider is not None or self._refusal is not None:
            raise Misused("a peer is one connection: ask chat.peer(...) for another one")
        try:
            self._insider = self._connect()
        except Refused as refusal:
            self._refusal = refusal
            return self
        if self.user is not None:
            try:
                await ask(self._insider, Ping())  # it is answered once the user is online
            except Refused:
                pass  # `pump` tells the client
            except BaseException:
                self._insider.channel.lose()
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._insider is not None:
            self._insider.channel.lose()
            await self._insider.channel.over()

    async def pump(
        self,
        receive: AsyncIterable[str | bytes],
        send: Callable[[str], Awaitable[object]],
        close: Callable[[int], Awaitable[object]] | None = None,
    ) -> None:
        """Carry messages both ways until either side ends; call it once, within the block.

        It reads no faster than the limits allow, and keeps `max_out_bytes` for a client that does not read, as over
        TCP. If *receive* ends, what was asked is still answered. An `OSError`, or any exception of *send* when
        *receive* ends too, is a client that is gone. A client that can't be taken in is told why, and that is all.

        Args:
            receive: what comes from the client, one message each, as `websocket.iter_text()` is.
            send: called with one message, without line end, and awaited before the next one.
            close: called with `close_code` when the client is still there at the end, as `websocket.close` is.

        Raises:
            Misused: it was called before, or outside the block, or what it is given is not what is described here.
            ChatFailed: the chat failed meanwhile.
            Exception: what *receive*, *send* or *close* raised.
        """
        if not isinstance(receive, AsyncIterable):
            raise Misused(f"receive is an async iterator of texts, as websocket.iter_text() is, not a {_kind(receive)}")
        if not callable(send):
            raise _no_function("send", send)
        if close is not None and not callable(close):
            raise _no_function("close", close)
        if self._was_pumped:
            raise Misused("pump() was called already: a peer is one connection, ask chat.peer(...) for another one")
        self._was_pumped = True
        if self._refusal is not None:
            error = Error(self._refusal.code, limit=self._refusal.limit, msg=str(self._refusal))
            await send(codec.encode(error).decode())
            if close is not None:
                await close(self.close_code)
            return
        if self._insider is None or self._insider.channel.is_lost:
            raise Misused("pump() works inside `async with chat.peer(...) as peer:`")
        await _carry(self._insider, receive, send, close)
        self._check()


async def ask(insider: Insider, request: Request) -> Message:
    """Have *insider* ask for something, and return what answers it.

    Raises:
        Refused: it is refused, or the connection is ended before it is answered.
        Misused: it is no request, or one that cannot be written.
    """
    if not isinstance(request, Request):
        raise Misused(f"{_kind(request)} is no request: give one of libtchat, as Say('wob', 'hello')")
    if request.id is None:
        request = attrs.evolve(request, id=secrets.token_hex(8))
    try:
        line = codec.encode_request(request)
    except (TypeError, ValueError) as error:
        raise Misused(f"{request.action} cannot be written: {error}") from None
    if isinstance(asked := codec.decode_request(line), Violation):  # its answer would not say what it answers
        raise Refused(asked.code, asked.detail, field=asked.field, limit=asked.limit)
    wanted = insider.channel.want(strict_json.dumps({"id": request.id})[1:-1])
    insider.data_received(line_of(line))
    waiting: list[asyncio.Future[Any]] = [wanted, insider.channel.ending]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    lines = [wanted.result()] if wanted.done() else reversed(insider.channel.waiting())
    for answer in map(codec.decode_message, lines):
        if isinstance(answer, Error):
            code, retry_after = ErrorCode(answer.code), answer.retry_after
            raise Refused(code, answer.msg, field=answer.field, limit=answer.limit, retry_after=retry_after)
        if wanted.done():
            return answer
    raise Refused(ErrorCode.UNAVAILABLE, "the chat ends")


async def _carry(insider: Insider, receive: Receive, send: Send, close: Close | None) -> None:
    gone = insider.channel.gone
    reading = asyncio.create_task(_read(insider, receive))
    writing = asyncio.create_task(_write(insider, send))
    try:
        await asyncio.wait([reading, writing, gone], return_when=asyncio.FIRST_COMPLETED)
        if _has_ended(reading):
            await asyncio.wait([writing, gone], return_when=asyncio.FIRST_COMPLETED)
        error = _error_of(reading) or _error_of(writing)
        if error is None and close is not None and not reading.done():
            writing = await _replace(writing, close(close_code(str(insider.ending and insider.ending.reason))))
            error = _error_of(writing)
        if error is not None and not isinstance(error, OSError) and not reading.done():
            await asyncio.wait([reading], timeout=_LEAVING_SECONDS)
        if isinstance(error, OSError) or (_has_ended(reading) and not isinstance(error, Misused)):
            error = None  # the client is gone, that is all
    finally:
        insider.channel.lose()
        for task in (reading, writing):
            task.cancel()
        await asyncio.wait([reading, writing], timeout=_LEAVING_SECONDS)
    if error is not None:
        raise error


async def _replace(writing: asyncio.Task[None], closing: Awaitable[object]) -> asyncio.Task[None]:
    """Have *closing* done in place of *writing*, which has ended or does not get on."""

    async def close() -> None:
        if closing is None:
            raise _no_function("close", closing)
        await closing

    writing.cancel()
    await asyncio.wait([writing], timeout=_LEAVING_SECONDS)
    task = asyncio.create_task(close())
    await asyncio.wait([task], timeout=_LEAVING_SECONDS)
    return task


async def _read(insider: Insider, receive: Receive) -> None:
    async for text in receive:
        if not isinstance(text, str | bytes):
            raise Misused(f"what is received is a message of type str or bytes each, not {type(text).__name__}")
        insider.data_received(line_of(text))
        await asyncio.sleep(0)  # also if it waits for nothing, the others have their turn
        await insider.channel.readable()
    insider.eof_received()


async def _write(insider: Insider, send: Send) -> None:
    while (line := await insider.channel.next()) is not None:
        sending = send(line.decode())
        if sending is None:
            raise _no_function("send", send)
        await sending
        insider.channel.sent()


def _no_function(what: str, given: object) -> Misused:
    called, example = {"send": ("a text", "send_text"), "close": ("a code", "close")}[what]
    return Misused(f"{what} is called with {called} and awaited, as websocket.{example} is: {given!r} is not")


def _kind(given: object) -> str:
    return given.__name__ if isinstance(given, type) else type(given).__name__


def _has_ended(task: asyncio.Task[None]) -> bool:
    return task.done() and _error_of(task) is None


def _error_of(task: asyncio.Task[None]) -> BaseException | None:
    if not task.done():
        return None
    return asyncio.CancelledError() if task.cancelled() else task.exception()
