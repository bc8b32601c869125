"""Who gets which lines: messages go to their audiences together, and are written once per peer and tick."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from attrs import define, field

from libtchat.cluster import Relay
from libtchat.effect import Append, Ask, Close, Effect, PeerId, Read, ReadGroups, Resend, Send, Settled
from libtchat.message.errors import ErrorCode
from libtchat.message.reply import Error, Message, PresenceNotice
from libtchat.wire.connection import CRLF
from tchat_server.net.flow import Hold
from tchat_server.net.peer import PeerProtocol
from tchat_server.net.spacing import Outgoing
from tchat_server.ops.metrics import Metrics

__all__ = ["Delivery"]

_CHEAP_BYTES = 4096
"""What costs less to carry is not counted."""

_TOO_FAST_SECONDS = 1.0


@define(eq=False)
class Delivery:
    """The connections of a server, and what is put to them.

    Attributes:
        metrics: where it counts.
        trace: called with a peer's address, ">" and what is written to it, if given.
        peers: every connection, by the hub's name for it.
    """

    metrics: Metrics
    trace: Callable[[str, str, bytes], None] | None
    peers: dict[PeerId, PeerProtocol] = field(factory=dict)
    _dirty: list[PeerProtocol] = field(factory=list)

    def send(
        self, effects: Iterable[Effect], encode: Callable[[Message], bytes]
    ) -> Iterator[Append | Ask | Read | ReadGroups | Resend | Close | Relay | Settled]:
        """Put the messages among *effects* to their audiences; yield the others, each in its place.

        A run of messages to one audience is joined once and shared. *encode* makes a line of a message.
        """
        audience: tuple[PeerId, ...] = ()
        run: list[Outgoing] = []
        payer: PeerId | None = None
        owed = 0
        for effect in effects:
            if not isinstance(effect, Send):
                if run:
                    self._put(audience, run)
                    audience, run = (), []
                yield effect
                continue
            if effect.peers is not audience:
                if run:
                    self._put(audience, run)
                audience, run = effect.peers, []
            message = effect.message
            line = encode(message) if effect.line is None else effect.line + CRLF
            run.append((message, line))
            source = effect.source
            if source is None and len(audience) == 1:
                source = audience[0]
            if source != payer:
                self._charge(payer, owed)
                payer, owed = source, 0
            owed += len(line) * len(audience)
            if isinstance(message, Error):
                self._refused(audience, message.code)
        if run:
            self._put(audience, run)
        self._charge(payer, owed)

    def soon(self, peer: PeerProtocol) -> None:
        """Write what waits for *peer* at the next `flush`."""
        self._dirty.append(peer)

    def flush(self) -> None:
        """Write what waits, to each peer in one write."""
        dirty, self._dirty = self._dirty, []
        for peer in dirty:
            if peer.outbox.chunks:
                peer.guard(peer.outbox.flush)

    def _put(self, audience: tuple[PeerId, ...], run: list[Outgoing]) -> None:
        self.metrics.deliveries_total += len(run) * len(audience)
        peers, dirty, trace = self.peers, self._dirty, self.trace
        chunk = run[0][1] if len(run) == 1 else b"".join([line for _, line in run])
        is_spare = type(run[0][0]) is PresenceNotice and len(run) == 1  # who is slow can do without it
        for id in audience:
            peer = peers.get(id)
            if peer is None or (is_spare and peer.outbox.is_blocked):
                continue
            if trace is not None:
                trace(peer.address, ">", chunk)
            outbox = peer.outbox
            if outbox.is_straight:
                if not outbox.chunks:
                    dirty.append(peer)
                outbox.chunks.append(chunk)
            else:
                peer.guard(outbox.put, run)

    def _charge(self, payer: PeerId | None, size: int) -> None:
        """Have the peer that said something pay for what it cost to carry."""
        if size > _CHEAP_BYTES and payer is not None and (peer := self.peers.get(payer)) is not None:
            peer.toll.carried(size)

    def _refused(self, peers: Iterable[PeerId], code: str) -> None:
        """Count an error; who was too fast is not read from for a while: what it floods with waits on its side."""
        self.metrics.errors[code] += 1
        if code == ErrorCode.RATE_LIMITED:
            for peer in filter(None, map(self.peers.get, peers)):
                peer.turns.hold_for(Hold.RATE, _TOO_FAST_SECONDS)
