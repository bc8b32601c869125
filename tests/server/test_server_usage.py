"""`tchat-server` explains itself in French too: help, complaints, and what it says when it is up."""

from __future__ import annotations

import subprocess
from string import Formatter

import click
import pytest
from commandline import COMMAND, environment
from live import TIMEOUT_SECONDS

from tchat_server.cli import cli
from tchat_server.sentences import SENTENCES
from tchat_server.usage import FRENCH


def plain(text: str | None) -> str:
    return "\n".join(line.strip() for line in (text or "").strip().split("\n"))


@pytest.mark.parametrize("command", [cli, *cli.commands.values()], ids=["tchat-server", *cli.commands])
def test_every_help_has_its_french(command: click.Command) -> None:
    options = [param for param in command.params if isinstance(param, click.Option)]
    sentences = [command.help, *(option.help for option in options), *(param.metavar for param in command.params)]
    sentences += [option.show_default for option in options if isinstance(option.show_default, str)]
    assert [text for text in map(plain, sentences) if text and text not in FRENCH] == []


def test_both_languages_have_the_same_sentences_with_the_same_values() -> None:
    def values(sentence: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(sentence) if name}

    english, french = SENTENCES["en"], SENTENCES["fr"]
    assert english.keys() == french.keys()
    free = {key for key in english if key.startswith("refused.")}  # there a language says what the other one is told
    assert [key for key in english if key not in free and values(english[key]) != values(french[key])] == []


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--help",), 0, "Adresse où accepter des clients"),
        (("redact", "--help"), 0, "Usage : tchat-server redact [OPTIONS] [BASE] GROUPE SEQ"),
        (("--nope",), 2, "il n'y a pas d'option '--nope'."),
        (("--listen", "here"), 2, "'here' n'est pas HÔTE:PORT"),
        (("--tls-cert", "cert.pem"), 2, "--tls-cert et --tls-key vont ensemble"),
        (("close",), 2, "il manque l'argument 'GROUP'"),
        (("who", "/no/such.db"), 1, "aucun serveur n'utilise /no/such.db : personne n'est connecté"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_it_is_french(words: tuple[str, ...], code: int, sentence: str) -> None:
    done = subprocess.run(
        [*COMMAND, *words],
        env=environment(LC_ALL="fr_FR.UTF-8", COLUMNS="200"),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == code, done
    assert sentence in done.stdout + done.stderr
