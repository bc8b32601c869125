"""Messages that hold every spelling of each key, each with its own word, and what of them a client showed."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import Any

from attrs import field

from libtchat.dialect.dialect import Wire
from libtchat.dialect.probe import Observation, Probe, Tokens, wrap
from libtchat.dialect.vocabulary import FEW, KEYS, KINDS, LIST_KEYS, LISTS_OF, SUCCESS
from libtchat.message.value import frozen

__all__ = [
    "EVENT_KINDS",
    "LIST_KINDS",
    "MOST_IN_A_SENTENCE",
    "NONSENSE",
    "TEXT_KINDS",
    "WITH_DEST",
    "Basics",
    "Finding",
    "Learning",
    "Shape",
    "barrier_of",
    "covers",
    "full",
    "hole_of",
    "is_enough",
    "smallest",
]

Learning = Generator[Probe, Observation, Any]

TEXT_KINDS = ("tell", "broadcast", "text")
LIST_KINDS = ("users", "members", "groups", "messages", "states")
EVENT_KINDS = ("create", "join", "leave", "invite", "kick", "ban", "unban", "text")
WITH_DEST = ("invite", "kick", "ban", "unban")
MOST_IN_A_SENTENCE = 4  # a program that shows more shows the message as it came
NONSENSE = "zqnonsense"


@frozen
class Shape:
    """How messages to a client are laid out: keys around them, who it is, and the keys it uses itself for each hole."""

    me: str
    path: tuple[str, ...] = ()
    action: str = "action"
    wire: Wire = Wire()
    own_keys: Mapping[str, tuple[str, ...]] = field(factory=dict, hash=False)

    def keys(self, hole: str) -> tuple[str, ...]:
        """Return the keys that *hole* may stand under, those of the program's own requests first."""
        return tuple(dict.fromkeys((*self.own_keys.get(hole, ()), *KEYS[hole])))

    def belongs(self, key: str, hole: str) -> bool:
        """Tell whether *key* may be *hole* where somebody is named: not if the program's requests say otherwise."""
        users = [each for each in ("who", "dest") if key in self.own_keys.get(each, ())]
        return hole not in ("who", "dest") or len(users) != 1 or hole in users


@frozen
class Basics:
    """What every probe of a client needs.

    Attributes:
        welcome: what its hello is answered with.
        control: what it shows of an action that there is not; None if it dies of it.
        control_keys: what of that message was on the screen.
        barrier: a message that it shows, and the key for the word that is looked for; None if there is none.
    """

    shape: Shape
    welcome: Any = field(default=None, hash=False)
    control: str | None = ""
    control_keys: tuple[str, ...] = ()
    barrier: tuple[Any, str] | None = field(default=None, hash=False)


@frozen
class Finding:
    """How one kind is shown: by the action *name*, with what under which keys.

    Attributes:
        template: what to send; None if the client shows nothing of it.
        shows: the holes that come onto the screen.
        like: what the screen says then.
        copies: those of "own" and "dest" in which it shows nothing.
        deadly: actions it died of.
    """

    kind: str
    template: Any = field(default=None, hash=False)
    shows: tuple[str, ...] = ()
    like: str = ""
    is_specific: bool = False
    only: str = ""
    tried: str = ""
    mute: tuple[str, ...] = ()
    deadly: tuple[str, ...] = ()

    @property
    def rank(self) -> tuple[bool, int]:
        """Of several the highest is best."""
        return (self.is_specific, len(self.shows))


def full(
    kind: str, action: str, shape: Shape, tokens: Tokens, variant: str = "", copy: str = ""
) -> tuple[Any, dict[str, str]]:
    """Make a message that holds every spelling of each key, each with its own word.

    Args:
        variant: "" (lists of texts), "objects" (lists of objects), "text" (lists in place of texts), "text-objects",
            "success" (with what says that all went well); "wide" in front: all keys there are, not the likeliest.
        copy: whose copy; its user is `shape.me`.
    Returns:
        The message, and word -> "hole:key" or "hole:key[]" or "hole:key[].inner".
    """
    spots: dict[str, str] = {}
    is_wide, variant = variant.startswith("wide"), variant.removeprefix("wide")

    def word(spot: str) -> str:
        token = tokens.next()
        spots[token] = spot
        return token

    def scalars(prefix: str = "") -> dict[str, Any]:
        found: dict[str, Any] = {}
        for hole in KEYS:
            keys = shape.keys(hole)
            if hole == "error" and kind != "error":
                continue
            is_me = not prefix and (
                (hole == "who" and copy == "own") or (hole == "dest" and (copy == "dest" or kind == "tell"))
            )
            few = FEW[hole] - (1 if prefix else 0)
            for key in keys if is_wide and not prefix else keys[:few]:
                if key not in found and (kind not in WITH_DEST or prefix or shape.belongs(key, hole)):
                    found[key] = shape.me if is_me else word(f"{hole}:{prefix}{key}")
        return found

    def entries(key: str, inside: str) -> list[Any]:
        if inside == "objects":
            return [scalars(key + "[].") | {each: word(f"text:{key}[].{each}") for each in ("action", "event")}]
        return [word(f"list:{key}[]")]

    body: dict[str, Any] = {shape.action: action, **scalars()}
    if kind in LIST_KINDS:
        keys = shape.keys("text")[: FEW["text"]] if variant.startswith("text") else LISTS_OF[kind]
        if is_wide and not variant.startswith("text"):
            keys = LIST_KEYS
        if "objects" in variant:
            few = (("who", 2), ("group", 1), ("text", 1))
            body = {key: word(f"{hole}:{key}") for hole, count in few for key in shape.keys(hole)[:count]}
            body[shape.action] = action
        body.update((key, entries(key, variant.removeprefix("text-"))) for key in keys)
    if variant == "success":
        body.update(SUCCESS)
    return wrap(body, shape.path), spots


def barrier_of(basics: Basics, tokens: Tokens) -> tuple[tuple[Any, ...], str]:
    """Return what to send after a probe, and the word that shows that it was shown."""
    if basics.barrier is None:
        return (), ""
    message, key = basics.barrier
    token = tokens.next()
    inner = message
    for step in basics.shape.path:
        inner = inner[step]
    return (wrap({**_without_words(inner, basics.shape), key: token}, basics.shape.path),), token


def _without_words(message: dict[str, Any], shape: Shape) -> dict[str, Any]:
    """Keep of a probe what a program may look at, with words that are never looked for."""
    return {key: value if key == shape.action or value == shape.me else _plain(value) for key, value in message.items()}


def _plain(value: Any) -> Any:
    return "x" if isinstance(value, str) else ["x"]


def hole_of(kind: str, hole: str, *, inside: bool) -> str:
    """Return which hole of *kind* a key of *hole* is: `text` is the sentence in what is no text of anybody's."""
    if hole in ("text", "error"):
        return "text" if (kind in TEXT_KINDS or (inside and kind == "messages")) and hole == "text" else "say"
    return hole


def covers(kind: str, keys: Iterable[str]) -> tuple[str, ...]:
    """Return which holes of *kind* the *keys* show; the readable sentence says them all."""
    found: dict[str, None] = {}
    for spot in keys:
        hole, _, key = spot.partition(":")
        inside = "[]" in key
        hole = "list" if hole == "list" else hole_of(kind, hole, inside=inside)
        if kind in LIST_KINDS and inside:
            found[hole if kind == "messages" else "list"] = None
            found["list"] = None
        else:
            found[hole] = None
    return tuple(found)


def smallest(kind: str, name: str, keys: Iterable[str], shape: Shape) -> Any:
    """Return the smallest template that fills what was shown: of each hole the first key."""
    body: dict[str, Any] = {}
    done = set()
    for spot in keys:
        hole, _, key = spot.partition(":")
        outer, _, inner = key.partition("[]")
        hole = hole_of(kind, hole, inside=bool(inner))
        if (hole, bool(inner)) in done and not (inner and outer in body):
            continue
        if inner:
            if any(key != outer and isinstance(part, list) for key, part in body.items()):
                continue
            entry = body.setdefault(outer, [{}])[0]
            if isinstance(entry, dict) and "{" + hole + "}" not in entry.values():
                entry[inner[1:]] = "{" + hole + "}"
        elif key.endswith("[]"):
            body[outer] = ["{event}" if kind in ("messages", "states") else "{list}"]
        else:
            body[key] = "{" + hole + "}"
        done.add((hole, bool(inner)))
    return wrap({**body, shape.action: name}, shape.path)


def is_enough(found: Finding) -> bool:
    """Tell whether nothing better than *found* needs to be looked for."""
    if not found.is_specific:
        return False
    if found.kind in LIST_KINDS:
        return "list" in found.shows or ("say" in found.shows and "objects" in found.tried)
    return "say" in found.shows or {*KINDS[found.kind].shows[:2]} <= {*found.shows}
