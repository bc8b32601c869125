"""How many files this process may open, and so how many connections it can hold."""

from __future__ import annotations

import logging
import resource

import attrs

from libtchat.message.limits import ServerLimits

__all__ = ["RESERVED", "fitting", "make_room"]

logger = logging.getLogger("tchat_server")

RESERVED = 64
"""Descriptors for what is no connection: the log, listeners, the admin pages, newcomers about to be turned away."""


def make_room(connections: int) -> tuple[int, int]:
    """Let this process open files enough for so many connections, as far as it may: its hard limit stays.

    Returns:
        How many connections fit, *connections* at most and 1 at least; and how many files may be open now.
    """
    wanted = connections + RESERVED
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        except (OSError, ValueError):  # macOS has a lower one of its own
            pass
        else:
            soft = raised
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections, soft
    return max(1, soft - RESERVED, soft // 2), soft


def fitting(limits: ServerLimits) -> ServerLimits:
    """Return *limits* that accept no more connections than there can be open files; log it if that is fewer."""
    asked = limits.max_peers
    fit, files = make_room(asked)
    if fit == asked:
        return limits
    logger.warning(
        "accepts %d connections at once, not the %d of --max-peers: this process may open %d files. "
        "Let it open %d (ulimit -Hn; LimitNOFILE= of systemd; --ulimit nofile= of docker), or ask for fewer",
        *(fit, asked, files, asked + RESERVED),
    )
    return attrs.evolve(limits, max_peers=fit)
