"""One connection: its socket's bytes in, when they are read, and how it ends. What goes out is its `Outbox`'s.

It knows bytes, buffers and time; what the bytes mean is `libtchat.wire.connection`'s, who gets what the hub's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, cast

from libtchat.effect import Item, PeerId
from libtchat.message.errors import ErrorCode
from libtchat.message.limits import ServerLimits
from libtchat.message.reply import Error
from libtchat.wire import codec
from libtchat.wire.connection import CRLF, ServerEnd
from tchat_server.net.admission import Admission, origin_of
from tchat_server.net.ending import CloseReason, Ending
from tchat_server.net.flow import TurnEnd, Turns
from tchat_server.net.gone import GONE
from tchat_server.net.linger import Lingering
from tchat_server.net.listener import Accepted
from tchat_server.net.outbox import Outbox
from tchat_server.net.patience import Patience
from tchat_server.net.rota import Rota
from tchat_server.net.toll import Toll

__all__ = ["Owner", "PeerProtocol"]

logger = logging.getLogger("tchat_server")

_INTERNAL = codec.encode(Error(ErrorCode.INTERNAL)) + CRLF
_UNAVAILABLE = codec.encode(Error(ErrorCode.UNAVAILABLE)) + CRLF


class Owner(Protocol):
    """What a connection tells the server."""

    limits: ServerLimits
    admission: Admission
    rota: Rota
    crowded: set[PeerId]
    """The peers for whom much waits; who writes to one waits."""

    trace: Callable[[str, str, bytes], None] | None
    meet: Callable[[PeerProtocol, bytes], None] | None
    """Takes the first bytes of a connection, if they may be another protocol's."""

    def connected(self, peer: PeerProtocol) -> PeerId: ...
    def received(self, peer: PeerProtocol, items: Sequence[Item], size: int) -> None: ...
    def left(self, peer: PeerProtocol) -> None: ...
    def lost(self, peer: PeerProtocol) -> None: ...
    def wrote(self, peer: PeerProtocol) -> None: ...


class PeerProtocol(Accepted):
    """The asyncio end of one connection.

    Attributes:
        id: the hub's name for it.
        host: the other end without its port.
        origin: the address *host* counts as; see `tchat_server.net.admission.origin_of`.
        address: the other end as the log shows it.
        transport: asyncio's.
        outbox: what waits to be written to it.
        patience: who waits until it has read.
        ending: why it ends, None while it does not.
        turns: when it is read.
        user: who it is, if the program around the server vouches for that.
        on_behalf: that program itself asks, on behalf of *user*.
        toll: what it pays for bytes.
        since: when it connected, its unfinished frame began, or it began to close; the event loop's time.
    """

    __slots__ = (
        "_owner",
        "address",
        "connection",
        "ending",
        "frames_in",
        "has_ended",
        "has_spoken",
        "host",
        "id",
        "origin",
        "outbox",
        "patience",
        "since",
        "toll",
        "transport",
        "turns",
        "was_opened",
    )  # fmt: skip

    transport: asyncio.Transport
    outbox: Outbox
    patience: Patience
    turns: Turns
    toll: Toll
    id: PeerId
    user: str | None = None
    on_behalf = False

    def __init__(self, owner: Owner, host: str, address: str) -> None:
        self._owner, self.host, self.address = owner, host, address
        self.origin = origin_of(host)
        self.connection = ServerEnd()
        self.ending: Ending | None = None
        self.was_opened = self.has_spoken = self.has_ended = False
        self.since = 0.0
        self.frames_in = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        owner = self._owner
        self.was_opened = True
        self.transport = cast(asyncio.Transport, transport)
        take = self._take if owner.meet is None else partial(owner.meet, self)
        self.turns = Turns(self.transport, partial(self.guard, take), owner.rota)
        self.toll = Toll(owner.limits, self.turns, partial(owner.admission.spend, self.host))
        self.outbox = Outbox(self.transport, self, self.turns, owner.rota, owner.limits)
        self.patience = Patience(self.outbox, owner.limits, self)
        self.since = asyncio.get_running_loop().time()
        self.id = owner.connected(self)

    def data_received(self, data: bytes) -> None:
        self.turns.feed(data)

    def speak(self, data: bytes) -> None:
        """Take *data*, and all that comes, as this protocol."""
        self.take_with(self._take)
        self._take(data)

    def carry_with(self, transport: Lingering) -> None:
        """Have *transport* carry what is written from now on."""
        self.transport = self.outbox.carrier = transport

    def take_with(self, take: Callable[[bytes], None], end: TurnEnd | None = None) -> None:
        """Have *take* read what comes from now on; see `Turns.give_to`."""
        self.turns.give_to(partial(self.guard, take), end)

    def _take(self, data: bytes) -> None:
        if self.ending is not None:
            return
        if self._owner.trace is not None:
            self._owner.trace(self.address, "<", data)
        self.hear(data)

    def hear(self, data: bytes) -> None:
        """Pass on what the connection reads in *data*."""
        connection = self.connection
        was_mid_frame = connection.mid_frame
        items = connection.receive(data)
        if connection.mid_frame and (items or not was_mid_frame):
            self.since = asyncio.get_running_loop().time()
        self.frames_in += len(items)
        if connection.spaced or connection.spells or not self.outbox.is_straight:
            self.outbox.suit(connection.rewrite if connection.spells else None, is_spaced=connection.spaced)
        self.toll.received(len(data), len(items))
        self._owner.received(self, items, len(data))

    def eof_received(self) -> bool:
        self.turns.feed_end(self._end_reading)
        if self.transport.is_closing():
            return False
        return self.transport.get_extra_info("sslcontext") is None  # TLS has no half-closed connections

    def _end_reading(self) -> None:
        self.has_ended = True
        if self.ending is None:
            self.guard(self._owner.received, self, (None,), 0)

    def connection_lost(self, error: Exception | None) -> None:
        self.turns.end()
        self.toll.end()
        self.patience.end()
        self.outbox.end()
        if isinstance(self.transport, Lingering):
            self.transport.end()
        self.transport = GONE
        if self.ending is None:
            self.ending = Ending(CloseReason.LOST, str(error)) if error else Ending(CloseReason.CLOSED)
        self._owner.lost(self)

    def pause_writing(self) -> None:
        self.outbox.block()

    def resume_writing(self) -> None:
        self.outbox.unblock()
        self.patience.look()

    def finish(self, reason: CloseReason | ErrorCode, detail: str = "") -> None:
        """Write what waits, then close. Nothing more is read. *detail* is for the log."""
        if self.ending is None:
            self._end(Ending(reason, detail))
            self.outbox.close()

    def abort(self, reason: CloseReason) -> None:
        """Close at once; what waits is lost."""
        self.ending = self.ending or Ending(reason)
        self.transport.abort()

    def _end(self, ending: Ending) -> None:
        self.ending, self.since = ending, asyncio.get_running_loop().time()

    def leave(self) -> None:
        """Be gone for everybody else: the goodbye is written, though the socket may stay for a while."""
        self._owner.left(self)

    def guard(self, act: Callable[..., None], *args: Any) -> None:
        """Call *act*: a fault of ours in what is done for this connection costs this connection, and nobody else."""
        try:
            act(*args)
        except Exception:
            logger.exception("internal error, peer %s", self.address)
            if self.ending is not None:
                self.abort(CloseReason.FAULT)
            else:
                self._end(Ending(CloseReason.FAULT))
                self.guard(self.outbox.break_off, _INTERNAL)

    def flush_soon(self) -> None:
        """See that what waits is written in this tick."""
        self._owner.wrote(self)

    def much_waits(self, waiting: int) -> None:
        """Have who writes to it wait, if it is that much, and it reads."""
        self.patience.note(waiting)

    def crowd(self, is_crowded: bool) -> None:
        """Take note that who writes to it is to wait, or no more."""
        if is_crowded:
            self._owner.crowded.add(self.id)
        else:
            self._owner.crowded.discard(self.id)

    def fell_behind(self, waiting: int) -> None:
        """End the connection: so many bytes wait that it does not read."""
        last = b""
        if self.ending is None:
            self._end(Ending(CloseReason.UNREAD, f"{waiting} bytes wait"))
            last = _UNAVAILABLE
        self.outbox.cut(last)
