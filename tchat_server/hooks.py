"""What the program around a server is asked before something is decided, and told when it is durable.

Its handlers are somebody else's code: they may be functions or coroutine functions, fail, and never return.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from inspect import isawaitable

from libtchat.effect import Answer, CheckRequest
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.event import Event
from libtchat.message.request import Request
from tchat_server.store.event_log import Ready

__all__ = ["Hooks", "MayHandler", "OnEventHandler"]

logger = logging.getLogger("tchat_server")

MayHandler = Callable[[str, Request], bool | Awaitable[bool]]
OnEventHandler = Callable[[Event], object]
"""What it returns is awaited if it can be."""

_MAY_SECONDS = 10.0
"""How long a request waits for a handler of `may`."""

_MAX_WAITING = 10_000
"""Events that wait for one handler; beyond, it is not told."""

_AT_ONCE = 64
_CLOSING_SECONDS = 1.0
_FAILED = "%s failed: a request is refused"


class Hooks:
    """The handlers of one server."""

    def __init__(self, may: Sequence[MayHandler] = (), on_event: Sequence[OnEventHandler] = ()) -> None:
        self._may = may
        self._hearers = [_Hearer(handler) for handler in on_event]
        self.hears: bool = bool(self._hearers)

    def check(self, question: CheckRequest) -> Awaitable[Answer]:
        """Ask whether a request may be decided; a handler that fails or does not answer in time has it refused."""
        handlers = iter(self._may)
        for handler in handlers:
            answer = _ask(handler, question)
            if isawaitable(answer):
                return _ask_others(answer, handlers, question)
            if answer is not True:
                return Ready(answer)
        return Ready(True)

    def tell(self, events: Iterable[Event]) -> None:
        """Tell what became durable, soon and in this order."""
        told = tuple(events)
        for hearer in self._hearers:
            hearer.hear(told)

    async def close(self) -> None:
        """Let the handlers hear what waits, for a moment, and then no more."""
        await asyncio.gather(*[hearer.close() for hearer in self._hearers])


class _Hearer:
    """Calls one handler with event after event, in a task of its own: nobody else waits for it."""

    def __init__(self, handler: OnEventHandler) -> None:
        self._handler = handler
        self._waiting: deque[Event] = deque()
        self._is_behind = False
        self._task: asyncio.Task[None] | None = None

    def hear(self, events: Sequence[Event]) -> None:
        room = _MAX_WAITING - len(self._waiting)
        self._waiting.extend(events[:room])
        if len(events) > room and not self._is_behind:
            self._is_behind = True
            logger.error("%s is not told of events: %d wait for it already", _named(self._handler), _MAX_WAITING)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            _, waiting = await asyncio.wait([self._task], timeout=_CLOSING_SECONDS)
            for task in waiting:
                task.cancel()
                await asyncio.wait([task], timeout=_CLOSING_SECONDS)

    async def _run(self) -> None:
        done = 0
        while self._waiting:
            event = self._waiting.popleft()
            try:
                result = self._handler(event)
                if isawaitable(result):
                    await result
            except (Exception, asyncio.CancelledError) as error:  # theirs: the line it is about is told already
                _check_theirs(error)
                logger.exception("%s failed at event %d of %s", _named(self._handler), event.seq, event.group)
            done += 1
            if done % _AT_ONCE == 0:
                await asyncio.sleep(0)
        self._is_behind, self._task = False, None


async def _ask_others(first: Awaitable[Answer], handlers: Iterable[MayHandler], question: CheckRequest) -> Answer:
    answer = await first
    for handler in handlers if answer is True else ():
        answer_or_later = _ask(handler, question)
        answer = await answer_or_later if isawaitable(answer_or_later) else answer_or_later
        if answer is not True:
            break
    return answer


def _ask(handler: MayHandler, question: CheckRequest) -> Answer | Awaitable[Answer]:
    """Return what *handler* answers, or what will say so."""
    try:
        answer = handler(question.user, question.request)
        return _wait(handler, answer) if isawaitable(answer) else _checked(answer)
    except Refused as refusal:
        return refusal
    except (Exception, asyncio.CancelledError) as error:  # theirs: it costs this request
        _check_theirs(error)
        logger.exception(_FAILED, _named(handler))
        return Refused(ErrorCode.INTERNAL)


async def _wait(handler: MayHandler, waiting: Awaitable[object]) -> Answer:
    try:
        async with asyncio.timeout(_MAY_SECONDS):
            return _checked(await waiting)
    except Refused as refusal:
        return refusal
    except TimeoutError:
        logger.error("%s does not answer: a request is refused", _named(handler))
        return Refused(ErrorCode.UNAVAILABLE)
    except (Exception, asyncio.CancelledError) as error:  # as above
        _check_theirs(error)
        logger.exception(_FAILED, _named(handler))
        return Refused(ErrorCode.INTERNAL)


def _check_theirs(error: BaseException) -> None:
    """Raise *error* again if it is this task that is cancelled, and not one that a handler awaits."""
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
        raise error


def _checked(answer: object) -> bool:
    if not isinstance(answer, bool):
        raise TypeError(f"a handler of `may` returns True or False, not {answer!r}")
    return answer


def _named(handler: Callable[..., object]) -> str:
    return getattr(handler, "__qualname__", repr(handler))
