"""What a learner asks a laboratory to do with a program, and what it sees: values both can be written down.

A learner is a generator: it yields a probe, is sent the observation, and returns what it learnt. It knows no process,
socket or clock, so recorded observations teach it the same again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from attrs import define, field

from libtchat.dialect.vocabulary import ACTION_KEYS, WRAPPERS
from libtchat.message.value import frozen

__all__ = [
    "Await",
    "Observation",
    "Probe",
    "Start",
    "Tell",
    "Tokens",
    "Type",
    "action_path",
    "conduct",
    "frames",
    "pattern",
    "shown",
    "texts_of",
    "value_at",
    "wrap",
]

_Probe = TypeVar("_Probe")
_Seen = TypeVar("_Seen")
_Learnt = TypeVar("_Learnt")


def conduct(learner: Generator[_Probe, _Seen, _Learnt], observe: Callable[[_Probe], _Seen]) -> _Learnt:
    """Do by *observe* what *learner* asks for until it knows; return what it learnt."""
    try:
        probe = next(learner)
        while True:
            probe = learner.send(observe(probe))
    except StopIteration as done:
        learnt: _Learnt = done.value
        return learnt


@frozen
class Start:
    """Start the client anew, wait for its first message, and answer that with *welcome* (None: nothing)."""

    welcome: Any = field(default=None, hash=False)


@frozen
class Type:
    """Type *lines*, the next one while the program sends nothing; end when it has sent something."""

    lines: tuple[str, ...]


@frozen
class Tell:
    """Send *messages* to the client, apart; then wait until *until* is on the screen, or until nothing more comes."""

    messages: tuple[Any, ...] = field(hash=False)
    until: str = ""


@frozen
class Await:
    """Wait long for the client to send something, or to show something; if it does, wait for everything as long."""

    is_shown: bool = False


Probe = Start | Type | Tell | Await


@frozen
class Observation:
    """What a probe led to.

    Attributes:
        sent: what the program sent, as it came.
        screen: what it showed, without the terminal's controls.
        alive: it still runs and is connected.
        typed: how many lines were typed until it sent something.
    """

    sent: str = ""
    screen: str = ""
    alive: bool = True
    typed: int = 0


_LETTERS = "bcdfghjkmnpqrtvwx"


@define
class Tokens:
    """Words that nobody would write: letters only, in lower case, the same at every run."""

    prefix: str = "zq"
    count: int = 0

    def next(self) -> str:
        """Return a word that was not there before."""
        self.count += 1
        rest, word = self.count, ""
        for _ in range(4):
            rest, digit = divmod(rest, len(_LETTERS))
            word = _LETTERS[digit] + word
        return self.prefix + word


def frames(sent: str) -> list[tuple[Any, str, str]]:
    """Cut *sent* into JSON objects: each with its text, and the white space behind it. What is none is passed over."""
    found = []
    at = sent.find("{")
    while at >= 0:
        try:
            value, end = _DECODER.raw_decode(sent, at)
        except (ValueError, RecursionError):
            at = sent.find("{", at + 1)
            continue
        rest = sent[end:]
        space = rest[: len(rest) - len(rest.lstrip())]
        found.append((value, sent[at:end], space))
        at = sent.find("{", end)
    return found


_DECODER = json.JSONDecoder()


def wrap(message: Any, path: Iterable[str]) -> Any:
    """Put *message* under the keys of *path*, the outermost first."""
    for key in reversed([*path]):
        message = {key: message}
    return message


def pattern(screen: str, spots: Mapping[str, str], *words: str) -> str:
    """Return *screen* with each word of *spots* replaced by what it stands for, numbers and *words* made equal."""
    text = screen
    for token in sorted(spots, key=len, reverse=True):
        text = re.sub(re.escape(token), "\u27e8" + spots[token] + "\u27e9", text, flags=re.IGNORECASE)
    for word in words:
        text = text.replace(word, "\u2026")
    lines = [re.sub(r"\s+", " ", re.sub(r"\d+", "0", line)).strip() for line in text.splitlines()]
    return "\n".join(line for line in lines if line)


def shown(screen: str, spots: Mapping[str, str]) -> Iterator[str]:
    """Go through what stands on the screen of *spots*, in their order."""
    low = screen.casefold()
    return (spot for token, spot in spots.items() if token in low)


def action_path(value: Any, me: str) -> tuple[str, ...]:
    """Return where *value* says what it is."""
    if isinstance(value, dict):
        for key in ACTION_KEYS:
            if isinstance(value.get(key), str):
                return (key,)
        for key in (*WRAPPERS, *value):
            if isinstance(value.get(key), dict):
                return (key, *action_path(value[key], me))
        for key, part in value.items():
            if isinstance(part, str) and me not in part:
                return (key,)
    return ("action",)


def value_at(value: Any, path: Iterable[str]) -> Any:
    """Return what stands at *path* in *value*, None if nothing does."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def texts_of(value: Any) -> Iterator[str]:
    """Go through all texts in *value*."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts_of(part)
