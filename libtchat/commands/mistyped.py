"""What is wrong with a typed line, and what was most likely meant."""

from __future__ import annotations

from collections.abc import Mapping

from libtchat.commands.row import Command
from libtchat.commands.table import BY_NAME
from libtchat.guess import ELSEWHERE, is_meant_to_register, nearest
from libtchat.message.errors import CommandError, ErrorCode

__all__ = ["PROBLEMS", "Mistyped", "unknown", "wrong_fields"]

PROBLEMS: Mapping[str, tuple[ErrorCode, str]] = {
    "empty": (ErrorCode.BAD_REQUEST, "nothing was typed"),
    "unknown": (ErrorCode.UNKNOWN_ACTION, "unknown command '{word}': /help lists them, bg;;{line} sends it as text"),
    "near": (ErrorCode.UNKNOWN_ACTION, "unknown command '{word}', did you mean {suggestion}?"),
    "bare": (ErrorCode.UNKNOWN_ACTION, "for the command type {form}, to say it type bg;;{word}"),
    "spaced": (ErrorCode.UNKNOWN_ACTION, "for the command type {typed}, to say it type bg;;{line}"),
    "register": (ErrorCode.BAD_REQUEST, "nothing was sent: type register; alone, and the password is asked for"),
    "irc": (ErrorCode.UNKNOWN_ACTION, "no command '{word}' here: {form} does that"),
    "no-irc": (ErrorCode.UNKNOWN_ACTION, "there is no '{word}' here: /help lists what there is"),
    "fields": (ErrorCode.BAD_REQUEST, "{name} takes {takes}, for example {example}"),
    "no-fields": (ErrorCode.BAD_REQUEST, "{name} takes nothing more: {example}"),
    "no-group": (ErrorCode.BAD_REQUEST, "no current group yet: join one (j;wob) or choose one (/use wob)"),
    "name": (ErrorCode.BAD_NAME, "'{value}' cannot be a {word} name: 1 to {limit} letters, digits or _ - ."),
    "too-large": (ErrorCode.TOO_LARGE, "the {word} has {size} bytes, at most {limit} can be sent"),
    "text": (ErrorCode.BAD_REQUEST, "the {word} holds a character that cannot be sent"),
    "number": (ErrorCode.BAD_REQUEST, "'{value}' is no number from 1 to {limit}: {form}"),
    "choice": (ErrorCode.BAD_REQUEST, "'{value}' cannot be: {form}"),
    "json": (ErrorCode.BAD_JSON, "that is no JSON object: {example}"),
}
"""What can be wrong with a typed line: its code and its English sentence."""


class Mistyped(CommandError):
    """What was typed is no command.

    Attributes:
        problem: which row of PROBLEMS.
        values: what its sentence names, for another language's sentence; clipped, not sanitised.
    """

    def __init__(self, problem: str, **values: object) -> None:
        code, sentence = PROBLEMS[problem]
        self.problem = problem
        self.values: dict[str, str] = {key: _clip(str(value)) for key, value in values.items()}
        super().__init__(code, sentence.format_map(self.values))


def unknown(word: str, line: str) -> Mistyped:
    """Return what is wrong with *line*, which begins with *word*, no command: with the one it was meant to be."""
    if is_meant_to_register(word):
        return Mistyped("register")
    if word.casefold() in ELSEWHERE:
        ours = ELSEWHERE[word.casefold()]
        return Mistyped("no-irc", word=word) if ours is None else Mistyped("irc", word=word, form=BY_NAME[ours].form)
    near = nearest(word, BY_NAME)
    if near is not None:
        return Mistyped("near", word=word, suggestion=BY_NAME[near].form)
    return Mistyped("unknown", word=word, line=line)


def wrong_fields(command: Command) -> Mistyped:
    """Return that *command* takes other fields, and which."""
    problem = "fields" if command.fields else "no-fields"
    return Mistyped(problem, name=command.name, takes=command.takes, example=command.example)


def _clip(text: str, most: int = 80) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
