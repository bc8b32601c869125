"""Old events are removed while the server runs: at its start and every ten minutes, in small steps (R-op-remove)."""

from __future__ import annotations

import asyncio
import logging

from attrs import frozen

from libtchat.message.names import Key
from tchat_server.clock import time_of_day, time_stamp
from tchat_server.store.event_log import EventLog, LogUnavailable, RemovesOld

__all__ = ["ALL", "Retention"]

logger = logging.getLogger("tchat_server")

_PAUSE_SECONDS = 600.0
_STEP_SECONDS = 0.02
"""Between two steps, for what others want written."""

_DAY_SECONDS = 86_400.0


@frozen
class Retention:
    """How much of each log is kept; None: all.

    Attributes:
        days: what is older goes.
        messages: what is before the last so many texts goes.
    """

    days: float | None = None
    messages: int | None = None

    @property
    def keeps_all(self) -> bool:
        """Whether nothing is ever old."""
        return self.days is None and self.messages is None

    async def keep(self, log: EventLog) -> None:
        """Remove what is old, again and again, until cancelled. Raises TypeError if *log* can't, and something is."""
        if not self.keeps_all and not isinstance(log, RemovesOld):
            raise TypeError(f"a {type(log).__name__} removes nothing: keep all")
        while not self.keeps_all and isinstance(log, RemovesOld):
            try:
                if count := await self.remove(log):
                    logger.info("%d old events were removed", count)
            except LogUnavailable as error:
                logger.warning("storage: %s", error)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def remove(self, log: RemovesOld) -> int:
        """Remove what is old now; return how many events. Raises LogUnavailable."""
        before = "" if self.days is None else time_stamp(max(0.0, time_of_day() - self.days * _DAY_SECONDS))
        count, after = 0, Key("")
        while True:
            removed = await log.remove_old(before=before, messages=self.messages, after=after)
            count += removed.events
            if removed.after is None:
                return count
            after = removed.after
            await asyncio.sleep(_STEP_SECONDS)


ALL = Retention()
