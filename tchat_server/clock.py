"""Two clocks: the time of day, which people and machines set, and one that only goes forward, which ages are told by.

What is stored is of the second: a retry is as old as the server has run since, whatever the time of day was set to
meanwhile, and however long the server was down.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

__all__ = ["Clock", "guest_floor", "time_of_day", "time_stamp"]

_PROTOCOL_EPOCH = 1_735_689_600
"""2025-01-01T00:00:00Z."""


class Clock:
    """Tells seconds that go by, also while the process is stopped or the machine sleeps.

    Args:
        start: what it tells now, by default the seconds since the epoch. No leap and no correction reach it later.
    """

    def __init__(self, start: float | None = None) -> None:
        self._ahead = (time_of_day() if start is None else start) - _seconds()

    def __call__(self) -> float:
        """Return the time."""
        return _seconds() + self._ahead


def time_of_day() -> float:
    """Return seconds since the epoch, UTC, as the machine is set."""
    return time.time()


def time_stamp(seconds: float) -> str:
    """Return a time of day as events bear it (R-ts)."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def guest_floor() -> int:
    """Return the lowest number a guest may get now, if nothing is known of those before: milliseconds since 2025."""
    return max(1, int((time_of_day() - _PROTOCOL_EPOCH) * 1000))


def _seconds() -> float:
    if hasattr(time, "CLOCK_BOOTTIME"):  # Linux's time.monotonic() stands still while the machine sleeps
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
