"""A server's program: started, waited for, listened to, and ended; and what a command's words stand for."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
import subprocess
import threading
import time
from typing import Dict, List, Optional, Sequence

from words import say

from programs.family import end, family, spawn

__all__ = ["HOST", "Absent", "Program", "Unfit", "free_port", "listens", "replace"]

HOST = "127.0.0.1"
PORTS = range(20000, 32000)
START_SECONDS = 10.0
SETTLE_SECONDS = 0.05
READER_SECONDS = 1.0
KEPT_BYTES = 4000
KEPT_LINES = 3
_ERROR = re.compile(r"Error\b|Exception\b|error:")
_IN_USE = re.compile(rb"EADDRINUSE|in use", re.IGNORECASE)


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
        self._given, self._is_fixed = list(command), bool(port)
        self._take(port or free_port())
        self._names_port = any("{port}" in part for part in command)
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._reader: Optional[threading.Thread] = None
        self._said = b""

    def _take(self, port: int) -> None:
        self.port = port
        self.command = replace(self._given, {"host": HOST, "port": str(port)})

    def start(self) -> None:
        """Start the program and wait until it listens; on another port if somebody has just taken the one chosen.

        Raises:
            OSError: there is no such program.
            Absent: it does not listen; the text says why.
        """
        try:
            self._start()
        except Absent:
            if self._is_fixed or not _IN_USE.search(self._said):
                raise
            self._take(free_port())
            self._start()

    def _start(self) -> None:
        if listens(self.port):
            raise Absent(say("port-in-use", port=self.port))
        self._said = b""
        self._process = spawn(self.command, HOST, self.port, subprocess.DEVNULL)
        self._reader = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
        self._reader.start()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if listens(self.port):
                time.sleep(SETTLE_SECONDS)
                if not self.has_ended:  # else it is somebody else who listens
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
        said = [line.strip() for line in self._said.decode("utf-8", "replace").splitlines()]
        said = [line for line in said if line.strip("^~ ") and not line.startswith("at ")]  # a stack says too much
        errors = [line for line in said[:-KEPT_LINES] if _ERROR.search(line)][-1:]
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
    """Return a port that nobody listens on now, of those that a system does not give away by itself."""
    while True:
        port = PORTS.start + secrets.randbelow(len(PORTS))
        with contextlib.suppress(OSError), socket.create_server((HOST, port)):
            return port


def listens(port: int) -> bool:
    """Say whether somebody takes connections on *port*."""
    try:
        socket.create_connection((HOST, port), 1).close()
    except OSError:
        return False
    return True
