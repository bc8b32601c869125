"""The right to write to a database: one process at a time has it open, and notes what the next one must find.

It holds a lock on the file `<database>.lock` beside it, which the system releases however the process ends. The same
file notes whose it is and the number of the last entry committed. It is never ahead of the database, so a database
behind it has lost entries (a truncated `-wal` file, which SQLite cannot tell from a crash), and one that is not there,
or another one, has lost them all.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Literal

from tchat_server.store.event_log import LogUnusable

__all__ = ["Durability", "Lock", "beside", "lock_path", "missing", "verify"]

Durability = Literal["full", "normal"]

_NOTE_BYTES = 128


class Lock:
    """The lock, held until `release` or the end of the process."""

    def __init__(self, path: Path, *, durability: Durability = "full") -> None:
        """Take the lock. Only with "full" are entries noted: otherwise a power cut may lose what was committed.

        Raises:
            LogUnusable: another process has it.
            OSError: the lock's file cannot be made.
        """
        self._is_noting = durability == "full"
        self._identity = ""
        self._file = os.open(lock_path(path), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise LogUnusable(
                f"{path}: database is locked by another tchat-server: stop that one or choose another file with --db"
            ) from error

    def begin(self, identity: str, number: int) -> None:
        """Begin to note for the database with this identity, whose last entry has this number."""
        self._identity = identity
        if self._is_noting:
            self.note(number)
        elif _parse(os.pread(self._file, _NOTE_BYTES, 0))[0] != identity:
            self._write(0)

    def note(self, number: int) -> None:
        """Note the number of the last entry that is committed. A note that fails costs nothing but a check."""
        if self._is_noting:
            self._write(number)

    def release(self) -> None:
        """Let another process have the database."""
        os.close(self._file)

    def _write(self, number: int) -> None:
        with suppress(OSError):
            os.pwrite(self._file, f"{self._identity} {number:020}\n".encode(), 0)


def lock_path(path: Path) -> Path:
    """Return the lock's file."""
    return beside(path, ".lock")


def beside(path: Path, suffix: str) -> Path:
    """Return the file of this suffix beside the database."""
    return path.with_name(path.name + suffix)


def missing(path: Path) -> str:
    """Return what is wrong with *path*, which holds nothing: "" if nothing ever was in it."""
    if not _noted(path)[0]:
        return ""
    return (
        f"{path} is gone, or emptied: put it back with its -wal file or restore a backup, "
        f"or delete {lock_path(path)} to start with an empty one"
    )


def verify(path: Path, identity: str, last: int) -> str:
    """Return what the note says against a database with this identity and number of its last entry, "" if nothing."""
    whose, noted = _noted(path)
    if whose and whose != identity:
        return (
            f"{path} is not the database that was used here: put that one back or restore a backup of it, "
            f"or delete {lock_path(path)} to go on with this one"
        )
    if noted > last:
        return (
            f"{path} lacks its last entries ({noted - last}): "
            f"restore its -wal file or a backup, or delete {lock_path(path)} to go on without them"
        )
    return ""


def _noted(path: Path) -> tuple[str, int]:
    try:
        with lock_path(path).open("rb") as file:
            return _parse(file.read(_NOTE_BYTES))
    except FileNotFoundError:
        return "", 0


def _parse(note: bytes) -> tuple[str, int]:
    whose, _, number = note.decode("ascii", "replace").strip().partition(" ")
    return whose, int(number) if number.isdigit() else 0
