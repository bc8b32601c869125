"""Why connections end: what the log of the server says of each, and the labels of `tchat_closed_total`."""

from __future__ import annotations

import logging
from enum import StrEnum

from libtchat.message.errors import ErrorCode
from libtchat.message.value import frozen

__all__ = ["CloseReason", "Ending", "close_code"]

logger = logging.getLogger("tchat_server")


class CloseReason(StrEnum):
    """Why a connection ends, but for a broken protocol."""

    NO_HANDSHAKE = "no TLS handshake"
    NO_ROOM = "too many connections"
    HTTP = "http"
    QUIT = "quit"
    CLOSED = "closed by the peer"
    LOST = "lost"
    SILENT = "silent"
    UNFINISHED = "a frame did not end"
    UNREAD = "does not read"
    FAULT = "internal error"
    STOP = "the server stops"
    FENCED = "the lease of this node is over"


_CLOSE_CODES: dict[str, int] = {
    CloseReason.QUIT: 1000,
    CloseReason.CLOSED: 1000,
    CloseReason.STOP: 1001,
    CloseReason.FAULT: 1011,
}
_LIMIT_PASSED = 1008


def close_code(cause: str) -> int:
    """Return the WebSocket close code for a cause as `str` of an ending gives it (RFC 6455, 7.4.1)."""
    return _CLOSE_CODES.get(cause, _LIMIT_PASSED)


@frozen
class Ending:
    """How one connection ends: *reason*, after a fatal violation its error's code; *detail* is for the log."""

    reason: CloseReason | ErrorCode
    detail: str = ""

    def log(self, address: str, user: str | None, came: int, went: int) -> None:
        """Write the line of a connection that ended, of *user*, after so many requests and writes."""
        shown = {"user": user, "address": address, "cause": str(self)}
        logger.info("%s gone: %s (%s, %d in, %d out)", address, self, user or "no name", came, went, extra=shown)

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else str(self.reason)
