"""What a translator has its shell do. Values only."""

from __future__ import annotations

from libtchat.message.value import frozen

__all__ = ["Effect", "End", "ToClient", "ToServer"]


@frozen
class ToClient:
    """Send *data* to the client; *means* is what it says, for a trace."""

    data: bytes
    means: str = ""


@frozen
class ToServer:
    """Send *data* to the server; *means* is what it asks, for a trace."""

    data: bytes
    means: str = ""


@frozen
class End:
    """Close both connections, once all is sent."""


Effect = ToClient | ToServer | End
