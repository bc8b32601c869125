"""Sees that the files under our connections are still those at their path, and no shorter than what was written.

SQLite writes on into files that somebody removed, replaced or cut: who restarts finds nothing of it.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["Watch"]

_WAL_MAGIC = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
_MOMENT_SECONDS = 0.01


class Watch:
    """Looks at the database and its -wal file, whose connections stay open meanwhile.

    That a file lost its name or was cut is seen at each look, in three cheap system calls. That it has another name
    now, under which nothing of it is lost, is seen a moment later: to find a file by its name takes the system longer.

    Attributes:
        harm: what was found first, "" if nothing yet; may be read in another thread.
    """

    def __init__(self, path: Path, *, max_wal_bytes: int, is_cache: bool = False) -> None:
        """Begin with the files as they are now. A -wal file longer than *max_wal_bytes* may be cut to that by SQLite.

        What a cache held is elsewhere too: nobody has to save anything.

        Raises:
            OSError: there is no such file.
        """
        self._names: tuple[str, ...] = (str(path), f"{path}-wal")
        self._is_cache = is_cache
        self._files = [os.open(name, os.O_RDONLY) for name in self._names]
        self._found = [os.fstat(file) for file in self._files]
        self._most_bytes = (sys.maxsize, max_wal_bytes)
        self._looked = 0.0
        self.harm = ""

    def trouble(self) -> str:
        """Return what has happened to the files, "" if nothing."""
        if self._is_cache and self.harm:
            return self.harm  # said once, and for good
        found = self._look()
        self.harm = self.harm or found
        return found

    def explain(self, error: Exception) -> str:
        """Return what SQLite says, for people; that a cache is damaged is taken note of."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if not self._is_cache or code not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return str(error)
        self.harm = self._said(str(error), "")
        return self.harm

    def is_in_place(self) -> bool:
        """Tell whether the database at the path is the one it was."""
        with suppress(OSError):
            return os.path.samestat(os.stat(self._names[0]), self._found[0])
        return False

    def _look(self) -> str:
        now = time.monotonic()
        if now - self._looked > _MOMENT_SECONDS:
            if trouble := self._trouble_with_names():
                return trouble
            self._looked = now
        found = [os.fstat(file) for file in self._files]
        for name, file, before, most in zip(self._names, found, self._found, self._most_bytes, strict=True):
            if file.st_nlink == 0:
                return self._said(f"{name} was removed or replaced", "make a backup before you stop")
            if file.st_size < before.st_size and file.st_size < most:
                return self._said(
                    f"{name} was cut to {file.st_size} of {before.st_size} bytes", "stop, and restore a backup"
                )
        if found[1].st_size and os.pread(self._files[1], 4, 0) not in _WAL_MAGIC:
            return self._said(f"{self._names[1]} was overwritten", "stop, and restore a backup")
        self._found = found
        return ""

    def expect_cut(self) -> None:
        """Take the files as they are: this server itself has just emptied the -wal file."""
        self._found = [os.fstat(file) for file in self._files]

    def close(self) -> None:
        """Look no more. Only when no connection is open: to close a file gives up this process's locks on it."""
        for file in self._files:
            with suppress(OSError):
                os.close(file)

    def _trouble_with_names(self) -> str:
        for name, known in zip(self._names, self._found, strict=True):
            try:
                found = os.stat(name)
            except OSError as error:
                return self._said(f"{name} is gone ({error.strerror})", "put it back, or make a backup before you stop")
            if not os.path.samestat(found, known):
                return self._said(
                    f"{name} is another file now", "put the right one back, or make a backup before you stop"
                )
        return ""

    def _said(self, what: str, advice: str) -> str:
        return f"{what}: {'this node begins anew, and fills another one' if self._is_cache else advice}"
