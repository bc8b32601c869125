"""Which language somebody wants, and how a sentence takes its values. The sentences are each program's own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping

__all__ = ["VARIABLES", "by_english", "fill", "wanted"]

VARIABLES = ("TCHAT_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
"""Where the environment says it, the first one that says anything counts."""

_HOLE = re.compile(r"(\{\w+\})")
_OF_A_NAME = re.compile(r"\b(d|qu)e \{(\w+)\}")


def wanted(option: str | None, environ: Mapping[str, str], known: Collection[str]) -> str:
    """Return the code of the language of *option*, else of the environment, if it is *known*; else `en`."""
    wish = next((wish for wish in (option, *map(environ.get, VARIABLES)) if wish), "en")
    code = wish[:2].casefold()
    return code if code in known else "en"


def fill(sentence: str, values: Mapping[str, object], code: str) -> str:
    """Return *sentence*, which is of the language *code*, with *values* in it; what is not given becomes `?`."""
    if code == "fr":
        sentence = _OF_A_NAME.sub(lambda of: _elided(of, values), sentence)
    return sentence.format_map(_Values(values))


def by_english(text: str, sentences: Mapping[str, str], code: str) -> str:
    """Return *text* in the language *code*, by what *sentences* has for its English; as it is if that is not there.

    For sentences that were made elsewhere and have no key but their English. What stands in its holes is taken over;
    so are sentences there, in the language *code* too.
    """
    for english, other in sentences.items():
        parts = (
            f"(?P<{part[1:-1]}>.+?)" if _HOLE.fullmatch(part) else re.escape(part) for part in _HOLE.split(english)
        )
        if found := re.fullmatch("".join(parts), text, re.DOTALL):
            values = {name: by_english(value, sentences, code) for name, value in found.groupdict().items()}
            return fill(other, values, code)
    return text


class _Values(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"


def _elided(of: re.Match[str], values: Mapping[str, object]) -> str:
    """Return the piece of a French sentence, `de {name}` or `d'{name}`, `que` alike: as the name begins."""
    first = unicodedata.normalize("NFD", str(values.get(of[2], "")))[:1].casefold()
    return f"{of[1]}'{{{of[2]}}}" if first and first in "aeiouyœæ" else of[0]
