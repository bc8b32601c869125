"""A user's connection to one server: say hello, send, hear, and come back when the connection goes."""

from __future__ import annotations

import asyncio
import random
import secrets
import ssl
from functools import partial
from typing import TYPE_CHECKING

from attrs import define, field

from libtchat.client import ClientConnection
from libtchat.message.reply import Foreign, Message, Welcome
from libtchat.message.request import Request
from libtchat.mirror import Mirror
from tchat_client.address import Address
from tchat_client.errors import CannotConnect, HelloRefused, LinkError, Lost, NoReply, NotOpen
from tchat_client.introduction import Introduction
from tchat_client.link.connected import Connected
from tchat_client.link.opening import cannot_connect, no_tchat, open_streams
from tchat_client.link.watcher import Offline, Online, Times, Watcher

if TYPE_CHECKING:
    from libtchat.dialect.dialect import Dialect

__all__ = ["Link"]

_PASSES = ("name-in-use", "rate-limited", "unavailable")
"""Refusals of a hello that may pass: somebody who was welcome before tries again."""


@define(eq=False)
class Link:
    """A user's connection to one server, and then the next connection to it.

    Attributes:
        name: who to say hello as, None to be a guest.
        token: shown at the next hello, as the server gave it last.
        dialect: the server's, None if it speaks this protocol or something near.
        follows: keep the mirror complete, members and all, and the connection alive.
        opened: set while there is a connection whose hello was said.
        client: the messages and the view, over all connections.
        others: where the server is too, if it is several that are one: each connection is to the next of them.
        place: the one of `address` and `others` that this connection, or the last try, is to.
    """

    address: Address
    name: str | None = None
    tls: ssl.SSLContext | None = None
    token: str | None = None
    password: str | None = None
    watcher: Watcher = field(factory=Watcher)
    times: Times = field(factory=Times)
    dialect: Dialect | None = None
    follows: bool = False
    opened: asyncio.Event = field(factory=asyncio.Event)
    others: tuple[Address, ...] = ()
    client: ClientConnection = field(init=False)
    place: Address = field(init=False)
    _next_place: int = field(default=0, init=False)
    _was_ours: bool = field(default=False, init=False)
    _connected: Connected | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.client = ClientConnection(self.name, new_id=partial(secrets.token_hex, 8))
        self.place = self.address

    @property
    def places(self) -> tuple[Address, ...]:
        """Where the server is, all of it."""
        return (self.address, *self.others)

    @property
    def mirror(self) -> Mirror:
        """What is known, over all connections."""
        return self.client.mirror

    @property
    def is_ours(self) -> bool:
        """The server speaks this protocol, version 1 or later."""
        return self.client.is_ours

    @property
    def is_open(self) -> bool:
        """Whether requests can be sent now."""
        return self.opened.is_set()

    @property
    def round_trip_seconds(self) -> float | None:
        """How long the last ping took, None before one was answered."""
        return None if self._connected is None else self._connected.round_trip_seconds

    @property
    def answer_seconds(self) -> float:
        """How long to wait for an answer: many other servers answer some requests never."""
        return self.times.answer_seconds if self.is_ours else min(1.0, self.times.answer_seconds)

    async def open(self) -> None:
        """Connect and say hello.

        Raises:
            CannotConnect: nobody answers at the address, or not in time.
            NotTchat: what answers is no tchat server.
            HelloRefused: the server does not accept the name.
        """
        places = self.places
        for left in reversed(range(len(places))):
            self.place = places[self._next_place % len(places)]
            self._next_place += 1
            try:
                await self._open_here(is_last=not left)
                return
            except CannotConnect:
                if not left:
                    raise
            except HelloRefused as refused:
                if not left or refused.error.code != "unavailable":
                    raise

    async def _open_here(self, *, is_last: bool) -> None:
        """Connect to `place` and say hello; raises what `open` does. *is_last*: there is no other to turn to now."""
        times = self.times
        patience = times.connect_seconds if is_last else min(times.connect_seconds, times.hello_seconds)
        streams = await open_streams(self.place, self.tls, self.dialect, patience)
        connected = Connected(
            self.place, self.client, self.watcher, times, self.opened, self.follows, may_turn=bool(self.others)
        )
        self._connected = connected
        connected.start(*streams)
        try:
            await self._hello(connected)
        except BaseException:
            await connected.drop()
            raise
        connected.welcome()

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
                cause = await self._now().end()
            except LinkError as error:
                if not is_back:
                    raise
                cause = error
            except HelloRefused as refused:
                if not is_back or refused.error.code not in _PASSES:
                    raise
                cause = refused
            if cause is None:
                return
            failures = 0 if loop.time() - began > self.times.settled_seconds else failures + 1
            delay = self._delay(failures, is_lost=isinstance(cause, Lost))
            self.watcher.status(Offline(delay, cause))
            await asyncio.sleep(delay)

    def _delay(self, failures: int, *, is_lost: bool) -> float:
        """Return for how long to wait after so many *failures* in a row; who has others to go to turns at once."""
        if is_lost and failures <= len(self.others) and self.others:
            return 0.0
        longest = self.times.last_retry_seconds / len(self.places)  # each of them is tried every time
        return min(longest, self.times.first_retry_seconds * float(2 ** min(failures, 10))) * random.uniform(0.5, 1)

    def send(self, request: Request, *, quiet: bool = False) -> Request:
        """Send *request* when its turn comes; its answer is heard like everything else.

        Returns:
            The request as it is sent: with `id`, and one's name.
        Raises:
            NotOpen: `open` was not called, or one has quit.
            Lost, NotTchat: the connection went.
        """
        return self._now().send(request, quiet=quiet)

    def send_raw(self, text: str) -> None:
        """Send *text* as it is; raises what `send` does."""
        self._now().send_raw(text)

    async def ask(self, request: Request, *, quiet: bool = False, seconds: float | None = None) -> Message | Foreign:
        """Send *request* and return its answer; from a server that is not ours, what came first.

        Args:
            seconds: how long to wait, `answer_seconds` if None.
        Raises:
            NotOpen: `open` was not called, or one has quit.
            Lost: the connection went before.
            NoReply: none came in time.
        """
        seconds = self.answer_seconds if seconds is None else seconds
        return await self._now().ask(request, quiet=quiet, seconds=seconds)

    def pump(self) -> None:
        """Ask for what was missed, if there is a connection and anything is missing."""
        if self._connected is not None:
            self._connected.pump()

    async def closed(self) -> None:
        """Wait until the connection has gone.

        Raises:
            Lost: it went without a goodbye.
        """
        cause = await self._now().end()
        if cause is not None:
            raise cause

    async def quit(self) -> None:
        """Say goodbye and close."""
        if self._connected is not None:
            await self._connected.quit()

    def _now(self) -> Connected:
        if self._connected is None:
            raise NotOpen("cause.other", detail="there is no connection yet: open one first")
        return self._connected

    async def _hello(self, connected: Connected) -> None:
        """Say hello until the server welcomes us; one that never answers is taken to have accepted.

        One of several is ours, and answers, as one does that did before: if it does not, it stands still.
        """
        it, times = self.watcher, self.times
        must_answer = self._was_ours or bool(self.others)
        seconds = max(times.hello_seconds, times.answer_seconds) if must_answer else times.hello_seconds
        me = Introduction(self.name, self.password, self.token, it.kept_token, it.password, it.takes_kept)
        try:
            answer = await me.say(partial(connected.ask, quiet=True, seconds=seconds))
        except NoReply:
            if must_answer:
                raise cannot_connect(self.place, LinkError("cause.timeout", seconds=f"{seconds:g}")) from None
            return
        except Lost as lost:
            raise cannot_connect(self.place, LinkError("closed-by-peer")) from lost
        if isinstance(answer, Welcome):
            self.token, self._was_ours = answer.token or None, self.is_ours
            if self.token and self.name:
                self.watcher.token(self.token)
        elif isinstance(answer, Foreign) and not answer.raw.lstrip().startswith("{"):
            raise no_tchat(self.place)
