"""How often somebody may have a password checked or set (R-op-auth-throttle): by address first, then by name."""

from __future__ import annotations

from attrs import Factory, define

from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.limits import ServerLimits
from libtchat.message.names import UserKey
from libtchat.rate import Buckets

__all__ = ["Throttle"]

_ADDRESSES_PER_NAME = 10
"""One name takes the tries of so many addresses: who has fewer keeps no owner out who comes from elsewhere."""

_MAX_HOMES = 10_000


@define
class Throttle:
    """Who tried and registered lately, and where owners come from.

    Only wrong passwords count in the end: a right one is given back. Where an owner was let in by password the tries
    of strangers for that name do not count against him.
    """

    limits: ServerLimits
    _tries: Buckets = Factory(
        lambda self: Buckets(self.limits.password_burst, self.limits.passwords_per_second), takes_self=True
    )
    _tries_for_name: Buckets = Factory(
        lambda self: Buckets(
            self.limits.password_burst * _ADDRESSES_PER_NAME, self.limits.passwords_per_second * _ADDRESSES_PER_NAME
        ),
        takes_self=True,
    )
    _registers: Buckets = Factory(
        lambda self: Buckets(self.limits.register_burst, self.limits.registers_per_second), takes_self=True
    )
    _homes: dict[tuple[UserKey, str], None] = Factory(dict)

    def check(self, name: UserKey, origin: str, now: float) -> None:
        """Count a password that is to be checked for *name*; *origin* is the address it comes from, any text.

        Raises:
            Refused: rate-limited.
        """
        wait = self._tries.take(origin, now)
        if not wait and (name, origin) not in self._homes:
            wait = self._tries_for_name.take(name, now)
        if wait:
            raise Refused(ErrorCode.RATE_LIMITED, "too many passwords tried", retry_after=wait)

    def right(self, name: UserKey, origin: str) -> None:
        """Take note that the password checked last was the right one."""
        self._tries.give(origin)
        home = name, origin
        if home not in self._homes:
            self._tries_for_name.give(name)
        self.live(name, origin)

    def live(self, name: UserKey, origin: str) -> None:
        """Take note that the owner of *name* comes from *origin*."""
        home = name, origin
        self._homes.pop(home, None)
        if len(self._homes) >= _MAX_HOMES:
            del self._homes[next(iter(self._homes))]
        self._homes[home] = None

    def hash(self, origin: str, now: float) -> None:
        """Count a password that is to be set.

        Raises:
            Refused: rate-limited.
        """
        if wait := self._registers.take(origin, now):
            raise Refused(ErrorCode.RATE_LIMITED, "too many passwords set", retry_after=wait)
