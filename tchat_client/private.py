"""Small files for their owner's eyes only, in a directory that somebody else may have prepared.

Nothing planted there is followed, waited for or trusted: no link, no FIFO, no file without end.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

__all__ = ["own_directory", "own_file", "read_own", "write_own"]

_CAREFULLY = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a FIFO is not waited for


def own_directory(path: Path) -> None:
    """Make the directory if it is not there, and let nobody else in. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        path.chmod(0o700)


def own_file(path: Path, flags: int) -> int:
    """Open a regular file, made private if others had rights, and return its descriptor.

    Raises:
        OSError: it can't be opened, or is something else than a regular file.
    """
    descriptor = os.open(path, flags | _CAREFULLY, 0o600)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if stat.S_IMODE(found.st_mode) & 0o077:
            os.fchmod(descriptor, 0o600)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def read_own(path: Path, most_bytes: int) -> bytes:
    """Return what is in a file. Raises OSError, also if there are more than *most_bytes*."""
    with open(own_file(path, os.O_RDONLY), "rb") as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return data


def write_own(path: Path, data: bytes) -> None:
    """Put *data* in place of the file, or of whatever is there, in one step. Raises OSError."""
    own_directory(path.parent)
    descriptor, temporary = tempfile.mkstemp(prefix=path.name + ".", dir=path.parent)  # new, and private
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        raise
