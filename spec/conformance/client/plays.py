"""The cases for a client: what it sends for what is typed, and that what arrives is shown. Run by judge.py."""

from __future__ import annotations

from typing import Callable, List, NamedTuple, Tuple

from cases.case import Case
from cases.path import PATH
from programs.program import Unfit
from talk.wire import Message, write
from words import say as tell

from client.requesting import guessable_ids, one_write, own_elsewhere
from client.showing import SHOWN, a_closed_group, a_removed_text, marker, no_controls, say
from client.stage import Stage

__all__ = ["Play", "plays"]

PARTS = {
    "hello": 1,
    "framing": 1,
    "typing": 2,
    "showing": 3,
    "semicolons": 4,
    "reading": 5,
    "requests": 6,
}  # of the path


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
        _play(
            "requests/one-write", "R-client-one-write", "requests come one a write, 50 ms apart", one_write, "SHOULD"
        ),
        _play("requests/ids", "R-client-id", "ids are chosen at random", guessable_ids),
        _play("requests/own-elsewhere", "R-client-id", "what one said on another peer is shown", own_elsewhere),
        _play("typing/mistyped", "R-client-mistyped", "a mistyped command is not sent to anybody", _mistyped),
    ]
    for slug, line, pattern in COMMANDS:
        title = "%s sends %s" % (line, pattern["action"])
        act, part = _types(line, pattern), PATH[str(pattern["action"])]
        found.append(_play("typing/" + slug, "R-client-canonical", title, act, part=part))
    for slug, line, pattern in SEMICOLONS:
        title = "in %s the last field takes the rest" % line
        found.append(_play("semicolons/" + slug, "R-client-semicolons", title, _types(line, pattern)))
    for slug, act in SHOWN.items():
        found.append(_play("showing/" + slug, "R-client-shows-msg", "%s is shown" % slug.replace("-", " "), act))
    title = "a text that an operator removed is shown as removed"
    found.append(_play("showing/a-removed-text", "R-client-redacted", title, a_removed_text, "MAY"))
    title = "that a group takes no more texts is shown, and is not the end"
    found.append(_play("showing/a-closed-group", "R-client-error-stays", title, a_closed_group, "MAY"))
    title = "control characters do not reach the terminal"
    found.append(_play("showing/no-controls", "R-client-sanitise", title, no_controls))
    return found


def _play(id: str, cites: str, title: str, act: Callable[[Stage], None], level: str = "MUST", part: int = 0) -> Play:
    return Play(Case(id, level, (cites,), title, (), (), part or PARTS[id.partition("/")[0]]), act)


def _hello(stage: Stage) -> None:
    if stage.hello.get("action") != "client-hello":
        raise Unfit(tell("client-begins", what=stage.hello.get("action") or tell("nothing")))
    if stage.hello.get("from") != stage.name:
        raise Unfit(tell("client-from", what=repr(stage.hello.get("from"))))


def _hello_name(stage: Stage) -> None:
    if stage.hello.get("name") != stage.name:
        raise Unfit(tell("client-no-name"))


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
        raise Unfit(tell("client-ends-badly", what=fault))


def _bytes(message: Message) -> bytes:
    return write(message).rstrip(b"\n") + b"\r\n"


def _pieces(stage: Stage, data: bytes, at: int) -> None:
    stage.write(data[:at])
    stage.write(data[at:])


def _cut(stage: Stage) -> None:
    text = marker()
    _pieces(stage, _bytes(say(stage, text)), 25)
    stage.screen.shows(text)


def _cut_character(stage: Stage) -> None:
    text = "é" + marker()
    data = _bytes(say(stage, text))
    _pieces(stage, data, data.index("é".encode()) + 1)
    stage.screen.shows(text)


def _joined(stage: Stage) -> None:
    one, two = marker(), marker()
    stage.write(_bytes(say(stage, one)) + _bytes(say(stage, two)))
    stage.screen.shows(one)
    stage.screen.shows(two)


def _then_talks(stage: Stage, *messages: Message) -> None:
    text = marker()
    stage.tell(*messages)
    stage.tell(say(stage, text))
    stage.screen.shows(text)


def _unknown_fields(stage: Stage) -> None:
    text = marker()
    stage.tell({**say(stage, text), "mood": {"a": [1, None]}, "colour": True})
    stage.screen.shows(text)


def _unknown_action(stage: Stage) -> None:
    _then_talks(stage, {"action": "weather", "celsius": -3, "msg": "cold"})


def _unknown_code(stage: Stage) -> None:
    _then_talks(stage, {"action": "error", "code": "too-cold", "request": "join", "msg": "it is too cold"})


def _error_stays(stage: Stage) -> None:
    _then_talks(stage, {"action": "error", "code": "not-member", "request": "gbroadcast", "msg": "you are no member"})
    _types("groups;", {"action": "groups"})(stage)


def _repeat(stage: Stage) -> None:
    one, two = marker(), marker()
    message = say(stage, one)
    for each in (message, message, say(stage, two)):
        stage.tell(each)
    stage.screen.shows(two)
    count = stage.screen.output.count(one.encode())
    if count != 1:
        raise Unfit(tell("client-shows-twice", n=count))


def _gap(stage: Stage) -> None:
    stage.tell(say(stage, "one"))
    say(stage, "this one gets lost")
    stage.tell(say(stage, "three"))
    while True:
        request = stage.wants({"action": "states", "all": True})
        if isinstance(request.get("after"), int) and request["after"] == 2:
            return


def _mistyped(stage: Stage) -> None:
    stage.type("memebrs;wob")
    stage.type("groups;")
    stage.wants({"action": "groups"})
