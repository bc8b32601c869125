"""The readable English `msg` of every server message (spec/protocol.md, "Server messages").

It is wire text, for clients that only print `msg`; programs and our own client go by `action` and `code`.
One line each, never empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from libtchat.message.direct import DirectMessage, Received, Sent
from libtchat.message.errors import ErrorCode
from libtchat.message.event import (
    Banned,
    Closed,
    Created,
    Event,
    Invited,
    Joined,
    Kicked,
    Left,
    LogEvent,
    Redacted,
    Said,
    Unbanned,
)
from libtchat.message.limits import MAX_SUMMARY_CHARS
from libtchat.message.reply import (
    Error,
    Goodbye,
    Groups,
    Members,
    Message,
    Messages,
    Pong,
    PresenceNotice,
    PublicMessage,
    Registered,
    States,
    Users,
    Welcome,
)

__all__ = ["ERROR_SENTENCES", "TOMBSTONE", "describe", "describe_page", "describe_unnumbered", "summarize"]

TOMBSTONE = "(this text was removed)"
"""What stands in the `msg` of a text that was removed."""

ERROR_SENTENCES: Mapping[str, str] = {
    ErrorCode.BAD_JSON: "this is not one JSON object in UTF-8: see the framing rules of the protocol",
    ErrorCode.BAD_REQUEST: "{field} is missing or not as the protocol says: correct it and send again",
    ErrorCode.UNKNOWN_ACTION: "{request} is no action of this protocol: check its spelling",
    ErrorCode.TOO_LARGE: "{field} is above {limit} bytes: send less at once",
    ErrorCode.RATE_LIMITED: "too fast: wait {retry_after} s and send it again",
    ErrorCode.BAD_NAME: "{field} is no valid name: use 1 to {limit} letters, digits, _ - or .",
    ErrorCode.NAME_IN_USE: "this name is in use: choose another one, or prove that it is yours by token or password",
    ErrorCode.AUTH_REQUIRED: "this name is protected: say hello with its password",
    ErrorCode.AUTH_FAILED: "wrong name or password: try again",
    ErrorCode.FORBIDDEN: "you may not do this{in_group}: ask the owner, or use your own name",
    ErrorCode.SELF_TARGET: "you cannot do this to yourself: name somebody else",
    ErrorCode.GROUP_NOT_FOUND: "there is no group {group}: list them with groups; or create it with cg;{group}",
    ErrorCode.GROUP_EXISTS: "the group {group} exists already: join it with j;{group} or choose another name",
    ErrorCode.NOT_MEMBER: "you are not a member of {group}: join it first with j;{group}",
    ErrorCode.ALREADY_MEMBER: "{dest} a member of {group} already: nothing to do",
    ErrorCode.INVITE_REQUIRED: "{group} is private: ask a member to invite you",
    ErrorCode.BANNED: "you are banned from {group}: only its owner can lift that",
    ErrorCode.GROUP_CLOSED: "{group} is closed: it takes no more texts, but can be read",
    ErrorCode.USER_NOT_FOUND: "there is no user {dest} here: list who is connected with ls;",
    ErrorCode.TARGET_NOT_MEMBER: "{dest} is not a member of {group}: list them with members;{group}",
    ErrorCode.TARGET_BANNED: "{dest} is banned from {group}: unban;{group};{dest} lifts that",
    ErrorCode.NOT_BANNED: "{dest} is not banned from {group}: nothing to lift",
    ErrorCode.LIMIT_REACHED: "the limit of {limit} is reached: leave or remove something first",
    ErrorCode.UNAVAILABLE: "the server cannot do this now: try again later",
    ErrorCode.INTERNAL: "the server made a mistake: try again, and tell who runs it",
}
"""One sentence per code, that says what to do. The placeholders are the fields of Error."""


def describe(message: Message) -> str:
    """Return the `msg` of *message*: one readable line, or the text itself for the three text messages."""
    if isinstance(message, Said | DirectMessage | PublicMessage):
        return message.msg
    return _line(_WORDING[type(message)](message))


def describe_page(action: str, group: str, events: Iterable[LogEvent], *, size: int) -> str:
    """Return the `msg` of a page: its last texts, or what its last events say.

    Args:
        action: of the answer, "msgs" or "states".
        events: the page's entries, the **last one first**; read only as far as they fit.
        size: how many entries the page has.
    """
    if not size:
        return _line(f"no {'messages' if action == Messages.action else 'events'} in {group}")
    return summarize(events)


def summarize(events: Iterable[LogEvent]) -> str:
    """Join what *events*, the last one first, say: ascending, as many of the last ones as fit in 1000 characters."""
    lines: list[str] = []
    room = MAX_SUMMARY_CHARS
    for event in events:
        line = _line(f"{event.sender}: {event.msg}") if isinstance(event, Said | DirectMessage) else describe(event)
        if len(line) > room:
            if not lines:
                lines.append(line[: room - 1] + "…")
            break
        lines.append(line)
        room -= len(line) + len(" / ")
    return " / ".join(reversed(lines))


def _line(text: str) -> str:
    return " ".join(text.splitlines())


def _because(event: Kicked | Banned) -> str:
    return f": {event.reason}" if event.reason.strip() else ""


def _names(head: str, names: tuple[str, ...], none: str) -> str:
    if not names:
        return none
    text = head + ", ".join(names)
    if len(text) <= MAX_SUMMARY_CHARS:
        return text
    shown = text[:MAX_SUMMARY_CHARS].rpartition(", ")[0]
    return f"{shown} and {len(names) - shown.count(', ') - 1} more"


def _error(error: Error) -> str:
    if error.msg:
        return _line(error.msg)
    if error.code == ErrorCode.GROUP_NOT_FOUND and error.group is None:
        return "there is no group of that name: list them with groups"  # what was given is no name at all
    sentence = ERROR_SENTENCES.get(error.code, "{request} failed: " + error.code.replace("{", "").replace("}", ""))
    named_dest = f"{error.dest} is" if error.dest else "you are"
    return sentence.format(
        request=error.request or "this",
        group=error.group or "this group",
        in_group=f" in {error.group}" if error.group else "",
        dest=named_dest if error.code == ErrorCode.ALREADY_MEMBER else error.dest or "that user",
        field=error.field or ("a message" if error.code == ErrorCode.TOO_LARGE else "a field"),
        limit="a number of" if error.limit is None else error.limit,
        retry_after="a few" if error.retry_after is None else f"{error.retry_after:g}",
    )


_WORDING: Mapping[type[Message], Callable[[Any], str]] = {
    Created: lambda m: f"{m.sender} created {m.group}",
    Joined: lambda m: f"{m.sender} joined {m.group}",
    Left: lambda m: f"{m.sender} left {m.group}",
    Invited: lambda m: f"{m.sender} invited {m.dest} to {m.group} (j;{m.group} to join)",
    Kicked: lambda m: f"{m.sender} kicked {m.dest} from {m.group}{_because(m)}",
    Banned: lambda m: f"{m.sender} banned {m.dest} from {m.group}{_because(m)}",
    Unbanned: lambda m: f"{m.sender} unbanned {m.dest} from {m.group}",
    Received: lambda m: f"{m.sender} " + ("was removed by the operator" if m.removed else "has received what waited"),
    Closed: lambda m: f"{m.group} is open again" if m.undone else f"{m.group} is closed: it takes no more texts",
    Redacted: lambda m: f"a text of {m.author} was removed from {m.group}",
    Welcome: lambda m: _names(f"welcome {m.sender}, your groups: ", m.groups, f"welcome {m.sender}"),
    PresenceNotice: lambda m: f"{m.name} has {'joined' if m.event == 'connect' else 'left'} the chat",
    Users: lambda m: _names("connected: ", m.list, "nobody is connected"),
    Goodbye: lambda m: f"goodbye {m.sender}" if m.sender else "goodbye",
    Members: lambda m: _names(f"members of {m.group}: ", m.list, f"{m.group} has no members"),
    Messages: lambda m: describe_page(m.action, m.group, reversed(m.list), size=len(m.list)),
    States: lambda m: describe_page(m.action, m.group, reversed(m.list), size=len(m.list)),
    Groups: lambda m: _names("groups: ", m.list, "no groups yet"),
    Registered: lambda m: f"the name {m.sender} is protected by your password now",
    Pong: lambda m: f"pong from {m.server}",
    Error: _error,
}


def describe_unnumbered(message: Message) -> str | None:
    """Return what *message* says if it is or holds an event without `seq` (of other people), else None."""
    events: tuple[Message, ...] = message.list if isinstance(message, Messages | States) else (message,)
    if all(event.seq > 0 for event in events if isinstance(event, Event)):
        return None
    return " / ".join(f"{it.sender}: {it.msg}" if isinstance(it, Said | Sent) else describe(it) for it in events)
