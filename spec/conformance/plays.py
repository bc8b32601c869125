"""The cases for a client: what it sends for what is typed, and that what arrives is shown. Run by clients.py."""

from __future__ import annotations

import secrets
from typing import Callable, Dict, List, NamedTuple, Tuple

from case import Case
from screen import Unfit
from stage import Stage
from wire import Message, write

__all__ = ["Play", "plays"]

TEXTS = ("client-send", "client-broadcast", "gbroadcast")


class Play(NamedTuple):
    """One case for a client, and what to do for it once the client has said hello."""

    case: Case
    act: Callable[[Stage], None]


COMMANDS: Tuple[Tuple[str, str, Message], ...] = (
    ("send", "s;bob;salut", {"action": "client-send", "to": "bob", "msg": "salut"}),
    ("broadcast", "b;salut", {"action": "client-broadcast", "msg": "salut"}),
    ("list-clients", "ls;", {"action": "client-list-clients"}),
    ("quit", "q;", {"action": "client-quit"}),
    ("create", "cg;web", {"action": "cgroupe", "group": "web"}),
    ("create-private", "cg;web;private", {"action": "cgroupe", "group": "web", "private": True}),
    ("join", "j;web", {"action": "join", "group": "web"}),
    ("gbroadcast", "bg;wob;salut", {"action": "gbroadcast", "group": "wob", "msg": "salut"}),
    ("members", "members;wob", {"action": "members", "group": "wob"}),
    ("messages", "messages;wob", {"action": "msgs", "group": "wob"}),
    ("groups", "groups;", {"action": "groups"}),
    ("leave", "leave;wob", {"action": "leave", "group": "wob"}),
    ("invite", "invite;wob;bob", {"action": "invite", "group": "wob", "dest": "bob"}),
    ("kick", "kick;wob;bob;spam", {"action": "kick", "group": "wob", "dest": "bob", "reason": "spam"}),
    ("kick-without-reason", "kick;wob;bob", {"action": "kick", "group": "wob", "dest": "bob"}),
    ("ban", "ban;wob;bob;spam", {"action": "ban", "group": "wob", "dest": "bob", "reason": "spam"}),
    ("unban", "unban;wob;bob", {"action": "unban", "group": "wob", "dest": "bob"}),
    ("states", "states;wob", {"action": "states", "group": "wob", "all": {"$absent": True}}),
)
SEMICOLONS: Tuple[Tuple[str, str, Message], ...] = (
    ("send", "s;bob;a;b;;c", {"action": "client-send", "msg": "a;b;;c"}),
    ("gbroadcast", "bg;wob;a;b;;c", {"action": "gbroadcast", "msg": "a;b;;c"}),
    ("kick", "kick;wob;bob;a;b;;c", {"action": "kick", "reason": "a;b;;c"}),
)


def plays() -> List[Play]:
    """Return every case for a client, in the order of the report."""
    found = [
        _play("hello/hello", "R-client-hello", "client-hello comes first, with the name in from", _hello),
        _play("hello/name", "R-client-both", "client-hello carries the name in name too", _hello_name, "SHOULD"),
        _play("hello/sender", "R-client-sender", "group requests carry the name in sender, groups in name", _sender),
        _play("hello/from", "R-client-both", "group requests carry the name in from too", _from, "SHOULD"),
        _play("hello/quit", "R-client-quit", "a client whose input ends says client-quit", _quit, "SHOULD"),
        _play("framing/objects", "R-client-frame", "every request is one JSON object in UTF-8", _frames),
        _play("framing/newline", "R-client-newline", "every request ends with LF", _newlines, "SHOULD"),
        _play("reading/cut", "R-client-reads-any", "a message that comes in two pieces is read", _cut),
        _play(
            "reading/cut-character", "R-client-reads-any", "a message cut inside a character is read", _cut_character
        ),
        _play("reading/joined", "R-client-reads-any", "two messages in one piece are both read", _joined),
        _play("reading/unknown-fields", "R-client-unknown", "unknown fields do no harm", _unknown_fields),
        _play("reading/unknown-action", "R-client-unknown", "an unknown action does no harm", _unknown_action),
        _play("reading/unknown-code", "R-client-unknown", "an unknown error code does no harm", _unknown_code),
        _play("reading/error-stays", "R-client-error-stays", "after an error the client goes on", _error_stays),
        _play("reading/repeat", "R-client-dedup", "a message whose seq was seen before is not shown again", _repeat),
        _play("reading/gap", "R-client-catch-up", "after a gap in seq the client asks for states", _gap, "SHOULD"),
        _play("typing/mistyped", "R-client-mistyped", "a mistyped command is not sent to anybody", _mistyped),
    ]
    for slug, line, pattern in COMMANDS:
        title = "%s sends %s" % (line, pattern["action"])
        found.append(_play("typing/" + slug, "R-client-canonical", title, _types(line, pattern)))
    for slug, line, pattern in SEMICOLONS:
        title = "in %s the last field takes the rest" % line
        found.append(_play("semicolons/" + slug, "R-client-semicolons", title, _types(line, pattern)))
    for slug, act in SHOWN.items():
        found.append(_play("showing/" + slug, "R-client-shows-msg", "%s is shown" % slug.replace("-", " "), act))
    title = "control characters do not reach the terminal"
    found.append(_play("showing/no-controls", "R-client-sanitise", title, _no_controls))
    return found


def _play(id: str, cites: str, title: str, act: Callable[[Stage], None], level: str = "MUST") -> Play:
    return Play(Case(id, level, (cites,), title, (), ()), act)


def _marker() -> str:
    return "x" + secrets.token_hex(4)


def _hello(stage: Stage) -> None:
    if stage.hello.get("action") != "client-hello":
        raise Unfit("does not begin with client-hello but with %s" % (stage.hello.get("action") or "nothing"))
    if stage.hello.get("from") != stage.name:
        raise Unfit("has %r in from of client-hello" % stage.hello.get("from"))


def _hello_name(stage: Stage) -> None:
    if stage.hello.get("name") != stage.name:
        raise Unfit("has no name in client-hello")


def _types(line: str, pattern: Message) -> Callable[[Stage], None]:
    def act(stage: Stage) -> None:
        stage.type(line)
        stage.wants(pattern)

    return act


def _sender(stage: Stage) -> None:
    _types("j;web", {"action": "join", "sender": stage.name})(stage)
    _types("members;web", {"action": "members", "sender": stage.name})(stage)
    _types("groups;", {"action": "groups", "name": stage.name})(stage)


def _from(stage: Stage) -> None:
    _types("j;web", {"action": "join", "from": stage.name})(stage)


def _quit(stage: Stage) -> None:
    stage.screen.end_input()
    stage.wants({"action": "client-quit"})


def _several(stage: Stage) -> None:
    _types('bg;wob;é"\\', {"action": "gbroadcast", "msg": 'é"\\'})(stage)
    _types("groups;", {"action": "groups"})(stage)


def _frames(stage: Stage) -> None:
    _several(stage)


def _newlines(stage: Stage) -> None:
    _several(stage)
    assert stage.peer
    stage.peer.finish()
    for _, fault in stage.peer.faults:
        raise Unfit("ends badly: " + fault)


def _say(stage: Stage, text: str) -> Message:
    return stage.event("gbroadcast", "bob", msg=text)


def _bytes(message: Message) -> bytes:
    return write(message).rstrip(b"\n") + b"\r\n"


def _pieces(stage: Stage, data: bytes, at: int) -> None:
    stage.write(data[:at])
    stage.write(data[at:])


def _cut(stage: Stage) -> None:
    text = _marker()
    _pieces(stage, _bytes(_say(stage, text)), 25)
    stage.screen.shows(text)


def _cut_character(stage: Stage) -> None:
    text = "é" + _marker()
    data = _bytes(_say(stage, text))
    _pieces(stage, data, data.index("é".encode()) + 1)
    stage.screen.shows(text)


def _joined(stage: Stage) -> None:
    one, two = _marker(), _marker()
    stage.write(_bytes(_say(stage, one)) + _bytes(_say(stage, two)))
    stage.screen.shows(one)
    stage.screen.shows(two)


def _then_talks(stage: Stage, *messages: Message) -> None:
    text = _marker()
    stage.tell(*messages)
    stage.tell(_say(stage, text))
    stage.screen.shows(text)


def _unknown_fields(stage: Stage) -> None:
    text = _marker()
    stage.tell({**_say(stage, text), "mood": {"a": [1, None]}, "colour": True})
    stage.screen.shows(text)


def _unknown_action(stage: Stage) -> None:
    _then_talks(stage, {"action": "weather", "celsius": -3, "msg": "cold"})


def _unknown_code(stage: Stage) -> None:
    _then_talks(stage, {"action": "error", "code": "too-cold", "request": "join", "msg": "it is too cold"})


def _error_stays(stage: Stage) -> None:
    _then_talks(stage, {"action": "error", "code": "not-member", "request": "gbroadcast", "msg": "you are no member"})
    _types("groups;", {"action": "groups"})(stage)


def _repeat(stage: Stage) -> None:
    one, two = _marker(), _marker()
    message = _say(stage, one)
    for each in (message, message, _say(stage, two)):
        stage.tell(each)
    stage.screen.shows(two)
    count = stage.screen.output.count(one.encode())
    if count != 1:
        raise Unfit("shows the repeated message %d times" % count)


def _gap(stage: Stage) -> None:
    stage.tell(_say(stage, "one"))
    _say(stage, "this one gets lost")
    stage.tell(_say(stage, "three"))
    while True:
        request = stage.wants({"action": "states", "all": True})
        if isinstance(request.get("after"), int) and request["after"] == 2:
            return


def _mistyped(stage: Stage) -> None:
    stage.type("memebrs;wob")
    stage.type("groups;")
    request = stage.wants({"action": "groups"})
    assert request.get("action") not in TEXTS


def _tells(make: Callable[[Stage, str], Message]) -> Callable[[Stage], None]:
    def act(stage: Stage) -> None:
        text = _marker()
        stage.tell(make(stage, text))
        stage.screen.shows(text)

    return act


def _answers(line: str, action: str, make: Callable[[str], Message]) -> Callable[[Stage], None]:
    def act(stage: Stage) -> None:
        text = _marker()
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


def _no_controls(stage: Stage) -> None:
    text = _marker()
    stage.tell(_say(stage, "\u001b]0;%s\u0007\u009b31m%s" % (text, text)))
    stage.screen.shows(text)
    for control in (b"\x1b]0;" + text.encode(), b"\x07", "\u009b31m".encode()):
        if control in stage.screen.output:
            raise Unfit("writes %r from the network to the screen" % control)


def _ts(message: Message) -> Message:
    return {**message, "ts": "2026-01-31T10:42:00.123Z"}


def _text_to(name: str, text: str) -> Message:
    return _ts({"action": "server-send", "sender": "bob", "from": "bob", "to": name, "msg": text})


SHOWN: Dict[str, Callable[[Stage], None]] = {
    "a-text-to-the-group": _tells(_say),
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
