"""A TLS connection whose bytes are opened in turns, like those of everybody else (see `tchat_server.net.flow`).

What is opened need not be a message: a key update is 27 bytes, takes as long as a message, and nobody above hears of
it. So it is the bytes on the line that take turns here, whatever they turn out to be. asyncio's protocol does all the
rest, also on loops that have one of their own, which opens at once whatever came.
"""

from __future__ import annotations

import asyncio
from asyncio.sslproto import SSLProtocol
from ssl import SSLContext
from typing import Any

from tchat_server.net.flow import Turns
from tchat_server.net.rota import Rota

__all__ = ["Secured"]

_TURN_BYTES = 1024
_PAUSED = "what was opened is not read yet"


class Secured(SSLProtocol):
    """The server's end of a TLS connection. *shaken* is done when the handshake is, or failed; it is not kept here."""

    max_size = 8 * 1024
    """What is read at once; each connection has a buffer of that size."""

    _turns: Turns

    def __init__(
        self,
        app: asyncio.Protocol,
        context: SSLContext,
        rota: Rota,
        shaken: asyncio.Future[None],
        handshake_seconds: float,
        end_seconds: float,
    ) -> None:
        self._rota, self._line_has_ended = rota, False
        super().__init__(
            asyncio.get_running_loop(),
            app,
            context,
            shaken,
            server_side=True,
            ssl_handshake_timeout=handshake_seconds,  # type: ignore[arg-type]  # it takes fractions of seconds
            ssl_shutdown_timeout=end_seconds,
        )

    def connection_made(self, transport: Any) -> None:
        self._turns = Turns(transport, self._open, self._rota)
        self._turns.give_to(self._open, _turn_end)
        super().connection_made(transport)

    def buffer_updated(self, nbytes: int) -> None:
        """Take so many bytes that were read into the buffer, all of them or turn by turn."""
        self._turns.feed(bytes(self.get_buffer(-1)[:nbytes]))

    def eof_received(self) -> bool:  # type: ignore[override]  # its stub has None
        self._line_has_ended = True
        self._end_line_if_due()
        return True  # it is closed here

    def connection_lost(self, exc: BaseException | None) -> None:
        self._turns.end()
        super().connection_lost(exc)

    def _open(self, data: bytes) -> None:
        try:
            self.get_buffer(-1)[: len(data)] = data
            super().buffer_updated(len(data))
            self._end_line_if_due()
        except Exception as error:  # noqa: BLE001  # it costs this connection, not those whose turns are next
            self._fatal_error(error)

    def _end_line_if_due(self) -> None:
        """Take the end of the line, once everything before it was opened."""
        if self._line_has_ended and not self._turns.is_held:
            self._line_has_ended = False
            if not super().eof_received() and self._transport is not None:
                self._transport.close()

    # What the protocol above wants: then nothing more is opened, nor is the end of it kept waiting.

    def _pause_reading(self) -> None:
        self._turns.hold(_PAUSED)

    def _resume_reading(self) -> None:
        self._turns.release(_PAUSED)
        self._end_line_if_due()

    def _start_shutdown(self) -> None:
        self._turns.release(_PAUSED)
        super()._start_shutdown()


def _turn_end(data: bytes, most: int, messages: int) -> int:
    return min(len(data), most, _TURN_BYTES)
