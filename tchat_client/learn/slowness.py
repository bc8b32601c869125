"""How long a program is waited for, and what is said when that is not enough."""

from __future__ import annotations

__all__ = ["BUSY_SECONDS", "MOST_UNSEEN", "SHOWN_SECONDS", "SLOW_SECONDS", "LabError", "TooSlow", "patience_for"]

SLOW_SECONDS = 4.5
"""How late an answer may come at most."""

SHOWN_SECONDS = 1.5
"""How long what is sent to a client may take to be on its screen."""

MOST_UNSEEN = 60
"""After how many messages a client that has shown nothing through a pipe gets a terminal: many keep it till the end."""

BUSY_SECONDS = 2.0
"""How much longer who is kept from computing by a busy machine is waited for."""

_SLOW_FROM_SECONDS = 0.4


class LabError(Exception):
    """The program cannot be learnt; the text says why, in one line."""


class TooSlow(LabError):
    """Its answers take so long that there is no time to learn it."""


def patience_for(seconds: float, left: float, probes: int) -> float:
    """Return how many times longer everything is to be waited for, where an answer took so many *seconds*.

    Raises:
        TooSlow: *probes* take longer than the seconds *left*.
    """
    needed = probes * seconds
    if seconds < _SLOW_FROM_SECONDS:
        return 1.0
    if needed > left:
        raise TooSlow(
            f"it answers after {seconds:.1f} s: learning it takes about {max(1, round(needed / 60))} minutes, "
            f"--seconds {round(needed * 1.5, -2):.0f} gives it the time"
        )
    return seconds / 0.2
