"""This protocol as one dialect among others: meanings <-> its requests and messages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from libtchat.dialect.template import Meaning
from libtchat.message.event import Banned, Created, Event, Invited, Joined, Kicked, Left, Said, Unbanned
from libtchat.message.names import user_key
from libtchat.message.reply import (
    DirectMessage,
    Error,
    Goodbye,
    Groups,
    Members,
    Message,
    Messages,
    PresenceNotice,
    PublicMessage,
    States,
    Users,
    Welcome,
)
from libtchat.message.request import (
    Ban,
    Broadcast,
    Create,
    Hello,
    Invite,
    Join,
    Kick,
    Leave,
    ListGroups,
    ListMembers,
    ListMessages,
    ListStates,
    ListUsers,
    Quit,
    Request,
    Say,
    Tell,
    Unban,
)
from libtchat.wire.wording import describe

__all__ = [
    "KIND_OF",
    "answer_in_words",
    "is_same",
    "meaning_of_message",
    "meaning_of_request",
    "message_of",
    "request_of",
    "sentence",
]

KIND_OF: Mapping[type[Request], str] = {
    Hello: "hello",
    Tell: "tell",
    Broadcast: "broadcast",
    ListUsers: "users",
    Quit: "quit",
    Create: "create",
    Join: "join",
    Say: "text",
    ListMembers: "members",
    ListMessages: "messages",
    ListGroups: "groups",
    Leave: "leave",
    Invite: "invite",
    Kick: "kick",
    Ban: "ban",
    Unban: "unban",
    ListStates: "states",
}
"""A request -> its kind; the others have none: they are this protocol's own."""

_REQUESTS: Mapping[str, Callable[[Meaning, str], Request]] = {
    "hello": lambda m, me: Hello(sender=me),
    "tell": lambda m, me: Tell(m.get("dest"), m.get("text"), sender=me),
    "broadcast": lambda m, me: Broadcast(m.get("text"), sender=me),
    "users": lambda m, me: ListUsers(sender=me),
    "quit": lambda m, me: Quit(sender=me),
    "create": lambda m, me: Create(m.get("group"), m.get("private") == "yes", sender=me),
    "join": lambda m, me: Join(m.get("group"), sender=me),
    "text": lambda m, me: Say(m.get("group"), m.get("text"), sender=me),
    "members": lambda m, me: ListMembers(m.get("group"), sender=me),
    "messages": lambda m, me: ListMessages(m.get("group"), sender=me),
    "groups": lambda m, me: ListGroups(sender=me),
    "leave": lambda m, me: Leave(m.get("group"), sender=me),
    "invite": lambda m, me: Invite(m.get("group"), m.get("dest"), sender=me),
    "kick": lambda m, me: Kick(m.get("group"), m.get("dest"), m.get("reason"), sender=me),
    "ban": lambda m, me: Ban(m.get("group"), m.get("dest"), m.get("reason"), sender=me),
    "unban": lambda m, me: Unban(m.get("group"), m.get("dest"), sender=me),
    "states": lambda m, me: ListStates(m.get("group"), sender=me),
}

_EVENTS: Mapping[type[Event], str] = {
    Created: "create",
    Joined: "join",
    Left: "leave",
    Invited: "invite",
    Kicked: "kick",
    Banned: "ban",
    Unbanned: "unban",
    Said: "text",
}
_EVENT_CLASSES: Mapping[str, type[Any]] = {kind: made for made, kind in _EVENTS.items()}
_FIELDS = {"who": "sender", "dest": "dest", "group": "group", "text": "msg", "reason": "reason"}
_LISTS: Mapping[type[Any], str] = {Users: "users", Members: "members", Groups: "groups"}
_TEXTS: Mapping[type[Any], str] = {DirectMessage: "tell", PublicMessage: "broadcast"}


def is_same(one: str, other: str) -> bool:
    """Tell whether two spellings name one user."""
    return one == other or user_key(one) == user_key(other)


def request_of(meaning: Meaning, me: str, id: str | None = None) -> Request:
    """Return the request that *me* makes by *meaning*."""
    return evolve(_REQUESTS[meaning.kind](meaning, me), id=id)


def meaning_of_request(request: Request) -> Meaning | None:
    """Return what *request* means, None if only this protocol has it."""
    kind = KIND_OF.get(type(request))
    if kind is None:
        return None
    fields = {"dest": "dest", "group": "group", "text": "msg", "reason": "reason", "me": "sender"}
    values = {hole: getattr(request, name, None) for hole, name in fields.items()}
    values["dest"] = values["dest"] or getattr(request, "to", None)
    values["private"] = "yes" if getattr(request, "private", False) else None
    return Meaning(kind, {hole: value for hole, value in values.items() if value is not None})


def meaning_of_message(message: Message, me: str) -> Meaning | None:
    """Return what *message* means to *me*, None if nobody else has a word for it."""
    kind = _EVENTS.get(type(message)) or _TEXTS.get(type(message))  # type: ignore[arg-type]
    if kind is not None:
        values = {hole: getattr(message, name) for hole, name in _FIELDS.items() if hasattr(message, name)}
        if isinstance(message, DirectMessage):
            values["dest"] = message.to
        copy = "own" if is_same(values["who"], me) else "dest" if is_same(values.get("dest", ""), me) else ""
        return Meaning(kind, {**values, "say": _line(message)}, copy=copy)
    say = {"say": describe(message)}
    if isinstance(message, Users | Members | Groups):
        group = {"group": message.group} if isinstance(message, Members) else {}
        return Meaning(_LISTS[type(message)], {**say, **group}, message.list)
    if isinstance(message, Messages | States):
        events = tuple(found for event in message.list if (found := meaning_of_message(event, me)) is not None)
        return Meaning(
            "messages" if isinstance(message, Messages) else "states", {**say, "group": message.group}, events=events
        )
    if isinstance(message, PresenceNotice):
        return Meaning(
            message.event if message.event in ("connect", "disconnect") else "say", {**say, "who": message.name}
        )
    kinds: Mapping[type[Any], str] = {Welcome: "hello", Goodbye: "quit", Error: "error"}
    other = kinds.get(type(message))
    values = {**say, "who": getattr(message, "sender", None) or me} if other in ("hello", "quit") else say
    return Meaning(other, values, copy="own") if other else None


def message_of(meaning: Meaning, me: str, ts: str, seq: Callable[[str], int], asked: Request | None) -> Message | None:
    """Return the message of this protocol that says *meaning* to *me*; None if it says too little for one.

    Args:
        ts: the time now.
        seq: gives a group's next number: other servers count nothing.
        asked: the request that it answers.
    """
    id, kind, group = getattr(asked, "id", None), meaning.kind, meaning.get("group")
    made = _EVENT_CLASSES.get(kind)
    if made is not None:
        values = {name: meaning.values[hole] for hole, name in _FIELDS.items() if hole in meaning.values}
        values.update({"reason": meaning.get("reason")} if kind in ("kick", "ban") else {})
        values.update({"owner": meaning.get("who")} if kind == "create" else {})
        wanted = {a.name for a in made.__attrs_attrs__ if a.name not in ("seq", "ts", "id", "private")}
        values = {name: value for name, value in values.items() if name in wanted}
        needed = wanted - ({"owner"} if kind != "create" else set())
        return made(**values, seq=seq(group), ts=ts, id=id) if needed <= values.keys() else None
    names = meaning.list or ()
    match kind:
        case "tell" if {"who", "text"} <= meaning.values.keys():
            return DirectMessage(meaning.get("who"), meaning.get("dest") or me, meaning.get("text"), ts, id)
        case "broadcast" if {"who", "text"} <= meaning.values.keys():
            return PublicMessage(meaning.get("who"), meaning.get("text"), ts, id)
        case "hello":
            return Welcome(me, 1, "tchat bridge", "", id=id)
        case "users" if meaning.list is not None:
            return Users(names, id=id)
        case "members" if meaning.list is not None and group:
            return Members(group, 0, names, (), id=id)
        case "groups" if meaning.list is not None:
            return Groups(names, id=id)
        case "messages" | "states" if meaning.events is not None and group:
            return _page(kind, meaning, me, ts, id)
        case "quit":
            return Goodbye(me, id)
        case "connect" | "disconnect" if meaning.get("who"):
            return PresenceNotice("server", kind, meaning.get("who"))
        case "error":
            request = None if asked is None else asked.action
            return Error("failed", request, getattr(asked, "group", None), id=id, msg=meaning.get("say"))
    return None


_TEXT_LINE = re.compile(r"(\S+?)\s*[:>]+\s*(.*)", re.DOTALL)


def answer_in_words(meaning: Meaning, me: str, ts: str, asked: Request | None) -> list[Message]:
    """Return messages that say *meaning* where it is but a sentence: lines, and what ends the waiting for an answer."""
    lines = [
        line for entry in meaning.events or (meaning,) for line in sentence(entry, me).splitlines() if line.strip()
    ]
    id, group = getattr(asked, "id", None), meaning.get("group") or getattr(asked, "group", None) or "?"
    if asked is not None and meaning.kind == "messages":
        found = [(one[1], one[2]) if (one := _TEXT_LINE.fullmatch(line)) else ("server", line) for line in lines]
        events = tuple(Said(who, group, text, at, ts) for at, (who, text) in enumerate(found, 1))
        ends = {"first": 1, "last": len(events)} if events else {}
        return [Messages(group, events, False, id=id, **ends)]
    told: list[Message] = [PublicMessage("server", line, ts) for line in lines or ["nothing"]]
    told[-1] = PublicMessage("server", (lines or ["nothing"])[-1], ts, id)
    return told


def _page(kind: str, meaning: Meaning, me: str, ts: str, id: str | None) -> Message | None:
    numbers = iter(range(1, 1 << 31))
    found = []
    for entry in meaning.events or ():
        values = {"group": meaning.get("group"), **entry.values}
        event = message_of(evolve(entry, values=values), me, ts, lambda _: next(numbers), None)
        if not isinstance(event, Event) or (kind == "messages") != isinstance(event, Said):
            return None
        found.append(event)
    ends = {"first": 1, "last": len(found)} if found else {}
    page = Messages if kind == "messages" else States
    return page(meaning.get("group"), tuple(found), False, id=id, **ends)  # type: ignore[arg-type]


def sentence(meaning: Meaning, me: str = "") -> str:
    """Return *meaning* as one readable line."""
    if meaning.get("say"):
        return meaning.get("say")
    message = message_of(meaning, me, "", lambda _: 1, None)
    if message is not None:
        return _line(message)
    if meaning.events is not None:
        return " / ".join(sentence(entry, me) for entry in meaning.events) or "nothing yet"
    words = [meaning.get(hole) for hole in ("who", "dest", "group", "text", "reason") if meaning.get(hole)]
    return f"{meaning.kind}: " + " ".join(words) if words else meaning.kind


def _line(message: Message) -> str:
    if isinstance(message, Said):
        return f"[{message.group}] {message.sender}: {message.msg}"
    if isinstance(message, DirectMessage | PublicMessage):
        return f"{message.sender}: {message.msg}"
    return describe(message)
