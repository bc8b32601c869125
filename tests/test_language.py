"""Both languages say the same things."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter

import pytest

from libtchat.commands import COMMANDS, PROBLEMS
from libtchat.errors import ErrorCode
from libtchat.event import EVENTS, Said
from tchat_client.language import LANGUAGES, choose

ENGLISH, FRENCH = LANGUAGES["en"], LANGUAGES["fr"]


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def test_both_tables_have_the_same_keys() -> None:
    assert set(ENGLISH.sentences) == set(FRENCH.sentences)


@pytest.mark.parametrize("key", sorted(ENGLISH.sentences))
def test_both_sentences_name_the_same_things(key: str) -> None:
    assert placeholders(ENGLISH.sentences[key]) == placeholders(FRENCH.sentences[key])


def test_hardly_a_sentence_was_left_untranslated() -> None:
    same = {key for key, sentence in ENGLISH.sentences.items() if FRENCH.sentences[key] == sentence}
    assert same == {"error", "cause.other", "dialect", "not-learnt"}


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
def test_everything_that_needs_words_has_them(language: object) -> None:
    needed = {f"error.{code}" for code in ErrorCode}
    needed |= {f"problem.{problem}" for problem in PROBLEMS}
    needed |= {f"{kind}.{command.name}" for kind in ("help", "who") for command in COMMANDS}
    needed |= {action for action, event in EVENTS.items() if event is not Said}
    needed |= {f"{action}.you" for action, event in EVENTS.items() if event is not Said}
    assert needed <= set(language.sentences)


def test_a_count_of_one_has_its_own_sentence() -> None:
    assert ENGLISH.text("members", count=1, names="bob") == "1 member: bob"
    assert ENGLISH.text("members", count=2, names="bob, zoe") == "2 members: bob, zoe"


def test_a_value_that_is_not_there_is_no_crash() -> None:
    assert ENGLISH.text("error.too-large") == "too long: at most ? bytes"


def test_a_value_is_never_taken_for_a_template() -> None:
    assert ENGLISH.text("join", sender="{0.__class__}") == "{0.__class__} joined"


@pytest.mark.parametrize(
    ("option", "environ", "code"),
    [
        ("fr", {"LANG": "en_US.UTF-8"}, "fr"),
        (None, {"TCHAT_LANG": "fr", "LC_ALL": "en_US.UTF-8"}, "fr"),
        (None, {"LC_ALL": "fr_FR.UTF-8", "LANG": "en_US.UTF-8"}, "fr"),
        (None, {"LC_ALL": "", "LANG": "fr_CA"}, "fr"),
        (None, {"LC_ALL": "C.UTF-8", "LANG": "fr_FR"}, "en"),
        (None, {"LANG": "de_DE.UTF-8"}, "en"),
        (None, {}, "en"),
    ],
)
def test_the_language_is_chosen_in_the_documented_order(
    option: str | None, environ: Mapping[str, str], code: str
) -> None:
    assert choose(option, environ).code == code
