"""The groups that a client is to be in: joined when it connects, and again when a connection finds it outside."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from attrs import define, field

from libtchat.message.errors import ErrorCode
from libtchat.message.names import group_key
from libtchat.message.reply import Foreign, Message
from libtchat.message.request import Join, Request
from libtchat.mirror import Mirror
from tchat_client.errors import LinkError, Refused

__all__ = ["Joining"]

_logger = logging.getLogger("tchat_client")


@define(eq=False)
class Joining:
    """Joins *groups*, of which *mirror* knows whether one is a member, by *ask*.

    Attributes:
        tasks: what goes on after a connection came back.
    """

    groups: tuple[str, ...]
    mirror: Mirror
    ask: Callable[[Request], Awaitable[Message | Foreign]]
    tasks: set[asyncio.Task[None]] = field(factory=set, init=False)

    async def join(self) -> None:
        """Join those that one is no member of. Raises what `Client.ask` does."""
        for group in self.groups:
            view = self.mirror.groups.get(group_key(group))
            if view is None or not view.is_member:
                try:
                    await self.ask(Join(group))
                except Refused as refused:
                    if refused.code is not ErrorCode.ALREADY_MEMBER:
                        raise

    def join_soon(self) -> None:
        """Do it in a task, and log what is refused."""
        task = asyncio.create_task(self._try())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _try(self) -> None:
        try:
            await self.join()
        except Refused as refused:
            _logger.warning("%s", refused)
        except LinkError:
            pass  # another connection joins
