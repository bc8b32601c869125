"""A server with one client: starts any team's program, talks to it over a socket and through its standard input.

It answers every request as protocol.md says, so that programs that wait for an answer go on. What is right and wrong is
judged in clients.py.
"""

from __future__ import annotations

import socket
import time
from datetime import datetime, timezone
from typing import Callable, Dict, List, Optional, Sequence

from programs.program import Absent, Unfit
from programs.screen import Screen
from report.outcome import Line
from talk.matcher import match
from talk.wire import Closed, Frame, Garbage, Message, Peer, Silence, write
from words import say

__all__ = ["Stage"]

PACE_SECONDS = 0.03
START_TIMEOUTS = 5
BY_ITSELF = ("ping", "states", "msgs", "members", "groups", "client-list-clients", "register")


class Stage:
    """One run of the client; use it as a context manager, and `enter` first."""

    def __init__(self, command: Sequence[str], name: str, timeout_seconds: float) -> None:
        self.command, self.name = command, name
        self.timeout_seconds = timeout_seconds
        self.lines: List[Line] = []
        self.received = 0
        self.hello: Message = {}
        self.peer: Optional[Peer] = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        host, port = self._listener.getsockname()[:2]
        self.screen = Screen(command, name, host, port, timeout_seconds)
        self._seqs: Dict[str, int] = {}
        self._instead: Dict[str, Message] = {}
        self._wrote_at = 0.0

    def __enter__(self) -> "Stage":
        self.screen.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        if self.peer:
            self.peer.finish()
        self.screen.stop()

    def type(self, line: str) -> None:
        """Type a line to the client."""
        self._note(">", line, say("typed"))
        self.screen.type(line)

    def enter(self) -> None:
        """Wait for the client's connection and its hello, and answer it."""
        sock = self._accept()
        sock.settimeout(self.timeout_seconds)
        self.peer = Peer(sock, self.timeout_seconds, is_client=True)
        try:
            self.hello = self._next()
        except Silence:
            self.hello = {}
            return
        self.answer(self.hello)

    def _accept(self) -> socket.socket:
        self._listener.settimeout(0.1)
        seconds = self.timeout_seconds * START_TIMEOUTS
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            has_ended = self.screen.has_ended
            self.screen.answer()
            try:
                return self._listener.accept()[0]
            except socket.timeout:
                if has_ended:
                    raise Absent(say("client-ends") + self.screen.last_words) from None
        raise Absent(say("client-connects-not", seconds="%g" % seconds) + self.screen.last_words)

    def wants(self, pattern: Message) -> Message:
        """Return the next request of the action of *pattern*, and answer it; it must match.

        Questions that a client asks by itself are answered and passed over.
        """
        deadline = time.monotonic() + self.timeout_seconds
        problem = say("client-sends-no", action=pattern.get("action"))
        while True:
            try:
                request = self._next()
            except Silence:
                raise Unfit(problem) from None
            action = request.get("action")
            difference = match(pattern, request, {})
            self.answer(request)
            if difference is None:
                return request
            if action not in BY_ITSELF or time.monotonic() > deadline:
                raise Unfit(say("client-sends", action=action, what=difference))
            if action == pattern.get("action"):
                problem = say("client-sends", action=action, what=difference)

    def tell(self, *messages: Message) -> None:
        """Send messages, each in one write."""
        for message in messages:
            self.write(write(message).rstrip(b"\n") + b"\r\n")

    def write(self, data: bytes) -> None:
        """Send bytes as they are, in one write, which a client should read by itself (R-pace)."""
        time.sleep(max(0.0, self._wrote_at + PACE_SECONDS - time.monotonic()))
        self._note("<", data.decode("utf-8", "replace").rstrip())
        assert self.peer
        self.peer.send(data)
        self._wrote_at = time.monotonic()

    def event(self, action: str, sender: str, **fields: object) -> Message:
        """Make the next event of the group `wob`, or of the group given."""
        group = str(fields.pop("group", "wob"))
        self._seqs[group] = self._seqs.get(group, 1 if group == "wob" else 0) + 1
        base = {"action": action, "sender": sender, "from": sender, "group": group, "seq": self._seqs[group]}
        return {**base, "ts": _now(), "msg": "%s: %s in %s" % (sender, action, group), **fields}

    def answer_with(self, action: str, fields: Message) -> None:
        """From now on put *fields* over the answer to requests of *action*; an error replaces it."""
        self._instead[action] = fields

    def answer(self, request: Message) -> None:
        """Answer as a server would."""
        action = str(request.get("action"))
        make = _ANSWERS.get(action)
        about = {"id": request["id"]} if isinstance(request.get("id"), str) else {}
        instead = self._instead.get(action, {})
        if "action" in instead:
            self.tell({**instead, **about})
        elif make is not None:
            self.tell({**make(self, request), **instead, **about})
        elif action in _EVENTS:
            group = str(request.get("group"))
            fields: Message = {key: request[key] for key in ("dest", "msg", "reason") if key in request}
            if action in ("kick", "ban"):
                fields.setdefault("reason", "")
            if action == "cgroupe":
                fields["owner"] = self.name
            self.tell({**self.event(action, self.name, group=group, **fields), **about})
        if action in ("client-quit", "client-error") and self.peer:
            self.peer.finish()

    def _next(self) -> Message:
        return self.frame().message

    def frame(self, seconds: float = 0.0) -> Frame:
        """Return the next request with the time when it came, whatever it is, without an answer."""
        assert self.peer
        self.peer.timeout_seconds = seconds or self.timeout_seconds
        try:
            frame = self.peer.next()
        except Closed:
            raise Unfit(say("client-closes") + self.screen.last_words) from None
        except Garbage as error:
            raise Unfit(say("client-garbage", what=error)) from None
        self.received += 1
        self._note(">", frame.raw.decode("utf-8", "replace"))
        return frame

    def _note(self, sign: str, text: str, who: str = "client") -> None:
        self.lines.append(Line(who, sign, text))


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + "123Z"


def _hello(stage: Stage, request: Message) -> Message:
    about = {"sender": stage.name, "from": stage.name, "version": 1, "server": "conformance", "token": "t0ken"}
    return {"action": "server-hello", **about, "groups": ["wob"], "seqs": {"wob": 1}, "msg": "welcome " + stage.name}


def _page(stage: Stage, request: Message) -> Message:
    is_all = request.get("all") is True or request.get("action") == "states"
    after = request.get("after")
    is_shown = is_all and not (isinstance(after, int) and after >= 1)
    created = {**stage.event("cgroupe", stage.name, group="-"), "group": "wob", "seq": 1, "owner": stage.name}
    ends = {"first": 1, "last": 1} if is_shown else {}
    page = [created] if is_shown else []
    return {"action": request["action"], "group": request.get("group"), "list": page, "more": False, **ends, "msg": "-"}


def _list(action: str, **fields: object) -> Callable[[Stage, Message], Message]:
    def make(stage: Stage, request: Message) -> Message:
        return {"action": action, "list": [stage.name], **fields, "msg": "%s: %s" % (action, stage.name)}

    return make


def _members(stage: Stage, request: Message) -> Message:
    about = {"group": request.get("group"), "seq": 1, "list": [stage.name], "owner": stage.name, "online": [stage.name]}
    return {"action": "members", **about, "invited": [], "banned": [], "msg": "members: " + stage.name}


def _text(stage: Stage, request: Message) -> Message:
    action = "server-send" if request.get("action") == "client-send" else "server-broadcast"
    fields: Message = {key: request[key] for key in ("to", "msg") if key in request}
    return {"action": action, "sender": stage.name, "from": stage.name, "ts": _now(), **fields}


def _quit(stage: Stage, request: Message) -> Message:
    return {"action": "server-quit", "sender": stage.name, "from": stage.name, "msg": "good bye"}


def _ping(stage: Stage, request: Message) -> Message:
    return {"action": "ping", "ts": _now(), "version": 1, "server": "conformance", "msg": "pong"}


_EVENTS = ("cgroupe", "join", "leave", "invite", "kick", "ban", "unban", "gbroadcast")
_ANSWERS = {
    "client-hello": _hello,
    "client-send": _text,
    "client-broadcast": _text,
    "client-list-clients": _list("server-list-clients"),
    "client-quit": _quit,
    "client-error": _quit,
    "ping": _ping,
    "groups": _list("groups", private=[], mine=["wob"]),
    "members": _members,
    "msgs": _page,
    "states": _page,
}
