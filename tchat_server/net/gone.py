"""What stands for the transport of a connection that is gone, for its sender, and for who took what it read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

__all__ = ["GONE", "NOBODY", "ignore"]


class _Gone(asyncio.Transport):
    """Stands for the transport of a connection that is gone: one event loop raises at what is done with that."""

    def write(self, data: bytes | bytearray | memoryview) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...

    def is_closing(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return 0


class _Nobody:
    """Stands for the sender whose outbox it was, and for the reader who had patience."""

    def guard(self, act: Callable[..., None], *args: Any) -> None: ...
    def flush_soon(self) -> None: ...
    def much_waits(self, waiting: int) -> None: ...
    def crowd(self, is_crowded: bool) -> None: ...
    def fell_behind(self, waiting: int) -> None: ...


def ignore(*_: object) -> None:
    """Do nothing, whatever comes."""


GONE = _Gone()
NOBODY = _Nobody()
