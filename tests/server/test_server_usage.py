"""`tchat-server` explains itself in French too: help, complaints, and what it says when it is up."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from string import Formatter

import click
import pytest
from commandline import COMMAND, environment
from live import ROOT, TIMEOUT_SECONDS

from libtchat.dialect.dialect import DialectError, load
from libtchat.dialect.french import FRENCH as DIALECT
from libtchat.language import by_english
from tchat_client.language.french import SAID
from tchat_server.cli import cli
from tchat_server.foreign import read_dialects
from tchat_server.sentences import SENTENCES, STORAGE
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
        (("close",), 2, "il manque l'argument 'GROUPE'"),
        (("announce", "a.db", "a", "b"), 2, "trop de mots : tchat-server announce [BASE] TEXTE"),
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


def test_what_is_translated_by_its_english_is_still_said_so() -> None:
    """The longest piece between two holes is in the source that makes the sentence."""
    paths = [
        path for package in ("libtchat", "tchat_client", "tchat_server") for path in (ROOT / package).rglob("*.py")
    ]
    source = "\n".join(path.read_text("utf-8") for path in paths if path.name not in ("french.py", "sentences.py"))
    source = re.sub(r'"\n\s*f?"', "", source).replace("{{", "{").replace("}}", "}")
    for english, french in {**STORAGE, **DIALECT, **SAID}.items():
        piece = max(re.split(r"\{\w+\}", english), key=len).strip().replace("\\", "\\\\")
        assert piece in source, english
        assert {*re.findall(r"\{(\w+)\}", french)} == {*re.findall(r"\{(\w+)\}", english)}, english


@pytest.mark.parametrize(
    ("options", "content", "said"),
    [
        (
            ("--db", "chat.db"),
            b"no database at all" * 100,
            "chat.db n'est pas une base de données : choisissez",
        ),
        (("--db", "no/where/chat.db"), b"", "impossible d'ouvrir"),
        (("check", "chat.db"), b"", "chat.db n'existe pas : nommez la base d'un tchat-server"),
        (("check", "."), b"", "valeur incorrecte pour '[BASE]' : '.' est un dossier."),
        (("--dialects", "."), b"", "il n'y a pas de dialecte de client dans . : tchat learn client en fait"),
    ],
    ids=["no-database", "no-directory", "nothing", "directory", "no-dialects"],
)
def test_what_is_wrong_with_a_file_is_said_in_french(
    options: tuple[str, ...], content: bytes, said: str, tmp_path: Path
) -> None:
    if content:
        (tmp_path / "chat.db").write_bytes(content)
    (tmp_path / "no").write_bytes(b"")
    done = subprocess.run(
        [*COMMAND, *options],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(TCHAT_LANG="fr"),
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode in (2, 4)
    assert said in done.stderr


WRONGS = {
    "group wob: after event 6: event 8 does not follow 6": "groupe wob : après l'évènement 6 : l'évènement 8 ne suit "
    "pas 6",
    "group damaged: damaged": "groupe damaged : données endommagées",
    "the snapshot at 1501 of group wob: damaged": "l'instantané à 1501 du groupe wob : données endommagées",
    "group wob: after event 6: the row of events b'7' of group wob is damaged on disk: `tchat-server check` tells "
    "more; restore a backup": "groupe wob : après l'évènement 6 : la ligne des évènements b'7', groupe wob : données "
    "endommagées sur le disque ; restaurez une sauvegarde",
    "group wob: eve is none by its events, not so in the table of standings": "groupe wob : eve est « none » d'après "
    "ses évènements, et pas dans la table des statuts",
    "the account of eve: damaged": "le compte d'eve : données endommagées",
    "record 5 on c.g.wob: its checksum does not hold": "enregistrement 5 sur c.g.wob : sa somme de contrôle est fausse",
    "group wob is damaged, nothing has changed: record 5 on c.g.wob: its events have other numbers": "le groupe wob "
    "est endommagé, rien n'a changé : enregistrement 5 sur c.g.wob : ses évènements ont d'autres numéros",
    "/d: e/a.db is damaged, the ban of bob: no backup was made; `tchat-server check` lists all; restore a backup": ""
    "/d: e/a.db est endommagé, le bannissement de bob : aucune sauvegarde n'est faite ; `tchat-server check` dit "
    "tout ; restaurez-en une d'avant",
    "Page 9: btreeInitPage() returns error code 11": "Page 9: btreeInitPage() returns error code 11",
}


@pytest.mark.parametrize(("english", "french"), WRONGS.items())
def test_what_check_finds_is_said_in_french(english: str, french: str) -> None:
    assert by_english(english, STORAGE, "fr") == french


def test_a_file_among_the_dialects_that_cannot_be_read_is_named_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(b"\xff")
    with pytest.raises(DialectError) as wrong:
        read_dialects(tmp_path)
    assert by_english(wrong.value.detail, DIALECT, "fr") == f"{file} n'est pas un texte en UTF-8"
    file.unlink()
    file.mkdir()
    with pytest.raises(DialectError) as wrong:
        read_dialects(tmp_path)
    assert by_english(wrong.value.detail, DIALECT, "fr") == f"impossible de lire {file} : Is a directory"


def test_what_is_wrong_in_a_dialect_is_said_in_french() -> None:
    with pytest.raises(DialectError) as wrong:
        load('name = "a"\nside = "client"\n[wire]\nindent = "x"\n', "a.toml")
    assert by_english(wrong.value.detail, DIALECT, "fr").startswith("a.toml : wire est comme { indent = 0")
