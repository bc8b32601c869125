"""Plays all pairs, several at once: each server is started once, and what is dead is not asked again."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Mapping, Optional, Sequence, Tuple

from programs.program import HOST, Absent, Program
from talk.address import Address, parse
from words import say

from desk.between import has_bridge
from desk.cell import Cell
from desk.chat import STEPS, Chat
from desk.teams import Teams

__all__ = ["play_all"]

IN_VAIN = 2


def play_all(
    teams: Teams, known: Sequence[Tuple[str, str]], timeout_seconds: float, jobs: int, done: Callable[[Cell], None]
) -> None:
    """Play one chat for every pair that is not *known*; *done* is told of each, one at a time."""
    servers = {name: _Server(command, len(teams.clients)) for name, command in teams.servers.items()}
    clients = {  # who comes to nobody as it is may come through a bridge
        (name, bridged): _Client(command, teams.hints[name])
        for name, command in teams.clients.items()
        for bridged in (False, True)
    }
    lock = threading.Lock()

    def play(pair: Tuple[str, str]) -> None:
        client, server = pair
        began = time.monotonic()
        missed: Tuple[str, ...] = tuple(STEPS)
        worked: Tuple[str, ...] = ()
        trouble = None
        if pair not in known:
            try:
                worked, missed = servers[server].play(clients[client, has_bridge(server)], timeout_seconds)
            except (Absent, OSError) as error:
                trouble = str(error)
            with lock:
                done(Cell(client, server, worked, missed, trouble, round(time.monotonic() - began, 2)))
        servers[server].has_met_one()

    # Client by client, so that those who play at the same time are on different servers.
    pairs = [(client, server) for client in teams.clients for server in teams.servers]
    try:
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(play, pairs))
    finally:
        for one in servers.values():
            one.stop()


class _Client:
    """One client's command, what it asks at its start, and why it is not started any more."""

    def __init__(self, command: Sequence[str], hints: Mapping[str, str]) -> None:
        self.command, self.hints = command, hints
        self.trouble: Optional[str] = None
        self.has_come = False
        self.in_vain = 0

    def has_failed(self, why: str) -> None:
        """Give up on a client that came to no server at all, after some."""
        self.in_vain += 1
        if not self.has_come and self.in_vain >= IN_VAIN:
            self.trouble = say("gave-up", why=why)


class _Server:
    """One server's program, started when it is first needed, and ended when everybody was there."""

    def __init__(self, command: Sequence[str], guests: int) -> None:
        running = parse(command[0]) if len(command) == 1 else None
        self._program = None if running else Program(command)
        self._address = running or Address(HOST, self._program.port if self._program else 0)
        self._lock = threading.Lock()
        self._guests = guests
        self._is_running = running is not None
        self._trouble: Optional[str] = None

    def play(self, client: _Client, timeout_seconds: float) -> Tuple[Tuple[str, ...], Tuple[str, ...]]:
        """Have the chat of *client* here; once more if the server ended in it, on a new one.

        Raises:
            Absent: there is no server, or no client, and the text says why.
        """
        with self._lock:
            for is_last in (False, True):
                self._start()
                if client.trouble:
                    raise Absent(client.trouble)
                try:
                    chat = Chat(client.command, self._address, timeout_seconds, client.hints)
                except OSError as error:
                    self._give_up(say("refuses", why=error.strerror or error), is_last)
                    continue
                found = self._chat(chat, client, is_last)
                if found:
                    return found
        raise AssertionError("the second time decides")

    def _chat(self, chat: Chat, client: _Client, is_last: bool) -> Optional[Tuple[Tuple[str, ...], Tuple[str, ...]]]:
        """Play one chat; None if it should be played again."""
        try:
            chat.__enter__()
        except Absent as error:
            self._give_up(str(error), is_last)
            return None
        except OSError as error:
            client.trouble = say("cannot-start", what=client.command[0], why=error.strerror or error)
            raise Absent(client.trouble) from None
        try:
            chat.play()
        except Absent as error:
            if not self._has_ended():
                client.has_failed(str(error))
                raise Absent(say("the-client", what=error)) from None
        finally:
            chat.__exit__()
        if chat.missed and self._has_ended() and not is_last:
            return None
        client.has_come = client.has_come or bool(chat.done)
        return tuple(chat.done), tuple(step for step in STEPS if step not in chat.done)

    def _start(self) -> None:
        if self._trouble:
            raise Absent(self._trouble)
        if self._program and (not self._is_running or self._has_ended()):
            self._program.stop()
            try:
                self._program.start()
            except (Absent, OSError) as error:
                words = say("cannot-start", what=self._program.command[0], why=getattr(error, "strerror", "") or error)
                self._trouble = str(error) if isinstance(error, Absent) else words
                raise Absent(self._trouble) from None
            self._address = Address(HOST, self._program.port)
            self._is_running = True

    def _give_up(self, why: str, is_last: bool) -> None:
        """The server does not answer: start it again once, then believe it."""
        if self._program and not is_last:
            self._program.stop()
            self._is_running = False
        elif is_last or not self._program:
            self._trouble = say("the-server", what=why) + (self._program.last_words() if self._program else "")
            raise Absent(self._trouble)

    def _has_ended(self) -> bool:
        return self._program is not None and self._program.has_ended

    def has_met_one(self) -> None:
        """Note that one client more has been here; after the last the server is not needed."""
        with self._lock:
            self._guests -= 1
            if not self._guests:
                self.stop()

    def stop(self) -> None:
        if self._program:
            self._program.stop()
