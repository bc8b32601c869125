"""The laboratory for a client: we are its server and its user, and see both sides of it."""

from __future__ import annotations

import codecs
import contextlib
import math
import re
import selectors
import socket
import time
from collections.abc import Callable
from typing import Any

from libtchat.dialect.dialect import Wire
from libtchat.dialect.probe import Await, Observation, Probe, Start, Tell, Type, conduct, frames
from libtchat.dialect.spread import Learning
from libtchat.dialect.vocabulary import PROMPTS
from tchat_client.learn.program import Program, Setup, fill, now
from tchat_client.learn.slowness import BUSY_SECONDS, MOST_UNSEEN, SHOWN_SECONDS, SLOW_SECONDS, LabError, patience_for
from tchat_client.port import HOST

__all__ = ["ClientLab"]

START_SECONDS = 8.0
QUESTION_SECONDS = 0.6
HELLO_SECONDS = 2.0
PACE_SECONDS = 0.015
QUIET_SECONDS = 0.25
SENT_SECONDS = 0.5
PROBES = 80  # in one of the runs, for an estimate
MAX_SENT_BYTES = 1 << 20


class ClientLab:
    """Runs of one client, one after the other; use as a context manager."""

    def __init__(self, setup: Setup, name: str, deadline: float = math.inf) -> None:
        self.setup: Setup = setup
        self.patience: float = setup.patience
        self.name: str = name
        self.deadline: float = deadline
        self._listener = self._listen(setup.port)
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._program: Program | None = None
        self._peer: socket.socket | None = None
        self._closed = False
        self._sent = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._wrote_at = self._acted_at = 0.0
        self._dialogue: list[tuple[str, str]] = []
        self.starts: int = 0
        self.probes: int = 0
        self._unseen = 0

    @staticmethod
    def _listen(port: int) -> socket.socket:
        try:
            return socket.create_server((HOST, port))
        except OSError as error:
            raise LabError(f"cannot listen on port {port}: {error.strerror or error}") from None

    def __enter__(self) -> ClientLab:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self._listener.close()
        self._selector.close()

    def run(self, learner: Learning) -> Any:
        """Do what *learner* asks for until it knows; return what it learnt.

        Raises:
            LabError: the client does not come.
        """
        return conduct(learner, self.observe)

    def observe(self, probe: Probe) -> Observation:
        """Do one probe."""
        self.probes += 1
        if now() > self.deadline:
            raise LabError("it takes too long: --seconds gives it more time")
        if isinstance(probe, Start):
            return self._start(probe)
        if isinstance(probe, Type):
            return self._type(probe)
        if isinstance(probe, Await):
            return self._await(probe)
        return self._tell(probe)

    def _start(self, probe: Start) -> Observation:
        self._end()
        self.starts += 1
        program = Program(self.setup, self._values, self._selector)
        try:
            program.start()
        except OSError as error:
            raise LabError(f"cannot start {self.setup.command[0]}: {error.strerror or error}") from None
        self._program, self._acted_at = program, now()
        self._sent, self._closed = "", False
        self._decoder.reset()
        self._answer_questions()
        if self._peer is None:
            said = f"; it said: {words}" if (words := program.last_words()) else ""
            hint = "" if self.setup.port else "; if it has a port of its own, say so: --port N"
            raise LabError(f"it {'does not connect' if program.is_alive else 'ends without connecting'}{said}{hint}")
        if probe.welcome is not None:
            self._write(probe.welcome)
            self._wait(lambda: False, 0.06)
        return self._seen(0, "")

    @property
    def _values(self) -> dict[str, str]:
        return {"name": self.name, "host": HOST, "port": str(self._listener.getsockname()[1])}

    def _answer_questions(self) -> None:
        """Wait for the connection and the hello; a question that it waits with is answered."""
        program = self._program
        assert program is not None
        deadline, asked_at = now() + START_SECONDS * self.patience, -1
        for question, answer in self._dialogue:  # the same as the first time, without waiting to see whether it is one
            self._wait(lambda question=question: question in program.screen(), QUESTION_SECONDS)  # type: ignore[misc]
            asked_at = program.size
            program.type(answer)
        for _ in range(8):
            self._wait(lambda: bool(frames(self._sent)), QUESTION_SECONDS if program.size else 2.0, quiet=True)
            if frames(self._sent) or not program.is_alive or self._closed or now() > deadline:
                break
            lines = program.screen(max(0, asked_at)).strip().splitlines()  # not what was asked before, on the same line
            if not lines or program.size == asked_at:
                if self._peer is not None:
                    break
                continue
            asked_at = program.size
            answer = fill(self._answer(lines[-1]), self._values)
            self._dialogue.append((lines[-1], answer))
            program.type(answer)
        if self._peer is None or not self._sent:
            self._wait(lambda: bool(frames(self._sent)), HELLO_SECONDS if self._peer is None else 0.2)

    def _answer(self, question: str) -> str:
        for part, answer in self.setup.hints.items():
            if part.lower() in question.lower():
                return answer
        return next((answer for part, answer in PROMPTS if re.search(part, question, re.IGNORECASE)), "{name}")

    def _type(self, probe: Type) -> Observation:
        program = self._program
        if program is None:
            return Observation(alive=False)
        size, self._sent, typed = program.size, "", 0
        for line in probe.lines:
            program.type(line)
            self._acted_at = now()
            typed += 1
            last = len(probe.lines) == typed
            before = program.size
            self._wait(lambda: bool(frames(self._sent)), SENT_SECONDS if last else 0.3, quiet=True, since=before)
            if frames(self._sent) or not self._is_alive:
                break
        self._wait(lambda: False, 0.02)
        return self._seen(size, self._sent, typed)

    def _tell(self, probe: Tell) -> Observation:
        program = self._program
        if program is None:
            return Observation(alive=False)
        size, self._sent = program.size, ""
        self._unseen = 0 if size else self._unseen + len(probe.messages)
        if self._unseen > MOST_UNSEEN and not self.setup.pty:
            raise LabError("it shows nothing")
        for message in probe.messages:
            self._write(message)
        if probe.until:
            self._wait(lambda: probe.until in program.screen(size).casefold(), SHOWN_SECONDS)
        else:
            self._wait(lambda: False, QUIET_SECONDS, quiet=True)
        return self._seen(size, self._sent, was_shown=not probe.until or probe.until in program.screen(size).casefold())

    def _await(self, probe: Await) -> Observation:
        program = self._program
        if program is None:
            return Observation(alive=False)
        size, self._sent = program.size, ""

        def has_come() -> bool:
            return program.size > size if probe.is_shown else bool(frames(self._sent))

        self._wait(has_come, SLOW_SECONDS / self.patience)
        if has_come():
            slowness = patience_for(now() - self._acted_at, self.deadline - now(), PROBES)
            self.patience = max(self.patience, slowness)
            self._wait(lambda: False, QUIET_SECONDS / self.patience, quiet=True)
        return self._seen(size, self._sent)

    def _seen(self, size: int, sent: str, typed: int = 0, was_shown: bool = True) -> Observation:
        assert self._program is not None
        return Observation(sent or self._sent, self._program.screen(size), self._is_alive and was_shown, typed)

    @property
    def _is_alive(self) -> bool:
        return self._program is not None and self._program.is_alive and not self._closed and self._peer is not None

    def _wait(self, done: Callable[[], bool], seconds: float, *, quiet: bool = False, since: int | None = None) -> None:
        """Take in what comes until *done* or the program ends.

        Args:
            seconds: at most so long; if *quiet*, so long after the last byte came.
            since: something shown beyond so many bytes: what is awaited will hardly come any more.
        """
        program = self._program
        assert program is not None
        seconds *= self.patience
        deadline, last = now() + seconds, now() + 10 * seconds + BUSY_SECONDS
        while not done():
            left = deadline - now()
            if not program.is_alive and (self._closed or self._peer is None):
                return
            events = self._selector.select(max(0.0, min(left, 0.1)))
            if left <= 0 and not events:
                if not program.is_busy:
                    return
                deadline = now() + 0.01
            if now() > last:
                program.spins += 1
                return
            for key, _ in events:
                if isinstance(key.data, Program):
                    key.data.read()
                else:
                    key.data()
                if quiet:
                    shown = since is not None and program.size > since
                    deadline = now() + (0.12 * self.patience if shown else seconds)
            if self._closed and not done():
                deadline = min(deadline, now() + 0.05)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            peer, _ = self._listener.accept()
            if self._peer is not None:
                self._drop()
            peer.setblocking(False)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._peer, self._closed = peer, False
            self._selector.register(peer, selectors.EVENT_READ, self._receive)

    def _receive(self) -> None:
        assert self._peer is not None
        try:
            data = self._peer.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data or len(self._sent) > MAX_SENT_BYTES:
            self._closed = True
            self._selector.unregister(self._peer)
            return
        self._sent += self._decoder.decode(data)

    def _write(self, message: Any) -> None:
        if self._peer is None or self._closed:
            return
        self._wait(lambda: False, max(0.0, (self._wrote_at + PACE_SECONDS - now()) / self.patience))
        data = Wire().write(message)
        with contextlib.suppress(OSError):
            self._peer.send(data)
        self._wrote_at = self._acted_at = now()

    def _drop(self) -> None:
        if self._peer is not None:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(self._peer)
            self._peer.close()
            self._peer = None

    def _end(self) -> None:
        if self._program is not None:
            self._program.stop()
            self._program = None
        self._drop()
        for _ in range(100):  # connections of a run that is over
            try:
                self._listener.accept()[0].close()
            except OSError:
                break
        time.sleep(0)
