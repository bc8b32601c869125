"""A program under test: started, typed to, read, and ended with all its children, whatever it does."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

__all__ = ["Program", "Setup", "plain"]

MAX_OUTPUT_BYTES = 1 << 20
_MOST_WORDS = 200
"""Characters of its last words."""

_END_SECONDS, _PAUSE_SECONDS = 5.0, 0.01
_MOST_SPINS = 3  # it computes without end: that says nothing
_MARK = "TCHAT_LEARN_RUN"
"""In the environment of whatever a program starts, also in a session of its own: so it is found, and ended (Linux)."""

_WIDE = (60, 500)  # rows, columns: nothing is to be wrapped
_CONTROLS = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[\[(][0-9;?]*[ -/]*[@-~]?|\x1b[@-Z\\-_=>78]|[\x00-\x08\x0e-\x1f\x7f]"
)


@frozen
class Setup:
    """How programs are started.

    Attributes:
        command: words in which {name}, {host} and {port} are replaced.
        hints: what to answer to a question at the start: a part of it -> the answer, with the same holes.
        directory: where it runs; None is here.
        pty: it gets a terminal.
        port: the one it uses whatever its command says, 0 if it takes ours.
        patience: times every wait is multiplied by, on a slow machine.
    """

    command: tuple[str, ...]
    hints: Mapping[str, str] = field(factory=dict)
    environment: Mapping[str, str] = field(factory=dict)
    directory: str | None = None
    pty: bool = False
    patience: float = 1.0
    port: int = 0

    def words(self, values: Mapping[str, str]) -> list[str]:
        """Return the command to start."""
        return [fill(word, values) for word in self.command]


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace {name}, {host} and {port} in *text*."""
    for key, value in values.items():
        text = text.replace("{" + key + "}", value)
    return text


def plain(output: bytes) -> str:
    """Return what of *output* a person would read: no colours, no cursor movements."""
    return _CONTROLS.sub("", output.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n"))


@define
class Program:
    """One run of a program. Use as a context manager; its children end with it."""

    setup: Setup
    values: Mapping[str, str]
    selector: selectors.BaseSelector
    _process: subprocess.Popen[bytes] | None = None
    _stdout: int = -1
    _stdin: int = -1
    _output: bytearray = field(factory=bytearray)
    _mark: str = field(factory=secrets.token_hex)
    has_ended: bool = False
    flooded: bool = False
    spins: int = 0

    def start(self) -> None:
        """Start it.

        Raises:
            OSError: there is no such program.
        """
        scratch = tempfile.gettempdir()
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "TERM": "xterm", "TMPDIR": scratch}
        environment |= {"HOST": self.values.get("host", ""), "PORT": self.values.get("port", "")}
        environment |= {key: fill(value, self.values) for key, value in self.setup.environment.items()}
        environment[_MARK] = self._mark
        common: dict[str, Any] = {"env": environment, "cwd": self.setup.directory, "start_new_session": True}
        words = self.setup.words(self.values)
        if self.setup.pty:
            self._start_in_terminal(words, common)
        else:
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(
                words, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, bufsize=0, **common
            )
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._stdin, self._stdout = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._stdout, False)
        os.set_blocking(self._stdin, False)
        self.selector.register(self._stdout, selectors.EVENT_READ, self)

    def _start_in_terminal(self, words: list[str], common: dict[str, Any]) -> None:
        import fcntl
        import pty
        import struct
        import termios

        ours, theirs = pty.openpty()
        try:
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *_WIDE, 0, 0))
            mode = termios.tcgetattr(theirs)
            mode[3] &= ~termios.ECHO
            termios.tcsetattr(theirs, termios.TCSANOW, mode)
            self._process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, **common)
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        self._stdin = self._stdout = ours

    def read(self) -> None:
        """Take in what it shows now."""
        try:
            data = os.read(self._stdout, 65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.has_ended = True
            with contextlib.suppress(KeyError, ValueError):
                self.selector.unregister(self._stdout)
        self.flooded = self.flooded or len(self._output) + len(data) > MAX_OUTPUT_BYTES
        if not self.flooded:
            self._output += data

    @property
    def size(self) -> int:
        """How many bytes it has shown."""
        return len(self._output)

    def screen(self, since: int = 0) -> str:
        """Return what it showed after the first *since* bytes."""
        return plain(bytes(self._output[since:]))

    def last_words(self) -> str:
        """Return the last line of all that it has shown by now, read or not; "" if there is none."""
        size = -1
        while size != self.size:
            size = self.size
            self.read()
        lines = self.screen().strip().splitlines()
        return lines[-1].strip()[:_MOST_WORDS] if lines else ""

    @property
    def is_alive(self) -> bool:
        """It runs, and shows what it should be able to show."""
        return not self.has_ended and not self.flooded and self._process is not None and self._process.poll() is None

    @property
    def is_busy(self) -> bool:
        """It computes, or would if the machine let it: what is awaited may still come. Known on Linux only."""
        if self._process is None or self.flooded or self.spins > _MOST_SPINS:
            return False
        with contextlib.suppress(OSError):
            for path in Path(f"/proc/{self._process.pid}/task").glob("*/stat"):
                if path.read_bytes().rpartition(b") ")[2][:1] in (b"R", b"D"):
                    return True
        return False

    def type(self, line: str) -> None:
        """Type *line*; one that does not read is left alone."""
        with contextlib.suppress(OSError):
            os.write(self._stdin, line.encode("utf-8", "replace") + (b"\r" if self.setup.pty else b"\n"))

    def stop(self) -> None:
        """End it and its children."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(self._stdout)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()
        self._end_those_who_left()
        if self.setup.pty:
            os.close(self._stdout)
        else:
            for stream in (process.stdin, process.stdout):
                assert stream is not None
                with contextlib.suppress(OSError):
                    stream.close()

    def _end_those_who_left(self) -> None:
        """End what it started in sessions of their own, and wait until it has; what began meanwhile is found then."""
        mark, deadline = f"{_MARK}={self._mark}".encode(), now() + _END_SECONDS
        while now() < deadline:
            found = [path.parent.name for path in Path("/proc").glob("[0-9]*/environ") if mark in _content(path)]
            for pid in found:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(int(pid), signal.SIGKILL)
            if not found:
                return
            time.sleep(_PAUSE_SECONDS)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def now() -> float:
    """Return the time that waits are measured by."""
    return time.monotonic()
