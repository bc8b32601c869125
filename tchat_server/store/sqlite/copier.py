"""Copies of a database that its server has to itself: who asks at the socket `<database>.sock` is given one.

The server keeps the index of its -wal file in its own memory, where no other program can cut it (one that did ended the
server), so no other program can read the database beside it. Who may connect to the socket is who may read the file.
To connect is to ask; the server answers one line, "copy" when the file `<database>.copy` is there, else what is wrong;
it deletes the copy when the connection ends.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from tchat_server.store.event_log import LogUnusable

__all__ = ["Copier", "copied", "copy_database"]

_log = logging.getLogger(__name__)

_PAGES = 2000
_PAUSE_SECONDS = 1.0
_ANSWER_BYTES = 4096
_COPY = b"copy"


class Copier:
    """The socket, and the thread that makes one copy after the other, over a connection of its own."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Begin; *connection*, which may be used in any thread, is closed in the end. Without a socket only logs it."""
        self._copy, self._connection = _beside(path, "copy"), connection
        self._socket_path = _beside(path, "sock")
        self._is_stopping = False
        self._wake, self._woken = socket.socketpair()
        self._listener: socket.socket | None = None
        try:
            self._listener = _listen(self._socket_path)
        except OSError as error:
            _log.warning("check and backup must wait until the server ends: %s: %s", self._socket_path, error)
        self._thread = threading.Thread(target=self._run, name="tchat-copier", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Give up what was begun, and wait for the thread's end."""
        self._is_stopping = True
        self._wake.close()
        self._thread.join()

    def _run(self) -> None:
        try:
            while self._waits_for(self._listener or self._woken) and self._listener is not None:
                try:
                    client, _ = self._listener.accept()
                except OSError as error:  # no descriptor is free: who asks waits
                    _log.warning("storage: nobody is given a copy: %s", error)
                    self._waits_for(self._woken, _PAUSE_SECONDS)
                    continue
                with client:
                    self._serve(client)
        finally:
            if self._listener is not None:
                self._listener.close()
                self._socket_path.unlink(missing_ok=True)
            self._woken.close()
            with suppress(sqlite3.Error):
                self._connection.close()

    def _serve(self, client: socket.socket) -> None:
        try:
            self._copy.unlink(missing_ok=True)
            copy_database(self._connection, self._copy, self._go_on)
            answer = _COPY
        except (sqlite3.Error, OSError, InterruptedError) as error:
            _log.warning("storage: no copy was made: %s", error)
            answer = str(error).encode()
        with suppress(OSError):
            client.sendall(answer + b"\n")
            self._waits_for(client)
        with suppress(OSError):
            self._copy.unlink(missing_ok=True)

    def _waits_for(self, connection: socket.socket, seconds: float | None = None) -> bool:
        """Wait until there is something to read, or the time is over; False when the server stops."""
        poll = select.poll()
        for each in (connection, self._woken):
            poll.register(each, select.POLLIN)
        ready = poll.poll(None if seconds is None else 1000 * seconds)
        return self._woken.fileno() not in [number for number, _ in ready]

    def _go_on(self, *_: int) -> None:
        if self._is_stopping:
            raise InterruptedError("the server stops")


@contextmanager
def copied(path: Path) -> Iterator[Path]:
    """Have the server that uses the database make a copy, and yield its path; *path* itself if none answers.

    Raises:
        LogUnusable: the server cannot make one.
    """
    with closing(socket.socket(socket.AF_UNIX)) as asking:
        try:
            with _reachable(_beside(path, "sock")) as address:
                asking.connect(address)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            yield path
            return
        answer = b""
        with suppress(ConnectionResetError), asking.makefile("rb") as answers:
            answer = answers.readline(_ANSWER_BYTES).strip()
        if answer != _COPY:
            raise LogUnusable(
                f"{path} cannot be copied by its server: {answer.decode(errors='replace') or 'it stopped'}"
            )
        yield _beside(path, "copy")


def copy_database(source: sqlite3.Connection, out: Path, go_on: object = None) -> None:
    """Copy a database as it is at one moment to *out*, which must not exist, in a private file.

    Args:
        go_on: called now and then; what it raises ends the copy.
    Raises:
        OSError: the file exists, or cannot be made.
        sqlite3.Error: it cannot be copied.
    """
    os.close(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    source.execute("BEGIN")
    try:
        source.execute("SELECT count(*) FROM sqlite_master")
        with closing(sqlite3.connect(out, isolation_level=None)) as copy:
            copy.execute("PRAGMA synchronous = OFF")
            source.backup(copy, pages=_PAGES, progress=go_on)  # type: ignore[arg-type]
            copy.execute("PRAGMA journal_mode = DELETE")
    finally:
        source.execute("ROLLBACK")


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}.{suffix}")


@contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """Yield a short address for a socket: the system takes some 100 bytes at most."""
    if not Path("/proc/self/fd").is_dir():
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def _listen(path: Path) -> socket.socket:
    """Listen at *path*; a socket that a killed server left there is replaced, nothing else is."""
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    listener = socket.socket(socket.AF_UNIX)
    try:
        os.fchmod(listener.fileno(), 0o600)
        with _reachable(path) as address:
            listener.bind(address)
        path.chmod(0o600)
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener
