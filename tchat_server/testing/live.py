"""A live server for a test: a chat in a thread of this process, on a free port of 127.0.0.1."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, TypeVar

from libtchat.message.event import Event, Said
from libtchat.message.reply import Message
from libtchat.message.request import Request
from tchat_server.chat import Chat, server_of
from tchat_server.misuse import Misused, NotRunning
from tchat_server.net.ending import CloseReason
from tchat_server.store.memory import MemoryLog

__all__ = ["LiveServer", "server"]

_T = TypeVar("_T")

_SECONDS = 30.0
"""No call takes longer, whatever is wrong."""

_GRACE_SECONDS = 1.0


class LiveServer:
    """A server that runs until `stop`; all its methods are for the thread of the test.

    Args:
        chat: what runs; two servers never share one.

    Attributes:
        host: 127.0.0.1.
        port: where it listens, the same after a restart; 0 before its first start.
        events: what became durable so far, in every group.
    """

    host: str = "127.0.0.1"

    def __init__(self, chat: Chat) -> None:
        if not isinstance(chat, Chat):
            raise Misused(f"chat is a Chat, not {chat!r}")
        self.chat: Chat = chat
        self.port: int = 0
        self.events: list[Event] = []
        self._changed = threading.Condition()
        chat.on_event(self._seen)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._running: Future[None] | None = None

    @property
    def address(self) -> str:
        """Where it listens, as `tchat --server` takes it: HOST:PORT."""
        return f"{self.host}:{self.port}"

    def start(self) -> None:
        """Start, and return when clients are accepted.

        Raises:
            ChatError, LogUnusable, OSError: it can't.
        """
        if self._running is not None:
            raise Misused("the server runs already: restart() it")
        started: Future[int] = Future()
        self._pool = ThreadPoolExecutor(1, "tchat-live-server")
        self._running = self._pool.submit(asyncio.run, self._run(started))
        waiting: list[Future[Any]] = [started, self._running]
        wait(waiting, _SECONDS, FIRST_COMPLETED)
        if not started.done():
            self.stop()
        self.port = started.result(0)

    def stop(self) -> None:
        """Stop as a server does: it says goodbye. If it stopped already, nothing happens.

        Raises:
            ChatFailed: it failed meanwhile.
        """
        running, self._running = self._running, None
        if running is None or self._pool is None:
            return
        if self._loop is not None and self._stopping is not None and not running.done():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._pool.shutdown(wait=False)
        running.result(_SECONDS)

    def restart(self) -> None:
        """Stop, and start again on the same port with the same data."""
        self.stop()
        self.start()

    def cut(self) -> None:
        """End all connections without a word, as a network does that breaks."""

        async def cut() -> None:
            for peer in server_of(self.chat).peers:
                peer.abort(CloseReason.LOST)

        self._call(cut)

    def wait_for(self, *, seconds: float = 5.0, **fields: object) -> Event:
        """Wait for an event with these fields, as `wait_for(action="gbroadcast", sender="bot")`, and return it.

        It may be there already: `events` is looked through from its beginning.

        Raises:
            TimeoutError: there was none in this time; the message says what there was.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._find(fields) is not None, seconds)
            found = self._find(fields)
        if found is None:
            raise TimeoutError(f"no event with {fields} came in {seconds:g} s, but {self.events}")
        return found

    def online(self) -> tuple[str, ...]:
        """As `Chat.online`."""

        async def online() -> tuple[str, ...]:
            return self.chat.online()

        return self._call(online)

    def members(self, group: str) -> tuple[str, ...]:
        """As `Chat.members`."""
        return self._call(lambda: self.chat.members(group))

    def say_as(self, user: str, group: str, msg: str) -> Said:
        """As `Chat.say_as`."""
        return self._call(lambda: self.chat.say_as(user, group, msg))

    def ask_as(self, user: str, request: Request) -> Message:
        """As `Chat.ask_as`."""
        return self._call(lambda: self.chat.ask_as(user, request))

    def _seen(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def _find(self, fields: Mapping[str, object]) -> Event | None:
        matching = (it for it in self.events if all(getattr(it, name, None) == value for name, value in fields.items()))
        return next(matching, None)

    async def _run(self, started: Future[int]) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        async with self.chat:
            _, port = await self.chat.listen(self.host, self.port)
            started.set_result(port)
            await self._stopping.wait()

    def _call(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        if self._running is None or self._loop is None:
            raise NotRunning("the server is stopped: start() it")
        if self._running.done():
            self.stop()  # raises what ended it
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(_SECONDS)


@contextmanager
def server(chat: Chat | None = None, **options: Any) -> Iterator[LiveServer]:
    """Run a live server in a `with` block.

    Args:
        chat: a chat of your own, with its handlers; it must not run.
        options: else, those of a new `Chat`. Unless they name a log, everything is kept in memory, also over a restart.

    Raises:
        Misused: *chat* is none, or there are options for it.
        ChatFailed: the server failed within the block.
    """
    if chat is None:
        chat = Chat(**{"log": MemoryLog(), "grace_seconds": _GRACE_SECONDS, **options})
    elif options:
        raise Misused("options are those of a new Chat: give them to yours")
    live = LiveServer(chat)
    live.start()
    try:
        yield live
    finally:
        live.stop()
