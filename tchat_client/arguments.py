"""What a program gave a `Client`: checked when the client is made, so that its author learns of a mistake at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from libtchat.message.errors import TchatError
from libtchat.message.names import check_group_name, check_user_name
from libtchat.mirror import Mirror
from tchat_client.errors import Misused

__all__ = ["at_least_one", "groups", "name", "resume"]


def groups(given: Collection[str]) -> tuple[str, ...]:
    """Return the names of groups. Raises Misused."""
    if isinstance(given, str):
        raise _misused(f"groups is a list of names: groups=[{given!r}]")
    try:
        return tuple(check_group_name(group) for group in given)
    except (TchatError, TypeError, AttributeError) as error:
        raise _misused(f"groups={given!r} holds what is no name of a group: {error}") from None


def name(given: str | None, password: str | None) -> str | None:
    """Return the name of a user, None for a guest. Raises Misused."""
    if given is None:
        if password is not None:
            raise _misused("a guest has no password: give a name too")
        return None
    try:
        return check_user_name(given)
    except (TchatError, TypeError, AttributeError) as error:
        raise _misused(f"name={given!r} cannot be a name: {error}") from None


def resume(mirror: Mirror, given: Mapping[str, int | tuple[int, str]]) -> None:
    """Tell *mirror* where an earlier run ended. Raises Misused."""
    for group, last in given.items():
        try:
            seq, ts = last if isinstance(last, tuple) else (last, "")
            mirror.resume(check_group_name(group), seq, ts)
        except (TchatError, TypeError, ValueError, AttributeError) as error:
            raise _misused(f"resume={{{group!r}: {last!r}}}: a group and its last seq, or (seq, ts): {error}") from None


def at_least_one(what: str, given: int) -> int:
    """Return a number that is 1 or more. Raises Misused."""
    if given < 1:
        raise _misused(f"{what} is 1 or more, not {given}")
    return given


def _misused(sentence: str) -> Misused:
    return Misused("cause.other", detail=sentence)
