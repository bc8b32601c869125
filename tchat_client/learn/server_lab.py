"""The laboratory for a server: we are its clients, one connection for each."""

from __future__ import annotations

import codecs
import contextlib
import selectors
import socket
from collections.abc import Callable
from typing import Any

from attrs import define, field

from libtchat.dialect.probe import conduct, frames
from libtchat.dialect.questions import Close, Connect, Hear, Send, ServerLearning, ServerProbe, ServerSeen
from libtchat.dialect.template import match
from tchat_client.learn.program import Program, Setup, now
from tchat_client.learn.slowness import BUSY_SECONDS, SLOW_SECONDS, LabError, patience_for
from tchat_client.port import HOST, free_port

__all__ = ["ServerLab"]

START_SECONDS = 10.0
TRIES = 3
PACE_SECONDS = 0.025
QUIET_SECONDS = 0.3
AFTER_SECONDS = 0.12
MAX_BYTES = 1 << 20
PROBES = 180  # of a server that answers, for an estimate


@define
class _Peer:
    socket: socket.socket
    decoder: codecs.IncrementalDecoder = field(factory=lambda: codecs.getincrementaldecoder("utf-8")("replace"))
    text: str = ""
    wrote_at: float = 0.0
    closed: bool = False


class ServerLab:
    """A server, started as often as it dies, or one that runs already at *address*; use as a context manager."""

    def __init__(self, setup: Setup | None, address: tuple[str, int] | None, deadline: float) -> None:
        self.setup: Setup | None = setup
        self.patience: float = setup.patience if setup else 1.0
        self.address: tuple[str, int] | None = address
        self._is_fixed = address is not None
        self._deadline = deadline
        self._selector = selectors.DefaultSelector()
        self._program: Program | None = None
        self._peers: dict[str, _Peer] = {}
        self.starts: int = 0
        self.probes: int = 0

    def __enter__(self) -> ServerLab:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self._selector.close()

    def run(self, learner: ServerLearning) -> Any:
        """Do what *learner* asks for until it knows; return what it learnt.

        Raises:
            LabError: the server does not come, or does not come back.
        """
        return conduct(learner, self.observe)

    def observe(self, probe: ServerProbe) -> ServerSeen:
        """Do one probe."""
        self.probes += 1
        if now() > self._deadline:
            raise LabError("it takes too long: --seconds gives it more time")
        for peer in self._peers.values():
            peer.text = ""
        if isinstance(probe, Connect):
            self._connect(probe)
        elif isinstance(probe, Close):
            self._drop(probe.who)
            self._wait(lambda: False, QUIET_SECONDS)
        elif isinstance(probe, Hear):
            self._hear(probe)
        else:
            self._send(probe)
        came = tuple((who, peer.text) for who, peer in self._peers.items() if peer.text)
        return ServerSeen(came, self._is_alive, tuple(who for who, peer in self._peers.items() if peer.closed))

    @property
    def _is_alive(self) -> bool:
        if self._program is not None:
            return self._program.is_alive
        return not self._peers or not all(peer.closed for peer in self._peers.values())

    def _connect(self, probe: Connect) -> None:
        if self._program is None or probe.fresh or not self._program.is_alive:
            if self.setup is not None:
                self._end()
                self._start(self.setup)
            elif probe.fresh:
                for who in [*self._peers]:
                    self._drop(who)
        self._drop(probe.who)
        found = self._reach(is_again=self.setup is None or probe.fresh)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found.setblocking(False)
        self._peers[probe.who] = peer = _Peer(found)
        self._selector.register(found, selectors.EVENT_READ, peer)
        self._wait(lambda: False, 0.05)

    def _reach(self, *, is_again: bool) -> socket.socket:
        """Connect; a server that runs and listens no more is started anew, unless this *is_again* a try."""
        assert self.address is not None
        try:
            return socket.create_connection(self.address, 3.0)
        except OSError as error:
            if is_again or self.setup is None:
                where = f"{self.address[0]}:{self.address[1]}"
                raise LabError(f"cannot connect to {where}: {error.strerror or error}") from None
        self._end()
        self._start(self.setup)
        return self._reach(is_again=True)

    def _start(self, setup: Setup) -> None:
        """Start the server; on another port if somebody else took the one that was free."""
        self.starts += 1
        for attempt in range(TRIES):
            problem = self._start_once(setup)
            if not problem:
                return
            if self._program is not None:
                self._program.stop()
            if self._is_fixed or attempt == TRIES - 1:
                raise LabError(problem)

    def _start_once(self, setup: Setup) -> str:
        """Start the server; return what went wrong, "" if nothing."""
        if not self._is_fixed:
            self.address = (HOST, free_port())
        assert self.address is not None
        values = {"name": "server", "host": self.address[0], "port": str(self.address[1])}
        self._program = program = Program(setup, values, self._selector)
        try:
            program.start()
        except OSError as error:
            raise LabError(f"cannot start {setup.command[0]}: {error.strerror or error}") from None
        deadline = now() + START_SECONDS * self.patience
        while now() < deadline and program.is_alive:
            try:
                socket.create_connection(self.address, 1.0).close()
            except OSError:
                self._wait(lambda: False, 0.05)
                continue
            self._wait(lambda: False, 0.05)
            if not program.is_alive:  # it died of a connection without a word
                program.stop()
                self._program = program = Program(setup, values, self._selector)
                program.start()
                self._wait(lambda: False, 1.0)
            return ""
        said = program.last_words()
        ends = "does not listen" if program.is_alive else "ends at once"
        return f"the server {ends}" + (f"; it said: {said}" if said else "")

    def _send(self, probe: Send) -> None:
        peer = self._peers.get(probe.who)
        if peer is None or peer.closed:
            return
        self._wait(lambda: False, max(0.0, peer.wrote_at + PACE_SECONDS - now()), exactly=True)
        with contextlib.suppress(OSError):
            peer.socket.send(probe.wire.write(probe.message))
        peer.wrote_at = now()
        if probe.until == ():
            return
        if probe.until is not None:
            until = probe.until
            self._wait(
                lambda: peer.closed or any(match(until, found) for found, _, _ in frames(peer.text)), 1.0, exactly=True
            )
        else:
            self._wait(lambda: peer.closed, QUIET_SECONDS)

    def _hear(self, probe: Hear) -> None:
        peer = self._peers.get(probe.who)
        if peer is None:
            return
        self._wait(lambda: bool(frames(peer.text)), SLOW_SECONDS / self.patience, exactly=True)
        if frames(peer.text):
            slowness = patience_for(now() - peer.wrote_at, self._deadline - now(), PROBES)
            self.patience = max(self.patience, slowness)

    def _wait(self, done: Callable[[], bool], seconds: float, *, exactly: bool = False) -> None:
        """Take in what comes until *done*, for *seconds*; unless *exactly*, until no more has come for a while."""
        seconds *= self.patience
        deadline, last = now() + seconds, now() + 5 * seconds + BUSY_SECONDS
        program = self._program
        while not done():
            left = deadline - now()
            if program is not None and not program.is_alive:
                return
            events = self._selector.select(max(0.0, min(left, 0.1)))
            if left <= 0 and not events:
                if program is None or not program.is_busy:
                    return
                deadline = now() + 0.01
            if now() > last:
                if program is not None:
                    program.spins += 1
                return
            for key, _ in events:
                if isinstance(key.data, Program):
                    key.data.read()
                    continue
                self._receive(key.data)
                if not exactly:
                    deadline = now() + min(seconds, AFTER_SECONDS)

    def _receive(self, peer: _Peer) -> None:
        try:
            data = peer.socket.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data or len(peer.text) > MAX_BYTES:
            peer.closed = True
            self._selector.unregister(peer.socket)
            return
        peer.text += peer.decoder.decode(data)

    def _drop(self, who: str) -> None:
        peer = self._peers.pop(who, None)
        if peer is not None:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(peer.socket)
            peer.socket.close()

    def _end(self) -> None:
        for who in [*self._peers]:
            self._drop(who)
        if self._program is not None:
            self._program.stop()
            self._program = None
