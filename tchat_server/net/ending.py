"""Why connections end: what the log of the server says of each, and the labels of `tchat_closed_total`."""

from __future__ import annotations

from enum import StrEnum

from libtchat.message.errors import ErrorCode
from libtchat.message.value import frozen

__all__ = ["CloseReason", "Ending"]


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


@frozen
class Ending:
    """How one connection ends: *reason*, after a fatal violation its error's code; *detail* is for the log."""

    reason: CloseReason | ErrorCode
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else str(self.reason)
