"""What a person meant by a word that is no command: other chats' words, slips, a password about to leak.

Pure tables and likeness; the commands themselves are `libtchat.commands`'s.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches

__all__ = ["DRASTIC", "ELSEWHERE", "NO_WORDS", "SENTENCES", "is_meant_to_register", "nearest"]

ELSEWHERE: Mapping[str, str | None] = {
    **dict.fromkeys(("who", "users", "online"), "ls"),
    "names": "members",
    **dict.fromkeys(("list", "channels", "rooms"), "groups"),
    "part": "leave",
    **dict.fromkeys(("query", "privmsg", "notice", "whisper", "w", "dm", "pm", "tell"), "s"),
    **dict.fromkeys(("disconnect", "bye"), "q"),
    "ignore": "mute",
    **dict.fromkeys(("topic", "whois", "nick", "away", "mode", "op", "deop", "connect", "server")),
}
"""What people bring from IRC and other chats -> our command that does it, None if there is none."""

NO_WORDS = frozenset({"b", "bg", "cg", "ls", "msg"})
"""Commands that begin no sentence in any language: who types one means it, whatever follows."""

DRASTIC = frozenset({"leave", "q", "quit", "exit", "kick", "ban"})
"""Commands that do harm when they were not meant."""
_REGISTER = "register"

SENTENCES = frozenset({"registers", "registered", "registering", "registry", "registre", "registrer"})
"""Words that are like `register` and begin sentences."""

_FIRST_WORD = re.compile(r"\s*/?([^\s;:,=]*)")


def is_meant_to_register(line: str) -> bool:
    """Tell whether *line* begins with `register`, or nearly so: what follows may be a password."""
    first = _FIRST_WORD.match(line)
    word = first[1].casefold() if first else ""
    return word == _REGISTER or (word not in SENTENCES and bool(get_close_matches(word, [_REGISTER], cutoff=0.8)))


def nearest(word: str, names: Collection[str], *, cutoff: float = 0.6) -> str | None:
    """Return which of *names* is most like *word*; one that does harm only if it is very like it."""
    word = word.casefold()
    for name in get_close_matches(word, names, cutoff=cutoff):
        if name not in DRASTIC or get_close_matches(word, [name], cutoff=0.86):
            return name
    return None
