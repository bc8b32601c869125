"""What the chat's stream and its subjects are called. A key is hashed: it may hold what a subject may not."""

from __future__ import annotations

from hashlib import sha256
from typing import Protocol

from libtchat.message.names import Key, UserKey
from libtchat.message.value import frozen

__all__ = ["Feed", "RosterSubjects", "Subjects"]

_HASH_CHARS = 32


class Feed(Protocol):
    """A stream, and where what comes to it is told."""

    @property
    def stream(self) -> str:
        """The stream."""

    @property
    def all(self) -> str:
        """All subjects that the stream keeps."""

    @property
    def told(self) -> str:
        """All subjects on which its records are told."""


@frozen
class Subjects:
    """The names of one chat.

    What is published on `tchat.NAME.log.…` is kept in the stream, and told on `tchat.NAME.told.…` once it is on a
    majority of the engine's servers.

    Attributes:
        shards: into how many parts the groups are cut, by their hash.
    """

    name: str
    shards: int = 1

    @property
    def stream(self) -> str:
        """The stream."""
        return f"tchat-{self.name}"

    @property
    def all(self) -> str:
        """All subjects that the stream keeps."""
        return f"tchat.{self.name}.log.>"

    @property
    def told(self) -> str:
        """All subjects on which records are told."""
        return f"tchat.{self.name}.told.>"

    def group(self, key: Key) -> str:
        """The subject of a group's records."""
        digest = _hash(key)
        return f"tchat.{self.name}.log.g.{int(digest[:8], 16) % self.shards}.{digest}"

    def user(self, key: UserKey) -> str:
        """The subject of a user's account."""
        return f"tchat.{self.name}.log.u.{_hash(key)}"

    def bar(self, key: UserKey) -> str:
        """The subject of whether a user may come in."""
        return f"tchat.{self.name}.log.b.{_hash(key)}"

    def code(self, mark: str) -> str:
        """The subject of an invitation code."""
        return f"tchat.{self.name}.log.i.{_hash(mark)}"

    @property
    def guests(self) -> str:
        """The subject of the numbers that guests were given."""
        return f"tchat.{self.name}.log.n"

    def mark(self, node: str) -> str:
        """The subject of a node's marks: what says nothing, and comes after all that was acknowledged before it."""
        return f"tchat.{self.name}.log.m.{node}"


@frozen
class RosterSubjects:
    """The names of what is only of now: who is connected where."""

    name: str

    @property
    def stream(self) -> str:
        """The stream."""
        return f"tchat-{self.name}-roster"

    @property
    def all(self) -> str:
        """All subjects that the stream keeps."""
        return f"tchat.{self.name}.roster.>"

    @property
    def told(self) -> str:
        """All subjects on which changes are told."""
        return f"tchat.{self.name}.seated.>"

    def seat(self, key: UserKey) -> str:
        """The subject of who has a name."""
        return f"tchat.{self.name}.roster.s.{_hash(key)}"

    def lease(self, node: str) -> str:
        """The subject of a node's lease."""
        return f"tchat.{self.name}.roster.l.{node}"

    def mark(self, node: str) -> str:
        """The subject of a node's marks."""
        return f"tchat.{self.name}.roster.m.{node}"

    def call(self, node: str) -> str:
        """The subject of what a node is asked."""
        return f"tchat.{self.name}.call.{node}"

    @property
    def hail(self) -> str:
        """The subject on which every node says which one it is."""
        return f"tchat.{self.name}.hail"

    def relay(self, node: str) -> str:
        """The subject of texts from a node that nobody keeps; `*` for those of all."""
        return f"tchat.{self.name}.relay.{node}"


def _hash(key: str) -> str:
    return sha256(key.encode()).hexdigest()[:_HASH_CHARS]
