"""The server behind a bridge, started with it and ended with it."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator

from tchat_client.errors import CannotConnect, LinkError
from tchat_client.port import HOST, free_port, listens

__all__ = ["running"]

START_SECONDS = 10.0
TRIES = 3


@contextlib.contextmanager
def running(command: str | None) -> Iterator[str | None]:
    """Start *command* on a free port; give its address, None without a command.

    In it {host} and {port} are replaced, also as {server-host} and {server-port}; its environment has them as HOST
    and PORT.

    Raises:
        CannotConnect: it cannot be started, or does not listen in time.
    """
    if command is None:
        yield None
        return
    for attempt in range(TRIES):
        process, port = _start(command)
        try:
            if _comes(process, port):
                yield f"{HOST}:{port}"
                return
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if attempt == TRIES - 1:
            raise CannotConnect("cannot-connect", address=command, cause=LinkError("cause.mute"))


def _start(command: str) -> tuple[subprocess.Popen[bytes], int]:
    port = free_port()
    words = shlex.split(command)
    for hole, value in (("port", str(port)), ("host", HOST)):
        words = [word.replace(f"{{{hole}}}", value).replace(f"{{server-{hole}}}", value) for word in words]
    quiet, where = subprocess.DEVNULL, {**os.environ, "HOST": HOST, "PORT": str(port)}
    try:
        return subprocess.Popen(words, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True, env=where), port
    except OSError as error:
        raise _cannot(words[0], error.strerror or str(error)) from None


def _comes(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the server listens; it may have found its port taken by somebody else meanwhile."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if listens(port):
            return True
        time.sleep(0.05)
    return False


def _cannot(what: str, why: str) -> CannotConnect:
    return CannotConnect("cannot-connect", address=what, cause=LinkError("cause.other", detail=why))
