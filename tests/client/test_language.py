"""Both languages say the same things."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from string import Formatter

import pytest

from libtchat.commands import COMMANDS, PROBLEMS
from libtchat.message.errors import ErrorCode
from libtchat.message.event import EVENTS, Closed, Redacted, Said
from libtchat.message.reply import Error, Goodbye
from libtchat.message.request import Join, Register, Request
from libtchat.mirror import Heard
from tchat_client.language import LANGUAGES, choose
from tchat_client.learn.french import FRENCH as FRENCH_OF_LEARNING
from tchat_client.learn.french import french
from tchat_client.render import Renderer

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


def test_what_learning_says_is_said_in_french() -> None:
    for sentence, words in FRENCH_OF_LEARNING.items():
        assert placeholders(sentence) == placeholders(words)
        assert french(sentence) == words  # the holes are values like others
    said = "al (client): it dies of a, b: nothing is shown"
    assert french(said) == "al (client) : il meurt d'a, b : rien n'est montré"
    assert french("typed s;{dest};{text}") == "tapé s;{dest};{text}"
    assert french("something else") == "something else"


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
def test_everything_that_needs_words_has_them(language: object) -> None:
    needed = {f"error.{code}" for code in ErrorCode}
    needed |= {f"problem.{problem}" for problem in PROBLEMS}
    needed |= {f"{kind}.{command.name}" for kind in ("help", "who") for command in COMMANDS}
    needed |= {action for action, event in EVENTS.items() if event is not Said}
    needed |= {f"{action}.you" for action, event in EVENTS.items() if event not in (Said, Closed, Redacted)}
    assert needed <= set(language.sentences)


def test_a_count_of_one_has_its_own_sentence() -> None:
    assert ENGLISH.text("members", count=1, names="bob") == "1 member: bob"
    assert ENGLISH.text("members", count=2, names="bob, zoe") == "2 members: bob, zoe"


def test_a_value_that_is_not_there_is_no_crash() -> None:
    assert ENGLISH.text("error.too-large") == "too long: at most ? bytes"


def test_a_value_is_never_taken_for_a_template() -> None:
    assert ENGLISH.text("join", sender="{0.__class__}") == "{0.__class__} joined"


@pytest.mark.parametrize(
    ("key", "values", "sentence"),
    [
        ("password", {"name": "alice"}, "mot de passe d'alice : "),
        ("password", {"name": "bob"}, "mot de passe de bob : "),
        ("server-hello.plain", {"address": "a:1", "name": "alice"}, "Connecté à a:1 en tant qu'alice."),
        ("unban", {"sender": "bob", "dest": "Élise"}, "bob a levé le bannissement d'Élise"),
        ("unban", {"sender": "parle de alice", "dest": "yves"}, "parle de alice a levé le bannissement d'yves"),
    ],
)
def test_french_elides_before_a_name_and_nowhere_else(key: str, values: Mapping[str, str], sentence: str) -> None:
    assert FRENCH.text(key, **values) == sentence


@pytest.mark.parametrize(
    ("error", "request_", "english", "french"),
    [
        (
            Error(ErrorCode.FORBIDDEN, "register"),
            Register("", sender="alice"),
            "the name alice has a password already",
            "le nom alice a déjà un mot de passe",
        ),
        (
            Error(ErrorCode.AUTH_REQUIRED, "join"),
            Join("wob", sender="alice"),
            "only names with a password are served here: register; gives alice one",
            "seuls les noms avec mot de passe sont servis ici : register; en donne un à alice",
        ),
        (
            Error(ErrorCode.AUTH_REQUIRED, "client-hello"),
            None,
            "the name alice is protected by a password",
            "le nom alice est protégé par un mot de passe",
        ),
        (
            Error(ErrorCode.FORBIDDEN, msg="you are banned from this server until 2026-01-01"),
            None,
            "you are banned from this server until 2026-01-01",
            "vous êtes banni de ce serveur jusqu'au 2026-01-01",
        ),
        (
            Error(ErrorCode.FORBIDDEN, msg="the operator closed this connection"),
            None,
            "the operator closed this connection",
            "l'opérateur a fermé cette connexion",
        ),
    ],
)
def test_a_refusal_says_what_is_the_matter_in_both_languages(
    error: Error, request_: Request | None, english: str, french: str
) -> None:
    for language, sentence in ((ENGLISH, english), (FRENCH, french)):
        assert Renderer(language, "alice").refusal(error, request_) == f"{sentence} ({error.code})"


def test_a_goodbye_nobody_asked_for_is_the_server_s_end() -> None:
    now = datetime.now(UTC)
    for language, sentence in ((ENGLISH, "the server stops"), (FRENCH, "le serveur s'arrête")):
        (line,) = Renderer(language, "alice").notice(Heard(Goodbye()), now)
        assert line.endswith(f" -- {sentence}")


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
