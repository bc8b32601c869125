"""A client and a server of one team understand each other: what the server says is what its client shows.

Each rule of the server is tried on the client; those that it shows need not be searched for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from libtchat.dialect.dialect import Rule
from libtchat.dialect.generalise import generalise
from libtchat.dialect.probe import Start, Tell, Tokens
from libtchat.dialect.spread import LIST_KINDS, NONSENSE, Learning
from libtchat.dialect.template import Meaning, holes, match, write

__all__ = ["filled", "learn_from_partner"]

_HEARD = ("broadcast", "tell", "text")
_MAX_DEATHS = 4


def learn_from_partner(me: str, welcome: Any, rules: Sequence[Rule], prefix: str = "zo") -> Learning:
    """Find which of a server's *rules* the client shows; returns the welcome that suits it, these rules, what kills it.

    Args:
        me: the name of the client's user.
        welcome: what its hello is answered with if the server does not say.
    """
    tokens = Tokens(prefix)
    hello = next((rule for rule in rules if rule.kind == "hello"), None)
    if hello is not None:
        welcome = write(hello.template, Meaning("hello", {"who": me, "me": me, "dest": me, "say": "hello"}))
    barrier = None
    for rule in sorted((rule for rule in rules if rule.kind in _HEARD), key=lambda rule: _HEARD.index(rule.kind)):
        yield Start(welcome)
        message, word = _spoken(rule, me, tokens)
        seen = yield Tell((message,), word)
        if seen.alive and word in seen.screen.casefold():
            barrier = rule
            break
    if barrier is None:
        return welcome, [], ()
    found, deaths, is_alive = [], 0, True
    fatal = yield from _what_kills(barrier, me, tokens)
    if fatal:
        yield Start(welcome)
    for rule in rules:
        if not is_alive:
            yield Start(welcome)
        told, word = _spoken(barrier, me, tokens)
        seen = yield Tell((_message(rule, me, tokens)[0], told), word)
        is_alive = seen.alive
        if not is_alive:
            deaths += 1
            if deaths > _MAX_DEATHS:
                break
            continue
        if rule.kind == "hello" or _is_shown(seen.screen, word):
            found.append(rule)
    return welcome, found, fatal


def _what_kills(rule: Rule, me: str, tokens: Tokens) -> Learning:
    """See whether the client dies of what it does not know, and say so as a dialect does."""
    message, _ = _message(rule, me, tokens)
    seen = yield Tell((_nonsense(rule.template, message),))
    return () if seen.alive else ("unknown",)


def _nonsense(template: Any, message: Any) -> Any:
    """Return *message* with nonsense in place of what is fixed in its *template*."""
    if isinstance(template, dict):
        return {key: _nonsense(part, message.get(key)) for key, part in template.items()}
    return NONSENSE if isinstance(template, str) and template and not any(holes(template)) else message


def _is_shown(screen: str, word: str) -> bool:
    """Tell whether anything but a prompt stands before the line with *word*."""
    before = screen[: max(0, screen.casefold().find(word))].splitlines()[:-1]
    return any(letter.isalnum() for line in before for letter in line)


def _spoken(rule: Rule, me: str, tokens: Tokens) -> tuple[Any, str]:
    message, values = _message(rule, me, tokens)
    return message, values["text"]


def _message(rule: Rule, me: str, tokens: Tokens) -> tuple[Any, dict[str, str]]:
    values = {hole: tokens.next() for hole in ("who", "dest", "group", "text", "reason", "say")}
    if rule.copy == "own" or rule.kind == "hello":
        values["who"] = me
    if rule.copy == "dest" or rule.kind == "tell":
        values["dest"] = me
    names = (tokens.next(), tokens.next()) if rule.kind in LIST_KINDS else None
    events = None
    if rule.kind in ("messages", "states"):
        events = (Meaning("text", {"who": tokens.next(), "text": tokens.next(), "say": tokens.next()}),)
    meaning = Meaning(rule.kind, {**values, "me": me}, names, events)
    return write(rule.template, meaning, lambda entry: entry.get("say")), values


def filled(rule: Rule, seen: Iterable[tuple[str, Any]]) -> Rule:
    """Return *rule* with what it leaves out of the messages *seen*, empty: a client may look at that.

    Args:
        seen: the kind and the message.
    """
    for kind, frame in seen:
        if kind == rule.kind and match(rule.template, frame) is not None:
            return Rule(kind, _filled(rule.template, frame), rule.copy)
    return rule


def _filled(template: Any, frame: Any) -> Any:
    if isinstance(template, dict) and isinstance(frame, dict):
        missing = {key: _empty(part) for key, part in frame.items() if key not in template and part is not None}
        return {key: _filled(part, frame.get(key)) for key, part in template.items()} | missing
    if isinstance(template, list) and isinstance(frame, list) and frame:
        return [_entry(frame[0]) if template == ["{event}"] else _filled(template[0], frame[0])]
    return template


def _entry(found: Any) -> Any:
    """Return how an event is written as an entry like *found*: under the key of its longest text."""
    fields = found if isinstance(found, dict) else {}
    texts = {key: len(generalise(part, {}) or "") for key, part in fields.items() if isinstance(part, str)}
    if not texts:
        return "{event}"
    told = max(texts, key=lambda key: texts[key])
    return {key: "{event}" if key == told else _empty(part) for key, part in found.items() if part is not None}


def _empty(value: Any) -> Any:
    """Return what says nothing and is of the type of *value*."""
    return value if isinstance(value, bool) else type(value)()
