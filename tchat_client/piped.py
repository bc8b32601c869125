"""Lines without a prompt: those of a pipe are done in order, those of a plain terminal as they come."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress

from attrs import define, evolve, field

from libtchat.commands import unparse
from libtchat.message.event import Created, Event, Joined
from libtchat.message.names import Key, group_key
from libtchat.message.reply import Error, Foreign, Message
from libtchat.message.request import Register, Request
from libtchat.mirror import Heard, Notice
from libtchat.mirror import NoAnswer as Unanswered
from tchat_client.errors import NoAnswer, NoReply, Refused
from tchat_client.lasting import Changes, last
from tchat_client.link import Link, Online, Status
from tchat_client.patience import MAX_TRIES, may_repeat, patiently, persistently
from tchat_client.reader import Reader
from tchat_client.sanitise import clean, json_line
from tchat_client.session import Session

__all__ = ["run_lines", "run_piped"]


@define(eq=False, kw_only=True)
class _Piped(Session):
    """A session in which a line is done when it is answered; one that is too fast for the server waits, and is done.

    With several servers that are one it outlives a connection: what was not answered is asked again at the next of
    them, with its `id`, so that it is done once (R-retry-reconnect); what happened meanwhile is printed then.

    Attributes:
        tell: tells what happened to the connection: a code for programs, a sentence for people.
        is_unsure: the answer to what may not be asked twice was lost.
    """

    tell: Callable[[str, str], None]
    is_unsure: bool = field(default=False, init=False)
    _changes: Changes = field(init=False)
    _told: set[tuple[Key, int]] | None = field(default=None, init=False)
    _passes: tuple[str, ...] = field(default=(), init=False)
    _has_heard: asyncio.Event = field(factory=asyncio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self._changes = Changes(self.renderer, self.tell)

    @property
    def code(self) -> int:
        """The exit code: a line was refused or mistyped, or it is not known what became of one."""
        return NoAnswer.exit_code if self.is_unsure else 1 if self.failures else 0

    async def line(self, text: str) -> bool:
        if self.link.others:
            await self.link.opened.wait()
        return await super().line(text)

    async def request(self, request: Request) -> None:
        if isinstance(request, Register) and not request.password:
            await self.new_password()
        elif self.link.others:
            await self._insist(evolve(request, id=self.link.client.new_id()))
        else:
            try:
                await self._ask(request)
            except NoReply:
                if self.link.is_ours:
                    raise

    async def _ask(self, request: Request, *more_passes: str) -> Message | Foreign:
        """Ask, and have the patience that the server asks for: of such refusals only the last one is printed."""
        self._passes = ("rate-limited", *more_passes)
        try:
            return await patiently(self.link.ask, request, passes=self._passes, tries=MAX_TRIES)
        except Refused as refused:
            if refused.error.code in self._passes:
                self.show([Heard(refused.error, request)])
            return refused.error
        finally:
            self._passes = ()

    async def _insist(self, request: Request) -> None:
        """Ask over as many connections as it takes, and print what answers it once."""
        is_repeatable = self.link.is_ours and may_repeat(request)
        self._told = set()

        async def ask(request: Request) -> Message | Foreign:
            return await (self._ask(request, "unavailable") if is_repeatable else self._ask(request))

        try:
            answer = await persistently(ask, request, ready=self.link.opened.wait, may_repeat=lambda: is_repeatable)
            if isinstance(answer, Created | Joined):
                self.link.mirror.focus(answer.group)  # told again, it is no news to the mirror
        except NoAnswer as problem:
            if is_repeatable:
                raise
            if self.link.is_ours or not isinstance(problem, NoReply):
                self.is_unsure = True
                self.tell("no-answer", clean(f"{unparse(request)}: {self.renderer.language.text('no-answer')}"))
        finally:
            self._told = None

    async def settle(self) -> None:
        """Wait until what was missed is printed, as long as for an answer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.link.times.answer_seconds):
                while any(view.has_gap for view in self.link.mirror.groups.values()):
                    self._has_heard.clear()
                    await self._has_heard.wait()

    def heard(self, notices: Sequence[Notice]) -> None:
        self.show([notice for notice in notices if self._is_new(notice)])
        self._has_heard.set()

    def show(self, notices: Sequence[Notice]) -> None:
        """Print what is to be shown."""
        super().heard(notices)

    def _is_new(self, notice: Notice) -> bool:
        """Tell whether *notice* is to be printed: an event that answers what was asked again may have been fetched."""
        if notice.quiet or (isinstance(notice, Unanswered) and self.link.others):
            return False
        if isinstance(notice.message, Error) and notice.request is not None and notice.message.code in self._passes:
            return False
        if self._told is None or not isinstance(notice.message, Event):
            return True
        place = (group_key(notice.message.group), notice.message.seq)
        is_new = place not in self._told
        self._told.add(place)
        return is_new

    def status(self, status: Status) -> None:
        if isinstance(status, Online) and not status.is_back:
            self.greet()
        self._changes.take(status)


@define(eq=False, kw_only=True)
class _PipedJson(_Piped):
    """The same for programs: *emit* prints one message; what `write` would tell people is left out."""

    emit: Callable[[str], None]

    def show(self, notices: Sequence[Notice]) -> None:
        for notice in notices:
            if isinstance(notice, Heard):
                message = notice.message
                self.failures += isinstance(message, Error) and notice.request is not None and not self.selects(notice)
                self.emit(json_line(message))

    def complain(self, text: str) -> None:
        self.failures += 1
        self.emit(json_line(Error("bad-request", msg=clean(text))))

    def trace(self, direction: str, text: str) -> None:
        print(self.renderer.trace(direction, text), file=sys.stderr, flush=True)


def _leave_out(line: str) -> None:
    pass


async def run_piped(
    link: Link,
    session: Session,
    lines: AsyncIterator[str],
    tell: Callable[[str, str], None],
    *,
    is_json: bool = False,
) -> int:
    """Do *lines* in their order, each when the one before is answered; print what arrives meanwhile.

    With several servers that are one it goes on at the next when the connection goes.

    Args:
        tell: tells what happened to the connection: a code for programs, a sentence for people.
        is_json: print the messages as they are, one per line, and nothing else.

    Returns:
        The exit code: 0, 1 if a line was mistyped or refused, 4 if it is not known what became of one.
    Raises:
        LinkError: there is no connection, or no longer; what `Link.open` raises.
    """
    common = (link, session.renderer, session.state)
    piped = (
        _PipedJson(*common, _leave_out, session.traces, tell=tell, emit=session.write)
        if is_json
        else _Piped(*common, session.write, session.traces, tell=tell)
    )
    link.watcher = piped
    try:
        if link.others:
            link.follows = True
            await last(link, _do_all(link, piped, lines))
        else:
            await _do_until_closed(link, piped, lines)
    finally:
        await link.quit()
    return piped.code


async def _do_all(link: Link, piped: _Piped, lines: AsyncIterator[str]) -> None:
    await _do_lines(link, piped, lines)
    await piped.settle()


async def _do_until_closed(link: Link, piped: _Piped, lines: AsyncIterator[str]) -> None:
    """Do *lines* over one connection; raises LinkError when it goes."""
    await link.open()
    ended = asyncio.create_task(link.closed())
    try:
        piped.greet()
        while (line := await _next(lines, ended)) is not None:
            if not await piped.line(line):
                break
        if ended.done():
            ended.result()
    finally:
        ended.cancel()


async def _next(lines: AsyncIterator[str], ended: asyncio.Task[None]) -> str | None:
    """Return the next line; None if there is none, or the connection ends first."""

    async def read() -> str | None:
        return await anext(lines, None)

    reading = asyncio.create_task(read())
    await asyncio.wait({reading, ended}, return_when=asyncio.FIRST_COMPLETED)
    if reading.done():
        return reading.result()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    return None


async def run_lines(link: Link, session: Reader, lines: AsyncIterator[str]) -> int:
    """Do *lines* as they come, over as many connections as it takes, until they end or one says to quit."""
    link.watcher, link.follows = session, True
    try:
        await last(link, _do_lines(link, session, lines))
    finally:
        session.keep()
        await link.quit()
    return 0


async def _do_lines(link: Link, session: Session, lines: AsyncIterator[str]) -> None:
    await link.opened.wait()
    async for line in lines:
        if not await session.line(line):
            return
