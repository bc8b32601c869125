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
        self._waiting: list[asyncio.Future[None]] = []
        self._task: asyncio.Task[None] | None = None
        self.proofs_total = 0

    def reached(self) -> asyncio.Future[None]:
        """Wait until all is told that was acknowledged before. It raises LogUnavailable if that can't be known."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.append(future)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._prove())
        return future

    async def close(self) -> None:
        """Prove no more."""
        if self._task is not None:
            await end((self._task,))
        self._settle(self._waiting, LogUnavailable("the log is closed"))

    async def _prove(self) -> None:
        while self._waiting:
            asked, self._waiting = self._waiting, []
            try:
                number = await self._publisher.mark(self._subject, encode_record(Mark(secrets.token_hex(8))))
                await self._follower.passed(number)
            except EngineGone as error:
                self._settle(asked, LogUnavailable(f"the engine: {error}"))
            except asyncio.CancelledError:
                self._settle(asked, LogUnavailable("the log is closed"))
                raise
            else:
                self.proofs_total += 1
                self._settle(asked, None)

    @staticmethod
    def _settle(asked: list[asyncio.Future[None]], error: LogUnavailable | None) -> None:
        for future in asked:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
