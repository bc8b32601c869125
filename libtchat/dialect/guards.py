"""What kills some servers, and which list says whether it would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from libtchat.dialect.template import Meaning

__all__ = ["guard_of", "guarded_hole"]


# What kills some servers -> the kinds it is about, the list that says whether it would, and what must be in it.
_GUARDS: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "tell-nobody": (("tell",), "users", "dest"),
    "invite-nobody": (("invite",), "users", "dest"),
    "kick-nobody": (("kick", "ban"), "members", "dest"),
    "group-nobody": (
        ("text", "leave", "members", "messages", "states", "invite", "kick", "ban", "unban"),
        *("groups", "group"),
    ),
}


def guard_of(fatal: Iterable[str], meaning: Meaning, groups: AbstractSet[str]) -> str | None:
    """Return the list that must be looked at before *meaning* may reach the server, None if none must.

    Args:
        fatal: what kills the server.
        groups: keys of groups that are known to be there.
    """
    for word in fatal:
        kinds, query, hole = _GUARDS.get(word, ((), "", ""))
        if meaning.kind in kinds and not (hole == "group" and meaning.get("group").casefold() in groups):
            return query
    return None


def guarded_hole(query: str, kind: str) -> str:
    """Return which value of a request of this *kind* must be in the list that *query* asks for."""
    return next(hole for kinds, which, hole in _GUARDS.values() if which == query and kind in kinds)
