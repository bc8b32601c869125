"""A menu on a screen: what is typed, and what that does."""

from __future__ import annotations

import re

__all__ = ["menu_items"]

_COLUMN = re.compile(r"(?:[ ]{2,}|\t|\|)[ ]*(?=\d{1,2}\s*[\].):\-]+\s*\S)")
_MENU_LINE = re.compile(r"^\W*(\d{1,2}|[A-Za-z])\s*[\].):\-\u2013>=]+\s*(\S.*)$", re.MULTILINE)


def menu_items(screen: str) -> dict[str, str]:
    """Return the lines of the menu on *screen*, also in columns: what is typed -> what that does."""
    return {key: label.strip() for key, label in _MENU_LINE.findall(_COLUMN.sub("\n", screen))}
