"""Who waits for the answer to which request."""

from __future__ import annotations

import asyncio

from attrs import define, field

from libtchat.message.reply import Foreign, Message
from tchat_client.errors import LinkError, Lost, NotTchat

__all__ = ["Answers"]


@define(eq=False)
class Answers:
    """The answers that somebody waits for, by the request's id, oldest first."""

    _waiting: dict[str, asyncio.Future[Message | Foreign]] = field(factory=dict)

    async def wait(self, id: str, seconds: float) -> Message | Foreign:
        """Return the answer to the request *id*.

        Raises:
            TimeoutError: none came in so many *seconds*.
            Lost, NotTchat: none can come any more.
        """
        future: asyncio.Future[Message | Foreign] = asyncio.get_running_loop().create_future()
        self._waiting[id] = future
        try:
            async with asyncio.timeout(seconds):
                return await future
        finally:
            self._waiting.pop(id, None)

    def oldest(self) -> str | None:
        """Return the id that has waited longest; None if none does."""
        return next(iter(self._waiting), None)

    def resolve(self, id: str, message: Message | Foreign) -> bool:
        """Give *message* to whoever waits for the answer to *id*; tell whether somebody did."""
        future = self._waiting.pop(id, None)
        if future is None or future.done():
            return False
        future.set_result(message)
        return True

    def fail(self, cause: LinkError | None) -> None:
        """Tell everybody who waits that no answer can come any more."""
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(cause if isinstance(cause, NotTchat) else Lost("outcome-unknown"))
