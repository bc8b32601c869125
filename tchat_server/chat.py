"""A chat server inside somebody's asyncio program: it starts and stops with it, and serves its users."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, cast

from libtchat.effect import PresenceScope, Registration
from libtchat.group import fold
from libtchat.hub.hub import Hub
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.event import Said
from libtchat.message.limits import DEFAULT_LIMITS, ServerLimits
from libtchat.message.names import check_user_name, group_key
from libtchat.message.reply import Message
from libtchat.message.request import Join, Request, Say
from tchat_server.arguments import check_handler, check_listening, check_log, check_name, check_options, open_log
from tchat_server.hooks import Hooks, MayHandler, OnEventHandler
from tchat_server.misuse import Misused, NotRunning
from tchat_server.peer import Peer, ask
from tchat_server.retention import ALL, Retention
from tchat_server.running import Running
from tchat_server.server import Server
from tchat_server.store.event_log import EventLog
from tchat_server.store.memory import MEMORY

__all__ = ["Chat", "server_of"]

_May = TypeVar("_May", bound=MayHandler)
_OnEvent = TypeVar("_OnEvent", bound=OnEventHandler)


class Chat:
    """One chat server, for `async with`: groups, users and their history, without a process of its own.

    It may be entered again after it ended; two of them know nothing of each other. All methods are for the event loop
    it was entered on, but for `is_alive`, `is_ready` and `metrics`.

    Args:
        log: where everything is kept: the path of an SQLite file, ":memory:", an `EventLog` of your own, or a
            function, perhaps a coroutine function, that opens one each time the chat starts. The chat closes it.
        limits: what one user, one connection and the whole may have.
        keep: how much of each group's history is kept: `Retention(days=30)`. A log of your own has `remove_old` then.
        name: of the server, for people.
        presence: who hears that a user came or went.
        require_auth: names that nobody vouches for need a password.
        registration: who may set a first password: everybody, who was given a code, nobody.
        grace_seconds: how long its end may take: what was accepted is stored and told, and clients are told goodbye.
        hub: makes the brain; for `tchat-server`, which may be one of several.
        shell: makes the server; for `tchat-server`, which does more.
    """

    def __init__(
        self,
        log: str | Path | EventLog | Callable[[], EventLog | Awaitable[EventLog]] = MEMORY,
        *,
        limits: ServerLimits = DEFAULT_LIMITS,
        name: str = "tchat",
        presence: PresenceScope = "auto",
        require_auth: bool = False,
        keep: Retention = ALL,
        registration: Registration = "open",
        grace_seconds: float = 5.0,
        hub: Callable[..., Hub] = Hub,
        shell: Callable[..., Any] = Server,
    ) -> None:
        check_options(name, limits, presence, registration, keep, grace_seconds)
        check_log(log)
        self.name: str = name
        self._log, self._limits = log, limits
        self._presence, self._require_auth, self._registration = presence, require_auth, registration
        self._keep, self._grace_seconds, self._make_hub, self._shell = keep, grace_seconds, hub, shell
        self._may: list[MayHandler] = []
        self._on_event: list[OnEventHandler] = []
        self._run: Running | None = None

    def may(self, handler: _May) -> _May:
        """Have *handler* asked, before it is decided, whether a user may ask for something; use it as a decorator.

        It is called with the user's name and the request (`libtchat.Say`, `Join`...) and returns True or False, or
        raises the `libtchat.Refused` that the user is to read. It may be a coroutine function: only that user waits
        for it, at most ten seconds. If it fails, the request is refused with `internal`.

        A `Hello` comes here when nobody vouches for the name; the user is then the name that it claims, "" for a guest.
        What the program itself asks (`say_as`, `ask_as`) does not come here.

        Raises:
            Misused: the chat runs already, or *handler* is no function.
        """
        check_handler(handler)
        self._check_stopped("say @chat.may before the chat is started")
        self._may.append(handler)
        return handler

    def on_event(self, handler: _OnEvent) -> _OnEvent:
        """Have *handler* called with each event, after it is durable and told; use it as a decorator.

        It may be a coroutine function. What it raises is logged and costs nobody a line; if it does not return, later
        events wait for it, at most 10 000 of them, and nobody else does.

        Raises:
            Misused: the chat runs already, or *handler* is no function.
        """
        check_handler(handler)
        self._check_stopped("say @chat.on_event before the chat is started")
        self._on_event.append(handler)
        return handler

    async def start(self) -> None:
        """Start, as `async with` does; for programs with hooks for their beginning and their end.

        Raises:
            Misused: it runs already, or *log* is none.
            LogUnusable, LogUnavailable: the storage can't be used as it is, or now.
        """
        self._check_stopped("it is started once: a chat is shared by all who use it")
        log = await open_log(self._log, self._limits, self._keep)
        options = (self.name, self._limits, self._presence, self._require_auth, bool(self._may))
        hub = self._make_hub(*options, registration=self._registration)
        server = self._shell(hub, log, limits=self._limits, hooks=Hooks(self._may, self._on_event))
        run = Running(server, self._keep)
        await run.begin()
        self._run = run

    async def stop(self, error: BaseException | None = None) -> None:
        """Stop, as the end of `async with` does; if it does not run, nothing happens.

        Args:
            error: what the program around ends with, if it fails.

        Raises:
            ChatFailed: the chat ended by a fault.
        """
        if self._run is None:
            return
        self._run.check_loop()
        try:
            await self._run.stop(self._grace_seconds, error)
        finally:
            self._run = None

    async def __aenter__(self) -> Chat:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop(error)

    async def listen(
        self, host: str = "127.0.0.1", port: int = 0, *, tls: ssl.SSLContext | None = None
    ) -> tuple[str, int]:
        """Serve TCP too, until the end.

        Args:
            port: 0 takes a free one.
            tls: with a certificate, to speak TLS only.

        Returns:
            The host and port bound.
        Raises:
            OSError: the address can't be bound.
            Misused: it is none, or *tls* no context.
            NotRunning, ChatFailed: see `ChatError`.
        """
        check_listening(host, port, tls)
        return await self._server().listen(host, port, tls)

    def peer(self, user: str | None = None, *, origin: str = "") -> Peer:
        """Return a new connection of *user*, for `async with`: the program around vouches for who it is.

        Args:
            user: the name; None: the client says it itself, as over TCP.
            origin: the address it comes from, if connections and wrong passwords from one address are to be limited.

        Raises:
            Refused: bad-name.
            NotRunning, ChatFailed: see `ChatError`.
        """
        run = self._running()
        if user is not None:
            check_name("user", user)
            check_user_name(user)
        return Peer(lambda: self._server().let_in(user, origin), run.raise_fault, user)

    async def ask_as(self, user: str, request: Request) -> Message:
        """Ask for something on behalf of *user*, who need not be online: nobody is told that he came or went.

        If it is cancelled, what was asked may be done all the same.

        Returns:
            What answers it, from `libtchat`: the event, or the reply.
        Raises:
            Refused: it is refused, with the code a client would be told.
            Misused: it is no request.
            NotRunning, ChatFailed: see `ChatError`.
        """
        run = self._running()
        check_name("user", user)
        insider = run.server.let_in(check_user_name(user), "", on_behalf=True)
        try:
            return await ask(insider, request)
        except Refused:
            run.raise_fault()
            raise
        finally:
            insider.channel.lose()
            await insider.channel.over()

    async def say_as(self, user: str, group: str, msg: str) -> Said:
        """Say *msg* in *group* as *user*, who becomes a member first if need be.

        Raises:
            Refused: group-not-found, invite-required, banned, too-large...
            NotRunning, ChatFailed: see `ChatError`.
        """
        try:
            said = await self.ask_as(user, Say(group, msg))
        except Refused as refusal:
            if refusal.code is not ErrorCode.NOT_MEMBER:
                raise
            try:
                await self.ask_as(user, Join(group))
            except Refused as refused:
                if refused.code is not ErrorCode.ALREADY_MEMBER:  # by another call meanwhile
                    raise
            said = await self.ask_as(user, Say(group, msg))
        return cast(Said, said)

    def online(self) -> tuple[str, ...]:
        """Return the names of all users who are connected."""
        return self._server().hub.online()

    async def members(self, group: str) -> tuple[str, ...]:
        """Return the names of a group's members.

        Raises:
            Refused: group-not-found.
            LogUnavailable: the storage can't tell now.
            NotRunning, ChatFailed: see `ChatError`.
        """
        server = self._server()
        check_name("group", group)
        found = server.hub.group(group)
        if found is None:
            loaded = await server.log.load(group_key(group))
            found = fold(loaded.tail, loaded.snapshot)
        if found is None:
            raise Refused(ErrorCode.GROUP_NOT_FOUND, f"there is no group {group}")
        return tuple(name for _, name in sorted(found.members.items()))

    def is_alive(self) -> bool:
        """Tell whether it runs and its event loop turns; may be called from another thread."""
        return self._run is not None and self._run.watchdog.is_alive()

    def is_ready(self) -> bool:
        """Tell whether it takes clients in and its storage answers; may be called from another thread."""
        run = self._run
        return run is not None and not run.server.supervisor.failed.done() and run.server.serves()

    def metrics(self) -> str:
        """Return what there is to measure, as Prometheus reads it; may be called from another thread."""
        return "" if self._run is None else self._run.server.measured()

    def _server(self) -> Server:
        return self._running().server

    def _check_stopped(self, advice: str) -> None:
        if self._run is not None:
            raise Misused(f"the chat runs already: {advice}")

    def _running(self) -> Running:
        if self._run is None:
            raise NotRunning("the chat does not run: `async with chat:` starts it, and stops it at its end")
        self._run.check()
        return self._run


def server_of(chat: Chat) -> Server:
    """Return the server of a chat that runs; for what is in this package only."""
    return chat._server()
