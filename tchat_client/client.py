"""A client for programs: connected inside `async with`, heard by `async for`, one method for each request."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection, Mapping
from functools import partial
from types import TracebackType

from libtchat.message.reply import Foreign, Message, Registered
from libtchat.message.request import Hello, Quit, Register, ReportError, Request
from libtchat.mirror import Mirror, Notice
from tchat_client import arguments
from tchat_client.errors import Misused, NoAnswer, NotOpen
from tchat_client.inbox import Inbox
from tchat_client.joining import Joining
from tchat_client.link import Link, Times
from tchat_client.patience import may_repeat, patiently, persistently
from tchat_client.requesting import Requesting

__all__ = ["Client"]


class Client(Requesting):
    """A user of a chat server, for a program.

        async with Client("127.0.0.1:8080", "robot", groups=["wob"]) as chat:
            async for heard in chat:
                match heard.message:
                    case Said(sender=who, group=group) if not heard.mine and not heard.missed:
                        await chat.say(group, f"hello {who}")

    Inside `async with` it is connected. When the connection goes it comes back, and what was missed meanwhile is heard
    in order, each event once. `async for` yields notices: `Heard` with a `message`, and `CaughtUp`, `Missing` and
    `Gone`, whose `message` is None. Answers to one's own questions are not heard: the method that asked returns them.
    An exception in the block comes out of it, after the connection was closed.

    Several tasks may send; one at a time may hear. A client is used once: make another one to connect again.

    Args:
        address: `HOST:PORT`; the port is 8080 if it is left out. Several that are one server are joined by commas:
            when one is gone the client goes to the next.
        name: who to be; None for a guest, whom the server gives a name.
        groups: to be in these: whoever is no member yet joins when it connects. The groups must exist.
        resume: where an earlier run of the program ended: for each group the `seq` of the last event it dealt with,
            or better `(seq, ts)`, which also tells when the server has begun the group anew. What happened in these
            groups since then is heard first, with `missed`. 0 is the group's beginning.
        password: if the name has one.
        token: what `Client.token` was at the end of an earlier run: it proves that one is the same user while the
            server still holds that run's connection.
        tls: True to encrypt and check the server by the certificates of this machine, or a context of your own.
        retry: wait for the next connection as long as it takes, and ask again there what has no answer: the server does
            it once. `NoAnswer` is left for `tell`, `broadcast` and `register`, which a server may do twice.
        times: how long to wait for what, before a connection is tried again too.
        most_waiting: how many notices may wait to be heard before the server is not read from. A program that sends
            and never hears is not held up by it: ten times as many are kept for it, then the oldest are dropped, and
            `Missing` says how many.

    Raises:
        Misused: an argument makes no sense; the sentence names it.
    """

    def __init__(
        self,
        address: str,
        name: str | None = None,
        *,
        groups: Collection[str] = (),
        resume: Mapping[str, int | tuple[int, str]] | None = None,
        password: str | None = None,
        token: str | None = None,
        tls: bool | ssl.SSLContext = False,
        retry: bool = False,
        times: Times | None = None,
        most_waiting: int = 1000,
    ) -> None:
        most = arguments.at_least_one("most_waiting", most_waiting)
        self._inbox = Inbox(most, lambda: self._link.pump(), lambda: self._joining.join_soon())
        first, *others = arguments.addresses(address)
        self._link = Link(
            first,
            arguments.name(name, password),
            arguments.context(tls),
            arguments.secret("token", token),
            arguments.secret("password", password),
            self._inbox,
            arguments.times(times),
            follows=True,
            others=tuple(others),
        )
        self._joining = Joining(arguments.groups(groups), self._link.mirror, self.ask)
        arguments.resume(self._link.mirror, resume or {})
        self._retry = retry
        self._running: asyncio.Task[None] | None = None
        self._is_closed = self._is_heard = self._was_told = False

    @property
    def name(self) -> str:
        """One's name as the server shows it; that of a guest is known once one is connected."""
        return self.mirror.name or self._link.name or ""

    @property
    def token(self) -> str | None:
        """What proves to the server that one is the same user; it changes with the connections. Keep it secret."""
        return self._link.token

    @property
    def mirror(self) -> Mirror:
        """What is known of the groups and their members: to be read only."""
        return self._link.mirror

    @property
    def is_online(self) -> bool:
        """Whether there is a connection now. A request made while there is none waits for the next one."""
        return self._link.is_open

    async def __aenter__(self) -> Client:
        """Connect, say hello, join the groups.

        Raises:
            CannotConnect: nobody answers at the address, or not in time.
            NotTchat: what answers is no tchat server.
            HelloRefused: the server does not accept the name, the password or the token.
            Unprotected: a password was given for a name that has none.
            Refused: a group of `groups` cannot be joined.
        """
        if self._running is not None:
            raise NotOpen("cause.other", detail="a client is used once: make another Client(...)")
        self._running = asyncio.create_task(self._link.run())
        self._running.add_done_callback(lambda _: self._inbox.close())
        try:
            await self._opened()
            await self._joining.join()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, where: TracebackType | None
    ) -> None:
        """Say goodbye and close. Raises why the server let one in no more, if the block has not been told."""
        await self._close()
        if problem is None and not self._was_told and (failure := self._failure()) is not None:
            raise failure

    async def quit(self) -> None:
        """Say goodbye and close: what was heard before can still be taken, then `async for` ends."""
        self._check_here()
        await self._close()

    async def _close(self) -> None:
        self._is_closed = True
        tasks = [task for task in (self._running, *self._joining.tasks) if task is not None]
        for task in tasks:
            task.cancel()
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            await self._link.quit()

    def _check_here(self) -> None:
        """Raise NotOpen before the block, and Misused in another thread's event loop while this one goes on."""
        if self._running is None:
            raise NotOpen("cause.other", detail=_NOT_YET)
        if not self._running.done() and self._running.get_loop() is not asyncio.get_running_loop():
            raise Misused("cause.other", detail=_ELSEWHERE)

    def _failure(self) -> BaseException | None:
        """Return why one is not connected any more, and will not be; None if there is no such reason."""
        task = self._running
        return task.exception() if task is not None and task.done() and not task.cancelled() else None

    def __aiter__(self) -> Client:
        """Hear what happens, until one quits."""
        return self

    async def __anext__(self) -> Notice:
        """Return what was heard next.

        Raises:
            NotOpen: outside of `async with`.
            Misused: another task hears already.
            HelloRefused: after a lost connection the server did not let one in again.
        """
        self._check_here()
        if self._is_heard:
            raise Misused("cause.other", detail="another task iterates over this client already: let one task hear")
        self._is_heard = True
        try:
            notice = await self._inbox.get()
        finally:
            self._is_heard = False
        if notice is not None:
            return notice
        self._tell_failure()
        raise StopAsyncIteration

    def _tell_failure(self) -> None:
        if (failure := self._failure()) is not None:
            self._was_told = True
            raise failure

    async def ask(self, request: Request) -> Message | Foreign:
        """Send any request of `libtchat` and return what answers it.

        Without a connection it waits for the next one. A request that is refused with `rate-limited` is made again
        after the time that the server names.

            answer = await chat.ask(ListMembers("wob"))

        Raises:
            Refused: the server refused; nothing has changed.
            NoAnswer: the connection went, or no answer came in time: it may or may not have been done. `request` is
                what was asked: asked again it is the same request, which a server of this protocol does once.
            NotOpen: outside of `async with`, or after one has quit.
            Misused: a field is no text or number, it is no request or one that the client makes itself, or this is
                another event loop than that of `async with`.
        """
        self._check_here()
        try:
            request = self._link.client.complete(request)
        except TypeError as error:
            raise Misused("cause.other", detail=error) from None
        if isinstance(request, Hello | Quit | ReportError):
            raise Misused("cause.other", detail=f"{request.action}: `async with` says hello, and `quit` goodbye")
        answer = await patiently(self._asked, request)
        if isinstance(request, Register) and isinstance(answer, Registered):
            self._link.password = request.password
        return answer

    async def _asked(self, request: Request) -> Message | Foreign:
        def may_ask_again() -> bool:
            return self._retry and self._link.is_ours and may_repeat(request)

        ready = partial(self._until_open, request)
        with self._inbox.awaiting():
            return await persistently(self._link.ask, request, ready=ready, may_repeat=may_ask_again)

    async def _until_open(self, request: Request) -> None:
        """Wait until *request* can be sent: as long as for an answer, or as long as it takes."""
        if self._link.is_open and not self._is_closed:
            return
        seconds = self._link.times.answer_seconds
        try:
            async with asyncio.timeout(None if self._retry else seconds):
                while not await self._opened():
                    pass
        except TimeoutError:
            problem = NoAnswer("cause.other", detail=f"no connection in {seconds:g} s: nothing was sent")
            problem.request = request
            raise problem from None

    async def _opened(self) -> bool:
        """Wait until there is a connection; it may have gone again."""
        assert self._running is not None
        opened = asyncio.ensure_future(self._link.opened.wait())
        try:
            await asyncio.wait({opened, self._running}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            opened.cancel()
        self._tell_failure()
        if self._is_closed or self._running.done():
            raise NotOpen("cause.other", detail=_NO_MORE)
        return self._link.is_open


_NOT_YET = "there is no connection yet: use the client inside `async with Client(...) as chat:`"
_ELSEWHERE = (
    "this client lives on another event loop: ask it in `async def` code there, or from another thread with "
    "asyncio.run_coroutine_threadsafe"
)
_NO_MORE = "this client was closed: nothing can be asked any more"
