"""A client as a person sees it: a program, lines typed to it, and what it shows."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
from typing import Callable, Mapping, Optional, Sequence

from words import say

from programs.family import end, spawn
from programs.program import HOST, Unfit, replace

__all__ = ["Screen"]

MAX_OUTPUT_BYTES = 4 << 20
COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
QUESTIONS = {
    "port": "{port}",
    r"host|address|adresse|server|serveur|h[oô]te|\bip\b": "{host}",
    r"name|nom\b|pseudo|nick|login|user|utilisateur|identifiant|who are you|qui ": "{name}",
}
"""What many programs ask at their start -> what is typed then."""


class Screen:
    """One run of a client's command, in which `{name}`, `{host}` and `{port}` are replaced."""

    def __init__(
        self,
        command: Sequence[str],
        name: str,
        host: str,
        port: int,
        timeout_seconds: float,
        hints: Optional[Mapping[str, str]] = None,
    ) -> None:
        self.timeout_seconds = timeout_seconds
        self._values = {"name": name, "host": host, "port": str(port)}
        self._command = replace(command, self._values)
        self._answers = {**{re.escape(part): answer for part, answer in (hints or {}).items()}, **QUESTIONS}
        self._answered = 0
        self._port = port
        self._output = b""
        self._grown = threading.Condition()
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._listener: Optional[threading.Thread] = None

    def start(self) -> None:
        """Start the program.

        Raises:
            OSError: there is no such program.
        """
        self._process = spawn(self._command, HOST, self._port, subprocess.PIPE)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def stop(self) -> None:
        """End the program, gently first."""
        if self._process:
            self.end_input()
            end(self._process)
            if self._listener:
                self._listener.join(1)

    def type(self, line: str) -> None:
        """Type a line."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        try:
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
        except OSError:
            raise Unfit(say("client-deaf")) from None

    def answer(self) -> None:
        """Type what the program asks for, if it waits with a question now: its name, a host, a port."""
        size = len(self._output)
        lines = COLOURS.sub("", self._output[self._answered :].decode("utf-8", "replace")).strip().splitlines()
        if not lines or lines[-1][-1] not in "?:>])":
            return
        for part, answer in self._answers.items():
            if re.search(part, lines[-1], re.IGNORECASE):
                self._answered = size
                with contextlib.suppress(Unfit):  # it has ended: that is told elsewhere
                    self.type(*replace((answer,), self._values))
                return

    def end_input(self) -> None:
        """Close the program's standard input."""
        process = self._process
        if process and process.stdin:
            with contextlib.suppress(OSError):
                process.stdin.close()

    def wait(self, seconds: float) -> None:
        """Give the program so long to end by itself."""
        if self._process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)

    def shows(self, text: str) -> None:
        """Wait until the program has shown *text*.

        Raises:
            Unfit: it did not in time.
        """
        if not self._wait(lambda: text.encode() in self._output):
            raise Unfit(say("client-shows-not", text=repr(text)))

    def shows_more(self, since: int) -> None:
        """Wait until the program has shown anything beyond the first *since* bytes."""
        if not self._wait(lambda: len(self._output[since:].strip()) > 0):
            raise Unfit(say("client-shows-nothing"))

    @property
    def output(self) -> bytes:
        """All that was shown so far."""
        return self._output

    @property
    def last_words(self) -> str:
        """What it said last, or what sounds like an error, as the end of a sentence."""
        words = self._output.decode("utf-8", "replace").strip().splitlines()
        errors = [line.strip() for line in words if "error" in line.lower()]
        return say("it-said", text=[*words[-1:], *errors[-1:]][-1]) if words else ""

    @property
    def ending(self) -> str:
        """How it ended, if it did, and what it said last, as the end of a sentence."""
        code = self._process.poll() if self._process else None
        how = "" if code is None else say("exit-code", code=code) if code >= 0 else say("exit-signal", number=-code)
        return how + self.last_words

    @property
    def has_ended(self) -> bool:
        """The program is not running any more, and has said all it had to say."""
        ended = self._process is not None and self._process.poll() is not None
        return ended and self._listener is not None and not self._listener.is_alive()

    def _listen(self) -> None:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        while True:
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                return
            with self._grown:
                if len(self._output) < MAX_OUTPUT_BYTES:
                    self._output += data
                self._grown.notify_all()

    def _wait(self, holds: Callable[[], bool]) -> bool:
        with self._grown:
            return self._grown.wait_for(holds, self.timeout_seconds)
