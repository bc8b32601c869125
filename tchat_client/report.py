"""What ended a command, in one line on standard error: a sentence, or with `--json` one object."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from libtchat.commands import Mistyped
from libtchat.message.errors import CommandError
from tchat_client.errors import HelloRefused, LinkError, Misused, Refused
from tchat_client.language import Language, choose
from tchat_client.render import Renderer
from tchat_client.sanitise import json_line

__all__ = ["complain", "language_of", "tell"]


def tell(arguments: Sequence[str], problem: LinkError | Refused | CommandError) -> int:
    """Print one line for what ended the command; return the exit code."""
    renderer = Renderer(language_of(arguments))
    if isinstance(problem, LinkError):
        complain(arguments, problem.key, renderer.failure(problem))
        return problem.exit_code
    if isinstance(problem, Mistyped):
        complain(arguments, str(problem.code), renderer.mistyped(problem))
        return Misused.exit_code
    if isinstance(problem, CommandError):
        complain(arguments, str(problem.code), problem.detail)
        return Misused.exit_code
    renderer.me = problem.name if isinstance(problem, HelloRefused) else getattr(problem.request, "sender", None) or ""
    if "--json" in arguments:
        _print(json_line(problem.error))
    else:
        complain(arguments, problem.error.code, renderer.refusal(problem.error, problem.request))
    return problem.exit_code


def complain(arguments: Sequence[str], code: str, text: str) -> None:
    """Print what went wrong: *code* for programs, *text* for people."""
    if "--json" in arguments:
        _print(json_line({"action": "error", "code": code, "msg": text}))
    else:
        _print(language_of(arguments).text("error-prefix", text=text))


def language_of(arguments: Sequence[str]) -> Language:
    """Return the language for a complaint, which may be about the options themselves."""
    return choose(_value_of(arguments, "--lang"), os.environ)


def _value_of(arguments: Sequence[str], option: str) -> str | None:
    for at, word in enumerate(arguments):
        if word == option and at + 1 < len(arguments):
            return arguments[at + 1]
        if word.startswith(option + "="):
            return word[len(option) + 1 :]
    return None


def _print(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
