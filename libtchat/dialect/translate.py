"""Stand between one client and one server, each of any dialect: frames, time and the end come in, messages go out.

A `Translator` is a machine per connection without I/O. Either side may be this protocol itself (no dialect). What a
server does not acknowledge is made up after a while, and says so; what would kill a server is asked about before.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
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
from libtchat.dialect.detect import fitting_kind
from libtchat.dialect.dialect import Dialect
from libtchat.dialect.guards import guard_of, guarded_hole
from libtchat.dialect.reading import read_answer
from libtchat.dialect.telling import lines_for
from libtchat.dialect.template import Meaning, holes, match, write
from libtchat.message.errors import Violation
from libtchat.message.reply import Error, Foreign, Message, Pong
from libtchat.message.request import Hello, Ping, Request
from libtchat.message.value import frozen
from libtchat.wire.codec import decode_request, encode, encode_request, read_message

__all__ = ["Effect", "End", "ToClient", "ToServer", "Translator"]

ACK_SECONDS = 0.4
GUARD_SECONDS = 2.0
FORGET_SECONDS = 5.0
MADE_UP = " (the server does not say whether it did it)"


@frozen
class ToClient:
    """Send *data* to the client; *means* is what it says, for a trace."""

    data: bytes
    means: str = ""


@frozen
class ToServer:
    """Send *data* to the server; *means* is what it asks, for a trace."""

    data: bytes
    means: str = ""


@frozen
class End:
    """Close both connections, once all is sent."""


Effect = ToClient | ToServer | End


@frozen
class _Asked:
    meaning: Meaning
    request: Request | None
    at: float
    is_guard: bool = False


_ANSWERED_ALONE = ("users", "members", "groups", "messages", "states", "hello", "quit")


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
    """

    client: Dialect | None
    server: Dialect | None
    joins_invited: bool = False
    others: tuple[Dialect, ...] = ()
    ts: str = ""
    me: str = ""
    _asked: list[_Asked] = field(factory=list)
    _held: deque[tuple[Meaning, Request | None]] = field(factory=deque)
    _guarding: str = ""
    _guard_until: float = 0.0
    _seqs: dict[str, int] = field(factory=dict)
    _groups: set[str] = field(factory=set)

    # -- from the client

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
                self._asked.append(_Asked(query, None, now, is_guard=True))
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
        if meaning.kind in ("create", "join"):
            self._groups.add(group)
        if meaning.kind == "leave":
            self._groups.discard(group)
        self._asked.append(_Asked(meaning, request, now))
        return written

    def _to_server(self, meaning: Meaning, request: Request | None) -> list[Effect]:
        means = _brief(meaning)
        if self.server is None:
            asked = request or request_of(meaning, self.me)
            return [ToServer(encode_request(asked) + b"\n", means)]
        template = self.server.requests.get(meaning.kind)
        if template is None:
            return []
        filled = evolve(meaning, values={"reason": "", **meaning.values, "me": self.me})
        return [ToServer(self.server.wire.write(write(template, filled)), means)]

    # -- from the server

    def from_server(self, frame: bytes, now: float) -> list[Effect]:
        """Take in one JSON text of the server."""
        if self.server is None:
            return self._from_canonical(frame)
        found = _loads(frame)
        meaning = read_answer(self.server, found, self.me, [asked.meaning.kind for asked in self._asked])
        asked = self._answered(meaning)
        if asked is not None and asked.is_guard:
            return self._guarded(meaning, now)
        if meaning.kind == "invite" and meaning.copy == "dest" and self.server.invite_adds:
            self._groups.add(meaning.get("group").casefold())
        effects = self._to_client(self._completed(meaning, asked), asked)
        return effects + self._invited(meaning, now)

    def _from_canonical(self, frame: bytes) -> list[Effect]:
        message = read_message(frame)
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

    def _answered(self, meaning: Meaning) -> _Asked | None:
        """Return what *meaning* answers, and wait for that no longer."""
        waiting = [asked for asked in self._asked if asked.meaning.kind == meaning.kind]
        if meaning.kind == "error":
            waiting = [asked for asked in self._asked if not asked.is_guard and asked.meaning.kind != "hello"]
            waiting = [a for a in waiting if a.meaning.kind == meaning.get("about")] or waiting or self._asked
        elif meaning.copy != "own" and meaning.kind not in _ANSWERED_ALONE:
            return None
        if not waiting:
            return None
        self._asked.remove(waiting[0])
        return waiting[0]

    def _completed(self, meaning: Meaning, asked: _Asked | None) -> Meaning:
        """Add what follows: who did it, in one's own copy; to whom, in the victim's; what was asked for."""
        values = dict(meaning.values)
        if meaning.copy == "own":
            values.setdefault("who", self.me)
        if meaning.copy == "dest":
            values.setdefault("dest", self.me)
        if asked is not None and meaning.kind == asked.meaning.kind:
            for hole in ("group", "dest", "reason", "text"):
                if hole in asked.meaning.values and (meaning.copy == "own" or hole == "group"):
                    values.setdefault(hole, asked.meaning.values[hole])
        raw = values.pop("raw", "")
        values.pop("about", None)
        if "say" not in values:
            values["say"] = self._sentence(evolve(meaning, values=values), raw)
        return evolve(meaning, values=values)

    def _sentence(self, meaning: Meaning, raw: str) -> str:
        if raw and (
            meaning.kind in ("error", "hello", "quit") or message_of(meaning, self.me, "", lambda _: 1, None) is None
        ):
            return raw
        return sentence(meaning, self.me)

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

    # -- to the client

    def _refuse(self, meaning: Meaning, request: Request | None, why: str) -> list[Effect]:
        return self._to_client(Meaning("error", {"say": why}, copy="own"), _Asked(meaning, request, 0.0))

    def _made_up(self, meaning: Meaning, request: Request | None) -> list[Effect]:
        """Acknowledge what the server will not, and say that this is not its word."""
        if self.client is not None and meaning.kind in ("tell", "broadcast", "text"):
            return []  # its user sees what was typed
        own = evolve(meaning, values={**meaning.values, "who": self.me}, copy="own")
        line = sentence(own, self.me) + MADE_UP
        told = self._to_client(evolve(own, values={**own.values, "say": line}), _Asked(meaning, request, 0.0))
        rule = self.client and self.client.rule(meaning.kind, "own")
        if rule and "say" not in holes(rule.template):
            told += self._to_client(Meaning("say", {"say": line}), None)
        return told

    def _to_client(self, meaning: Meaning, asked: _Asked | None) -> list[Effect]:
        if self.client is None:
            request = asked.request if asked else None
            message = message_of(meaning, self.me, self.ts, self._seq, request)
            own = answer_in_words(meaning, self.me, self.ts, request) if message is None else [message]
            return [ToClient(encode(each) + b"\r\n", _brief(meaning)) for each in own]
        values = {"reason": "", **meaning.values, "me": self.me, "say": sentence(meaning, self.me)}
        filled = evolve(meaning, values={hole: value.replace("\0", "") for hole, value in values.items()})
        return [ToClient(line, _brief(meaning)) for line in lines_for((self.client, *self.others), filled, self.me)]

    def _seq(self, group: str) -> int:
        self._seqs[group] = self._seqs.get(group, 0) + 1
        return self._seqs[group]

    # -- time

    def due(self) -> float | None:
        """Return when `tick` is to be called, None for never."""
        times = [asked.at + self._patience(asked) for asked in self._asked]
        if self._guarding:
            times.append(self._guard_until)
        return min(times, default=None)

    def _patience(self, asked: _Asked) -> float:
        is_silent = self.server is not None and asked.meaning.kind in self.server.silent
        return ACK_SECONDS if is_silent and not asked.is_guard else FORGET_SECONDS

    def tick(self, now: float) -> list[Effect]:
        """Do what is due: acknowledge what the server is silent about, wait no longer for what will not come."""
        effects: list[Effect] = []
        for asked in [a for a in self._asked if now >= a.at + self._patience(a)]:
            self._asked.remove(asked)
            if self._patience(asked) == ACK_SECONDS:
                effects += self._made_up(asked.meaning, asked.request)
            elif asked.request is not None:
                effects += self._refuse(asked.meaning, asked.request, "the server did not answer")
        if self._guarding and now >= self._guard_until:
            self._guarding = ""
            self._asked = [asked for asked in self._asked if not asked.is_guard]
            held, request = self._held.popleft()
            effects += self._refuse(held, request, "the server did not say whether that would work")
            effects += self._go_on(now)
        return effects

    def lost(self) -> list[Effect]:
        """The server has gone: tell the client, goodbye if it asked for that."""
        quitting = next((asked for asked in self._asked if asked.meaning.kind == "quit"), None)
        if quitting is not None and self.client is None:
            return [*self._to_client(Meaning("quit", {"who": self.me}, copy="own"), quitting), End()]
        said = Meaning("say", {"say": "the server has closed the connection"})
        return [*([] if quitting else self._to_client(said, None)), End()]


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


def _brief(meaning: Meaning) -> str:
    """Return *meaning* for a trace."""
    parts: Iterable[str] = (
        f"{hole}={value}" for hole, value in meaning.values.items() if hole not in ("say", "raw", "private")
    )
    names = "" if meaning.list is None else " [" + ", ".join(meaning.list) + "]"
    return " ".join([meaning.kind + (f".{meaning.copy}" if meaning.copy else ""), *parts]) + names
