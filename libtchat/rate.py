"""How often somebody may do something: token buckets, told the time by the caller."""

from __future__ import annotations

from collections.abc import Hashable

from attrs import Factory, define

__all__ = ["Bucket", "Buckets"]


@define
class Bucket:
    """A token bucket: *burst* tokens at once, then *per_second*. A clock that goes back only stops the refill."""

    burst: float
    per_second: float
    _missing: float = 0.0
    _at: float = 0.0

    def take(self, now: float) -> float:
        """Take one token.

        Returns:
            0 if there was one (always, when `per_second` is 0); else the seconds until there will be.
        """
        if not self.per_second:
            return 0.0
        self._refill(now)
        if self._missing + 1 <= self.burst:
            self._missing += 1
            return 0.0
        return (self._missing + 1 - self.burst) / self.per_second

    def give(self) -> None:
        """Give one token back."""
        self._missing = max(0.0, self._missing - 1)

    def spend(self, now: float, amount: float) -> float:
        """Take *amount* tokens, whether or not they are there: for what is known only when it is done.

        Returns:
            0 if they were there (always, when `per_second` is 0); else the seconds until the debt is paid.
        """
        if not self.per_second:
            return 0.0
        self._refill(now)
        self._missing += amount
        return max(0.0, (self._missing - self.burst) / self.per_second)

    def full(self, now: float) -> bool:
        """Tell whether nothing is missing any more, so that a new bucket would behave the same."""
        return self._missing <= (now - self._at) * self.per_second

    def _refill(self, now: float) -> None:
        if now > self._at:
            self._missing = max(0.0, self._missing - (now - self._at) * self.per_second)
        self._at = now


@define
class Buckets:
    """One bucket for each of many keys; those that are full again are forgotten."""

    burst: float
    per_second: float
    _buckets: dict[Hashable, Bucket] = Factory(dict)
    _sweep_at: int = 1024

    def take(self, key: Hashable, now: float) -> float:
        """Take one token from *key*'s bucket; as `Bucket.take`."""
        return self._bucket(key, now).take(now)

    def spend(self, key: Hashable, now: float, amount: float) -> float:
        """Take *amount* tokens from *key*'s bucket, there or not; as `Bucket.spend`."""
        return self._bucket(key, now).spend(now, amount)

    def give(self, key: Hashable) -> None:
        """Give one token back to *key*'s bucket."""
        if (bucket := self._buckets.get(key)) is not None:
            bucket.give()

    def _bucket(self, key: Hashable, now: float) -> Bucket:
        if (bucket := self._buckets.get(key)) is not None:
            return bucket
        if len(self._buckets) >= self._sweep_at:
            self._buckets = {k: b for k, b in self._buckets.items() if not b.full(now)}
            self._sweep_at = max(1024, 2 * len(self._buckets))
        self._buckets[key] = bucket = Bucket(self.burst, self.per_second)
        return bucket
