"""The wire's error codes, and what carries them: exceptions, and the `Violation` a peer's bytes turn into.

See spec/protocol.md, "Error codes".
"""

from __future__ import annotations

from enum import StrEnum

from libtchat.message.value import frozen

__all__ = ["CommandError", "ErrorCode", "ProtocolError", "Refused", "TchatError", "Violation"]


class ErrorCode(StrEnum):
    """What went wrong, for programs. The set is open: treat an unknown code as "failed"."""

    BAD_JSON = "bad-json"
    BAD_REQUEST = "bad-request"
    UNKNOWN_ACTION = "unknown-action"
    TOO_LARGE = "too-large"
    RATE_LIMITED = "rate-limited"
    BAD_NAME = "bad-name"
    NAME_IN_USE = "name-in-use"
    AUTH_REQUIRED = "auth-required"
    AUTH_FAILED = "auth-failed"
    FORBIDDEN = "forbidden"
    SELF_TARGET = "self-target"
    GROUP_NOT_FOUND = "group-not-found"
    GROUP_EXISTS = "group-exists"
    NOT_MEMBER = "not-member"
    ALREADY_MEMBER = "already-member"
    INVITE_REQUIRED = "invite-required"
    BANNED = "banned"
    GROUP_CLOSED = "group-closed"
    USER_NOT_FOUND = "user-not-found"
    TARGET_NOT_MEMBER = "target-not-member"
    TARGET_BANNED = "target-banned"
    NOT_BANNED = "not-banned"
    LIMIT_REACHED = "limit-reached"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


class TchatError(Exception):
    """Base of every error this library raises on purpose.

    Attributes:
        code: what went wrong.
        field: the wire's name of the field at fault, if one is.
        limit: the number that was exceeded, in the unit of the limit, if one was.
        retry_after: seconds after which the same request may succeed, if that is known.
        detail: a sentence for people when the code alone does not say enough.
    """

    def __init__(
        self,
        code: ErrorCode,
        detail: str = "",
        *,
        field: str | None = None,
        limit: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail or str(code))
        self.code = code
        self.detail = detail
        self.field = field
        self.limit = limit
        self.retry_after = retry_after


class ProtocolError(TchatError):
    """The peer broke the protocol: bytes that are no message, or a message with a bad field."""


class Refused(TchatError):
    """A legal request was denied; the connection stays and nothing has changed."""


class CommandError(TchatError):
    """A person typed something that is not a command; `detail` says what was expected."""


@frozen
class Violation:
    """What a peer sent instead of a request; it stands in the line where the request would.

    Attributes:
        fatal: the stream can't be read on: the connection closes after the error.
        request: the action as asked, if it could be read; likewise `sender`, `group`, `dest` and `id`.
        identifies: a known request with a bad field, so the sender names the connection first (R-identity-order).
    """

    code: ErrorCode
    fatal: bool = False
    detail: str = ""
    field: str | None = None
    limit: int | None = None
    retry_after: float | None = None
    request: str | None = None
    sender: str | None = None
    group: str | None = None
    dest: str | None = None
    id: str | None = None
    identifies: bool = False
