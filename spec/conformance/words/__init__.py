"""What the tester says, in the language of the one who reads it: every sentence stands in one table per language."""

from __future__ import annotations

import argparse
import os
import re
from typing import Dict, Mapping, Optional

from words import english, french, usage

__all__ = ["LANGUAGES", "choose", "language", "say", "wanted"]

LANGUAGES: Dict[str, Dict[str, str]] = {"en": english.WORDS, "fr": french.WORDS}
VARIABLES = ("TCHAT_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
_PLURAL = re.compile(r"\[([^|\[\]]*)\|([^|\[\]]*)\]")
_chosen = "en"


def wanted(argument: Optional[str], environment: Mapping[str, str] = os.environ) -> str:
    """Return the code of the language to speak: the argument, else the first variable that says one, else English."""
    said = argument or next((environment[name] for name in VARIABLES if environment.get(name)), "")
    code = said[:2].lower()
    return code if code in LANGUAGES else "en"


def choose(code: str) -> None:
    """Speak this language from now on, in the words of argparse too."""
    global _chosen
    _chosen = code
    vars(argparse)["_"] = lambda text: usage.ARGPARSE.get(text, text) if code == "fr" else text


def language() -> str:
    """Return the code of the language chosen."""
    return _chosen


def say(key: str, /, **values: object) -> str:
    """Return the sentence of *key*; `[one|many]` in it is chosen by the value of `n`."""
    template = LANGUAGES[_chosen][key]
    is_one = values.get("n") == 1 or (_chosen == "fr" and values.get("n") == 0)
    return _PLURAL.sub(lambda found: found.group(1 if is_one else 2), template).format(**values)
