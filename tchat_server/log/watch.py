"""Sees that the files under our connections are still those at their path, and no shorter than what was written.

SQLite writes on into files that somebody removed, replaced or cut: who restarts finds nothing of it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["Watch"]

_WAL_MAGIC = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")


class Watch:
    """Looks at the database and its -wal file, whose connections stay open meanwhile. Three system calls a look."""

    def __init__(self, path: Path, *, max_wal_bytes: int) -> None:
        """Begin with the files as they are now. A -wal file longer than *max_wal_bytes* may be cut to that by SQLite.

        Raises:
            OSError: there is no such file.
        """
        self._path = path
        self._wal = os.open(path.with_name(path.name + "-wal"), os.O_RDONLY)
        self._max_wal_bytes = max_wal_bytes
        self._found, self._wal_found = os.stat(path), os.fstat(self._wal)

    def trouble(self) -> str:
        """Return what has happened to the files, "" if nothing."""
        path, wal_path = self._path, f"{self._path}-wal"
        try:
            now, wal = os.stat(path), os.stat(wal_path)
        except OSError as error:
            return f"{error.filename} is gone ({error.strerror}): put it back, or make a backup before you stop"
        for name, file, known, least in (
            (path, now, self._found, self._found.st_size),
            (wal_path, wal, self._wal_found, min(self._wal_found.st_size, self._max_wal_bytes)),
        ):
            if (file.st_dev, file.st_ino) != (known.st_dev, known.st_ino):
                return f"{name} is another file now: put the right one back, or make a backup before you stop"
            if file.st_size < least:
                return f"{name} was cut to {file.st_size} of {least} bytes: stop, and restore a backup"
        if wal.st_size and os.pread(self._wal, 4, 0) not in _WAL_MAGIC:
            return f"{wal_path} was overwritten: stop, and restore a backup"
        self._found, self._wal_found = now, wal
        return ""

    def close(self) -> None:
        """Look no more."""
        with suppress(OSError):
            os.close(self._wal)
