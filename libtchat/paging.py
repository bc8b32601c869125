"""Where a list of names is cut, so that its answer stays small (R-op-list-cut)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, islice

from libtchat.message import reply
from libtchat.message.limits import ServerLimits
from libtchat.message.names import group_key

__all__ = ["cut", "fill"]


def fill(groups: reply.Groups, public: Sequence[str], more: bool, limits: ServerLimits) -> reply.Groups:
    """Complete the answer of a `ReadGroups`.

    Args:
        groups: what the effect holds: the private groups to be seen, and those the requester is in.
        public: the public groups read, by key; *more*: there are further ones.
        limits: where the list is cut.
    Returns:
        One list of both, by key, cut; `private` and `mine` only name groups of it.
    """
    names = sorted((*public, *groups.private), key=group_key)
    if more:
        end = group_key(public[-1])
        names = [name for name in names if group_key(name) <= end]
    shown, is_cut = cut(names, limits)
    page = set(shown)
    private, mine = (tuple(name for name in names if name in page) for names in (groups.private, groups.mine))
    return reply.Groups(shown, private, mine, more or is_cut, groups.id)


def cut(names: Iterable[str], limits: ServerLimits) -> tuple[tuple[str, ...], bool]:
    """Take names until a page is full, but at least one (R-op-list-cut).

    Returns:
        The names taken, and whether there were more.
    """
    taken = [*islice(names, limits.max_page_entries + 1)]
    joined, room = "".join(taken), limits.max_page_bytes
    if len(taken) <= limits.max_page_entries and len(joined.encode()) + 3 * len(taken) <= room:
        return tuple(taken), False
    sizes = map(len, taken if joined.isascii() else map(str.encode, taken))
    ends = [*accumulate([size + 3 for size in sizes])]
    fitting = max(1, min(bisect_right(ends, room), limits.max_page_entries))
    return tuple(taken[:fitting]), fitting < len(taken)
