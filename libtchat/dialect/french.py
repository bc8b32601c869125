"""What is wrong with the file of a dialect, in French, by its English; see `libtchat.language.by_english`."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["FRENCH"]

FRENCH: Mapping[str, str] = {
    "{where}: this is no TOML: {detail}": "{where} : ce n'est pas du TOML : {detail}",
    "{where}: {key} is not known: it may be {known}": "{where} : {key} n'existe pas : il y a {known}",
    "{where}: {key} is a text": "{where} : {key} est un texte",
    '{where}: {key} is "client" or "server"': '{where} : {key} est "client" ou "server"',
    "{where}: {key} names {word}, which is no kind of message": "{where} : {key} nomme {word}, qui n'est pas un genre "
    "de message",
    "{where}: {key} is true or false": "{where} : {key} est true ou false",
    '{where}: {key} is like { indent = 0, colon = ":", end = "\\n" }': "{where} : {key} est comme "
    '{{ indent = 0, colon = ":", end = "\\n" }}',
    "{where}: {key} has an indent of 0 to 16 and a colon with or without spaces": "{where} : {key} a un indent de 0 à "
    "16 et un colon avec ou sans espaces",
    "{where}: {key} is a table of kinds": "{where} : {key} est une table de genres",
    "{where}: {key} is no kind of message: there are {kinds}": "{where} : {key} n'est pas un genre de message : il y a "
    "{kinds}",
    '{where}: {key} is a table such as { action = "join", group = "{group}" }': "{where} : {key} est une table comme "
    '{{ action = "join", group = "{group}" }}',
    "{where}: {key} has a hole {hole}: there are {known}": "{where} : {key} a un trou {hole} : il y a {known}",
    "{where}: {key} matches everything: nothing in it is fixed": "{where} : {key} convient à tout : rien n'y est fixe",
    "{where}: {key} is a table": "{where} : {key} est une table",
    "{where}: {key} is a list of texts": "{where} : {key} est une liste de textes",
    "{path} is no text in UTF-8": "{path} n'est pas un texte en UTF-8",
    "cannot read {path}: {detail}": "impossible de lire {path} : {detail}",
    "{directory} holds no dialect of a client: tchat learn client makes them": "il n'y a pas de dialecte de client "
    "dans {directory} : tchat learn client en fait",
}
