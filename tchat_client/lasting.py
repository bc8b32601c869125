"""The commands for scripts that outlive a connection: `tail` and `send --stdin line` come back and resume exactly.

What was missed is fetched by `seq`, which the mirror does (R-client-catch-up); a text whose answer was lost is sent
again with the same `id`, which the server knows (R-retry-reconnect).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial

from libtchat.message.event import Event, Left
from libtchat.message.names import group_key, user_key
from libtchat.message.reply import Error
from libtchat.message.request import ListMessages, Say
from libtchat.mirror import Gone, Heard, Missing, Notice
from tchat_client.errors import Refused
from tchat_client.link import Link, Offline, Online, Status
from tchat_client.patience import patiently, persistently
from tchat_client.render import Renderer
from tchat_client.script import Output, Script
from tchat_client.settings import State

__all__ = ["Changes", "Lasting", "Tail", "last", "say_each", "tail"]

_PASSES = ("rate-limited", "unavailable")  # what may be tried again as it is


async def last(link: Link, work: Awaitable[None]) -> None:
    """Do *work* over as many connections as it takes; the first one must be had at once.

    Raises:
        LinkError, HelloRefused: what `Link.run` raises, and what *work* does.
    """
    connected, working = asyncio.ensure_future(link.run()), asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({connected, working}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        connected.cancel()
        working.cancel()
        await asyncio.gather(connected, working, return_exceptions=True)


class Changes:
    """Tells why there is no connection, each reason once, and that there is one again.

    Args:
        tell: takes a code for programs, and a sentence for people.
    """

    def __init__(self, renderer: Renderer, tell: Callable[[str, str], None]) -> None:
        self._renderer, self._tell = renderer, tell
        self._reason = ""

    def take(self, status: Status) -> None:
        """Tell what changed."""
        say = self._renderer.language.text
        match status:
            case Offline(seconds=seconds, cause=cause):
                reason = self._renderer.reason(cause)
                if reason != self._reason:
                    self._tell("offline", f"{reason} ({self._renderer.offline(seconds)})")
                self._reason = reason
            case Online(is_back=is_back):
                self._reason = ""
                if is_back:
                    self._tell("back", say("back"))
            case _:
                pass


class Lasting(Script):
    """Tells what happens to the connection."""

    def __init__(
        self,
        state: State,
        tracer: Callable[[str, str], None] | None,
        output: Output,
        tell: Callable[[str, str], None],
    ) -> None:
        super().__init__(state, tracer)
        self.output = output
        self._tell = tell
        self._changes = Changes(output.renderer, tell)

    def status(self, status: Status) -> None:
        """Tell what changed."""
        self._changes.take(status)
        if isinstance(status, Online):
            self.output.renderer.me = "" if self.link is None else self.link.mirror.name


class Tail(Lasting):
    """Prints a group's events, each once, until there were enough of them, or one is out of the group."""

    group: str = ""
    done: asyncio.Event
    count: int | None = None
    is_out: bool = False

    def follow(self, group: str, count: int | None) -> None:
        """Print what happens in *group*; *count*: how many events are enough."""
        self.group, self.count = group, count
        self.done = asyncio.Event()

    def heard(self, notices: Sequence[Notice]) -> None:
        """Print what happens in the group."""
        for notice in notices:
            if self.done.is_set():
                return
            match notice:
                case Heard(message=event) if isinstance(event, Event) and self._is_here(event.group):
                    self._happened(event)
                case Missing(group=group, count=count) if self._is_here(group):
                    self._tell("missing", self.output.renderer.language.text("missing", count=count))
                case Gone(group=group) if self._is_here(group):
                    self.is_out = True
                    self.done.set()
                case _:
                    pass

    def _is_here(self, group: str) -> bool:
        return group_key(group) == group_key(self.group)

    def _happened(self, event: Event) -> None:
        self.output.message(event)
        self.count = None if self.count is None else self.count - 1
        about = event.sender if isinstance(event, Left) else getattr(event, "dest", "")
        self.is_out = bool(about) and self.link is not None and user_key(about) == user_key(self.link.mirror.name)
        if self.count == 0 or self.is_out:
            self.done.set()


async def tail(link: Link, watcher: Tail, seconds: float | None) -> None:
    """Print what happens in a group as it happens, until *watcher* has enough, *seconds*, or an interrupt.

    Raises:
        Refused: one is not a member, or no longer.
    """
    await link.opened.wait()
    view = link.mirror.groups.get(group_key(watcher.group))
    if not link.is_ours or (view is not None and view.is_member):
        try:
            async with asyncio.timeout(seconds):
                await watcher.done.wait()
        except TimeoutError:
            return
        if not watcher.is_out:
            return
    raise Refused(Error("not-member", group=watcher.group), ListMessages(watcher.group))


async def say_each(link: Link, output: Output, group: str, texts: AsyncIterator[str]) -> None:
    """Send each of *texts* to *group*, once, whatever becomes of the connection meanwhile."""
    async for text in texts:
        if text:
            await _say(link, output, Say(group, text, id=secrets.token_hex(8)))


async def _say(link: Link, output: Output, request: Say) -> None:
    """Send one text; where the server asks for patience, have it. Another kind of server might do it twice."""
    ask = partial(persistently, link.ask, ready=link.opened.wait, may_repeat=lambda: link.is_ours)
    answer = await patiently(ask, request, passes=_PASSES)
    if output.is_json:
        output.message(answer)
