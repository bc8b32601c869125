"""A server with one client: starts any team's program, talks to it over a socket and through its standard input.

It answers every request as protocol.md says, so that programs that wait for an answer go on. What is right and wrong is
judged in clients.py.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from datetime import datetime, timezone
from typing import Callable, Dict, List, Optional, Sequence

from conversation import Line
from matcher import match
from wire import Closed, Garbage, Message, Peer, Silence, write

__all__ = ["Stage", "Unfit"]

START_TIMEOUTS = 5
MAX_OUTPUT_BYTES = 4 << 20
BY_ITSELF = ("ping", "states", "msgs", "members", "groups", "client-list-clients", "register")


class Unfit(Exception):
    """The client did not do what a client does; the text says what."""


class Stage:
    """One run of the client; use it as a context manager, and `enter` first."""

    def __init__(self, command: Sequence[str], name: str, timeout_seconds: float) -> None:
        self.name = name
        self.timeout_seconds = timeout_seconds
        self.lines: List[Line] = []
        self.received = 0
        self.hello: Message = {}
        self.peer: Optional[Peer] = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        host, port = self._listener.getsockname()[:2]
        words = {"{name}": name, "{host}": host, "{port}": str(port)}
        self._command = [_replace(part, words) for part in command]
        self._environment = dict(os.environ, HOST=host, PORT=str(port), NO_COLOR="1", PYTHONUNBUFFERED="1")
        self._output = b""
        self._grown = threading.Condition()
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._seqs: Dict[str, int] = {}
        self._instead: Dict[str, Message] = {}

    def __enter__(self) -> "Stage":
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            self._command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, env=self._environment
        )
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        if self.peer:
            self.peer.finish()
        process = self._process
        if process:
            self.end_input()
            process.terminate()
            try:
                process.wait(1)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    # what the person does

    def type(self, line: str) -> None:
        """Type a line."""
        self._note("types", line)
        process = self._process
        assert process and process.stdin
        try:
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
        except OSError:
            raise Unfit("the client does not read its standard input any more") from None

    def end_input(self) -> None:
        """Close the client's standard input."""
        process = self._process
        if process and process.stdin:
            try:
                process.stdin.close()
            except OSError:
                pass

    def shows(self, text: str, times: int = 1) -> None:
        """Wait until the client has shown *text* so many times."""
        if not self._wait(lambda: self._output.count(text.encode()) >= times):
            raise Unfit("does not show %r" % text)

    def shows_more(self, since: int) -> None:
        """Wait until the client has shown anything beyond the first *since* bytes."""
        if not self._wait(lambda: len(self._output[since:].strip()) > 0):
            raise Unfit("shows nothing")

    @property
    def output(self) -> bytes:
        """All that was shown so far."""
        return self._output

    # what the server does

    def enter(self) -> None:
        """Wait for the client's connection and its hello, and answer it."""
        self._listener.settimeout(self.timeout_seconds * START_TIMEOUTS)
        try:
            sock, _ = self._listener.accept()
        except OSError:
            raise Unfit("does not connect within %g s%s" % (self.timeout_seconds * START_TIMEOUTS, self._last_words()))
        sock.settimeout(self.timeout_seconds)
        self.peer = Peer(sock, self.timeout_seconds, is_client=True)
        try:
            self.hello = self._next()
        except Silence:
            self.hello = {}
            return
        self.answer(self.hello)

    def wants(self, pattern: Message) -> Message:
        """Return the next request of the action of *pattern*, and answer it; it must match.

        Questions that a client asks by itself are answered and passed over.
        """
        deadline = time.monotonic() + self.timeout_seconds
        problem = "sends no %s" % pattern.get("action")
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
                raise Unfit("sends %s: %s" % (action, difference))
            if action == pattern.get("action"):
                problem = "sends %s: %s" % (action, difference)

    def tell(self, *messages: Message) -> None:
        """Send messages, each in one write."""
        for message in messages:
            self.write(write(message).rstrip(b"\n") + b"\r\n")

    def write(self, data: bytes) -> None:
        """Send bytes as they are, in one write."""
        self._note("<", data.decode("utf-8", "replace").rstrip())
        assert self.peer
        self.peer.send(data)

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
            fields = {key: request[key] for key in ("dest", "msg", "reason") if key in request}
            if action in ("kick", "ban"):
                fields.setdefault("reason", "")
            if action == "cgroupe":
                fields["owner"] = self.name
            self.tell({**self.event(action, self.name, group=group, **fields), **about})
        if action in ("client-quit", "client-error") and self.peer:
            self.peer.finish()

    def _next(self) -> Message:
        assert self.peer
        try:
            frame = self.peer.next()
        except Closed:
            raise Unfit("closes the connection%s" % self._last_words()) from None
        except Garbage as error:
            raise Unfit("sends what is no request: %s" % error) from None
        self.received += 1
        self._note(">", frame.raw.decode("utf-8", "replace"))
        return frame.message

    # the client's output

    def _listen(self) -> None:
        process = self._process
        assert process and process.stdout
        while True:
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                return
            with self._grown:
                if len(self._output) < MAX_OUTPUT_BYTES:
                    self._output += data
                self._grown.notify_all()

    def _wait(self, holds: Callable[[], bool]) -> bool:
        with self._grown:
            return self._grown.wait_for(holds, self.timeout_seconds)

    def _last_words(self) -> str:
        words = self._output.decode("utf-8", "replace").strip().splitlines()
        return "; it said: %s" % words[-1] if words else ""

    def _note(self, sign: str, text: str) -> None:
        self.lines.append(Line("client", sign, text))


def _replace(part: str, words: Dict[str, str]) -> str:
    for word, value in words.items():
        part = part.replace(word, value)
    return part


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
    fields = {key: request[key] for key in ("to", "msg") if key in request}
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
