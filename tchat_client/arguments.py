"""What a program gave a `Client`: checked when the client is made, so that its author learns of a mistake at once."""

from __future__ import annotations

import ssl
from collections.abc import Collection, Mapping

import attrs

from libtchat.message.errors import TchatError
from libtchat.message.names import check_group_name, check_user_name
from libtchat.mirror import Mirror
from tchat_client.address import Address, parse_addresses
from tchat_client.errors import Misused
from tchat_client.link import Times

__all__ = ["addresses", "at_least_one", "context", "groups", "name", "resume", "secret", "times"]


def addresses(given: str) -> tuple[Address, ...]:
    """Return where the server is. Raises Misused."""
    if not isinstance(given, str):
        raise _misused(f"address is text, as '127.0.0.1:8080', not {given!r}")
    return parse_addresses(given)


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
    if not isinstance(given, Mapping):
        raise _misused(f"resume is a mapping: resume={{'wob': last_seq}}, not {given!r}")
    for group, last in given.items():
        try:
            seq, ts = last if isinstance(last, tuple | list) else (last, "")  # JSON has no tuples
            mirror.resume(check_group_name(group), seq, ts)
        except (TchatError, TypeError, ValueError, AttributeError) as error:
            raise _misused(f"resume={{{group!r}: {last!r}}}: a group and its last seq, or (seq, ts): {error}") from None


def at_least_one(what: str, given: int) -> int:
    """Return a number that is 1 or more. Raises Misused."""
    if not isinstance(given, int) or given < 1:
        raise _misused(f"{what} is 1 or more, not {given!r}")
    return given


def secret(what: str, given: str | None) -> str | None:
    """Return a password or a token. Raises Misused, which does not tell it."""
    if given is not None and not isinstance(given, str):
        raise _misused(f"{what} is text, not {type(given).__name__}")
    return given


def context(given: bool | ssl.SSLContext | None) -> ssl.SSLContext | None:
    """Return how to encrypt; None: not at all. Raises Misused."""
    if not isinstance(given, bool | ssl.SSLContext | None):
        raise _misused(f"tls is True, or ssl.create_default_context(cafile=...), not {given!r}")
    return ssl.create_default_context() if given is True else given or None


def times(given: Times | None) -> Times:
    """Return how long to wait for what. Raises Misused."""
    if not isinstance(given or Times(), Times):
        raise _misused(f"times is a Times(...), not {given!r}")
    found = given or Times()
    for field, seconds in attrs.asdict(found).items():
        if not isinstance(seconds, int | float) or not seconds >= 0:
            raise _misused(f"times: {field} is 0 or more seconds, not {seconds!r}")
    return found


def _misused(sentence: str) -> Misused:
    return Misused("cause.other", detail=sentence)
