"""Lines to a descriptor that may never be read: nobody who writes one waits for it.

logging's own QueueListener does not do: it waits for its last line for ever, and so does the exit.
"""

from __future__ import annotations

import os
import select
import threading
import time

__all__ = ["Outlet"]

_MAX_WAITING_BYTES = 4 * 1024 * 1024


class Outlet:
    """Writes lines in a thread of its own.

    At most 4 MiB wait; lines beyond are left out, and their number is told once there is room.

    Args:
        descriptor: of a pipe, a terminal, a file.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._condition = threading.Condition()
        self._waiting: list[bytes] = []
        self._size = self._left_out = 0
        self._is_idle = True
        threading.Thread(target=self._run, name="outlet", daemon=True).start()

    def write(self, line: str) -> None:
        """Have *line*, which has its end, written after those before it."""
        data = line.encode("utf-8", "backslashreplace")
        with self._condition:
            if self._size + len(data) > _MAX_WAITING_BYTES:
                self._left_out += 1
                return
            if self._left_out:
                data = b"(%d lines left out: standard error was not read)\n%b" % (self._left_out, data)
                self._left_out = 0
            self._waiting.append(data)
            self._size += len(data)
            self._is_idle = False
            self._condition.notify_all()

    def close(self, seconds: float = 0.5) -> None:
        """Wait until everything is written, but not longer than *seconds*."""
        with self._condition:
            self._condition.wait_for(lambda: self._is_idle, seconds)

    def _run(self) -> None:
        while True:
            with self._condition:
                self._is_idle = not self._waiting
                self._condition.notify_all()
                self._condition.wait_for(lambda: self._waiting)
                data, self._waiting = b"".join(self._waiting), []
            self._put(data)
            with self._condition:
                self._size -= len(data)

    def _put(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._descriptor, data[:65_536]) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [])
            except OSError:  # nobody will ever read it
                time.sleep(0.1)
                return
