"""A typed line -> what it means, and back."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

from libtchat.commands.action import LocalAction, Me, More, Search
from libtchat.commands.checks import check_field, check_text
from libtchat.commands.mistyped import Mistyped, unknown, wrong_fields
from libtchat.commands.row import Command, Field, Kind
from libtchat.commands.table import BY_NAME, BY_TYPE, TEXT, find
from libtchat.guess import NO_WORDS, is_meant_to_register, nearest
from libtchat.message.request import Register, Request, Say, Tell

__all__ = ["SEMICOLON", "SLASH", "parse", "unparse"]

SLASH = re.compile(r"/([^\s;]*)(;|\s+|$)(.*)", re.DOTALL)
SEMICOLON = re.compile(r"\s*([\w-]+)\s*(;)(.*)", re.DOTALL)
_SAID = frozenset({"help me"})  # a command with its field, and yet it is said


def parse(line: str, current_group: str | None, known: Collection[str] = ()) -> Request | LocalAction:
    """Return what *line* means; a line that is no command is a text to the current group.

    Args:
        line: one typed line, without its line end; it may hold line ends of its own as part of a text.
        current_group: what an empty group means, None if there is none yet.
        known: names of groups and users, to tell `s bob hi` from a sentence.
    Returns:
        A request without `sender` and `id`, or an action for the client itself. `register;` gives a Register
        with an empty password: the caller asks for it.
    Raises:
        Mistyped: no such command, or its fields are not what it takes; nothing may be sent then.
    """
    typed = SLASH.match(line) or SEMICOLON.match(line)
    if typed is None:
        return _plain(line, current_group, known)
    word, separator, rest = typed.groups()
    command = find(word)
    if command is None:
        raise unknown(word, line)
    words = _cut(command, rest, is_slash=separator != ";")
    if len(words) > len(command.fields):
        raise wrong_fields(command)
    words += [""] * (len(command.fields) - len(words))
    values: dict[str, object] = {}
    for field, text in zip(command.fields, words, strict=True):
        if text.strip() or (text and field.kind is Kind.TEXT):
            values[field.name] = check_field(command, field, text)
        elif field.kind is Kind.GROUP and command.current_group_will_do:
            if current_group is None:
                raise Mistyped("no-group")
            values[field.name] = current_group
        elif not field.optional:
            raise wrong_fields(command)
    return _make(command, values)


def unparse(request: Request | LocalAction) -> str:
    """Return how a person types *request*; its action, if nobody can. A password is never in it."""
    command = BY_TYPE.get(type(request))
    if command is None:
        return str(getattr(request, "action", type(request).__name__))
    words = [_show(field, getattr(request, field.name)) for field in command.fields]
    while words and not words[-1]:
        words.pop()
    return ";".join([command.name, *words]) if words else f"{command.name};"


def _plain(line: str, current_group: str | None, known: Collection[str]) -> Say:
    text = line.strip()
    if not text:
        raise Mistyped("empty")
    if len(text.split(None, 1)) == 2:
        _refuse_spaced(text, current_group, known)
    bare = find(text) or _nearly(text)
    if bare is not None:
        raise Mistyped("bare", form=bare.form, word=text)
    if current_group is None:
        raise Mistyped("no-group")
    return Say(current_group, check_text(BY_TYPE[Say], TEXT, line))


def _refuse_spaced(text: str, current_group: str | None, known: Collection[str]) -> None:
    """Raise Mistyped if *text* is a command typed with spaces, which must not go to a group: `kick wob bob spam`."""
    if is_meant_to_register(text):
        raise Mistyped("register")
    word, rest = text.split(None, 1)
    command = find(word)
    if command is None or word.startswith("/") or not command.fields or command.makes in (Me, More, Search):
        return
    if text.casefold() in _SAID:
        return
    words = _cut(command, rest, is_slash=True)
    names = {current_group, *known}
    is_sentence = command.fields[-1].kind in (Kind.TEXT, Kind.REASON) and " " in words[-1]
    if command.fields[-1].kind is Kind.TEXT and len(words) < len(command.fields):
        return
    if (is_sentence or command.makes is Tell) and word.casefold() not in NO_WORDS and not names & {*words}:
        return
    try:
        for field, value in zip(command.fields, words, strict=False):
            if value:
                check_field(command, field, value)
    except Mistyped:
        return
    raise Mistyped("spaced", typed=";".join([command.name, *words]), line=text)


def _nearly(text: str) -> Command | None:
    """Return the command that a one-word text is most likely meant to be: `memebrs` without its `;`."""
    near = nearest(text, BY_NAME, cutoff=0.8) if 5 <= len(text) <= 12 else None
    return None if near is None else BY_NAME[near]


def _cut(command: Command, rest: str, *, is_slash: bool) -> list[str]:
    """Cut *rest* at the first N separators, N one less than the fields; the last field takes what is left."""
    cuts = len(command.fields) - 1
    if cuts < 0:
        return [rest] if rest.strip() else []
    if not is_slash:
        return rest.split(";", cuts)
    words = rest.split(None, cuts)
    required = sum(not field.optional for field in command.fields)
    if len(words) == required - 1 and command.current_group_will_do and command.fields[0].kind is Kind.GROUP:
        # `/kick bob`: one word short can only mean the current group
        words = ["", *rest.split(None, max(cuts - 1, 0))]
    return words


def _make(command: Command, values: Mapping[str, object]) -> Request | LocalAction:
    make: Callable[..., Request | LocalAction] = command.makes
    return make(**({"password": ""} if make is Register else {}) | dict(values))


def _show(field: Field, value: object) -> str:
    if value is None or value is False:
        return ""
    if field.is_secret:
        return "***"
    if value is True:
        return "private" if field.kind is Kind.PRIVACY else "on"
    return str(value)
