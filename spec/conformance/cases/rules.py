"""The text of the protocol: its rules and its ten mistakes, each with the line it stands on, in either language."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, NamedTuple

from cases.case import SPEC

__all__ = ["Mistake", "Requirement", "Text", "load_text"]

FILES = {"en": "protocol.md", "fr": "protocole.md"}
_RULE = re.compile(r"^- \*\*(R-[a-z0-9-]+)\*\*(?: \((?:SHOULD|MAY)\))?:? (.+)$")
_MISTAKE = re.compile(r"^### (\d+)\. (.+)$")
_ACTION = re.compile(r"^### ([a-z-]+)$")


class Requirement(NamedTuple):
    """One rule: its sentence, and where it stands, as `protocol.md:512`."""

    id: str
    sentence: str
    place: str


class Mistake(NamedTuple):
    """One of the ten mistakes: its heading, and where it stands."""

    number: int
    title: str
    place: str


class Text(NamedTuple):
    """What the text of the protocol says: rules by id, mistakes by number, and the place of each action's section."""

    rules: Dict[str, Requirement]
    mistakes: Dict[int, Mistake]
    actions: Dict[str, str]


def load_text(language: str, folder: Path = SPEC) -> Text:
    """Read the text in *language*; there is nothing in it if the file is not there."""
    path = folder / FILES[language]
    text = Text({}, {}, {})
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    for number, line in enumerate(lines, 1):
        place = "%s:%d" % (path.name, number)
        rule, mistake, action = _RULE.match(line), _MISTAKE.match(line), _ACTION.match(line)
        if rule:
            text.rules[rule.group(1)] = Requirement(rule.group(1), rule.group(2), place)
        elif mistake:
            text.mistakes[int(mistake.group(1))] = Mistake(int(mistake.group(1)), mistake.group(2), place)
        elif action:
            text.actions[action.group(1)] = place
    return text
