"""The command line explains itself in French too: nothing is left in English, in help and in complaints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from serving import SECONDS, environment

from tchat_client.cli import tchat
from tchat_client.usage import FRENCH

COMMANDS = sorted(tchat.commands)


def run(directory: Path, *args: str, **env: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "tchat_client", *args],
        env=environment(directory, COLUMNS="200", **env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def plain(text: str | None) -> str:
    return "\n".join(line.strip() for line in (text or "").strip().split("\n"))


@pytest.mark.parametrize("command", [tchat, *tchat.commands.values()], ids=["tchat", *tchat.commands])
def test_every_help_has_its_french(command: click.Command) -> None:
    sentences = [command.help, command.short_help]
    sentences += [param.help for param in command.params if isinstance(param, click.Option)]
    sentences += [param.metavar for param in command.params]
    assert [text for text in map(plain, sentences) if text and text not in FRENCH] == []


@pytest.mark.parametrize("words", [("--help",), *((name, "--help") for name in COMMANDS)], ids=" ".join)
def test_the_help_is_french(tmp_path: Path, words: tuple[str, ...]) -> None:
    code, out, err = run(tmp_path, *words, LANG="fr_FR.UTF-8")
    assert (code, err) == (0, "")
    assert out.startswith("Usage : tchat")
    english = [sentence for sentence, french in FRENCH.items() if french not in sentence and len(sentence) > 8]
    assert [sentence for sentence in english if sentence in out] == []
    assert "Afficher ceci" in out


COMPLAINTS = [
    (("send",), "il manque l'argument 'GROUPE'"),
    (("ping", "--nonsense"), "il n'y a pas d'option"),
    (("messages", "wob", "-n", "0"), "n'est pas dans l'intervalle"),
    (("messages", "wob", "-n", "x"), "n'est pas un nombre"),
    (("a", "b", "c"), "de trop (b c)"),
    (("ping", "--name"), "attend une valeur"),
    (("--notify", "x"), "n'est pas parmi 'bell', 'desktop'"),
]


@pytest.mark.parametrize(("words", "sentence"), COMPLAINTS, ids=[" ".join(words) for words, _ in COMPLAINTS])
def test_complaints_are_french(tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    code, _, err = run(tmp_path, *words, "--lang", "fr") if words[-1] != "--name" else run(tmp_path, *words, LANG="fr")
    assert code == 2
    assert err.startswith("tchat : ")
    assert sentence in err
    assert err.count("\n") == 1
