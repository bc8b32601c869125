"""One connection: its socket's bytes in, lines out, and what it costs while it does not read.

It knows bytes, buffers and time; what the bytes mean is `libtchat.wire.connection`'s, who gets what the hub's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, cast

from libtchat.effect import PeerId
from libtchat.hub.presence import Item
from libtchat.message.errors import ErrorCode
from libtchat.message.limits import Limits
from libtchat.message.reply import Error
from libtchat.wire import codec
from libtchat.wire.connection import Connection
from tchat_server.net.flow import GONE, Hold, Rota, Turns
from tchat_server.net.listener import Accepted
from tchat_server.net.spacing import Line, Spacing
from tchat_server.net.toll import Toll
from tchat_server.net.work import Job, Work

__all__ = ["Line", "Owner", "PeerProtocol"]

logger = logging.getLogger("tchat_server")

_MAX_JOBS = 64
"""How many answers may wait for storage before their peer is not read any more."""

_MUCH_BYTES = 128 * 1024
_UNREAD_SECONDS = 5.0
_FAULT = "internal error"


class Owner(Protocol):
    """What a connection tells the server."""

    limits: Limits
    rota: Rota
    trace: Callable[[str, str, bytes], None] | None

    def connected(self, peer: PeerProtocol) -> PeerId: ...
    def received(self, peer: PeerProtocol, items: Sequence[Item], size: int) -> None: ...
    def lost(self, peer: PeerProtocol) -> None: ...
    def wrote(self, peer: PeerProtocol) -> None: ...


class PeerProtocol(Accepted):
    """The asyncio end of one connection.

    Attributes:
        id: the hub's name for it.
        host: the other end without its port.
        address: the other end as the log shows it.
        is_plain: lines may be appended to `out` directly; otherwise they go through `deliver`.
        out: bytes for the next flush.
        cause: why it ends, for the log.
        turns: when it is read.
        toll: what it pays for bytes.
        since: when it connected, its unfinished frame began, or it began to close; the event loop's time.
    """

    __slots__ = (
        "_drained", "_owner", "_spacing", "_work", "address", "cause", "connection", "frames_in", "has_ended",
        "has_spoken", "host", "id", "is_blocked", "is_plain", "lines_out", "out", "since", "toll", "transport",
        "turns", "was_opened",
    )  # fmt: skip

    transport: asyncio.Transport
    turns: Turns
    toll: Toll
    id: PeerId

    def __init__(self, owner: Owner, host: str, address: str) -> None:
        self._owner, self.host, self.address = owner, host, address
        self.connection = Connection(owner.limits)
        self.cause = ""
        self.is_plain = True
        self.was_opened = self.is_blocked = self.has_spoken = self.has_ended = False
        self.out: list[bytes] = []
        self.since = 0.0
        self.frames_in = self.lines_out = 0
        self._work: Work | None = None
        self._spacing: Spacing | None = None
        self._drained: asyncio.Future[None] | None = None

    # --- from asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.was_opened = True
        self.transport = cast(asyncio.Transport, transport)
        self.turns = Turns(self.transport, partial(self.guard, self._take), self._owner.rota)
        self.toll = Toll(self._owner.limits, self.turns)
        self.since = asyncio.get_running_loop().time()
        self.id = self._owner.connected(self)

    def data_received(self, data: bytes) -> None:
        self.turns.feed(data)

    def _take(self, data: bytes) -> None:
        if self.cause:
            return
        connection = self.connection
        if self._owner.trace is not None:
            self._owner.trace(self.address, "<", data)
        was_mid_frame = connection.mid_frame
        items = connection.receive(data)
        if connection.mid_frame and (items or not was_mid_frame):
            self.since = asyncio.get_running_loop().time()
        self.frames_in += len(items)
        if connection.spaced or connection.spells or not self.is_plain:
            self._choose_path()
        self.toll.received(len(data))
        self._owner.received(self, items, len(data))

    def eof_received(self) -> bool:
        self.has_ended = True
        if not self.cause:
            self.guard(self._owner.received, self, (None,), 0)
        return self.transport.get_extra_info("sslcontext") is None  # TLS has no half-closed connections

    def connection_lost(self, error: Exception | None) -> None:
        self.turns.end()
        if self._work is not None:
            self._work.cancel()
        self.cause = self.cause or (f"lost: {error}" if error else "closed by the peer")
        self.transport = GONE  # whatever still waits somewhere to be written, it is written to nobody
        self.out.clear()
        if self._spacing is not None:
            self._spacing.end()
        self._owner.lost(self)

    def pause_writing(self) -> None:
        self.is_blocked = True
        self._slow_down(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        self.is_blocked = False
        self.turns.release(Hold.UNREAD)
        if self._spacing is not None:
            self.guard(self._spacing.go_on)
        if self._drained is not None:
            drained, self._drained = self._drained, None
            drained.set_result(None)

    # --- what goes out ---

    def deliver(self, lines: Sequence[Line]) -> None:
        """Send *lines* after whatever waits already: a page being read, or the gap between two spaced lines."""
        if self._work is not None:
            self._work.put(lines)
            self._check_room(self._work.size)
        else:
            self._pass_on(lines)

    def work(self, job: Job) -> None:
        """Send the line *job* gives once it is done; later lines wait for it."""
        if self._work is None:
            self._work = Work(self._may_work, self._pass_on, partial(self.guard, self._worked))
            self.is_plain = False
        self._work.add(job)
        if len(self._work) >= _MAX_JOBS:
            self.turns.hold(Hold.JOBS)

    def flush(self) -> None:
        """Write what `out` holds, in one write; what waited before is bounded, for this is one tick's at most."""
        out = self.out
        data = out[0] if len(out) == 1 else b"".join(out)
        self.lines_out += len(out)
        out.clear()
        if self.is_blocked and not self._check_room(self.transport.get_write_buffer_size()):
            return
        self._write(data)
        if len(data) > _MUCH_BYTES:  # whether the transport takes it is known in the next tick
            self._slow_down(len(data))
            asyncio.get_running_loop().call_soon(self._look_again)

    def _write(self, data: bytes) -> None:
        if not self.transport.is_closing():  # between that and `connection_lost` one event loop raises
            self.transport.write(data)

    def finish(self, cause: str) -> None:
        """Write what waits, then close. Nothing more is read."""
        if self.cause:
            return
        self._end(cause)
        if self._work is None and not self._spacing:
            self._close()

    def guard(self, act: Callable[..., None], *args: Any) -> None:
        """Call *act*: a fault of ours in what is done for this connection costs this connection, and nobody else."""
        try:
            act(*args)
        except Exception:
            logger.exception("internal error, peer %s", self.address)
            if self.cause:
                self.abort(_FAULT)
            else:
                self._end(_FAULT)
                self.guard(self._break_off)

    def abort(self, cause: str) -> None:
        """Close at once; what waits is lost."""
        self.cause = self.cause or cause
        self.transport.abort()

    def _end(self, cause: str) -> None:
        self.cause, self.since = cause, asyncio.get_running_loop().time()

    def _break_off(self) -> None:
        if self._work is not None:
            self._work.cancel()
        self.out.append(codec.encode(Error(ErrorCode.INTERNAL)) + b"\r\n")
        self._close()

    def _close(self) -> None:
        if self.out:
            self.flush()
        self.transport.close()

    async def _may_work(self) -> None:
        if self._work is not None and len(self._work) < _MAX_JOBS:
            self.turns.release(Hold.JOBS)
        if self.is_blocked:
            await self._writable()
        await self._owner.rota.turn(self.turns.spent)

    def _worked(self, worker: asyncio.Task[None]) -> None:
        if worker.cancelled():
            return
        worker.result()
        self._work = None
        self.turns.release(Hold.JOBS)
        self._choose_path()
        if self.cause and not self._spacing:
            self._close()

    def _pass_on(self, lines: Sequence[Line]) -> None:
        if self.connection.spells:
            lines = [(message, self.connection.rewrite(line)) for message, line in lines]
        if self._spacing is not None:
            self._spacing.put(lines)
            if self.is_blocked:
                self._check_room(self._spacing.size + self.transport.get_write_buffer_size())
            return
        self.out.extend(line for _, line in lines)
        self._owner.wrote(self)

    def _choose_path(self) -> None:
        connection = self.connection
        if connection.spaced:
            if self._spacing is None:
                self._spacing = Spacing(
                    self._owner.limits,
                    partial(self.guard, self._write_spaced),
                    lambda: not self.is_blocked,
                    partial(self.guard, self._spaced_out),
                )
        elif self._spacing is not None:
            lines, self._spacing = self._spacing.end(), None
            self.out.extend(lines)
            self._owner.wrote(self)
        self.is_plain = self._work is None and self._spacing is None and not connection.spells

    def _write_spaced(self, line: bytes) -> None:
        self.lines_out += 1
        self._write(line)

    def _spaced_out(self) -> None:
        if self.cause and self._work is None:
            self._close()

    def _check_room(self, waiting: int) -> bool:
        if waiting <= self._owner.limits.max_out_bytes:
            self._slow_down(waiting)
            return True
        if not self.cause:
            self._end(f"does not read: {waiting} bytes wait")
            self._write(codec.encode(Error(ErrorCode.UNAVAILABLE)) + b"\r\n")
        (self.transport.abort if self.is_blocked else self.transport.close)()
        return False

    def _slow_down(self, waiting: int) -> None:
        """Take nothing from a peer while much waits for it: a few bytes of requests make thousands of answers."""
        if waiting > _MUCH_BYTES:
            self.turns.hold_for(Hold.UNREAD, _UNREAD_SECONDS)

    def _look_again(self) -> None:
        if not self.is_blocked:
            self.turns.release(Hold.UNREAD)

    def _writable(self) -> asyncio.Future[None]:
        """Return what is done when the transport, which is blocked, takes bytes again."""
        if self._drained is None:
            self._drained = asyncio.get_running_loop().create_future()
        return self._drained
