"""Proofs that all is told which was acknowledged anywhere: a mark in the stream, and everything before it followed.

To ask the engine's leader how far the stream is would be no proof: one that was cut off believes to lead for some
seconds more. A mark that was acknowledged is on a majority, and after all that was acknowledged before it.
"""

from __future__ import annotations

import asyncio
import secrets

from tchat_server.store.event_log import LogUnavailable
from tchat_server.store.nats.errors import EngineGone
from tchat_server.store.nats.follower import Follower
from tchat_server.store.nats.publisher import Publisher
from tchat_server.store.nats.record import Mark, encode_record
from tchat_server.supervisor import end

__all__ = ["Proofs"]


class Proofs:
    """Makes one proof at a time; who asks meanwhile shares the next one."""

    def __init__(self, publisher: Publisher, follower: Follower, subject: str) -> None:
        self._publisher, self._follower, self._subject = publisher, follower, subject
        self._next: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self.proofs_total = 0

    def reached(self) -> asyncio.Future[None]:
        """Wait until all is told that was acknowledged before. It raises LogUnavailable if that can't be known."""
        loop = asyncio.get_running_loop()
        if self._next is None:
            self._next = loop.create_future()
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._prove())
        return asyncio.shield(self._next)  # who waits no more leaves it to the others

    async def close(self) -> None:
        """Prove no more."""
        if self._task is not None:
            await end((self._task,))
        if self._next is not None:
            self._next.set_exception(LogUnavailable("the log is closed"))
            self._next = None

    async def _prove(self) -> None:
        while (asked := self._next) is not None:
            self._next = None
            try:
                number = await self._publisher.mark(self._subject, encode_record(Mark(secrets.token_hex(8))))
                await self._follower.passed(number)
            except EngineGone as error:
                asked.set_exception(LogUnavailable(f"the engine: {error}"))
            except asyncio.CancelledError:
                asked.set_exception(LogUnavailable("the log is closed"))
                raise
            else:
                self.proofs_total += 1
                asked.set_result(None)
