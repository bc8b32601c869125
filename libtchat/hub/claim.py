"""What a hello claims: a name, and what is known of it while that is found out."""

from __future__ import annotations

from hmac import compare_digest

from attrs import define

from libtchat.cluster import Seat
from libtchat.hub.newcomer import News
from libtchat.hub.user import OnlineUser
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.request import Hello
from libtchat.stored import StoredUser

__all__ = ["Found", "check_free", "check_not_ended", "has_token", "protection"]


@define(eq=False)
class Found:
    """What is known of a name: as stored, as in the roster, and the hash that the hello's password is right for.

    *is_sure*: the seat is as of now, and not as this node was told: who sits there must not be refused for less.
    *revision*: that of the seat, once it is taken.
    """

    name: str
    is_sure: bool = False
    stored: StoredUser | None = None
    seat: Seat | None = None
    right: str | None = None
    revision: int = 0

    def is_guess(self) -> bool:
        """Tell whether the roster may have another seat by now."""
        return self.seat is not None and not self.is_sure

    def is_held(self) -> bool:
        """Tell whether somebody has the seat."""
        return self.seat is not None and bool(self.seat.nodes)


def protection(online: OnlineUser | None, stored: StoredUser | None, news: News) -> str | None:
    """Return the hash that protects a name now, None if nothing does; wherever that was set."""
    if online is not None and online.password_hash is not None:
        return online.password_hash
    if news.is_protection_new:
        return news.password_hash
    return stored.password_hash if stored is not None else None


def has_token(hello: Hello, current: str | None) -> bool:
    """Tell whether *hello* shows the token of who has the name."""
    if hello.token is None or current is None:
        return False
    return compare_digest(hello.token.encode(), current.encode())


def check_free(hello: Hello, password_hash: str | None, *, is_held: bool) -> None:
    """Check that a name may be had without a password.

    Raises:
        Refused: auth-required, auth-failed, name-in-use.
    """
    if password_hash is not None:
        raise Refused(ErrorCode.AUTH_REQUIRED if hello.token is None else ErrorCode.AUTH_FAILED)
    if is_held:
        raise Refused(ErrorCode.NAME_IN_USE, field="sender")


def check_not_ended(found: Found, news: News) -> None:
    """Check that no operator ended the token of the seat that was taken (R-op-password).

    Raises:
        Refused: auth-failed.
    """
    seat, ended = found.seat, news.ended
    if seat is not None and ended is not None and ended.revision > found.revision and ended.token != seat.token:
        raise Refused(ErrorCode.AUTH_FAILED)
