"""What time it is: as the shell told it last."""

from __future__ import annotations

from datetime import UTC, datetime
from math import floor

from attrs import define

__all__ = ["Clock"]


@define
class Clock:
    """The time of one hub.

    Attributes:
        now: seconds of a clock that only goes forward.
        ahead: how far the time of day (seconds since the epoch, UTC) is ahead of that; only `ts` tells it.
    """

    now: float = 0.0
    ahead: float = 0.0
    _stamped: tuple[float | None, str] = (None, "")
    _second: tuple[int | None, str] = (None, "")

    @property
    def ts(self) -> str:
        """The time stamp of `now`: ISO 8601, UTC, milliseconds (R-ts)."""
        now = self.now + self.ahead
        at, ts = self._stamped
        if at != now:
            second, text = self._second
            if second != floor(now):
                second = floor(now)
                text = datetime.fromtimestamp(second, UTC).isoformat()[:19]
                self._second = (second, text)
            milliseconds = int((now - second) * 1000 + 0.0005)  # a float holds a bit less than what was meant
            ts = f"{text}.{min(milliseconds, 999):03}Z"
            self._stamped = (now, ts)
        return ts
