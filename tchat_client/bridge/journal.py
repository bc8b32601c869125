"""The bridge's lines on standard error, which may be a pipe that nobody reads: no client waits for that."""

from __future__ import annotations

import os
import queue
import threading
from contextlib import suppress

from tchat_client.sanitise import clean

__all__ = ["Journal"]

_MOST_LINES = 1000
_END_SECONDS = 0.5


class Journal:
    """Writes lines to *descriptor* in a thread of its own; when too many wait, further ones are left out."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: queue.Queue[str] = queue.Queue(_MOST_LINES)
        threading.Thread(target=self._run, name="journal", daemon=True).start()

    def write(self, text: str) -> None:
        """Have *text* written as one line, without anything in it that moves a cursor."""
        with suppress(queue.Full):
            self._lines.put_nowait(clean(text))

    def close(self) -> None:
        """Wait until all is written, but not for long."""
        with self._lines.all_tasks_done:
            self._lines.all_tasks_done.wait_for(lambda: not self._lines.unfinished_tasks, _END_SECONDS)

    def _run(self) -> None:
        while True:
            data = f"{self._lines.get()}\n".encode("utf-8", "replace")
            with suppress(OSError):
                while data:
                    data = data[os.write(self._descriptor, data) :]
            self._lines.task_done()
