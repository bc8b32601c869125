"""What a server's answer leaves out and follows from what was asked: who did it, to whom, in which group."""

from __future__ import annotations

from attrs import evolve

from libtchat.dialect.canonical import message_of, sentence
from libtchat.dialect.template import Meaning

__all__ = ["completed"]


def completed(meaning: Meaning, asked: Meaning | None, me: str) -> Meaning:
    """Return *meaning* with what follows from *asked*, which it answers, and from *me*, the client's name.

    Who did it is added in one's own copy, to whom in the victim's, and what was asked for in both.
    """
    values = dict(meaning.values)
    if meaning.copy == "own":
        values.setdefault("who", me)
    if meaning.copy == "dest":
        values.setdefault("dest", me)
    if asked is not None and meaning.kind == asked.kind:
        for hole in ("group", "dest", "reason", "text"):
            if hole in asked.values and (meaning.copy == "own" or hole == "group"):
                values.setdefault(hole, asked.values[hole])
    raw = values.pop("raw", "")
    values.pop("about", None)
    if "say" not in values:
        values["say"] = _sentence(evolve(meaning, values=values), raw, me)
    return evolve(meaning, values=values)


def _sentence(meaning: Meaning, raw: str, me: str) -> str:
    if raw and (meaning.kind in ("error", "hello", "quit") or message_of(meaning, me, "", lambda _: 1, None) is None):
        return raw
    return sentence(meaning, me)
