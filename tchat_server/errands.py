"""What a hub wants of storage and hears of later: appends, answers to its questions, pages for its peers."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

from libtchat.effect import Answer, Append, Ask, AwaitRoom, Effect, Item, PeerId, Read, ReadGroups, Resend
from libtchat.hub.hub import Hub
from libtchat.message.errors import ErrorCode
from libtchat.message.event import Event, LogEvent
from libtchat.message.limits import ServerLimits
from libtchat.message.names import Key
from libtchat.message.reply import Error, Message
from libtchat.message.request import Say
from libtchat.stored import Loaded
from tchat_server.hooks import Hooks
from tchat_server.net.ending import CloseReason
from tchat_server.net.flow import Hold
from tchat_server.net.peer import PeerProtocol
from tchat_server.net.rota import Rota
from tchat_server.net.work import Job
from tchat_server.ops.metrics import Metrics
from tchat_server.roster.port import Roster, RosterUnavailable
from tchat_server.store.answers import Answers
from tchat_server.store.event_log import EncodedPart, EventLog, LogUnavailable, Ready, encode_part
from tchat_server.store.lines import Lines, encode_line
from tchat_server.store.pages import reading
from tchat_server.supervisor import Supervisor

__all__ = ["Errands", "Sender"]

_REQUEST_BYTES = 4096
"""What a request counts for that is no text: a list to be made, or an event that changes who hears."""

_TEXTS_ONLY = {Say}

logger = logging.getLogger("tchat_server")


class Sender(Protocol):
    """Whose errands they are."""

    hub: Hub
    limits: ServerLimits
    metrics: Metrics
    supervisor: Supervisor
    rota: Rota
    trace: Callable[[str, str, bytes], None] | None
    is_stopping: bool

    def peer(self, id: PeerId) -> PeerProtocol | None:
        """Return a connection, None if it is gone."""

    def now(self) -> float:
        """Return the time of the log's clock."""

    def carry_out(self, effects: Iterable[Effect], encode: Callable[[Message], bytes]) -> None:
        """Carry out effects in order; *encode* makes lines of the messages among them."""

    def flush(self) -> None:
        """Write what waits for all peers."""

    def tick_soon(self) -> None:
        """Ask the hub soon what it wants."""


class Errands:
    """The errands of one server. *hooks*: what the program around is asked and told; *roster*: see `Server`.

    Attributes:
        is_appending: an append is out.
        appending_since: when it went out, on the clock `time.monotonic`.
        taken_bytes: what was taken from sockets since.
    """

    def __init__(self, sender: Sender, log: EventLog, hooks: Hooks, roster: Roster | None = None) -> None:
        self._sender, self._log, self._hooks = sender, log, hooks
        self._answers, self._roster = Answers(log, hooks.check, roster), roster
        self.is_appending = False
        self.appending_since = 0.0
        self.taken_bytes = 0

    def note_taken(self, items: Sequence[Item], size: int) -> None:
        """Note what was taken from a socket, in *size* bytes: while an append is out it waits for that."""
        if {*map(type, items)} != _TEXTS_ONLY:
            self._count(sum(type(item) is not Say for item in items))
        if self.is_appending:
            self.taken_bytes += size

    def _count(self, requests: int) -> None:
        """Count requests that are no texts: few of them are done in one turn of the loop, or while an append is out."""
        self._sender.rota.count(_REQUEST_BYTES * requests)
        if self.is_appending:
            self.taken_bytes += _REQUEST_BYTES * requests

    def waited(self) -> float:
        """Return for how many seconds the append that is out has been; may be called from another thread."""
        return time.monotonic() - self.appending_since if self.is_appending else 0.0

    def append(self, append: Append) -> None:
        """Have events stored, and the hub told what became of them."""
        self.is_appending, self.appending_since = True, time.monotonic()
        parts = [*map(encode_part, append.parts)]
        appended = self._log.append(parts)
        if isinstance(appended, Ready):  # what else is read in this tick shares its write
            self._settle(parts, appended.value)
        else:
            self._sender.supervisor.start(self._settle_later(parts, appended))

    def ask(self, ask: Ask) -> None:
        """Have a question answered."""
        peer = self._sender.peer(ask.peer)
        if isinstance(ask.question, AwaitRoom):
            found = self._room(peer, ask.question)
        else:
            found = self._answers.answer(ask.question, "" if peer is None else peer.origin)
        if isinstance(found, Ready):
            self._answered(ask, found.value)
            return
        if peer is not None:
            peer.turns.hold(Hold.QUESTION)
        self._sender.supervisor.start(self._answer_later(ask, found))

    def job(self, peer: PeerProtocol, effect: Read | ReadGroups | Resend) -> Job:
        """Return what reads the line that answers *peer*."""
        read = reading(effect, self._log, self._sender.limits)

        async def job() -> bytes:
            try:
                line = await read()
            except Exception:  # as in PeerProtocol.guard, but in its place in the line
                logger.exception("internal error, peer %s", peer.address)
                peer.finish(CloseReason.FAULT)
                return encode_line(Error(ErrorCode.INTERNAL))
            peer.toll.carried(len(line))
            if self._sender.trace is not None:
                self._sender.trace(peer.address, ">", line)
            return line

        return job

    async def close(self) -> None:
        """Finish what was begun and release the storage."""
        try:
            if self._roster is not None:
                await self._roster.close()
            await self._log.close()
        finally:
            self._answers.close()
            await self._hooks.close()

    def _room(self, sender: PeerProtocol | None, wanted: AwaitRoom) -> Awaitable[Answer]:
        reader = self._sender.peer(wanted.reader)
        if sender is None or reader is None:
            return Ready(True)
        return reader.patience.wait(sender.turns, wanted.size)

    async def _settle_later(
        self, parts: Sequence[EncodedPart], appended: Awaitable[Mapping[Key, tuple[LogEvent, ...]]]
    ) -> None:
        try:
            failed = await appended
        except LogUnavailable as error:  # the log is closed, and nobody knows what it holds: tell nobody anything
            logger.error("storage: %s", error)
            if not self._sender.is_stopping:
                raise
            return
        self._settle(parts, failed)
        self._sender.flush()
        self._sender.tick_soon()  # what others answer to this rides in the next append, with what came meanwhile

    def _settle(self, parts: Sequence[EncodedPart], failed: Mapping[Key, tuple[LogEvent, ...]]) -> None:
        self.is_appending, self.taken_bytes = False, 0
        sender, metrics = self._sender, self._sender.metrics
        metrics.appends_total += 1
        metrics.append_seconds_total += time.monotonic() - self.appending_since
        metrics.append_failures_total += bool(failed)
        now = sender.now()
        effects = sender.hub.rejected(failed, now) if failed else sender.hub.committed(now)
        done = [part for part in parts if part.key not in failed]
        sender.carry_out(effects, Lines(done))
        if self._hooks.hears:
            self._hooks.tell(event for part in done for event in part.events if isinstance(event, Event))

    async def _answer_later(self, ask: Ask, found: Awaitable[Answer]) -> None:
        try:
            known = await found
        except (LogUnavailable, RosterUnavailable) as error:
            logger.warning("storage: %s", error)
            known = None
        if isinstance(known, Loaded) and (peer := self._sender.peer(ask.peer)) is not None:
            await self._sender.rota.turn(peer.turns.spent, is_whole=True)  # a crowd may wait, each with much behind it
        self._answered(ask, known)
        self._answers.told(ask.question)
        self._sender.tick_soon()
        if (peer := self._sender.peer(ask.peer)) is not None:
            peer.turns.release(Hold.QUESTION)

    def _answered(self, ask: Ask, known: Answer) -> None:
        """Tell the hub an answer, also when who asked is gone: what was stored for it concerns others too."""
        sender, hub = self._sender, self._sender.hub
        if (peer := sender.peer(ask.peer)) is not None:
            waited = hub.backlog
            peer.guard(hub.answered, ask, known, sender.now())
            self._count(hub.backlog - waited)  # as if what was behind the question came now
            return
        try:
            hub.answered(ask, known, sender.now())
        except Exception:  # as in PeerProtocol.guard: who asked is gone, so this costs nobody anything
            logger.exception("internal error, a peer that is gone")
