"""The socket beside a database, where the server that has it is told what to do: a JSON object on a line, each way.

Who may connect is who may read the database (mode 0600); the system tells whose process it is. What `who` asks is done
by an *act*, in a thread of its own: it yields the answer, and goes on when the one who asked has gone.
"""

from __future__ import annotations

import json
import logging
import os
import pwd
import select
import socket
import stat
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

__all__ = ["Act", "Control", "Json", "asked"]

logger = logging.getLogger("tchat_server")

Json: TypeAlias = Mapping[str, Any]

Act: TypeAlias = Callable[[Json, str], AbstractContextManager[Json]]
"""Takes a request, and the name of the system's user who made it."""

_MAX_BYTES = 64 * 1024
_READ_SECONDS = 5.0
_PAUSE_SECONDS = 1.0
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


class Control:
    """The socket, and the threads that answer at it.

    Attributes:
        acts: what can be asked, by the request's `act`; "" is everything else.
        is_stopping: acts are to end.
    """

    def __init__(self, path: Path, acts: Mapping[str, Act]) -> None:
        """Begin to listen at *path*. Where that cannot be it is only logged."""
        self.acts: dict[str, Act] = dict(acts)
        self.is_stopping: bool = False
        self._path = path
        self._wake, self._woken = socket.socketpair()
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        try:
            self._listener = _listen(path)
        except OSError as error:
            logger.warning(
                "an operator's commands, check and backup must wait until the server ends: %s: %s", path, error
            )
        else:
            self._start(self._accept)

    def stop(self) -> None:
        """Answer nobody any more, and wait for the end of what was begun. Blocks: not on the loop."""
        self.is_stopping = True
        self._wake.close()
        while threads := self._running():
            for thread in threads:
                thread.join()
        self._woken.close()

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, name="tchat-control", daemon=True)
        with self._lock:
            thread.start()
            self._threads = {it for it in self._threads if it.is_alive()} | {thread}

    def _running(self) -> set[threading.Thread]:
        with self._lock:
            return {it for it in self._threads if it.is_alive()}

    def _accept(self) -> None:
        assert self._listener is not None
        with self._listener as listener:
            while self._waits_for(listener):
                try:
                    client, _ = listener.accept()
                except OSError as error:  # no descriptor is free: who asks waits
                    logger.warning("no operator is answered: %s", error)
                    self._waits_for(self._woken, _PAUSE_SECONDS)
                    continue
                self._start(self._serve, client)
        self._path.unlink(missing_ok=True)

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            client.settimeout(_READ_SECONDS)
            if not self._waits_for(client, _READ_SECONDS):
                return
            request = _read(client)
            if request is None:
                _write(client, {"failed": "one JSON object on a line was expected"})
                return
            act = self.acts.get(str(request.get("act"))) or self.acts.get("")
            if act is None:
                _write(client, {"failed": "this is not done here"})
                return
            with act(request, _who(client)) as answer:
                _write(client, answer)
                self._waits_for(client)

    def _waits_for(self, connection: socket.socket, seconds: float | None = None) -> bool:
        """Wait until there is something to read, or the time is over; False when the server stops."""
        poll = select.poll()
        for each in (connection, self._woken):
            poll.register(each, select.POLLIN)
        ready = poll.poll(None if seconds is None else 1000 * seconds)
        return self._woken.fileno() not in [number for number, _ in ready]


@contextmanager
def asked(path: Path, request: Json, seconds: float | None = None) -> Iterator[Json | None]:
    """Have the server that listens at *path* do what *request* asks, and yield its answer; None if none listens.

    Raises:
        OSError: the socket may not be used, or no answer came in so many *seconds*.
    """
    with closing(socket.socket(socket.AF_UNIX)) as asking:
        asking.settimeout(seconds)
        try:
            with _reachable(path) as address:
                asking.connect(address)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            yield None
            return
        answer = None
        with suppress(ConnectionResetError, BrokenPipeError):
            _write(asking, request)
            answer = _read(asking, None)
        yield {"failed": "it stopped"} if answer is None else answer


def _read(connection: socket.socket, most: int | None = _MAX_BYTES) -> Json | None:
    with connection.makefile("rb") as lines:
        line = lines.readline() if most is None else lines.readline(most)
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _write(connection: socket.socket, message: Json) -> None:
    connection.sendall(json.dumps(message).encode() + b"\n")


def _who(connection: socket.socket) -> str:
    """Return whose process is at the other end."""
    uid = os.getuid()
    if hasattr(socket, "SO_PEERCRED"):
        found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, uid, _ = _CREDENTIALS.unpack(found)
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return f"uid {uid}"


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
