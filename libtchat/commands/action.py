"""What a typed line asks of the client itself, and not of the server."""

from __future__ import annotations

from libtchat.message.value import frozen

__all__ = ["Clear", "Help", "LocalAction", "Me", "More", "Mute", "Raw", "Search", "Trace", "Unmute", "Use"]


@frozen
class Help:
    """Show the help of *command*, or of all when it is None."""

    command: str | None = None


@frozen
class Use:
    """Make *group* the current one."""

    group: str


@frozen
class Raw:
    """Send *text*, a JSON object, as it is."""

    text: str


@frozen
class Trace:
    """Show every message in and out, or stop that."""

    on: bool


@frozen
class More:
    """Show what is older than what was shown of the group *name*, or of the texts with a user: `@bob`.

    None means the search that goes on, or the current group.
    """

    name: str | None = None


@frozen
class Search:
    """Show the texts of the current group that have *text* in them; `@bob lunch` is about the texts with bob."""

    text: str


@frozen
class Clear:
    """Empty the screen."""


@frozen
class Mute:
    """Show no texts of the group or user *name*; `@bob` is the user bob only."""

    name: str


@frozen
class Unmute:
    """Show the texts of the group or user *name* again."""

    name: str


@frozen
class Me:
    """Say to the current group what one does."""

    text: str


LocalAction = Help | Use | Raw | Trace | More | Search | Clear | Mute | Unmute | Me
"""What a typed line asks of the client itself."""
