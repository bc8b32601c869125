"""What a person types, and the request it means: `bg;wob;hello` or `/bg wob hello` <-> `Say`.

One row per command (`table.py`): its fields, help, example, who may use it and what may be answered. Parsing,
completion, help and the errors' forms all read that table. Nothing here sends or prints; who asks (`sender`) and `id`
are the caller's to fill in (spec/protocol.md, "Typed lines").
"""

from libtchat.commands.action import Clear, Help, LocalAction, Me, More, Mute, Raw, Search, Trace, Unmute, Use
from libtchat.commands.cursor import Place, place
from libtchat.commands.mistyped import PROBLEMS, Mistyped
from libtchat.commands.parser import parse, unparse
from libtchat.commands.row import Command, Field, Kind
from libtchat.commands.secret import may_hold_secret
from libtchat.commands.table import COMMANDS, find

__all__ = [
    "COMMANDS",
    "PROBLEMS",
    "Clear",
    "Command",
    "Field",
    "Help",
    "Kind",
    "LocalAction",
    "Me",
    "Mistyped",
    "More",
    "Mute",
    "Place",
    "Raw",
    "Search",
    "Trace",
    "Unmute",
    "Use",
    "find",
    "may_hold_secret",
    "parse",
    "place",
    "unparse",
]
