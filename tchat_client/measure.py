"""How wide a text is on a terminal, cut and broken to fit: wide letters take two columns, colours none."""

from __future__ import annotations

import re

from wcwidth import wcswidth, wcwidth

__all__ = ["clip", "width", "wrap"]

_COLOUR = re.compile("\x1b\\[[0-9;]*m")
_WORD = re.compile(r"[^ ]+ *| +")
_LETTER = re.compile("\x1b\\[[0-9;]*m|.", re.DOTALL)


def width(text: str) -> int:
    """Return how many columns *text* takes; what cannot be shown takes none."""
    shown = _COLOUR.sub("", text)
    if shown.isascii():
        return len(shown)
    known = wcswidth(shown)
    return known if known >= 0 else sum(max(0, wcwidth(char)) for char in shown)


def clip(text: str, columns: int) -> str:
    """Return *text*, which has no colours, cut to so many columns."""
    if width(text) <= columns:
        return text
    kept, taken = "", 1  # the ellipsis
    for char in text:
        taken += max(0, wcwidth(char))
        if taken > columns:
            break
        kept += char
    return kept + "…"


def wrap(text: str, columns: int, indent: str) -> str:
    """Return *text* broken at the ends of words; every line but the first begins with *indent*.

    A line end in the text begins a line of its own; so no text can look like a line that has another one's name.
    """
    lines: list[str] = []
    for part in text.split("\n"):
        line = indent if lines else ""
        taken, is_empty = width(line), True
        for word in _pieces(part, columns - len(indent)):
            size = width(word.rstrip(" "))
            if taken + size > columns and not is_empty:
                lines.append(line.rstrip(" "))
                line, taken = indent, len(indent)
            line += word
            taken, is_empty = taken + width(word), False
        lines.append(line)
    return "\n".join(lines)


def _pieces(text: str, columns: int) -> list[str]:
    """Return the words of *text*, each with the spaces after it; one that is too long for a line in pieces."""
    pieces: list[str] = []
    for word in _WORD.findall(text):
        if width(word.rstrip(" ")) <= columns:
            pieces.append(word)
            continue
        piece, taken = "", 0
        for letter in _LETTER.findall(word):
            size = width(letter)
            if taken + size > columns:
                pieces.append(piece)
                piece, taken = "", 0
            piece, taken = piece + letter, taken + size
        pieces.append(piece)
    return pieces
