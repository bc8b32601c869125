"""How many connections there are, in all and from one address, and who is kept out: the one place that counts them.

A connection counts from the moment it is accepted, whether it has finished its TLS handshake, begun it, or not.
"""

from __future__ import annotations

import logging
from collections import Counter
from ipaddress import IPv6Address

from attrs import Factory, define

from libtchat.message.limits import ServerLimits
from tchat_server.net.ending import CloseReason
from tchat_server.ops.metrics import Metrics

__all__ = ["INSIDE", "Admission", "origin_of"]

logger = logging.getLogger("tchat_server")

INSIDE = "inside"
"""The host of a connection that comes from no address."""

_EXEMPT = ("127.0.0.1", "::1", INSIDE)


@define
class Admission:
    """Everybody who entered and did not leave yet."""

    limits: ServerLimits
    metrics: Metrics
    size: int = 0
    _per_host: Counter[str] = Factory(Counter)

    def enter(self, host: str, address: str) -> int | None:
        """Count one more, unless there are too many already.

        Args:
            host: the other end without its port.
            address: the other end as the log shows it.
        Returns:
            None if it came in: `leave` is due once. Otherwise the limit that keeps it out.
        """
        for count, limit in (
            (self.size, self.limits.max_peers),
            (0 if host in _EXEMPT else self._per_host[host], self.limits.max_peers_per_address),
        ):
            if count >= limit:
                self.metrics.closed[CloseReason.NO_ROOM] += 1
                logger.info("%s gone: %s, %d allowed", address, CloseReason.NO_ROOM, limit)
                return limit
        self.size += 1
        self._per_host[host] += 1
        return None

    def leave(self, host: str) -> None:
        """Count one less."""
        self.size -= 1
        self._per_host[host] -= 1
        if not self._per_host[host]:
            del self._per_host[host]


def origin_of(host: str) -> str:
    """Return where passwords from *host* count as from: itself or, in IPv6, the network of 2^64 one line is given."""
    try:
        address = IPv6Address(host)
    except ValueError:
        return host
    return host if address.is_link_local else str(IPv6Address(int(address) >> 64 << 64))
