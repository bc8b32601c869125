"""What waits to be written to one peer: lines in their order, whatever some of them wait for.

Mostly nothing holds them: they are put together in `chunks` and written once a tick. Otherwise they go the long way:
first behind jobs, whose lines come later (`Work`), then rewritten as the peer reads them, then with gaps (`Spacing`).

What carries the bytes is a `Carrier`: the transport of a TCP or TLS connection, or what stands for one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from libtchat.message.limits import ServerLimits
from tchat_server.net.flow import Hold, Turns
from tchat_server.net.gone import GONE, NOBODY
from tchat_server.net.rota import Rota
from tchat_server.net.spacing import Outgoing, Spacing
from tchat_server.net.work import Job, Work

__all__ = ["Carrier", "Outbox", "Sender"]

_MUCH_BYTES = 128 * 1024
_UNREAD_SECONDS = 5.0

_MAX_JOBS = 64
"""How many answers may wait for storage before their peer is not read any more."""


class Carrier(Protocol):
    """What carries bytes to a peer. It calls `Outbox.block` when it is full, and `Outbox.unblock` when no more."""

    def write(self, data: bytes) -> None: ...
    def get_write_buffer_size(self) -> int: ...
    def is_closing(self) -> bool: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


class Sender(Protocol):
    """Whose outbox it is."""

    def guard(self, act: Callable[..., None], *args: Any) -> None:
        """Call *act*, which does something for this peer alone."""

    def flush_soon(self) -> None:
        """See that `Outbox.flush` is called in this tick."""

    def much_waits(self, waiting: int) -> None:
        """Take note of how many bytes wait."""

    def fell_behind(self, waiting: int) -> None:
        """End the connection: more bytes wait than may."""


class Outbox:
    """The queue of one peer.

    Args:
        carrier: what carries the bytes.
        sender: whose outbox it is.
        turns: when the peer is read: not while too many jobs wait.
        rota: where jobs take turns.

    Attributes:
        is_straight: lines may be appended to `chunks` as they are; otherwise they go through `put`.
        chunks: bytes for the next flush. Who puts the first there calls `flush_soon`, or flushes.
        is_blocked: the carrier takes no bytes now.
        translate: makes of a line those of another dialect, if the peer speaks one; set it before `suit`.
        count: how many chunks were written.
    """

    __slots__ = (
        "_drained",
        "_is_closing",
        "_limits",
        "_rewrite",
        "_rota",
        "_spacing",
        "_turns",
        "_work",
        "_written",
        "carrier",
        "chunks",
        "count",
        "is_blocked",
        "is_straight",
        "sender",
        "translate",
    )  # fmt: skip

    def __init__(self, carrier: Carrier, sender: Sender, turns: Turns, rota: Rota, limits: ServerLimits) -> None:
        self.carrier, self.sender = carrier, sender
        self._turns, self._rota, self._limits = turns, rota, limits
        self.is_straight = True
        self.is_blocked = self._is_closing = False
        self.chunks: list[bytes] = []
        self.count = self._written = 0
        self.translate: Callable[[bytes], Sequence[bytes]] | None = None
        self._rewrite: Callable[[bytes], bytes] | None = None
        self._work: Work | None = None
        self._spacing: Spacing | None = None
        self._drained: asyncio.Future[None] | None = None

    def put(self, lines: Sequence[Outgoing]) -> None:
        """Send *lines* after whatever waits already: a page being read, or the gap between two spaced lines."""
        if self._work is not None:
            self._work.put(lines)
            self._check_room(self._work.size)
        else:
            self._pass_on(lines)

    def work(self, job: Job) -> None:
        """Send the line *job* gives once it is done; later lines wait for it."""
        if self._work is None:
            ended = partial(self.sender.guard, _raise_fault)
            self._work = Work(self._may_work, self._pass_on, self._worked, ended)
            self.is_straight = False
        self._work.add(job)
        if len(self._work) >= _MAX_JOBS:
            self._turns.hold(Hold.JOBS)

    @property
    def waiting(self) -> int:
        """How many bytes wait, beside what `chunks` holds."""
        spaced, behind = self._spacing, self._work
        return self.carrier.get_write_buffer_size() + (spaced.size if spaced else 0) + (behind.size if behind else 0)

    @property
    def taken(self) -> int:
        """How many bytes the peer took so far."""
        return self._written - self.carrier.get_write_buffer_size()

    def flush(self) -> None:
        """Write what `chunks` holds, in one write; what waited before is bounded, for this is one tick's at most."""
        chunks = self.chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self.count += len(chunks)
        chunks.clear()
        if self.is_blocked and not self._check_room(self.carrier.get_write_buffer_size()):
            return
        self._write(data)
        if len(data) > _MUCH_BYTES:  # whether the carrier takes it is known in the next tick
            self._slow_down(len(data))
            asyncio.get_running_loop().call_soon(self._look_again)

    def suit(self, rewrite: Callable[[bytes], bytes] | None, *, is_spaced: bool) -> None:
        """Write as this peer reads from now on.

        Args:
            rewrite: makes of a line what this peer is to read; None: it goes out as it is.
            is_spaced: there is to be a gap behind each line (R-pace).
        """
        self._rewrite = rewrite
        if is_spaced and self._spacing is None:
            guard = self.sender.guard
            write, idle = partial(guard, self._write_spaced), partial(guard, self._close_if_empty)
            self._spacing = Spacing(self._limits, write, lambda: not self.is_blocked, idle)
        elif self._spacing is not None and not is_spaced:
            lines, self._spacing = self._spacing.end(), None
            self.chunks.extend(lines)
            self.sender.flush_soon()
        self._choose_way()

    def close(self) -> None:
        """Close the carrier once everything is written."""
        self._is_closing = True
        self._close_if_empty()

    def break_off(self, last: bytes) -> None:
        """Write what is ready and *last*, a line, then close. What is being worked out is lost."""
        if self._work is not None:
            self._work.cancel()
        self.chunks.append(last)
        self.flush()
        self.carrier.close()

    def cut(self, last: bytes) -> None:
        """Write *last*, a line or nothing, instead of what waits, and close."""
        if last:
            self._write(last)
        if self.is_blocked:
            self.carrier.abort()
        else:
            self.carrier.close()

    def end(self) -> None:
        """Forget everything: the connection is gone. Whatever is still put here is written to nobody."""
        if self._work is not None:
            self._work.cancel()
        if self._spacing is not None:
            self._spacing.end()
        self._work = self._spacing = None
        self.carrier, self.sender = GONE, NOBODY
        self.chunks.clear()

    def block(self) -> None:
        """Take note that the carrier is full."""
        self.is_blocked = True
        self._slow_down(self.carrier.get_write_buffer_size())

    def unblock(self) -> None:
        """Go on: the carrier takes bytes again."""
        self.is_blocked = False
        self._turns.release(Hold.UNREAD)
        if self._spacing is not None:
            self.sender.guard(self._spacing.go_on)
        if self._drained is not None:
            drained, self._drained = self._drained, None
            drained.set_result(None)

    async def _may_work(self) -> None:
        if self._work is not None and len(self._work) < _MAX_JOBS:
            self._turns.release(Hold.JOBS)
        if self.is_blocked:
            await self._writable()
        await self._rota.turn(self._turns.spent)

    def _worked(self) -> None:
        self._work = None
        self._turns.release(Hold.JOBS)
        self._choose_way()
        self._close_if_empty()

    def _pass_on(self, lines: Sequence[Outgoing]) -> None:
        if self._rewrite is not None:
            lines = [(message, self._rewrite(line)) for message, line in lines]
        if self.translate is not None:
            lines = [(message, theirs) for message, line in lines for theirs in self.translate(line)]
        self.send(lines)

    def send(self, lines: Sequence[Outgoing]) -> None:
        """Send *lines*, which are as this peer reads already, before what waits for jobs."""
        if self._spacing is not None:
            self._spacing.put(lines)
            if self.is_blocked:
                self._check_room(self._spacing.size + self.carrier.get_write_buffer_size())
            return
        self.chunks.extend(line for _, line in lines)
        self.sender.flush_soon()

    def _choose_way(self) -> None:
        self.is_straight = self._work is None and self._spacing is None and self._rewrite is None
        self.is_straight = self.is_straight and self.translate is None

    def _write_spaced(self, line: bytes) -> None:
        self.count += 1
        self._write(line)

    def _write(self, data: bytes) -> None:
        if not self.carrier.is_closing():  # between that and the end of the connection one event loop raises
            self._written += len(data)
            self.carrier.write(data)

    def _close_if_empty(self) -> None:
        if self._is_closing and self._work is None and not self._spacing:
            if self.chunks:
                self.flush()
            self.carrier.close()

    def _check_room(self, waiting: int) -> bool:
        if waiting <= self._limits.max_out_bytes:
            self._slow_down(waiting)
            return True
        self.sender.fell_behind(waiting)
        return False

    def _slow_down(self, waiting: int) -> None:
        """Take nothing from a peer while much waits for it: a few bytes of requests make thousands of answers."""
        if waiting > _MUCH_BYTES:
            self._turns.hold_for(Hold.UNREAD, _UNREAD_SECONDS)
            self.sender.much_waits(waiting)

    def _look_again(self) -> None:
        if not self.is_blocked:
            self._turns.release(Hold.UNREAD)

    def _writable(self) -> asyncio.Future[None]:
        """Return what is done when the carrier, which is blocked, takes bytes again."""
        if self._drained is None:
            self._drained = asyncio.get_running_loop().create_future()
        return self._drained


def _raise_fault(worker: asyncio.Task[None]) -> None:
    if not worker.cancelled():
        worker.result()
