"""Who has which name, as far as it was followed."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence

from attrs import define, evolve, field

from libtchat.cluster import NodeId, Seat
from libtchat.message.names import UserKey
from tchat_server.store.nats.fetch import Entry
from tchat_server.store.nats.heads import Heads
from tchat_server.store.nats.subject import RosterSubjects
from tchat_server.store.sqlite.cache import Head

__all__ = ["Seats", "encode_seat"]

logger = logging.getLogger("tchat_server")


def encode_seat(seat: Seat, nonce: str) -> bytes:
    """Encode a seat, but for its revision: that is the number it gets in the stream."""
    said = {"key": seat.key, "name": seat.name, "token": seat.token, "nodes": dict(seat.nodes), "nonce": nonce}
    if seat.why:
        said["why"] = seat.why
    return json.dumps(said, separators=(",", ":")).encode()


@define
class Seats:
    """The seats as they are stored.

    Attributes:
        is_gone: tells whether a node is.
        seated: called with what became of names.
        heard: called with what a node said of itself, and when.
        heads: where each seat's subject stands, and who waits for what.
    """

    subjects: RosterSubjects
    is_gone: Callable[[NodeId], bool]
    seated: Callable[[Sequence[Seat]], None]
    heard: Callable[[bytes, str], None]
    now: Callable[[], float]
    token_seconds: float
    heads: Heads = field(factory=Heads)
    _stored: dict[UserKey, Seat] = field(factory=dict)
    _empty_since: dict[UserKey, float] = field(factory=dict)

    def stored(self, key: UserKey) -> Seat:
        """Return a seat as it is stored, with nodes that are gone."""
        return self._stored.get(key) or Seat(key, key, "")

    def find(self, key: UserKey) -> Seat:
        """Return a seat without the nodes that are gone; one whose token is too old is nobody's."""
        seat = self._without_gone(self.stored(key))
        if seat.revision == 0 or seat.nodes:
            self._empty_since.pop(key, None)
            return seat
        since = self._empty_since.setdefault(key, self.now())
        return seat if self.now() - since < self.token_seconds else Seat(key, key, "")

    def all(self) -> tuple[Seat, ...]:
        """Return every seat, without the nodes that are gone."""
        return tuple(map(self._without_gone, self._stored.values()))

    def stale(self) -> list[UserKey]:
        """Return the names whose seats, as they are stored, have nodes that are gone."""
        return [key for key, seat in self._stored.items() if any(map(self.is_gone, seat.nodes))]

    def take(self, entries: Sequence[Entry]) -> None:
        """Take in what follows what was taken before."""
        changed: dict[UserKey, Seat] = {}
        lease, seat = self.subjects.lease(""), self.subjects.all.removesuffix(">") + "s."
        for entry in entries:
            if entry.subject.startswith(lease):
                self.heard(entry.data, entry.time)
            elif entry.subject.startswith(seat):
                found, nonce = self._decode(entry)
                self.heads.follow(entry.subject, Head(0, entry.number), nonce)
                if found is not None:
                    self._stored[found.key] = found
                    if found.nodes:
                        self._empty_since.pop(found.key, None)
                    else:
                        self._empty_since[found.key] = self.now()
                    changed[found.key] = found
        if changed:
            self.seated(tuple(map(self._without_gone, changed.values())))
        self.heads.tell()

    def prune(self) -> None:
        """Forget the seats whose token is too old: the engine has, too."""
        for key in [key for key in self._empty_since if self.find(key).revision == 0]:
            del self._stored[key], self._empty_since[key]
            self.heads.found.pop(self.subjects.seat(key), None)

    def _without_gone(self, seat: Seat) -> Seat:
        if not any(map(self.is_gone, seat.nodes)):
            return seat
        return evolve(seat, nodes={node: count for node, count in seat.nodes.items() if not self.is_gone(node)})

    def _decode(self, entry: Entry) -> tuple[Seat | None, str]:
        try:
            said = json.loads(entry.data)
            key, nodes = UserKey(said["key"]), {NodeId(node): int(count) for node, count in said["nodes"].items()}
            if self.subjects.seat(key) != entry.subject:
                raise ValueError("it has another subject")
            why = str(said.get("why", ""))
            return Seat(key, str(said["name"]), str(said["token"]), nodes, entry.number, why), str(said["nonce"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            logger.error("roster: record %d is damaged, its name is nobody's: %r", entry.number, error)
            return None, ""
