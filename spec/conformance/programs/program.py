"""A server's program: started, waited for, listened to, and ended; and what a command's words stand for."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from typing import Dict, List, Optional, Sequence

from words import say

from programs.family import end, family, spawn

__all__ = ["HOST", "Absent", "Program", "Unfit", "free_port", "listens", "replace"]

HOST = "127.0.0.1"
START_SECONDS = 10.0
READER_SECONDS = 1.0
KEPT_BYTES = 4000
KEPT_LINES = 3


class Unfit(Exception):
    """The program did not do what it should; the text says what."""


class Absent(Unfit):
    """The program does not even come."""


def replace(command: Sequence[str], words: Dict[str, str]) -> List[str]:
    """Put values in the place of `{name}`, `{host}` and `{port}`."""
    found = list(command)
    for word, value in words.items():
        found = [part.replace("{%s}" % word, value) for part in found]
    return found


class Program:
    """A server's command, in which `{host}` and `{port}` are replaced; it may be started again and again."""

    def __init__(self, command: Sequence[str], port: int = 0) -> None:
        self.port = port or free_port()
        self.command = replace(command, {"host": HOST, "port": str(self.port)})
        self._names_port = any("{port}" in part for part in command)
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._reader: Optional[threading.Thread] = None
        self._said = b""

    def start(self) -> None:
        """Start the program and wait until it listens.

        Raises:
            OSError: there is no such program.
            Absent: it does not listen; the text says why.
        """
        if listens(self.port):
            raise Absent(say("port-in-use", port=self.port))
        self._said = b""
        self._process = spawn(self.command, HOST, self.port, subprocess.DEVNULL)
        self._reader = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
        self._reader.start()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if listens(self.port):
                return
            if self._process.poll() is not None and not family(self._process):
                break
            time.sleep(0.03)
        has_ended = self._process.poll() is not None
        words = say("no-port", port=self.port, seconds=START_SECONDS) + (
            "" if self._names_port else say("no-port-hint")
        )
        ending = say("server-ends") + self.last_words() if has_ended else words + self._quote()
        end(self._process)
        raise Absent(ending)

    def stop(self) -> None:
        """End the program and all it started."""
        if self._process:
            end(self._process)
            if self._reader:
                self._reader.join(READER_SECONDS)

    @property
    def has_ended(self) -> bool:
        """Nothing of the program is running any more."""
        return self._process is not None and self._process.poll() is not None and not family(self._process)

    def last_words(self) -> str:
        """Its exit code, if it has ended, and its last lines, as the end of a sentence."""
        process = self._process
        if process is None:
            return ""
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.3)
        if process.returncode is not None and self._reader:
            self._reader.join(0.5)
        code = process.returncode
        how = "" if code is None else say("exit-code", code=code) if code >= 0 else say("exit-signal", number=-code)
        return how + self._quote()

    def _quote(self) -> str:
        """What it said last, and the last line before that sounds like an error."""
        said = [line.strip() for line in self._said.decode("utf-8", "replace").splitlines() if line.strip()]
        errors = [line for line in said[:-KEPT_LINES] if "error" in line.lower()][-1:]
        lines = errors + said[-KEPT_LINES:]
        return say("it-said", text=" / ".join(lines)) if lines else ""

    def _listen(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        with process.stdout as stream:
            while True:
                data = os.read(stream.fileno(), 65536)
                if not data:
                    return
                self._said = (self._said + data)[-KEPT_BYTES:]


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.create_server((HOST, 0)) as free:
        return int(free.getsockname()[1])


def listens(port: int) -> bool:
    """Say whether somebody takes connections on *port*."""
    try:
        socket.create_connection((HOST, port), 1).close()
    except OSError:
        return False
    return True
