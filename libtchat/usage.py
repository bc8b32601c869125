"""The usage of a command line in French: click's own sentences, and how a program's are put in their place.

click takes its sentences from `gettext`, which would want a compiled catalogue on the disk; they are taken from a table
instead, by their English. What is not in it stays English. click is not imported here: whoever has it hands it in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["CLICK_FRENCH", "speak"]

CLICK_FRENCH: Mapping[str, str] = {
    "Usage:": "Usage :",
    "Usage: ": "Usage : ",
    "Options": "Options",
    "Commands": "Commandes",
    "Positional arguments": "Arguments",
    "Show this message and exit.": "Afficher ceci et s'arrêter.",
    "Show the version and exit.": "Afficher la version et s'arrêter.",
    "default: {default}": "défaut : {default}",
    "required": "obligatoire",
    "Missing argument": "il manque l'argument",
    "Missing option": "il manque l'option",
    "Missing parameter": "il manque le paramètre",
    "Missing command.": "il manque une commande.",
    "No such option {name!r}.": "il n'y a pas d'option {name!r}.",
    "No such option: {name}": "il n'y a pas d'option {name}",
    "No such command {name!r}.": "il n'y a pas de commande {name!r}.",
    "Did you mean {possibility}?": "Vouliez-vous dire {possibility} ?",
    "(Did you mean one of: {possibilities}?)": "(Vouliez-vous dire : {possibilities} ?)",
    "(Possible options: {possibilities})": "(Vouliez-vous dire : {possibilities} ?)",
    "Got unexpected extra argument ({args})": "un argument de trop ({args})",
    "Got unexpected extra arguments ({args})": "des arguments de trop ({args})",
    "Invalid value: {message}": "valeur incorrecte : {message}",
    "Invalid value for {param_hint}: {message}": "valeur incorrecte pour {param_hint} : {message}",
    "Option {name!r} requires an argument.": "l'option {name!r} attend une valeur.",
    "Option {name!r} does not take a value.": "l'option {name!r} n'attend pas de valeur.",
    "{value} is not in the range {range}.": "{value} n'est pas dans l'intervalle {range}.",
    "{value!r} is not a valid {number_type}.": "{value!r} n'est pas un nombre ({number_type}).",
    "{value!r} is not {choice}.": "{value!r} n'est pas {choice}.",
    "{name} {filename!r} does not exist.": "{filename!r} n'existe pas.",
    "{name} {filename!r} is a file.": "{filename!r} est un fichier.",
    "{name} {filename!r} is a directory.": "{filename!r} est un dossier.",
    "{name} {filename!r} is not readable.": "{filename!r} ne peut être lu.",
    "{name} {filename!r} is not writable.": "{filename!r} ne peut être écrit.",
    "{value!r} is not one of {choices}.": "{value!r} n'est pas parmi {choices}.",
    "{value!r} is not a valid boolean. Recognized values: {states}": "{value!r} n'est ni oui ni non : {states}",
}


def speak(group: Any, modules: Iterable[Any], sentences: Mapping[str, str]) -> None:
    """Have click, and the usage of a group of its commands, say *sentences* for the rest of this process.

    Args:
        group: a `click.Group`.
        modules: click's own, where it looks sentences up.
        sentences: by their English.
    """

    def one(english: str) -> str:
        return sentences.get(english, english)

    def some(single: str, many: str, count: int) -> str:
        return one(single if count < 2 else many)

    for module in modules:
        for name, function in (("_", one), ("ngettext", some)):
            if hasattr(module, name):
                setattr(module, name, function)
    group.subcommand_metavar = one(group.subcommand_metavar or "COMMAND [ARGS]...")
    for command in (group, *group.commands.values()):
        command.help, command.short_help = _maybe(command.help, sentences), _maybe(command.short_help, sentences)
        for param in command.params:
            is_option = param.param_type_name == "option"
            if is_option:
                param.help = _maybe(param.help, sentences)
                if isinstance(getattr(param, "show_default", None), str):
                    param.show_default = one(param.show_default)
            shown = param.metavar or (param.name or "").upper()
            if shown in sentences:
                optional = not is_option and not param.required and not param.metavar
                param.metavar = f"[{sentences[shown]}]" if optional else sentences[shown]


def _maybe(english: str | None, sentences: Mapping[str, str]) -> str | None:
    if english is None:
        return None
    plain = "\n".join(line.strip() for line in english.strip().split("\n"))
    return sentences.get(plain, plain)
