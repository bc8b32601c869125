"""One connection: its socket's bytes in, lines out, and what it costs while it does not read.

It knows bytes, buffers and time; what the bytes mean is `libtchat.connection`'s, who gets what the hub's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol, cast

from libtchat import codec
from libtchat.connection import Connection
from libtchat.effect import PeerId
from libtchat.errors import ErrorCode
from libtchat.limits import Limits
from libtchat.presence import Item
from libtchat.reply import Error, Message, PresenceNotice
from tchat_server.listener import Accepted
from tchat_server.turn import Hold, Turns

__all__ = ["Line", "Owner", "PeerProtocol"]

_MAX_JOBS = 64
"""How many answers may wait for storage before their peer is not read any more."""

Line = tuple[Message | None, bytes]
"""A message and the line that goes out for it, CR LF included; None: a page, whose bytes were never a message here."""

_WRITTEN: Line = (None, b"")
"""Stands in the queue of spaced lines for the one that was written last, until the gap behind it is over."""


class Owner(Protocol):
    """What a connection tells the server."""

    limits: Limits
    trace: Callable[[str, str, bytes], None] | None
    meet: Callable[[PeerProtocol, bytes], None] | None
    """Takes the first bytes of a connection, if they may be another protocol's."""

    def connected(self, peer: PeerProtocol) -> PeerId: ...
    def received(self, peer: PeerProtocol, items: Sequence[Item]) -> None: ...
    def left(self, peer: PeerProtocol) -> None: ...
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
        since: when it connected, its unfinished frame began, or it began to close; the event loop's time.
    """

    __slots__ = (
        "_drained",
        "_owner",
        "_spacing",
        "_waiting",
        "_work",
        "_worker",
        "address",
        "cause",
        "connection",
        "frames_in",
        "has_ended",
        "has_spoken",
        "host",
        "id",
        "is_blocked",
        "is_plain",
        "lines_out",
        "out",
        "since",
        "transport",
        "turns",
        "was_opened",
    )  # fmt: skip

    transport: asyncio.Transport
    turns: Turns
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
        self._work: deque[Line | Callable[[], Awaitable[bytes]]] | None = None
        self._worker: asyncio.Task[None] | None = None
        self._spacing: deque[Line] | None = None
        self._waiting = 0  # bytes of the lines in both
        self._drained: asyncio.Future[None] | None = None

    # --- from asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.was_opened = True
        self.transport = cast(asyncio.Transport, transport)
        meet = self._owner.meet
        self.turns = Turns(self.transport, self._take if meet is None else partial(meet, self))
        self.since = asyncio.get_running_loop().time()
        self.id = self._owner.connected(self)

    def data_received(self, data: bytes) -> None:
        self.turns.feed(data)

    def speak(self, data: bytes) -> None:
        """Take *data*, and all that comes, as this protocol."""
        self.turns.give_to(self._take)
        self._take(data)

    def _take(self, data: bytes) -> None:
        if self.cause:
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
        if connection.spaced or connection.spells or not self.is_plain:
            self._choose_path()
        self._owner.received(self, items)

    def eof_received(self) -> bool:
        self.has_ended = True
        if not self.cause:
            self._owner.received(self, (None,))
        if self.transport.is_closing():
            return False
        return self.transport.get_extra_info("sslcontext") is None  # TLS has no half-closed connections

    def connection_lost(self, error: Exception | None) -> None:
        self.turns.end()
        if self._worker is not None:
            self._worker.cancel()
        self.cause = self.cause or (f"lost: {error}" if error else "closed by the peer")
        self._owner.lost(self)

    def pause_writing(self) -> None:
        self.is_blocked = True

    def resume_writing(self) -> None:
        self.is_blocked = False
        if self._drained is not None:
            drained, self._drained = self._drained, None
            drained.set_result(None)

    # --- what goes out ---

    def deliver(self, lines: Sequence[Line]) -> None:
        """Send *lines* after whatever waits already: a page being read, or the gap between two spaced lines."""
        if self._work is not None:
            self._work.extend(lines)
            self._waiting += _size(lines)
            self._check_room(self._waiting)
        else:
            self._pass_on(lines)

    def work(self, job: Callable[[], Awaitable[bytes]]) -> None:
        """Send the line *job* gives once it is done; later lines wait for it."""
        if self._work is None:
            self._work = deque()
            self.is_plain = False
            self._worker = asyncio.get_running_loop().create_task(self._do_work())
        self._work.append(job)
        if len(self._work) >= _MAX_JOBS:
            self.turns.hold(Hold.JOBS)

    def flush(self) -> None:
        """Write what `out` holds, in one write."""
        out = self.out
        data = out[0] if len(out) == 1 else b"".join(out)
        self.lines_out += len(out)
        out.clear()
        if self.is_blocked and not self._check_room(self.transport.get_write_buffer_size() + len(data)):
            return
        self.transport.write(data)

    def finish(self, cause: str) -> None:
        """Write what waits, then close. Nothing more is read."""
        if self.cause:
            return
        self.cause = cause
        self.since = asyncio.get_running_loop().time()
        if self._work is None and not self._spacing:
            self._close()

    def leave(self) -> None:
        """Be gone for everybody else: the goodbye is written, though the socket may stay for a while."""
        self._owner.left(self)

    def abort(self, cause: str) -> None:
        """Close at once; what waits is lost."""
        self.cause = self.cause or cause
        self.transport.abort()

    def _close(self) -> None:
        if self.out:
            self.flush()
        self.transport.close()

    async def _do_work(self) -> None:
        work = self._work
        assert work is not None
        while work:
            item = work[0]
            if isinstance(item, tuple):
                self._waiting -= len(item[1])
            else:
                if self.is_blocked:
                    await self._writable()
                item = (None, await item())
            work.popleft()
            self._pass_on((item,))
            if len(work) < _MAX_JOBS:
                self.turns.release(Hold.JOBS)
        self._work = None
        self._choose_path()
        if self.cause and not self._spacing:
            self._close()

    def _pass_on(self, lines: Sequence[Line]) -> None:
        if self.connection.spells:
            lines = [(message, self.connection.rewrite(line)) for message, line in lines]
        if self._spacing is not None:
            self._space(lines)
            return
        self.out.extend(line for _, line in lines)
        self._owner.wrote(self)

    def _choose_path(self) -> None:
        connection = self.connection
        if connection.spaced:
            if self._spacing is None:
                self._spacing = deque()
        elif self._spacing is not None:
            queue, self._spacing = [line for line in self._spacing if line is not _WRITTEN], None
            self._waiting -= _size(queue)
            self.out.extend(line for _, line in queue)
            self._owner.wrote(self)
        self.is_plain = self._work is None and self._spacing is None and not connection.spells

    def _space(self, lines: Sequence[Line]) -> None:
        """Put lines into the queue that lets one go every 20 ms (R-pace)."""
        queue, limits = self._spacing, self._owner.limits
        assert queue is not None
        is_idle = not queue
        for message, line in lines:
            if not (isinstance(message, PresenceNotice) and len(queue) > limits.max_waiting_notices):
                queue.append((message, line))
                self._waiting += len(line)
        if self._check_room(self._waiting) and is_idle and queue:
            self._let_one_go()

    def _let_one_go(self) -> None:
        queue = self._spacing
        if not queue or self.transport.is_closing():
            if self.cause and self._work is None:
                self._close()
            return
        if self.is_blocked:
            self._writable().add_done_callback(lambda _: self._let_one_go())
            return
        self._waiting -= len(queue[0][1])
        self.transport.write(queue[0][1])
        queue[0] = _WRITTEN
        self.lines_out += 1
        asyncio.get_running_loop().call_later(self._owner.limits.spacing_seconds, self._after_gap)

    def _after_gap(self) -> None:
        if self._spacing:
            self._spacing.popleft()
            self._let_one_go()

    def _check_room(self, waiting: int) -> bool:
        if waiting <= self._owner.limits.max_out_bytes:
            return True
        if not self.cause:
            self.cause = f"does not read: {waiting} bytes wait"
            self.since = asyncio.get_running_loop().time()
            self.transport.write(codec.encode(Error(ErrorCode.UNAVAILABLE)) + b"\r\n")
        if self.is_blocked:
            self.transport.abort()
        else:
            self.transport.close()
        return False

    def _writable(self) -> asyncio.Future[None]:
        """Return what is done when the transport, which is blocked, takes bytes again."""
        if self._drained is None:
            self._drained = asyncio.get_running_loop().create_future()
        return self._drained


def _size(lines: Sequence[Line]) -> int:
    return sum(len(line) for _, line in lines)
