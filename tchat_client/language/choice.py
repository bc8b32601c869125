"""The languages there are, how a sentence takes its values, and which language somebody wants."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from libtchat.message.value import frozen
from tchat_client.language.english import ENGLISH, OF_PROGRAMS
from tchat_client.language.french import FRENCH
from tchat_client.sanitise import clean

__all__ = ["FOR_PROGRAMS", "LANGUAGES", "Language", "choose"]


@frozen
class Language:
    """One language's sentences, by key."""

    code: str
    sentences: Mapping[str, str]

    def __contains__(self, key: str) -> bool:
        return key in self.sentences

    def text(self, key: str, **values: object) -> str:
        """Return the sentence *key* with *values* in it, cleaned; what it names and is not given becomes `?`."""
        if values.get("count") == 1 and key + ".one" in self.sentences:
            key += ".one"
        shown = {name: value if isinstance(value, int | float) else clean(str(value)) for name, value in values.items()}
        sentence = self.sentences[key]
        if self.code == "fr":
            sentence = _OF_A_NAME.sub(lambda of: _elided(of, shown), sentence)
        return sentence.format_map(_Values(shown))


class _Values(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"


_OF_A_NAME = re.compile(r"\b(d|qu)e \{(\w+)\}")


def _elided(of: re.Match[str], values: Mapping[str, object]) -> str:
    """Return the piece of a French sentence, `de {name}` or `d'{name}`, `que` alike: as the name begins."""
    first = unicodedata.normalize("NFD", str(values.get(of[2], "")))[:1].casefold()
    return f"{of[1]}'{{{of[2]}}}" if first and first in "aeiouyœæ" else of[0]


LANGUAGES: Mapping[str, Language] = {"en": Language("en", ENGLISH), "fr": Language("fr", FRENCH)}
FOR_PROGRAMS = Language("en", {**ENGLISH, **OF_PROGRAMS})


def choose(option: str | None, environ: Mapping[str, str]) -> Language:
    """Return the language of *option*, else of TCHAT_LANG, LC_ALL, LC_MESSAGES or LANG, else English."""
    for wish in (option, *map(environ.get, ("TCHAT_LANG", "LC_ALL", "LC_MESSAGES", "LANG"))):
        if wish:
            return LANGUAGES.get(wish[:2].casefold(), LANGUAGES["en"])
    return LANGUAGES["en"]
