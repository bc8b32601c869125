"""What stands in the stream: records, as bytes. Each says whose it is and carries a checksum.

    tchat1 CHECKSUM LF header LF line LF line...

CHECKSUM is the CRC-32 (8 hex digits) of all after the first LF. The header is a JSON object; the lines are a group's
events as they are sent. A record that does not decode is never told: `RecordDamaged` says why.
"""

from __future__ import annotations

import json
from math import inf
from typing import Any, Literal
from zlib import crc32

from libtchat.message.names import Key, UserKey
from libtchat.message.value import frozen

__all__ = [
    "Account",
    "AnyRecord",
    "Bar",
    "Code",
    "Events",
    "Guests",
    "Mark",
    "RecordDamaged",
    "decode_record",
    "encode_record",
]

_MAGIC = b"tchat1 "
_HEAD_BYTES = len(_MAGIC) + 9


class RecordDamaged(ValueError):
    """These bytes are no record as it was written. The message says what is wrong."""


@frozen
class Events:
    """Events of one group that follow its log.

    Attributes:
        first: the seq of the first; the others follow it one by one.
        lines: as they go to members.
        digests: per event, of the request if it bore an id, else "".
        time: when, by the clock of the log (seconds).
        nonce: drawn by the node that wrote it: tells it from every other record.
    """

    key: Key
    first: int
    lines: tuple[bytes, ...]
    digests: tuple[str, ...]
    time: float
    nonce: str

    @property
    def last(self) -> int:
        """The seq of the last event."""
        return self.first + len(self.lines) - 1


@frozen
class Account:
    """A user's name and password hash; None: none any more.

    *invitation*: the mark of the code that this uses up. If it does not hold here in the stream, this says nothing.
    """

    key: UserKey
    name: str
    password_hash: str | None
    nonce: str
    invitation: str | None = None


@frozen
class Bar:
    """A user may not come in *until* then, seconds since the epoch, or for ever (inf); None: the user may."""

    key: UserKey
    name: str
    until: float | None
    nonce: str


@frozen
class Code:
    """The invitation code with this mark holds from here on, for one use."""

    mark: str
    nonce: str


@frozen
class Guests:
    """Numbers below *next* were given to guests, or are about to be."""

    next: int
    nonce: str


@frozen
class Mark:
    """Nothing: it comes after all that was acknowledged before it was written."""

    nonce: str


AnyRecord = Events | Account | Bar | Code | Guests | Mark

_Kind = Literal["events", "account", "bar", "code", "guests", "mark"]
_KINDS: dict[type[AnyRecord], _Kind] = {
    Events: "events",
    Account: "account",
    Bar: "bar",
    Code: "code",
    Guests: "guests",
    Mark: "mark",
}
_EVER = "ever"


def encode_record(record: AnyRecord) -> bytes:
    """Encode a record."""
    header: dict[str, Any] = {"kind": _KINDS[type(record)], "nonce": record.nonce}
    lines: tuple[bytes, ...] = ()
    match record:
        case Events():
            lines = record.lines
            header |= {"key": record.key, "first": record.first, "count": len(lines), "time": record.time}
            if any(record.digests):
                header["digests"] = record.digests
        case Account():
            header |= {"key": record.key, "name": record.name, "password_hash": record.password_hash}
            if record.invitation is not None:
                header["invitation"] = record.invitation
        case Bar():
            until = _EVER if record.until == inf else record.until
            header |= {"key": record.key, "name": record.name, "until": until}
        case Code():
            header["mark"] = record.mark
        case Guests():
            header["next"] = record.next
        case Mark():
            pass
    body = b"\n".join((json.dumps(header, separators=(",", ":")).encode(), *lines))
    return b"%b%08x\n%b" % (_MAGIC, crc32(body), body)


def decode_record(data: bytes) -> AnyRecord:
    """Decode a record. Raises RecordDamaged."""
    if data[: len(_MAGIC)] != _MAGIC:
        raise RecordDamaged("it is no record of this version of tchat")
    body = data[_HEAD_BYTES:]
    if data[len(_MAGIC) : _HEAD_BYTES] != b"%08x\n" % crc32(body):
        raise RecordDamaged("its checksum does not hold")
    head, *lines = body.split(b"\n")
    try:
        return _record(json.loads(head), tuple(lines))
    except (ValueError, KeyError, TypeError) as error:
        raise RecordDamaged(f"its header is not understood: {error!r}") from None


def _record(header: dict[str, Any], lines: tuple[bytes, ...]) -> AnyRecord:
    nonce = str(header["nonce"])
    match header["kind"]:
        case "events":
            if not lines or len(lines) != header["count"]:
                raise ValueError("lines are missing")
            digests = tuple(header["digests"]) if "digests" in header else ("",) * len(lines)
            if len(digests) != len(lines):
                raise ValueError("digests are missing")
            return Events(Key(header["key"]), int(header["first"]), lines, digests, float(header["time"]), nonce)
        case "account":
            invitation = header.get("invitation")
            return Account(UserKey(header["key"]), header["name"], header["password_hash"], nonce, invitation)
        case "bar":
            until = header["until"]
            until = inf if until == _EVER else None if until is None else float(until)
            return Bar(UserKey(header["key"]), header["name"], until, nonce)
        case "code":
            return Code(str(header["mark"]), nonce)
        case "guests":
            return Guests(int(header["next"]), nonce)
        case "mark":
            return Mark(nonce)
        case kind:
            raise ValueError(f"of a kind not known, {kind!r}")
