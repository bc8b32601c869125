"""What a client has to show: texts, events, answers and errors, each with a word that nobody could guess."""

from __future__ import annotations

import secrets
from typing import Callable, Dict

from programs.program import Unfit
from talk.wire import Message
from words import say as tell

from client.stage import Stage

__all__ = ["SHOWN", "a_closed_group", "a_removed_text", "marker", "no_controls", "say"]


def marker() -> str:
    """Return a word that is nowhere else."""
    return "x" + secrets.token_hex(4)


def say(stage: Stage, text: str) -> Message:
    """Return a text of bob to the group."""
    return stage.event("gbroadcast", "bob", msg=text)


def _tells(make: Callable[[Stage, str], Message]) -> Callable[[Stage], None]:
    def act(stage: Stage) -> None:
        text = marker()
        stage.tell(make(stage, text))
        stage.screen.shows(text)

    return act


def _answers(line: str, action: str, make: Callable[[str], Message]) -> Callable[[Stage], None]:
    def act(stage: Stage) -> None:
        text = marker()
        stage.answer_with(action, make(text))
        stage.type(line)
        stage.wants({"action": action})
        stage.screen.shows(text)

    return act


def _an_error(stage: Stage) -> None:
    since = len(stage.screen.output)
    stage.type("j;web")
    stage.answer_with("join", {"action": "error", "code": "banned", "request": "join", "group": "web", "msg": "banned"})
    stage.wants({"action": "join"})
    stage.screen.shows_more(since)


def no_controls(stage: Stage) -> None:
    """Send control characters in a text: they must not be shown."""
    text = marker()
    stage.tell(say(stage, "\u001b]0;%s\u0007\u009b31m%s" % (text, text)))
    stage.screen.shows(text)
    for control in (b"\x1b]0;" + text.encode(), b"\x07", "\u009b31m".encode()):
        if control in stage.screen.output:
            raise Unfit(tell("client-writes-control", control=repr(control)))


def a_removed_text(stage: Stage) -> None:
    """Remove a text that was shown: that is told, and a page that has it still names its author."""
    author = marker()
    text = stage.event("gbroadcast", author, msg="too much")
    stage.tell(text)
    stage.screen.shows(author)
    since = len(stage.screen.output)
    about: Message = {"redacts": text["seq"], "author": author, "msg": "a text of %s was removed from wob" % author}
    stage.tell(stage.event("redact", "server", **about))
    stage.screen.shows_more(since)
    author = marker()
    gone = {**text, "sender": author, "from": author, "msg": "(this text was removed)", "redacted": True}
    stage.answer_with("msgs", {"list": [gone], "first": text["seq"], "last": text["seq"]})
    stage.type("messages;wob")
    stage.wants({"action": "msgs"})
    stage.screen.shows(author)
    _goes_on(stage)


def a_closed_group(stage: Stage) -> None:
    """Close the group and refuse a text to it: both is told, and the client goes on."""
    since = len(stage.screen.output)
    stage.tell(stage.event("close", "server", msg="wob is closed: it takes no more texts"))
    stage.screen.shows_more(since)
    since = len(stage.screen.output)
    refused: Message = {
        "action": "error",
        "code": "group-closed",
        "request": "gbroadcast",
        "group": "wob",
        "msg": "closed",
    }
    stage.answer_with("gbroadcast", refused)
    stage.type("bg;wob;salut")
    stage.wants({"action": "gbroadcast"})
    stage.screen.shows_more(since)
    _goes_on(stage)


def _goes_on(stage: Stage) -> None:
    text = marker()
    stage.tell(_text_to(stage.name, text))
    stage.screen.shows(text)


def _ts(message: Message) -> Message:
    return {**message, "ts": "2026-01-31T10:42:00.123Z"}


def _text_to(name: str, text: str) -> Message:
    return _ts({"action": "server-send", "sender": "bob", "from": "bob", "to": name, "msg": text})


SHOWN: Dict[str, Callable[[Stage], None]] = {
    "a-text-to-the-group": _tells(say),
    "a-text-to-the-user": _tells(lambda stage, text: _text_to(stage.name, text)),
    "a-text-to-all": _tells(
        lambda stage, text: _ts({"action": "server-broadcast", "sender": "bob", "from": "bob", "msg": text})
    ),
    "who-joins": _tells(lambda stage, text: {**stage.event("join", text), "msg": text + " joined wob"}),
    "who-is-kicked": _tells(
        lambda stage, text: {**stage.event("kick", "bob", dest=text, reason=""), "msg": "bob kicked %s from wob" % text}
    ),
    "an-invitation": _tells(
        lambda stage, text: {
            **stage.event("invite", "bob", dest=stage.name, group=text),
            "msg": "bob invited you to " + text,
        }
    ),
    "the-members": _answers(
        "members;wob", "members", lambda text: {"list": [text], "online": [text], "msg": "members: " + text}
    ),
    "the-groups": _answers("groups;", "groups", lambda text: {"list": [text], "msg": "groups: " + text}),
    "the-clients": _answers("ls;", "client-list-clients", lambda text: {"list": [text], "msg": "connected: " + text}),
    "the-history": _answers(
        "messages;wob",
        "msgs",
        lambda text: {
            "list": [
                _ts({"action": "gbroadcast", "sender": "bob", "from": "bob", "group": "wob", "msg": text, "seq": 1})
            ],
            "first": 1,
            "last": 1,
            "msg": "bob: " + text,
        },
    ),
    "an-error": _an_error,
}
