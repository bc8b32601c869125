"""One small chat of one client on one server, seen by an observer on the same server.

It is judged by texts that arrive, not by the shape of messages, so that programs with dialects still get a score; what
is wrong with one program is told by `server` and `client`.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from typing import Callable, Dict, List, Mapping, Sequence, Tuple

from programs.program import Absent, Unfit
from programs.screen import Screen
from talk.address import Address, connect
from talk.matcher import GROUP_PREFIX
from talk.wire import Closed, Flood, Garbage, Peer, Silence, write
from words import say

__all__ = ["STEPS", "Chat"]

CONNECT_TIMEOUTS = 3
GRACE_SECONDS = 0.5


class Chat:
    """The client under test, and an observer who speaks the protocol plainly."""

    def __init__(
        self, command: Sequence[str], address: Address, timeout_seconds: float, hints: Mapping[str, str]
    ) -> None:
        suffix = secrets.token_hex(3)
        self.name, self.other, self.group = "alice-" + suffix, "bob-" + suffix, GROUP_PREFIX + suffix
        self.done: List[str] = []
        self.missed: List[str] = []
        self.timeout_seconds = timeout_seconds
        self.screen = Screen(command, self.name, address.host, address.port, timeout_seconds, hints)
        self.observer: Peer = connect(address, timeout_seconds)

    def __enter__(self) -> "Chat":
        """Let the observer say hello, then start the client.

        Raises:
            Absent: the server does not answer; the text says how.
            OSError: there is no such client.
        """
        try:
            self.tell({"from": self.other, "sender": self.other, "action": "client-hello"})
            self.observer.next()
        except (Silence, Closed, Garbage, Flood) as error:
            self.observer.finish()
            raise Absent(say("server-no-hello", what=error)) from None
        try:
            self.screen.start()
        except OSError:
            self.observer.finish()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if "makes a group" in self.done:  # it is left empty; bob was kicked or leaves now
            with contextlib.suppress(Unfit):
                self.type("leave;" + self.group)
            self.screen.end_input()
            self.screen.wait(GRACE_SECONDS)
            self.tell({"sender": self.other, "group": self.group, "action": "leave"})
            with contextlib.suppress(Silence, Closed, Garbage, Flood):
                self.hears('"leave"', seconds=GRACE_SECONDS)
        self.screen.stop()
        self.observer.finish()

    def play(self) -> None:
        """Go through STEPS; what needs a step that did not work is not tried."""
        for title, (needed, step) in STEPS.items():
            if needed in self.missed:
                self.missed.append(title)
            else:
                self.attempt(title, step)

    def attempt(self, title: str, step: Callable[["Chat", str], None]) -> None:
        """Note whether *step* works."""
        try:
            step(self, "x" + secrets.token_hex(4))
            self.done.append(title)
        except Absent:
            raise
        except (Unfit, Silence, Closed, Garbage, Flood):
            self.missed.append(title)

    def tell(self, message: Dict[str, object]) -> None:
        self.observer.send(write(message))

    def type(self, line: str) -> None:
        self.screen.type(line)

    def hears(self, text: str, seconds: float = 0.0) -> None:
        """Wait until a message with *text* reaches the observer."""
        seconds = seconds or self.timeout_seconds
        deadline = time.monotonic() + seconds
        self.observer.timeout_seconds = seconds
        try:
            while time.monotonic() < deadline:
                if text in self.observer.next().raw.decode("utf-8", "replace"):
                    return
        finally:
            self.observer.timeout_seconds = self.timeout_seconds
        raise Silence("")


def _connects(chat: Chat, mark: str) -> None:
    """See the client in the list of who is connected."""
    deadline = time.monotonic() + chat.timeout_seconds * CONNECT_TIMEOUTS
    while time.monotonic() < deadline:
        has_ended = chat.screen.has_ended
        chat.screen.answer()
        chat.tell({"from": chat.other, "action": "client-list-clients"})
        try:
            chat.hears(chat.name, seconds=GRACE_SECONDS)
            return
        except Silence:
            if has_ended:
                raise Absent(say("client-ends") + chat.screen.ending) from None
    raise Absent(say("client-connects-not", seconds="%g" % (chat.timeout_seconds * CONNECT_TIMEOUTS)))


def _direct(chat: Chat, mark: str) -> None:
    chat.type("s;%s;%s" % (chat.other, mark))
    chat.hears(mark)


def _direct_back(chat: Chat, mark: str) -> None:
    chat.tell({"from": chat.other, "to": chat.name, "msg": mark, "action": "client-send"})
    chat.screen.shows(mark)


def _to_all(chat: Chat, mark: str) -> None:
    chat.type("b;" + mark)
    chat.hears(mark)


def _group(chat: Chat, mark: str) -> None:
    chat.type("cg;" + chat.group)
    deadline = time.monotonic() + chat.timeout_seconds
    while time.monotonic() < deadline:
        chat.tell({"sender": chat.other, "group": chat.group, "action": "join"})
        frame = chat.observer.next()
        while frame.message.get("action") not in ("join", "error") and time.monotonic() < deadline:
            frame = chat.observer.next()
        if frame.message.get("action") == "join":
            return
        time.sleep(0.05)
    raise Unfit("")


def _to_group(chat: Chat, mark: str) -> None:
    chat.type("bg;%s;%s" % (chat.group, mark))
    chat.hears(mark)


def _from_group(chat: Chat, mark: str) -> None:
    chat.tell({"sender": chat.other, "group": chat.group, "msg": mark, "action": "gbroadcast"})
    chat.screen.shows(mark)


def _kick(chat: Chat, mark: str) -> None:
    chat.type("kick;%s;%s;%s" % (chat.group, chat.other, mark))
    chat.hears(mark)


# What is tried, in this order: its key in the words, what has to work before, and how it is done.
STEPS: Dict[str, Tuple[str, Callable[[Chat, str], None]]] = {
    "connects": ("", _connects),
    "text to a user": ("connects", _direct),
    "text from a user": ("connects", _direct_back),
    "text to all": ("connects", _to_all),
    "makes a group": ("connects", _group),
    "text to the group": ("makes a group", _to_group),
    "text from the group": ("makes a group", _from_group),
    "kick with a reason": ("makes a group", _kick),
}
