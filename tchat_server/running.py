"""One run of a chat, from its start to its end: what runs, in whose task, and how a fault reaches that."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from tchat_server.misuse import ChatFailed, Misused
from tchat_server.net.ending import CloseReason
from tchat_server.operator.operator import Operator
from tchat_server.retention import Retention, keep_to
from tchat_server.server import Server
from tchat_server.watchdog import Watchdog

__all__ = ["Running"]


class Running:
    """A server that runs in the task that makes this.

    If the server fails, that task is cancelled, so that it leaves what it does, ends the server and hears of the fault.
    """

    def __init__(self, server: Server, keep: Retention) -> None:
        self.server, self.watchdog = server, Watchdog(server)
        self._loop, self._host = asyncio.get_running_loop(), asyncio.current_task()
        self._has_cancelled = False
        server.supervisor.start(self.watchdog.run())
        server.supervisor.start(keep_to(keep, server.log))
        server.supervisor.failed.add_done_callback(self._fail)

    async def begin(self) -> None:
        """Learn who may not come in, and let an operator ask. If that fails everything is closed.

        Raises:
            LogUnavailable: the storage can't tell now.
        """
        try:
            await Operator(self.server).begin()
        except BaseException:
            await self.server.stop(0.0)
            raise

    def check(self) -> None:
        """Check that this may be used now, from here.

        Raises:
            ChatFailed: the server failed.
            Misused: this is another thread, or another event loop.
        """
        self.raise_fault()
        self.check_loop()

    def check_loop(self) -> None:
        """Raise Misused in another thread, or another event loop."""
        with suppress(RuntimeError):  # there is no event loop here
            if asyncio.get_running_loop() is self._loop:
                return
        raise Misused(
            "the chat lives on another event loop: call it from `async def` code there, or from another thread with "
            "asyncio.run_coroutine_threadsafe"
        )

    def raise_fault(self) -> None:
        """Raise ChatFailed if the server failed."""
        failed = self.server.supervisor.failed
        if failed.done() and not failed.cancelled():
            raise ChatFailed("the chat failed: its cause says where") from failed.exception()

    async def stop(self, grace_seconds: float, error: BaseException | None) -> None:
        """End the server; *error* is what the host's block ended with.

        Raises:
            ChatFailed: the server failed.
        """
        has_cancelled = self._has_cancelled and asyncio.current_task() is self._host
        if has_cancelled and not isinstance(error, asyncio.CancelledError):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)  # it was on its way
        if has_cancelled and self._host is not None:
            self._host.uncancel()
        await self.server.stop(grace_seconds)
        self.raise_fault()

    def _fail(self, failed: asyncio.Future[None]) -> None:
        if failed.cancelled() or self.server.is_stopping:
            return
        self._has_cancelled = self._host is not None and self._host.cancel()
        if not self._has_cancelled:  # whoever started it is not there any more
            for peer in self.server.peers:
                peer.abort(CloseReason.FAULT)
