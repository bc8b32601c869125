"""What is being typed at the end of a line, for completion."""

from __future__ import annotations

from libtchat.commands.parser import SEMICOLON, SLASH
from libtchat.commands.row import Command, Field
from libtchat.commands.table import find
from libtchat.message.value import frozen

__all__ = ["Place", "place"]


@frozen
class Place:
    """Where in a line the cursor is, for completion.

    Attributes:
        command: None while the command itself is being typed.
        field: None if the command takes no field here.
        fragment: what is typed of the word under the cursor.
        before: the fields before it.
        is_slash: the line is in the `/kick wob bob` form.
    """

    command: Command | None
    field: Field | None
    fragment: str
    before: tuple[str, ...] = ()
    is_slash: bool = False


def place(line: str) -> Place:
    """Return what is being typed at the end of *line*."""
    typed = SLASH.match(line) or SEMICOLON.match(line)
    if typed is None or (line.startswith("/") and not typed[2]):
        return Place(None, None, line)
    command = find(typed[1])
    if command is None:
        return Place(None, None, line)
    count = len(command.fields)
    if typed[2] == ";":
        words = typed[3].split(";", max(count - 1, 0))
    else:
        words = typed[3].split(None, max(count - 1, 0)) or [""]
        if typed[3] != typed[3].rstrip() and len(words) < count:
            words.append("")
    field = command.fields[len(words) - 1] if len(words) <= count else None
    return Place(command, field, words[-1].lstrip(), tuple(words[:-1]), typed[2] != ";")
