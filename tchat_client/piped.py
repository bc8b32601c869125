"""Lines of standard input, without a prompt: those of a pipe in order, those of a plain terminal as they come."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence

from attrs import define

from libtchat.message.reply import Error
from libtchat.message.request import Register, Request
from libtchat.mirror import Heard, Notice
from tchat_client.errors import Misused, NoReply
from tchat_client.lasting import last
from tchat_client.link import Link
from tchat_client.reader import Reader
from tchat_client.sanitise import clean, json_line
from tchat_client.session import Session

__all__ = ["read_lines", "run_lines", "run_piped"]


class _Piped(Session):
    """A session in which a line is done when it is answered."""

    async def request(self, request: Request) -> None:
        if isinstance(request, Register) and not request.password:
            await self.new_password()
        else:
            try:
                await self.link.ask(request)
            except NoReply:
                if self.link.is_ours:
                    raise


@define(eq=False, kw_only=True)
class _PipedJson(_Piped):
    """The same for programs: *emit* prints one message; what `write` would tell people is left out."""

    emit: Callable[[str], None]

    def heard(self, notices: Sequence[Notice]) -> None:
        for notice in notices:
            if isinstance(notice, Heard) and not notice.quiet:
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


async def run_piped(link: Link, session: Session, lines: AsyncIterator[str], *, is_json: bool = False) -> int:
    """Do *lines* in their order, each when the one before is answered; print what arrives meanwhile.

    Args:
        is_json: print the messages as they are, one per line, and nothing else.

    Returns:
        The exit code: 0, or 1 if a line was mistyped or refused.
    Raises:
        LinkError: there is no connection, or no longer; what `Link.open` raises.
    """
    common = (link, session.renderer, session.state)
    piped = (
        _PipedJson(*common, _leave_out, session.traces, emit=session.write)
        if is_json
        else _Piped(*common, session.write, session.traces)
    )
    link.watcher = piped
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
        await link.quit()
    return 1 if piped.failures else 0


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


async def read_lines(descriptor: int = 0) -> AsyncIterator[str]:
    """Yield the lines of standard input, or another *descriptor*, as they come, without their ends.

    A thread of its own reads, because nothing else waits for a terminal, a file and a pipe alike; and it reads the
    descriptor, because a thread inside `sys.stdin` would abort the interpreter's exit.

    Raises:
        Misused: a line is not UTF-8.
    """
    loop, chunks = asyncio.get_running_loop(), asyncio.Queue[bytes](maxsize=16)

    def read() -> None:
        data = b"?"
        while data:
            try:
                data = os.read(descriptor, 65_536)
            except OSError:
                data = b""
            try:
                asyncio.run_coroutine_threadsafe(chunks.put(data), loop).result()
            except RuntimeError:
                return  # the loop is gone: nobody wants more

    threading.Thread(target=read, daemon=True).start()
    number, rest, is_open = 0, b"", True
    while is_open:
        data = await chunks.get()
        is_open = bool(data)
        *lines, rest = (rest + data).split(b"\n")
        if not is_open and rest:
            lines.append(rest)
        for line in lines:
            number += 1
            try:
                yield line.decode("utf-8").removesuffix("\r")
            except UnicodeDecodeError:
                raise Misused("bad-utf8", line=number) from None
