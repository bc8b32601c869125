"""One JSON text <-> one message (spec/protocol.md, "Fields" and "Accepted, never sent").

The only place that knows a message's keys on the wire: strict types, other people's spellings, and the fields that
are written for every message, `action`, `from` and `msg`. Frames, connections and the meaning of names are elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from libtchat.message.direct import KEPT, DirectMessage, Sent
from libtchat.message.errors import ErrorCode, ProtocolError, Violation
from libtchat.message.event import EVENTS, LogEvent, Said
from libtchat.message.limits import MAX_DEPTH, MAX_ID_BYTES, MAX_PAGE_ENTRIES, MAX_REASON_BYTES
from libtchat.message.reply import REPLIES, Foreign, Goodbye, Message, Messages, PresenceNotice, States
from libtchat.message.request import (
    REQUESTS,
    Broadcast,
    Create,
    Hello,
    ListGroups,
    ListMessages,
    ListStates,
    ListUsers,
    Ping,
    Quit,
    Register,
    ReportError,
    Request,
    Tell,
)
from libtchat.wire import strict_json
from libtchat.wire.fields import FROM, Shape, is_text, shape_of
from libtchat.wire.lenient import text_of, translate
from libtchat.wire.spelling import ACTIONS, FIELDS, WRAPPER, read_fields, read_privacy
from libtchat.wire.wording import describe, describe_page, describe_unnumbered

__all__ = [
    "WHO",
    "Violation",
    "action_of",
    "check_sizes",
    "decode_event",
    "decode_message",
    "decode_request",
    *("encode", "encode_page", "encode_request", "read_message"),
]

WHO: Mapping[type[Request], tuple[str, ...]] = {
    **dict.fromkeys(REQUESTS.values(), ("sender", "from", "name")),
    **dict.fromkeys((Hello, Tell, Broadcast, ListUsers, Quit, ReportError), ("from", "sender", "name")),
    ListGroups: ("name", "sender", "from"),
    Ping: (),
}
"""Under which keys a client writes who asks: the course's first, then those that other servers look for."""

_NAMES_NOBODY = (Hello, Register, Quit, ReportError, Ping)

_PAGES = (Messages, States)
_ENDS = ("first", "last", "id", "begins")
_BACKSLASH = 0x5C  # looked for as a number, which is five times as fast as as bytes
_MANY = 1_000_000  # keys and commas: a page holds many events


# Requests


def decode_request(frame: bytes) -> Request | Violation:
    """Read what a client sent. Raises nothing for what a peer may send.

    Returns:
        The request, its names unchecked; or a violation: bad-json, bad-request, unknown-action or too-large, with
        what could be read of who asked for what. An action that begins with `ack-` is an unknown one.
    """
    try:
        found = strict_json.loads(frame)
    except ProtocolError as error:
        return Violation(error.code, detail=error.detail)
    wrapped = found.get(WRAPPER)
    if type(wrapped) is dict:
        found = wrapped
    action = found.get("action")
    kind = _REQUESTS.get(action) if type(action) is str else None
    if kind is None:
        if type(action) is str and is_text(action):
            return _violation(ProtocolError(ErrorCode.UNKNOWN_ACTION), found)
        return _violation(ProtocolError(ErrorCode.BAD_REQUEST, "action is missing or no text", field="action"), found)
    shape = shape_of(kind)
    if shape.has_options or _lacks(found, shape.spelled):
        found = {name: value for name, value in found.items() if value is not None}
        read_fields(found, shape.spellings)
    try:
        if kind is Create:
            read_privacy(found)
        request: Request = shape.read(found, has_escapes=_BACKSLASH in frame)
        size = len(frame)
        if shape.is_page or size > MAX_REASON_BYTES or "id" in found:
            check_sizes(request, shape, size)
    except ProtocolError as error:
        return _violation(error, found, identifies=kind not in _NAMES_NOBODY)
    return request


def action_of(frame: bytes) -> str | None:
    """Return the action of a frame as the peer wrote it, None if it has none."""
    found = json.loads(frame)
    wrapped = found.get(WRAPPER)
    action = (wrapped if type(wrapped) is dict else found).get("action")
    return action if isinstance(action, str) else None


def encode_request(request: Request) -> bytes:
    """Write a request in the course's spelling, without a line end."""
    found = {"action": request.action, **shape_of(type(request)).write(request)}
    if (who := found.pop("sender", None)) is not None:
        found.update(dict.fromkeys(WHO[type(request)], who))
    if (about := found.get("dest", found.get("to"))) is not None:
        found["dest"] = found["to"] = about
    return strict_json.dumps(found)


def _lacks(found: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    for name in names:  # noqa: SIM110, a generator takes three times as long
        if found.get(name) is None:
            return True
    return False


def check_sizes(request: Request, shape: Shape, frame_bytes: int) -> None:
    """Check what of *request*, read from so many bytes, may be too large. Raises ProtocolError, with the field."""
    for name, limit, code in shape.sizes:
        if frame_bytes > limit:  # else no text in it can be larger
            text: str | None = getattr(request, name)
            if text and len(text.encode()) > limit:
                raise ProtocolError(code, f"{name} is above {limit} bytes", field=name, limit=limit)
    if shape.is_page:
        assert isinstance(request, ListMessages | ListStates)
        most = MAX_PAGE_ENTRIES
        if request.limit is not None and not 1 <= request.limit <= most:
            raise ProtocolError(ErrorCode.BAD_REQUEST, f"limit is a number from 1 to {most}", field="limit")
        if request.before is not None and request.after is not None:
            raise ProtocolError(ErrorCode.BAD_REQUEST, "ask for before or after, not both", field="after")


def _violation(error: ProtocolError, found: Mapping[str, Any], *, identifies: bool = False) -> Violation:
    def readable(name: str) -> str | None:
        value = found.get(name)
        return value if isinstance(value, str) and is_text(value) else None

    retry_id = readable("id")
    return Violation(
        error.code,
        False,
        error.detail,
        error.field,
        error.limit,
        None,
        readable("action"),
        readable("sender"),
        readable("group"),
        readable("dest"),
        retry_id if retry_id and len(retry_id.encode()) <= MAX_ID_BYTES else None,
        identifies,
    )


# Server messages


def decode_message(frame: bytes) -> Message:
    """Read what a server of this protocol sent.

    Raises:
        ProtocolError: bad-json, unknown-action, or bad-request with the field.
    """
    found = _loads(frame, MAX_DEPTH)
    return _read_message(found, has_escapes=_BACKSLASH in frame)


def decode_event(line: bytes) -> LogEvent:
    """Read a stored event. Raises ProtocolError like `decode_message`, also for what is no event."""
    message = decode_message(line)
    if not isinstance(message, LogEvent):
        raise ProtocolError(ErrorCode.UNKNOWN_ACTION, f"{message.action} is no event")
    return message


def read_message(frame: bytes) -> Message | Foreign:
    """Read what any server sent, as far as it can be understood; raises nothing.

    An event that bears no `seq` is Foreign too: its text is what it says, but no log is known to hold it.
    """
    try:
        return decode_message(frame)
    except ProtocolError:
        raw = frame.decode("utf-8", "replace")
    text = None
    try:
        found = json.loads(raw)
        if isinstance(found, dict):
            text = text_of(found, with_list=True)
            message = _read_message(translate(found), has_escapes=True)
            if (unnumbered := describe_unnumbered(message)) is None:
                return message
            text = unnumbered
    except (ProtocolError, ValueError, RecursionError):
        pass  # what could be read of it is in text
    return Foreign(text or raw, raw)


def encode(message: Message) -> bytes:
    """Write a server message, without a line end. Equal messages give equal bytes."""
    if isinstance(message, Said):
        return _encode_said(message)
    shape = shape_of(type(message))
    if isinstance(message, _PAGES):
        lines = [*map(encode, message.list)]
        page = message
        ends = {"first": page.first, "last": page.last, "begins": page.begins}
        return encode_page(page.action, page.group, lines, more=page.more, **ends, id=page.id)
    if shape.has_sender and (who := message.sender) is not None:  # type: ignore[union-attr]
        found = {"action": message.action, "sender": who, "from": who, **shape.write(message)}
    else:
        found = {"action": message.action, **shape.write(message)}
    if not shape.has_text:
        found["msg"] = describe(message)
    return strict_json.dumps(found)


def _encode_said(message: Said) -> bytes:
    """Write what nearly every message is: the same as `encode` writes for any, in half the time."""
    id = b"" if message.id is None else b',"id":' + strict_json.dumps(message.id)
    head, text = _said_head(message.sender, message.group), strict_json.dumps(message.msg)
    if message.redacted:
        id += b',"redacted":true'
    return b'%b%b,"seq":%d%b%b}' % (head, text, message.seq, _said_at(message.ts), id)


# What is kept is put together here, so that it has the right size: what an encoder returns may sit in 4 KiB of memory.


@lru_cache(maxsize=8192)
def _said_head(who: str, group: str) -> bytes:
    found = {"action": Said.action, "sender": who, "from": who, "group": group}
    return strict_json.dumps(found)[:-1] + b',"msg":'


@lru_cache(maxsize=64)
def _said_at(ts: str) -> bytes:
    return b',"ts":' + strict_json.dumps(ts)


def encode_page(
    action: str, group: str, lines: Sequence[bytes], *, more: bool, id: str | None, **ends: int | None
) -> bytes:
    """Write the answer to msgs or states around events as they were sent, ascending; without a line end.

    The same bytes as `encode` of the page gives. Only the last few lines are decoded, for `msg`. *ends*: see _ENDS.
    """
    head: dict[str, Any] = {"action": action, "group": group, "more": more}
    head.update((name, value) for name in _ENDS if (value := {**ends, "id": id}.get(name)) is not None)
    head["msg"] = describe_page(action, group, map(decode_event, reversed(lines)), size=len(lines))
    return strict_json.dumps(head)[:-1] + b',"list":[' + b",".join(lines) + b"]}"


def _loads(data: bytes, max_depth: int) -> dict[str, Any]:
    return strict_json.loads(data, max_depth=max_depth, max_keys=_MANY, max_commas=_MANY)


def _read_message(found: dict[str, Any], has_escapes: bool) -> Message:
    action = found.get("action")
    kind = _MESSAGES.get(action) if isinstance(action, str) else None
    if kind is None:
        raise ProtocolError(ErrorCode.UNKNOWN_ACTION, "a server of this protocol sends no such message")
    if kind is REPLIES[PresenceNotice.action] and "event" in found:
        kind = PresenceNotice
    elif kind is DirectMessage and found.get("seq"):
        kind = Sent
    if None in found.values():
        found = {name: value for name, value in found.items() if value is not None}
    read_fields(found, (("sender", FIELDS["sender"]),) if kind is Goodbye else FROM)  # others tell so who has gone
    message: Message = shape_of(kind).read(found, has_escapes)
    return message


_REQUESTS: Mapping[str, type[Request]] = {**REQUESTS, **{other: REQUESTS[name] for other, name in ACTIONS.items()}}
_MESSAGES: Mapping[str, type[Message]] = {**EVENTS, **KEPT, **REPLIES}
