"""Read what a server of another dialect says: the rule that knows most of a message, or what can be made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve

from libtchat.dialect.answers import is_refusal
from libtchat.dialect.canonical import is_same, sentence
from libtchat.dialect.dialect import Dialect, Rule
from libtchat.dialect.template import Match, Meaning, match
from libtchat.wire.lenient import text_of

__all__ = ["read_answer"]

_LISTS = ("users", "members", "groups")


def read_answer(server: Dialect, found: Any, me: str, asked: Sequence[str]) -> Meaning:
    """Return what *server* says to *me* by *found*.

    Args:
        asked: the kinds of the requests that wait for their answer.
    Returns:
        The meaning; `raw` among its values is the server's own sentence, for what has no better one, and `about` the
        kind that an error is known to be about.
    """
    best: tuple[int, Meaning] | None = None
    for rule in server.answers:
        one = match(rule.template, found)
        if one is None or not _may_be(rule, one.values, me, asked):
            continue
        if rule.kind != "error" and is_refusal(found, rule.template):
            continue  # some repeat what they were asked, and say under one key more that they will not
        score = one.score * 4 + 2 * (rule.copy != "") + (rule.kind in asked)
        if best is None or score > best[0]:
            best = (score, _meaning(rule, one, me))
    if best is None:
        return _unread(server, found, asked)
    meaning, own_words = best[1], _sentence_of(_inner(found, server))
    if meaning.kind in server.typed:
        return Meaning("say", {"say": own_words or sentence(meaning, me)})
    if meaning.kind == "error":
        meaning = evolve(meaning, values={**meaning.values, "about": _about(server, found, asked)})
    if not own_words and meaning.kind == "error":
        own_words = str(server.action_of(found) or "")  # some have an action for each
    is_said = "say" in meaning.values or meaning.kind in ("tell", "broadcast", "text") or meaning.list is not None
    return meaning if is_said or not own_words else evolve(meaning, values={**meaning.values, "raw": own_words})


def _meaning(rule: Rule, one: Match, me: str) -> Meaning:
    copy = rule.copy or ("own" if is_same(one.values.get("who", ""), me) else "")
    copy = copy or ("dest" if is_same(one.values.get("dest", ""), me) else "")
    entries = None if one.entries is None else tuple(_entry(rule.kind, entry) for entry in one.entries)
    if rule.kind not in _LISTS:
        return Meaning(rule.kind, one.values, one.list, entries, copy)
    names = one.list
    if names is None and entries is not None:
        first, other = ("group", "who") if rule.kind == "groups" else ("who", "group")
        names = tuple(e.get(first) or e.get(other) or e.get("say") or e.get("text") for e in entries)
    return Meaning(rule.kind, one.values, names, None, copy)


def _may_be(rule: Rule, values: Mapping[str, str], me: str, asked: Sequence[str]) -> bool:
    who, dest = values.get("who"), values.get("dest")
    if rule.copy == "own":
        return is_same(who, me) if who is not None else rule.kind in asked
    return rule.copy != "dest" or dest is None or is_same(dest, me)


def _unread(server: Dialect, found: Any, asked: Sequence[str]) -> Meaning:
    """Return what can be made of a message that no rule reads: its text, as an error if something was asked."""
    text = _sentence_of(_inner(found, server)) or json.dumps(found, ensure_ascii=False)
    about = _about(server, found, asked)
    return Meaning("error", {"say": text, "about": about}) if about else Meaning("say", {"say": text})


def _about(server: Dialect, found: Any, asked: Sequence[str]) -> str:
    """Return which of the kinds *asked* for a refusal is about, by its action or the request's name in it, else ""."""
    quoted = [part for part in _inner(found, server).values() if isinstance(part, str)]
    named = next((kind for kind in asked if server.action_of(server.requests.get(kind)) in quoted), "")
    if named:
        return named
    action = server.action_of(found)
    rules = [rule for rule in server.answers if rule.kind != "error" and server.action_of(rule.template) == action]
    kinds = {rule.kind for rule in rules} if isinstance(action, str) else set()
    return next((kind for kind in asked if kind in kinds), "")


def _sentence_of(found: Mapping[str, Any]) -> str:
    """Return the text that *found* has for people: under a key known for that, or what looks like one."""
    texts = [part for part in found.values() if isinstance(part, str) and " " in part.strip()]
    return text_of(found) or max(texts, key=len, default="")


def _inner(found: Any, dialect: Dialect) -> Mapping[str, Any]:
    for key in dialect.action[:-1]:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _entry(kind: str, values: Mapping[str, str]) -> Meaning:
    if kind == "messages" and {"who", "text"} <= values.keys():
        return Meaning("text", values)
    return Meaning("say", {"say": values.get("event") or values.get("say") or " ".join(values.values()), **values})
