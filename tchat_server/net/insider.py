"""A connection that the program around the server carries itself."""

from __future__ import annotations

import asyncio

from tchat_server.net.channel import Channel, TextEnd, end_of_turn
from tchat_server.net.peer import Owner, PeerProtocol

__all__ = ["Insider"]


class Insider(PeerProtocol):
    """A connection without a socket: what a socket would carry goes through its `channel`.

    Args:
        user: who it is; None: it says so itself, as from outside.
        host: where it comes from, as far as that is known.
        on_behalf: the program itself asks, on behalf of *user*.
    """

    __slots__ = ("channel", "on_behalf", "user")

    def __init__(self, owner: Owner, user: str | None, host: str, *, on_behalf: bool) -> None:
        super().__init__(owner, host, host)
        self.user, self.on_behalf = user, on_behalf
        self.connection = TextEnd()
        self.channel = Channel(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.take_with(self._take, end_of_turn)
