"""The `error` that answers a request refused, or what was no request."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from libtchat.message.errors import ErrorCode, Refused, TchatError, Violation
from libtchat.message.names import check_any_user_name, check_group_name
from libtchat.message.reply import Error
from libtchat.message.request import Request
from libtchat.ruling import Ruling

__all__ = ["error_for", "too_fast"]


def error_for(item: Request | Violation | Ruling, refusal: TchatError | Violation) -> Error:
    """Make the error that tells the sender of *item* why it is refused."""
    return Error(
        refusal.code,
        item.request if isinstance(item, Violation) else item.action,
        _echo(getattr(item, "group", None), check_group_name),
        _echo(getattr(item, "dest", None) or getattr(item, "to", None), check_any_user_name),
        refusal.field,
        refusal.limit,
        None if refusal.retry_after is None else ceil(refusal.retry_after * 1000) / 1000,
        item.id,
        refusal.detail,
    )


def too_fast(item: Request | Violation, wait: float) -> Violation:
    """Return what stands in the line for an item that came too soon: *wait* is in seconds."""
    if isinstance(item, Violation) and item.fatal:
        return item
    return Violation(
        ErrorCode.RATE_LIMITED,
        retry_after=wait,
        request=item.request if isinstance(item, Violation) else item.action,
        group=getattr(item, "group", None),
        dest=getattr(item, "dest", None),
        id=item.id,
    )


def _echo(name: str | None, check: Callable[[str], str]) -> str | None:
    """Return *name* as displayed, None if it is no name: nothing is copied blindly from a request."""
    try:
        return None if name is None else check(name)
    except Refused:
        return None
