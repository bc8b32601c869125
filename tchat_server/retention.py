"""Old events are removed while the server runs: at its start and every ten minutes, in small steps (R-op-remove)."""

from __future__ import annotations

import asyncio
import logging
from typing import TypeGuard

from attrs import frozen

from libtchat.message.names import Key
from tchat_server.clock import time_of_day, time_stamp
from tchat_server.store.event_log import EventLog, LogUnavailable, RemovesOld

__all__ = ["ALL", "Retention", "keep_to", "removes_old"]

logger = logging.getLogger("tchat_server")

_PAUSE_SECONDS = 600.0
_STEP_SECONDS = 0.02
"""Between two steps, for what others want written."""

_DAY_SECONDS = 86_400.0


@frozen
class Retention:
    """How much of each log is kept; None: all. `Chat(keep=Retention(days=30))`.

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


ALL = Retention()


def removes_old(log: EventLog) -> TypeGuard[RemovesOld]:
    """Tell whether *log* can remove old events, in whatever way it has the method."""
    return hasattr(log, "remove_old")


async def keep_to(retention: Retention, log: EventLog) -> None:
    """Remove what is old from a log that can, again and again, until cancelled."""
    while not retention.keeps_all and removes_old(log):
        try:
            if count := await _remove(retention, log):
                logger.info("%d old events were removed", count)
        except LogUnavailable as error:
            logger.warning("storage: %s", error)
        await asyncio.sleep(_PAUSE_SECONDS)


async def _remove(retention: Retention, log: RemovesOld) -> int:
    """Remove what is old now; return how many events. Raises LogUnavailable."""
    days = retention.days
    before = "" if days is None else time_stamp(max(0.0, time_of_day() - days * _DAY_SECONDS))
    count, after = 0, Key("")
    while True:
        removed = await log.remove_old(before=before, messages=retention.messages, after=after)
        count += removed.events
        if removed.after is None:
            return count
        after = removed.after
        await asyncio.sleep(_STEP_SECONDS)
