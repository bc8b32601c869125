"""Stand between one client and one server, each of any dialect: frames, time and the end come in, messages go out.

A `Translator` is a machine per connection without I/O. Either side may be this protocol itself (no dialect). What a
server does not acknowledge is made up after a while, and says so; what would kill a server is asked about before.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from attrs import define, evolve, field

from libtchat.dialect.canonical import (
    answer_in_words,
    is_same,
    meaning_of_message,
    meaning_of_request,
    message_of,
    request_of,
    sentence,
)
from libtchat.dialect.completion import completed
from libtchat.dialect.detect import fitting_kind
from libtchat.dialect.dialect import Dialect
from libtchat.dialect.effect import Effect, End, ToClient, ToServer
from libtchat.dialect.guards import guard_of, guarded_hole
from libtchat.dialect.reading import read_answer
from libtchat.dialect.telling import Retold
from libtchat.dialect.template import Meaning, holes, match, write
from libtchat.dialect.waiting import FORGET_SECONDS, Asked, Waiting
from libtchat.message.errors import Violation
from libtchat.message.reply import Error, Foreign, Message, Pong
from libtchat.message.request import Hello, Ping, Request
from libtchat.wire.codec import decode_request, encode, encode_request

__all__ = ["Translator"]

GUARD_SECONDS = FORGET_SECONDS
MADE_UP = " (the server does not say whether it did it)"


@define
class Translator:
    """One connection's two sides.

    Attributes:
        client: the client's dialect, None if it speaks this protocol.
        server: the server's, likewise.
        joins_invited: a client that is invited joins at once: for those that cannot type it.
        others: what the client may speak as well: it is told in all their words, where that kills none.
        ts: the time now, for messages of this protocol.
        me: the client's name, "" before its hello.
        retold: what was translated lately; those who are told the same may share it.
    """

    client: Dialect | None
    server: Dialect | None
    joins_invited: bool = False
    others: tuple[Dialect, ...] = ()
    ts: str = ""
    me: str = ""
    retold: Retold = field(factory=Retold)
    _held: deque[tuple[Meaning, Request | None]] = field(factory=deque)
    _guarding: str = ""
    _guard_until: float = 0.0
    _seqs: dict[str, int] = field(factory=dict)
    _groups: set[str] = field(factory=set)
    _has_quit: bool = False
    _waiting: Waiting = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._waiting = Waiting(frozenset(self.server.silent) if self.server else frozenset())

    def from_client(self, frame: bytes, now: float) -> list[Effect]:
        """Take in one JSON text of the client."""
        if self.client is not None:
            found = _loads(frame)
            kind = fitting_kind(self.client, found)
            if kind is not None:
                one = match(self.client.requests[kind], found)
                assert one is not None
                return self._request(Meaning(kind, one.values | _privacy(found)), None, now)
        request = decode_request(frame)
        if self.server is None:  # who answers everybody answers this too
            self.me = self.me or getattr(request, "sender", None) or ""
            return [ToServer(frame + b"\n", "as it is")]
        if isinstance(request, Violation):
            said = Error(
                request.code, request.request, request.group, request.dest, request.field, request.limit, id=request.id
            )
            return self._own(said)
        if isinstance(request, Ping):
            return self._own(Pong(self.ts, 1, "tchat bridge", request.id))
        meaning = meaning_of_request(request)
        if meaning is None:
            return self._own(
                Error(
                    "unavailable",
                    request.action,
                    id=request.id,
                    msg="the server behind this bridge has no such request",
                )
            )
        return self._request(meaning, request, now)

    def _own(self, message: Message) -> list[Effect]:
        """Tell the client something of our own."""
        if self.client is None:
            return [ToClient(encode(message) + b"\r\n", "our own")]
        meaning = meaning_of_message(message, self.me)
        return [] if meaning is None else self._to_client(meaning, None)

    def _request(self, meaning: Meaning, request: Request | None, now: float) -> list[Effect]:
        self.me = self.me or meaning.get("me") or (getattr(request, "sender", None) or "")
        if isinstance(request, Hello) and not self.me:
            self.me = "guest"
        self._held.append((meaning, request))
        return self._go_on(now)

    def _go_on(self, now: float) -> list[Effect]:
        """Pass on what the client asked for, up to what has to be asked about before."""
        effects: list[Effect] = []
        while self._held and not self._guarding:
            meaning, request = self._held[0]
            guard = guard_of(self.server.fatal, meaning, self._groups) if self.server else None
            if guard is not None:
                query = Meaning(guard, {"group": meaning.get("group")} if meaning.get("group") else {})
                self._waiting.put(Asked(query, None, now, is_guard=True))
                self._guarding, self._guard_until = guard, now + GUARD_SECONDS
                effects += self._to_server(query, None)
                break
            self._held.popleft()
            effects += self._pass_on(meaning, request, now)
        return effects

    def _pass_on(self, meaning: Meaning, request: Request | None, now: float) -> list[Effect]:
        group = meaning.get("group").casefold()
        if meaning.kind == "join" and group in self._groups and self.server and "join-twice" in self.server.fatal:
            return self._made_up(meaning, request)
        written = self._to_server(meaning, request)
        if not written:
            return self._refuse(meaning, request, "the server behind this bridge does not know this command")
        if self.server is None:  # it answers all it is asked: nothing has to be remembered
            self._has_quit = self._has_quit or meaning.kind == "quit"
            return written
        if meaning.kind in ("create", "join"):
            self._groups.add(group)
        if meaning.kind == "leave":
            self._groups.discard(group)
        self._waiting.put(Asked(meaning, request, now))
        return written

    def _to_server(self, meaning: Meaning, request: Request | None) -> list[Effect]:
        means = meaning.brief()
        if self.server is None:
            asked = request or request_of(meaning, self.me)
            return [ToServer(encode_request(asked) + b"\n", means)]
        template = self.server.requests.get(meaning.kind)
        if template is None:
            return []
        filled = evolve(meaning, values={"reason": "", **meaning.values, "me": self.me})
        return [ToServer(self.server.wire.write(write(template, filled)), means)]

    def from_server(self, frame: bytes, now: float) -> list[Effect]:
        """Take in one JSON text of the server."""
        if self.server is None:
            return self._from_canonical(frame)
        found = _loads(frame)
        meaning = read_answer(self.server, found, self.me, self._waiting.kinds())
        asked = self._waiting.answered(meaning)
        if asked is not None and asked.is_guard:
            return self._guarded(meaning, now)
        if meaning.kind == "invite" and meaning.copy == "dest" and self.server.invite_adds:
            self._groups.add(meaning.get("group").casefold())
        effects = self._to_client(completed(meaning, asked.meaning if asked else None, self.me), asked)
        return effects + self._invited(meaning, now)

    def from_server_as_text(self, text: str) -> list[Effect]:
        """Take in a line of the server that is no message; nothing comes of it if the client can show no sentence."""
        return self._to_client(Meaning("say", {"say": text}), None)

    def _from_canonical(self, frame: bytes) -> list[Effect]:
        message = self.retold.read(frame)
        if isinstance(message, Foreign):
            return self._to_client(Meaning("say", {"say": message.text}), None)
        meaning = meaning_of_message(message, self.me)
        if meaning is None:
            return []
        effects = self._to_client(meaning, None)
        if meaning.kind == "quit":
            effects.append(End())
        return effects + self._invited(meaning, 0.0)

    def _invited(self, meaning: Meaning, now: float) -> list[Effect]:
        """Join for a client that cannot."""
        if not self.joins_invited or meaning.kind != "invite" or meaning.copy != "dest" or not meaning.get("group"):
            return []
        if self.client is None or "join" in self.client.requests or (self.server and self.server.invite_adds):
            return []
        return self._pass_on(Meaning("join", {"group": meaning.get("group")}), None, now)

    def _guarded(self, meaning: Meaning, now: float) -> list[Effect]:
        """Decide on what was held back, now that the list is there."""
        held, request = self._held.popleft()
        query, self._guarding = self._guarding, ""
        hole = guarded_hole(query, held.kind)
        known = [*(meaning.list or ())]
        if query == "groups":
            self._groups |= {name.casefold() for name in known}
        if meaning.list is not None and not any(is_same(name, held.get(hole)) for name in known):
            why = f"{held.get(hole)} is not there" if hole == "dest" else f"there is no group {held.get(hole)}"
            return self._refuse(held, request, why) + self._go_on(now)
        return self._pass_on(held, request, now) + self._go_on(now)

    def _refuse(self, meaning: Meaning, request: Request | None, why: str) -> list[Effect]:
        return self._to_client(Meaning("error", {"say": why}, copy="own"), Asked(meaning, request, 0.0))

    def _made_up(self, meaning: Meaning, request: Request | None) -> list[Effect]:
        """Acknowledge what the server will not, and say that this is not its word."""
        if self.client is not None and meaning.kind in ("tell", "broadcast", "text"):
            return []  # its user sees what was typed
        own = evolve(meaning, values={**meaning.values, "who": self.me}, copy="own")
        line = sentence(own, self.me) + MADE_UP
        told = self._to_client(evolve(own, values={**own.values, "say": line}), Asked(meaning, request, 0.0))
        rule = self.client and self.client.rule(meaning.kind, "own")
        if rule and "say" not in holes(rule.template):
            told += self._to_client(Meaning("say", {"say": line}), None)
        return told

    def _to_client(self, meaning: Meaning, asked: Asked | None) -> list[Effect]:
        if self.client is None:
            request = asked.request if asked else None
            message = message_of(meaning, self.me, self.ts, self._seq, request)
            own = answer_in_words(meaning, self.me, self.ts, request) if message is None else [message]
            return [ToClient(encode(each) + b"\r\n", meaning.brief()) for each in own]
        values = {"reason": "", **meaning.values, "me": self.me, "say": sentence(meaning, self.me)}
        filled = evolve(meaning, values={hole: value.replace("\0", "") for hole, value in values.items()})
        lines = self.retold.lines((self.client, *self.others), filled, self.me)
        means = meaning.brief()
        return [ToClient(line, means) for line in lines]

    def _seq(self, group: str) -> int:
        self._seqs[group] = self._seqs.get(group, 0) + 1
        return self._seqs[group]

    def due(self) -> float | None:
        """Return when `tick` is to be called, None for never."""
        times = self._waiting.due()
        if self._guarding:
            times.append(self._guard_until)
        return min(times, default=None)

    def tick(self, now: float) -> list[Effect]:
        """Do what is due: acknowledge what the server is silent about, wait no longer for what will not come."""
        effects: list[Effect] = []
        for asked in self._waiting.late(now):
            if self._waiting.is_unanswerable(asked):
                effects += self._made_up(asked.meaning, asked.request)
            elif asked.request is not None:
                effects += self._refuse(asked.meaning, asked.request, "the server did not answer")
        if self._guarding and now >= self._guard_until:
            self._guarding = ""
            self._waiting.forget_guards()
            held, request = self._held.popleft()
            effects += self._refuse(held, request, "the server did not say whether that would work")
            effects += self._go_on(now)
        return effects

    def lost(self) -> list[Effect]:
        """The server has gone: tell the client, goodbye if it asked for that."""
        quitting = self._waiting.find("quit")
        if quitting is not None and self.client is None:
            return [*self._to_client(Meaning("quit", {"who": self.me}, copy="own"), quitting), End()]
        said = Meaning("say", {"say": "the server has closed the connection"})
        return [*([] if quitting or self._has_quit else self._to_client(said, None)), End()]


def _loads(frame: bytes) -> Any:
    try:
        return json.loads(frame)
    except (ValueError, RecursionError):
        return {}


def _privacy(found: Any) -> dict[str, str]:
    words = (
        [value for key, value in found.items() if key in ("private", "isPrivate")] if isinstance(found, dict) else []
    )
    return {"private": "yes"} if True in words else {}
