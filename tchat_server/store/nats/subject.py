"""What the chat's streams and their subjects are called. A key is hashed: it may hold what a subject may not."""

from __future__ import annotations

from hashlib import sha256
from typing import ClassVar

from libtchat.message.names import Key, UserKey
from libtchat.message.value import frozen

__all__ = ["Feed", "RosterSubjects", "Subjects"]

_HASH_CHARS = 32


@frozen
class Feed:
    """The names of one stream of a chat.

    What is published on one of *all* subjects is kept in the *stream*, and *told* on a subject of its own once it is on
    a majority of the engine's servers.
    """

    name: str
    _SUFFIX: ClassVar[str]
    _KEPT: ClassVar[str]
    _TOLD: ClassVar[str]

    @property
    def stream(self) -> str:
        """The stream."""
        return f"tchat-{self.name}{self._SUFFIX}"

    @property
    def all(self) -> str:
        """All subjects that the stream keeps."""
        return self._kept(">")

    @property
    def told(self) -> str:
        """All subjects on which its records are told."""
        return f"tchat.{self.name}.{self._TOLD}.>"

    def mark(self, node: str) -> str:
        """The subject of a node's marks: what says nothing, and comes after all that was acknowledged before it."""
        return self._kept(f"m.{node}")

    def _kept(self, what: str) -> str:
        return f"tchat.{self.name}.{self._KEPT}.{what}"


@frozen
class Subjects(Feed):
    """The names of a chat's log.

    Attributes:
        shards: into how many parts the groups are cut, by their hash.
    """

    shards: int = 1
    _SUFFIX = ""
    _KEPT = "log"
    _TOLD = "told"

    def group(self, key: Key) -> str:
        """The subject of a group's records."""
        digest = _hash(key)
        return self._kept(f"g.{int(digest[:8], 16) % self.shards}.{digest}")

    def user(self, key: UserKey) -> str:
        """The subject of a user's account."""
        return self._kept(f"u.{_hash(key)}")

    def bar(self, key: UserKey) -> str:
        """The subject of whether a user may come in."""
        return self._kept(f"b.{_hash(key)}")

    def code(self, mark: str) -> str:
        """The subject of an invitation code."""
        return self._kept(f"i.{_hash(mark)}")

    @property
    def guests(self) -> str:
        """The subject of the numbers that guests were given."""
        return self._kept("n")


@frozen
class RosterSubjects(Feed):
    """The names of what is only of now: who is connected where, and what nodes tell and ask each other."""

    _SUFFIX = "-roster"
    _KEPT = "roster"
    _TOLD = "seated"

    def seat(self, key: UserKey) -> str:
        """The subject of who has a name."""
        return self._kept(f"s.{_hash(key)}")

    def lease(self, node: str) -> str:
        """The subject of a node's lease."""
        return self._kept(f"l.{node}")

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
