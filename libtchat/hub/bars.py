"""Who may not come in, because an operator said so (R-op-bar)."""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf

from attrs import Factory, define

from libtchat.hub.clock import Clock
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.names import UserKey

__all__ = ["Bars", "reason", "shown"]


def shown(until: float) -> str:
    """Return when a bar that is not for ever ends, in UTC, for people."""
    return f"{datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M:%SZ}"


def reason(until: float) -> str:
    """Return what a user hears who is barred *until* then, and is connected."""
    return (
        "you are banned from this server" if until == inf else f"you are banned from this server until {shown(until)}"
    )


@define
class Bars:
    """The users who are barred from one hub, and until when: seconds since the epoch, inf is for ever."""

    _until: dict[UserKey, float] = Factory(dict)

    def put(self, user: UserKey, until: float | None) -> None:
        """Bar a user until then; None: not any more."""
        if until is None:
            self._until.pop(user, None)
        else:
            self._until[user] = until

    def check(self, name: str, user: UserKey, clock: Clock) -> None:
        """Check that the user called *name* is not barred now.

        Raises:
            Refused: forbidden.
        """
        until = self._until.get(user)
        if until is not None and (wait := until - (clock.now + clock.ahead)) > 0:
            if until == inf:
                raise Refused(ErrorCode.FORBIDDEN, f"{name} is banned from this server")
            why = f"{name} is banned from this server until {shown(until)}"
            raise Refused(ErrorCode.FORBIDDEN, why, retry_after=wait)
