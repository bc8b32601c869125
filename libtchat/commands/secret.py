"""Which typed lines may hold a password."""

from __future__ import annotations

import re

from libtchat.guess import is_meant_to_register

__all__ = ["may_hold_secret"]

_QUOTED_SECRET = re.compile(r"passw|token", re.IGNORECASE)


def may_hold_secret(line: str) -> bool:
    """Tell whether *line* may hold a password, typed rightly or wrongly: it is then kept nowhere."""
    return is_meant_to_register(line) or _QUOTED_SECRET.search(line) is not None
