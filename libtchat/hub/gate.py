"""The gate before decisions: the program around the hub may be asked first whether a user may ask for something."""

from __future__ import annotations

from attrs import define

from libtchat.effect import CheckRequest
from libtchat.hub.work import Work
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.request import Request

__all__ = ["Gate"]


@define
class Gate:
    """The gate of one hub. *is_open*: nothing is asked."""

    is_open: bool

    def check(self, user: str, request: Request) -> Work[None]:
        """Have *request* of *user* looked at.

        Raises:
            Refused: forbidden, or what the program around answered instead; unavailable.
        """
        if self.is_open:
            return
        answer = yield CheckRequest(user, request)
        if isinstance(answer, Refused):
            raise answer
        if answer is None:
            raise Refused(ErrorCode.UNAVAILABLE)
        if answer is not True:
            raise Refused(ErrorCode.FORBIDDEN, "this server does not allow it")
