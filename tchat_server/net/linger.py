"""The end of a connection that is to be read: closing at once resets it if the peer still sends (RFC 9112, 9.6)."""

from __future__ import annotations

import asyncio
from contextlib import suppress

__all__ = ["Lingering"]

_SECONDS = 2.0


class Lingering(asyncio.Transport):
    """A transport that closes its sending side first, and the rest when the peer has too or a while later."""

    def __init__(self, inner: asyncio.Transport) -> None:
        super().__init__()
        self._inner = inner
        self._is_ending = False
        self._timer: asyncio.TimerHandle | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write bytes; once it is closing they are lost, as behind any closed transport."""
        if not self._is_ending:
            self._inner.write(data)

    def close(self) -> None:
        """Close, but let the peer read first what was written. Over TLS that is its own way of closing."""
        if self.is_closing():
            return
        self._is_ending = True
        if self._inner.can_write_eof():
            with suppress(OSError):  # the peer is gone already
                self._inner.write_eof()
            self._timer = asyncio.get_running_loop().call_later(_SECONDS, self._inner.close)
        else:
            self._inner.close()

    def abort(self) -> None:
        """Close at once."""
        self._is_ending = True
        self._inner.abort()

    def end(self) -> None:
        """Forget everything: the connection is gone."""
        if self._timer is not None:
            self._timer.cancel()

    def is_closing(self) -> bool:
        """Tell whether nothing more is to be written."""
        return self._is_ending or self._inner.is_closing()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait."""
        return self._inner.get_write_buffer_size()

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Return what asyncio's transport knows."""
        return self._inner.get_extra_info(name, default)
