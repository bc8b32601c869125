"""What may happen under a node that runs: its own copy is cut or deleted, its stream is deleted in the engine.

With a harmed copy the node begins anew, and fills another one. Without its stream it is of no use, and says so; it
makes no other one, which would be in the way of a backup.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from tchat_server.store.nats.connection import Connection
from tchat_server.store.nats.errors import EngineGone
from tchat_server.store.nats.stream import Stream, trouble_with
from tchat_server.store.sqlite.cache import Cache
from tchat_server.supervisor import Tasks

__all__ = ["Health"]

LOOK_SECONDS = 1.0
ASK_SECONDS = 5.0
_TIMES = 2
"""How often the engine must say it: while it starts, it may not know its streams for a moment."""

logger = logging.getLogger("tchat_server")


class Health:
    """Looks at the copy and the stream of a node, until it is closed.

    Args:
        position: tells up to which record the node has followed.
        harmed: called once when the copy was harmed.

    Attributes:
        trouble: what is wrong with the stream, "" if nothing; may be read in another thread.
    """

    def __init__(
        self,
        connection: Connection,
        stream: Stream,
        cache: Cache,
        *,
        position: Callable[[], int],
        harmed: Callable[[], None],
    ) -> None:
        self.trouble = ""
        self._connection, self._stream, self._cache = connection, stream, cache
        self._position, self._harmed = position, harmed
        self._tasks = Tasks()
        self._tasks.start(self._look_at_the_copy())
        self._tasks.start(self._ask_for_the_stream())

    def close(self) -> None:
        """Look no more."""
        self._tasks.cancel()

    async def _look_at_the_copy(self) -> None:
        while not self._cache.harm():  # its log has said what
            await asyncio.sleep(LOOK_SECONDS)
        self._harmed()

    async def _ask_for_the_stream(self) -> None:
        times = 0
        while True:
            await asyncio.sleep(ASK_SECONDS)
            try:
                found = await trouble_with(self._connection, self._stream, self._position())
            except EngineGone:
                continue  # the lease sees to that
            times = times + 1 if found else 0
            if times == _TIMES:
                self.trouble = found
                logger.error("engine: %s: nothing can be stored or proved until it is restored from a backup", found)
            elif self.trouble and not found:
                self.trouble = ""
                logger.warning("engine: the stream is there again")
