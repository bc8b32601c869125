"""How many connections there are, in all and from one address, and who is kept out; how many bytes an address sent.

A connection counts from the moment it is accepted, whether it has finished its TLS handshake, begun it, or not.
"""

from __future__ import annotations

import logging
from collections import Counter
from ipaddress import IPv6Address

from attrs import Factory, define

from libtchat.message.limits import ServerLimits
from libtchat.rate import Buckets
from tchat_server.net.ending import CloseReason
from tchat_server.ops.metrics import Metrics

__all__ = ["INSIDE", "Admission", "origin_of"]

logger = logging.getLogger("tchat_server")

INSIDE = "inside"
"""The host of a connection that comes from no address."""

_EXEMPT = ("127.0.0.1", "::1", INSIDE)


@define
class Admission:
    """Everybody who entered and did not leave yet, and what their addresses owe, whether or not somebody is there.

    An address is what `origin_of` makes of it; loopback is exempt from what is bounded per address.
    """

    limits: ServerLimits
    metrics: Metrics
    size: int = 0
    _per_address: Counter[str] = Factory(Counter)
    _bytes: Buckets = Factory(
        lambda self: Buckets(self.limits.burst_bytes_per_address, self.limits.bytes_per_second_per_address),
        takes_self=True,
    )

    def enter(self, host: str, address: str) -> int | None:
        """Count one more, unless there are too many already.

        Args:
            host: the other end without its port.
            address: the other end as the log shows it.
        Returns:
            None if it came in: `leave` is due once. Otherwise the limit that keeps it out.
        """
        origin = origin_of(host)
        for count, limit in (
            (self.size, self.limits.max_peers),
            (0 if host in _EXEMPT else self._per_address[origin], self.limits.max_peers_per_address),
        ):
            if count >= limit:
                self.metrics.closed[CloseReason.NO_ROOM] += 1
                logger.info("%s gone: %s, %d allowed", address, CloseReason.NO_ROOM, limit)
                return limit
        self.size += 1
        self._per_address[origin] += 1
        return None

    def leave(self, host: str) -> None:
        """Count one less."""
        self.size -= 1
        origin = origin_of(host)
        self._per_address[origin] -= 1
        if not self._per_address[origin]:
            del self._per_address[origin]

    def spend(self, host: str, size: int, now: float) -> float:
        """Count *size* bytes that came from there.

        Returns:
            The seconds until its address owes nothing.
        """
        return 0.0 if host in _EXEMPT else self._bytes.spend(origin_of(host), now, size)


def origin_of(host: str) -> str:
    """Return the address *host* counts as: itself or, in IPv6, the network of 2^64 one line is given."""
    try:
        address = IPv6Address(host)
    except ValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return host if address.is_link_local or address.is_loopback else str(IPv6Address(int(address) >> 64 << 64))
