"""Learn a client: what it sends for what is typed, and what it shows of what it is sent.

First the requests (`learn_requests`), then what all probes need (`learn_basics`), then each kind of answer
(`learn_answers`, which may be shared out among several runs of the program), then the dialect (`assemble`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

from attrs import define, evolve, field

from libtchat.dialect.dialect import Dialect, Rule, Wire
from libtchat.dialect.probe import Observation, Probe, Start, Tell, Tokens, pattern, shown, wrap
from libtchat.dialect.template import Meaning, write
from libtchat.dialect.vocabulary import FEW, KEYS, KINDS, LIST_KEYS, LISTS_OF, SUCCESS, kind_of_name, names_of
from libtchat.value import frozen

__all__ = ["Basics", "Finding", "Learning", "Shape", "learn_answers", "learn_basics"]

Learning = Generator[Probe, Observation, Any]

TEXT_KINDS = ("tell", "broadcast", "text")
LIST_KINDS = ("users", "members", "groups", "messages", "states")
EVENT_KINDS = ("create", "join", "leave", "invite", "kick", "ban", "unban", "text")
WITH_DEST = ("invite", "kick", "ban", "unban")
_MAX_NAMES_IF_DEADLY = 14
_NONSENSE = "zqnonsense"


@frozen
class Shape:
    """How messages to a client are laid out: keys around them, and who it is."""

    me: str
    path: tuple[str, ...] = ()
    action: str = "action"
    wire: Wire = Wire()


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
    mute: tuple[str, ...] = ()
    deadly: tuple[str, ...] = ()

    @property
    def rank(self) -> tuple[bool, int]:
        """Of several the highest is best."""
        return (self.is_specific, len(self.shows))


def full(kind: str, action: str, shape: Shape, tokens: Tokens, variant: str = "", copy: str = "") -> tuple[Any, dict[str, str]]:
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
        for hole, keys in KEYS.items():
            if hole == "error" and kind != "error":
                continue
            is_me = not prefix and ((hole == "who" and copy == "own") or (hole == "dest" and (copy == "dest" or kind == "tell")))
            few = FEW[hole] - (1 if prefix else 0)
            for key in keys if is_wide and not prefix else keys[:few]:
                if key not in found:
                    found[key] = shape.me if is_me else word(f"{hole}:{prefix}{key}")
        return found

    def entries(key: str, inside: str) -> list[Any]:
        if inside == "objects":
            return [scalars(key + "[].") | {"action": word(f"text:{key}[].action")}]
        return [word(f"list:{key}[]")]

    body: dict[str, Any] = {shape.action: action, **scalars()}
    if kind in LIST_KINDS:
        keys = KEYS["text"][: FEW["text"]] if variant.startswith("text") else LISTS_OF[kind]
        if is_wide and not variant.startswith("text"):
            keys = LIST_KEYS
        if "objects" in variant:
            body = {shape.action: action, "from": word("who:from"), "group": word("group:group"), "msg": word("text:msg")}
        body.update((key, entries(key, variant.removeprefix("text-"))) for key in keys)
    if variant == "success":
        body.update(SUCCESS)
    return wrap(body, shape.path), spots


def learn_basics(shape: Shape, own: Mapping[str, str], welcome: Any) -> Learning:
    """Find what a nonsense action does and what is surely shown; returns Basics."""
    tokens = Tokens("zp")
    for path in dict.fromkeys((shape.path, ())):
        basics = Basics(evolve(shape, path=path), welcome)
        seen = yield Start(welcome)
        message, spots = full("say", _NONSENSE, basics.shape, tokens)
        seen = yield Tell((message,))
        deadly = not seen.alive
        if not deadly:
            keys = tuple(shown(seen.screen, spots))
            basics = evolve(basics, control=pattern(seen.screen, spots, _NONSENSE), control_keys=keys)
        else:
            basics = evolve(basics, control=None)
        names = [(kind, name) for kind in TEXT_KINDS for name in names_of(kind, own.get(kind))[:8]]
        names += [("say", name) for name in KINDS["say"].names] + [("error", "error")]
        for kind, name in names:
            if not seen.alive:
                seen = yield Start(welcome)
            message, spots = full(kind, name, basics.shape, tokens)
            seen = yield Tell((message,))
            keys = tuple(spot for spot in shown(seen.screen, spots) if "[" not in spot)
            texts = [spot for spot in keys if spot.startswith("text:")]
            if seen.alive and keys:
                return evolve(basics, barrier=(message, (texts or [*keys])[0].partition(":")[2]))
    return basics


def _barrier(basics: Basics, tokens: Tokens) -> tuple[tuple[Any, ...], str]:
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


def learn_answers(
    basics: Basics, kinds: Sequence[str], own: Mapping[str, str], words: Iterable[str] = (), prefix: str = "za"
) -> Learning:
    """Find how each of *kinds* is shown; returns a list of Finding.

    Args:
        own: what the client calls its requests.
        words: further names of actions to try, found elsewhere.
    """
    prober = _Prober(basics, Tokens(prefix))
    found = []
    for kind in kinds:
        names = [*names_of(kind, own.get(kind))]
        names[4:4] = [word for word in words if kind_of_name(word) == kind and word not in names]
        found.append((yield from prober.learn(kind, names)))
    return found


@define
class _Prober:
    basics: Basics
    tokens: Tokens
    alive: bool = False
    deadly: list[str] = field(factory=list)

    def learn(self, kind: str, names: Sequence[str]) -> Learning:
        self.deadly = []
        if self.basics.control is None:
            names = names[:_MAX_NAMES_IF_DEADLY]
        copies = {"invite": ("dest", "", "own"), "create": ("own", "")}.get(kind, ("", "dest", "own"))
        best = Finding(kind)
        for copy in copies:
            if (copy == "dest" and kind not in WITH_DEST) or (copy == "own" and kind not in EVENT_KINDS):
                continue
            for name in names:
                if name in self.deadly:
                    continue
                found = yield from self.try_name(kind, name, copy)
                if found.rank > best.rank:
                    best = found
                if _is_enough(best):
                    break
            if best.is_specific:
                break
        if not best.is_specific:
            for name in names[:8]:
                if name not in self.deadly:
                    found = yield from self.try_name(kind, name, copies[0], "wide")
                    best = found if found.rank > best.rank else best
        if best.template is not None:
            best = yield from self.reduce(best)
        return evolve(best, deadly=tuple(self.deadly))

    def try_name(self, kind: str, name: str, copy: str, wide: str = "") -> Learning:
        best = Finding(kind)
        variants = ("", "objects", "text", "text-objects") if kind in LIST_KINDS else ("", "success")
        for variant in variants:
            message, spots = full(kind, name, self.basics.shape, self.tokens, wide + variant, copy)
            seen = yield from self.tell(message)
            if not seen.alive:
                if variant == variants[-1] or self.basics.control is None:
                    self.deadly.append(name)
                    return best
                continue
            like = pattern(seen.screen, spots, name)
            keys = tuple(dict.fromkeys(shown(seen.screen, spots)))
            is_specific = bool(like) and like != self.basics.control
            found = Finding(kind, self.template(kind, name, keys), _covers(kind, keys), like, is_specific, copy)
            if found.rank > best.rank and (keys or is_specific):
                best = found
            if _is_enough(best) or (kind in LIST_KINDS and not is_specific):
                break
            if kind not in LIST_KINDS and (like or self.basics.control):
                break  # the second variant is for those that show nothing
        return best

    def template(self, kind: str, name: str, keys: Sequence[str]) -> Any:
        """Return the smallest template that fills what was shown: of each hole the first key."""
        body: dict[str, Any] = {}
        done = set()
        for spot in keys:
            hole, _, key = spot.partition(":")
            outer, _, inner = key.partition("[]")
            hole = _hole(kind, hole, inside=bool(inner))
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
        return wrap({**body, self.basics.shape.action: name}, self.basics.shape.path)

    def reduce(self, found: Finding) -> Learning:
        """See whether the template alone is shown like the message with everything, and in whose copies."""
        like = yield from self.play(found.template, found.kind, found.only)
        if like is None or _holes_shown(like) < len(found.shows):
            template = self.enrich(found.kind, found.template)
            richer = yield from self.play(template, found.kind, found.only)
            if richer is not None and (like is None or _holes_shown(richer) >= _holes_shown(like)):
                found, like = evolve(found, template=template), richer
        if like is None:
            return evolve(found, template=None, is_specific=False, shows=())
        mute = []
        for copy in ("own", "dest", ""):
            if copy == found.only or (copy == "dest" and found.kind not in WITH_DEST):
                continue
            if found.kind in EVENT_KINDS and copy != found.only:
                if copy == "" and not found.only:
                    continue
                shows = yield from self.play(found.template, found.kind, copy)
                if not shows or shows == self.basics.control:
                    mute.append(copy)
        return evolve(found, mute=tuple(mute), like=like or found.like)

    def enrich(self, kind: str, template: Any) -> Any:
        """Add every spelling of each hole to a template: something that is not shown is looked at."""
        body = template
        for step in self.basics.shape.path:
            body = body[step]
        more = dict(body)
        for hole, keys in KEYS.items():
            if hole != "error":
                for key in keys[: 6 if hole != "text" else 5]:
                    more.setdefault(key, "{" + _hole(kind, hole, inside=False) + "}")
        return wrap(more, self.basics.shape.path)

    def play(self, template: Any, kind: str, copy: str) -> Learning:
        """Send what *template* makes of fresh words; return what is shown, None if the client dies or shows nothing."""
        holes = ("who", "dest", "group", "text", "reason", "say")
        values = {hole: self.tokens.next() for hole in holes}
        spots = {token: hole for hole, token in values.items()}
        if copy == "own":
            values["who"] = self.basics.shape.me
        if copy == "dest" or kind == "tell":
            values["dest"] = self.basics.shape.me
        names = (self.tokens.next(), self.tokens.next())
        spots |= dict.fromkeys(names, "list")
        events = None
        if kind in ("messages", "states"):
            events = (Meaning("text", {"who": names[0], "text": names[1], "say": f"{names[0]}: {names[1]}"}),)
        message = write(template, Meaning(kind, values, names, events), lambda entry: entry.get("say"))
        seen = yield from self.tell(message)
        return pattern(seen.screen, spots) or None if seen.alive else None

    def tell(self, message: Any) -> Learning:
        """Send *message* and what shows that it was read; start the client before if it died."""
        if not self.alive:
            yield Start(self.basics.welcome)
        after, until = _barrier(self.basics, self.tokens)
        seen = yield Tell((message, *after), until)
        self.alive = seen.alive
        if not seen.alive and self.basics.control is not None and after:
            yield Start(self.basics.welcome)  # was it the message, or two of them in one read?
            seen = yield Tell((message,))
            self.alive = seen.alive
        return seen


def _hole(kind: str, hole: str, *, inside: bool) -> str:
    if hole in ("text", "error"):
        return "text" if (kind in TEXT_KINDS or (inside and kind == "messages")) and hole == "text" else "say"
    return hole


def _covers(kind: str, keys: Iterable[str]) -> tuple[str, ...]:
    """Return which holes of *kind* the *keys* show; the readable sentence says them all."""
    found: dict[str, None] = {}
    for spot in keys:
        hole, _, key = spot.partition(":")
        inside = "[]" in key
        hole = "list" if hole == "list" else _hole(kind, hole, inside=inside)
        if kind in LIST_KINDS and inside:
            found[hole if kind == "messages" else "list"] = None
            found["list"] = None
        else:
            found[hole] = None
    return tuple(found)


def _is_enough(found: Finding) -> bool:
    if not found.is_specific:
        return False
    if found.kind in LIST_KINDS:
        return "list" in found.shows
    return "say" in found.shows or {*KINDS[found.kind].shows[:2]} <= {*found.shows}


def _holes_shown(like: str) -> int:
    return len({part.partition("\u27e9")[0] for part in like.split("\u27e8")[1:]})
