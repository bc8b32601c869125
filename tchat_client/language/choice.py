"""The languages there are, how a sentence takes its values, and which language somebody wants."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field

from libtchat.language import by_english, fill, wanted
from libtchat.message.value import frozen
from tchat_client.language.english import ENGLISH, OF_PROGRAMS
from tchat_client.language.french import FRENCH, SAID
from tchat_client.sanitise import clean

__all__ = ["FOR_PROGRAMS", "LANGUAGES", "Language", "choose"]


@frozen
class Language:
    """One language's sentences, by key."""

    code: str
    sentences: Mapping[str, str]
    said: Mapping[str, str] = field(factory=dict)

    def __contains__(self, key: str) -> bool:
        return key in self.sentences

    def told(self, english: str) -> str:
        """Return what was said in English elsewhere in this language, if that is known."""
        return by_english(english, self.said, self.code)

    def text(self, key: str, **values: object) -> str:
        """Return the sentence *key* with *values* in it, cleaned; what it names and is not given becomes `?`."""
        if values.get("count") == 1 and key + ".one" in self.sentences:
            key += ".one"
        shown = {name: value if isinstance(value, int | float) else clean(str(value)) for name, value in values.items()}
        return fill(self.sentences[key], shown, self.code)


LANGUAGES: Mapping[str, Language] = {"en": Language("en", ENGLISH), "fr": Language("fr", FRENCH, SAID)}
FOR_PROGRAMS = Language("en", {**ENGLISH, **OF_PROGRAMS})


def choose(option: str | None, environ: Mapping[str, str]) -> Language:
    """Return the language of *option*, else of TCHAT_LANG, LC_ALL, LC_MESSAGES or LANG, else English."""
    return LANGUAGES[wanted(option, environ, LANGUAGES)]
