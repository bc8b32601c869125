"""Learn a client: what it sends for what is typed, and what it shows of what it is sent.

First the requests (`learn_requests`), then what all probes need (`learn_basics`), then each kind of answer
(`learn_answers`, which may be shared out among several runs of the program), then the dialect (`assemble`).
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

from attrs import define, evolve, field

from libtchat.dialect.dialect import Dialect, Rule, Wire
from libtchat.dialect.probe import Observation, Probe, Start, Tell, Tokens, pattern, shown, wrap
from libtchat.dialect.template import Meaning, holes, write
from libtchat.dialect.vocabulary import ANSWERS, FEW, KEYS, KINDS, LIST_KEYS, LISTS_OF, SUCCESS, kind_of_name, names_of
from libtchat.value import frozen

__all__ = ["Basics", "Finding", "Learning", "Shape", "assemble", "full", "learn_answers", "learn_basics"]

Learning = Generator[Probe, Observation, Any]

TEXT_KINDS = ("tell", "broadcast", "text")
LIST_KINDS = ("users", "members", "groups", "messages", "states")
EVENT_KINDS = ("create", "join", "leave", "invite", "kick", "ban", "unban", "text")
WITH_DEST = ("invite", "kick", "ban", "unban")
_MAX_NAMES_IF_DEADLY = 16
_MAX_NAMES = 36
_LATER_NAMES = 8  # tried again in other copies
_WIDE_NAMES = 6
_MOST_IN_A_SENTENCE = 4  # a program that shows more shows the message as it came
_NONSENSE = "zqnonsense"


# What languages show of what is not there.
_NOTHING = re.compile(r"\b(?:undefined|None|null|NaN|nil)\b")


_USER = re.compile("\u27e8(?:who|dest)[^\u27e9]*\u27e9")
_ANYBODY = "\u27e8user\u27e9"


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
        for hole in KEYS:
            keys = shape.keys(hole)
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
        names = [(kind, name) for kind in TEXT_KINDS for name in [*names_of(kind, own.get(kind))][:10]]
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
    yield from prober.prepare()
    found = []
    for kind in kinds:
        affixes = names_of(kind, own.get(kind), tuple(prober.affixes))
        names = [*affixes]
        more = [word for word in words if kind_of_name(word) == kind and word not in names[:3]]
        names = [*dict.fromkeys([*names[:3], *more, *names[3:]])]
        prober.affixes_of = {name: affix for name, affix in affixes.items() if name in names[:8]} | dict.fromkeys(names[8:], "")
        finding = yield from prober.learn(kind, names[:_MAX_NAMES])
        prober.note(finding, affixes)
        found.append(finding)
    return found


@define
class _Prober:
    basics: Basics
    tokens: Tokens
    alive: bool = False
    control: str = ""
    behind: str = ""
    deadly: list[str] = field(factory=list)
    affixes: dict[str, None] = field(factory=dict)
    affixes_of: Mapping[str, str] = field(factory=dict)

    def prepare(self) -> Learning:
        """See what the barrier looks like by itself, and behind what the program does not know."""
        seen = yield from self.tell(None)
        self.behind = seen
        if self.basics.control is not None:
            message, spots = full("say", _NONSENSE, self.basics.shape, self.tokens)
            seen = yield from self.tell(message)
            self.control = pattern(seen, spots, _NONSENSE) if self.alive else ""

    def note(self, finding: Finding, affixes: Mapping[str, str]) -> None:
        """Remember how the program makes its names."""
        name = _action(finding.template, self.basics.shape)
        if finding.is_specific and affixes.get(name, "{0}").count("{own}"):
            self.affixes[affixes[name]] = None

    def learn(self, kind: str, names: Sequence[str]) -> Learning:
        self.deadly = []
        if self.basics.control is None:
            names = names[:_MAX_NAMES_IF_DEADLY]
        copies: tuple[str, ...] = {"invite": ("dest", "", "own"), "create": ("own", "")}.get(kind, ("", "dest", "own"))
        if self.basics.control is None:
            copies = copies[:1]
        is_told_all = any(spot.startswith("text:") for spot in self.basics.control_keys)
        later = _LATER_NAMES // (3 if is_told_all else 1)
        best = Finding(kind)
        for copy in copies:
            if (copy == "dest" and kind not in WITH_DEST) or (copy == "own" and kind not in EVENT_KINDS):
                continue
            for name in names if copy == copies[0] else names[:later]:
                if name in self.deadly:
                    continue
                found = yield from self.try_name(kind, name, copy)
                if found.rank > best.rank:
                    best = found
                if _is_enough(best):
                    break
            if best.is_specific:
                break
        if not best.is_specific and self.basics.control is not None and not is_told_all:
            for name in names[:_WIDE_NAMES]:
                if name not in self.deadly:
                    found = yield from self.try_name(kind, name, copies[0], "wide")
                    best = found if found.rank > best.rank else best
        if best.is_specific:
            best = yield from self.reduce(best)
        return evolve(best, deadly=tuple(self.deadly))

    def try_name(self, kind: str, name: str, copy: str, wide: str = "") -> Learning:
        best = Finding(kind)
        variants = ("", "objects", "text", "text-objects") if kind in LIST_KINDS else ("", "success")
        if kind not in LIST_KINDS and "{own}" not in self.affixes_of.get(name, "{own}"):
            variants = ("",)
        for variant in variants if self.basics.control is not None else variants[: len(variants) // 2]:
            message, spots = full(kind, name, self.basics.shape, self.tokens, wide + variant, copy)
            screen = yield from self.tell(message)
            if not self.alive:
                if variant in (variants[-1], variants[len(variants) // 2 - 1] if self.basics.control is None else variants[-1]):
                    self.deadly.append(name)
                    return best
                continue
            like = pattern(screen, spots, name)
            keys = tuple(dict.fromkeys(shown(screen, spots)))
            is_specific = bool(like) and not self.is_default(like) and len(keys) <= max(5, 0.6 * len(spots))
            found = Finding(kind, self.template(kind, name, keys), _covers(kind, keys), like, is_specific, copy, variant)
            if found.rank > best.rank and (keys or is_specific):
                best = found
            if _is_enough(best) or (kind in LIST_KINDS and not is_specific):
                break
            if variant == "objects" and "say" in best.shows:
                return evolve(best, tried=variant)  # the readable sentence lists them
            if kind not in LIST_KINDS and (like or self.control):
                break  # the second variant is for those that show nothing
        return best

    def is_default(self, like: str) -> bool:
        """Tell whether *like* is what is shown of anything, whoever it is about."""
        me = self.basics.shape.me
        return _USER.sub(_ANYBODY, like).replace(me, _ANYBODY) == _USER.sub(_ANYBODY, self.control).replace(me, _ANYBODY)

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
        wanted = {*holes(found.template)} - {"event"}
        template, like, missing = found.template, None, len(wanted) + 2
        for richer in (0, 1, 2):
            tried = self.enrich(found.kind, found.template, richer)
            seen = yield from self.play(tried, found.kind, found.only)
            lacks = len(wanted - _holes_shown(seen)) if seen and not self.is_default(seen) else len(wanted) + 1
            lacks += seen is not None and len(_NOTHING.findall(seen)) > len(_NOTHING.findall(found.like))
            if lacks < missing:
                template, like, missing = tried, seen, lacks
            if not missing:
                break
        if like is None:
            return evolve(found, template=None, is_specific=False, shows=())
        if template != found.template:
            template = yield from self.prune(template, found, like)
        mute = []
        for copy in ("own", "dest", ""):
            if copy == found.only or found.kind not in EVENT_KINDS or (copy == "dest" and found.kind not in WITH_DEST):
                continue
            shows = yield from self.play(template, found.kind, copy)
            if not shows or self.is_default(shows):
                mute.append(copy)
        return evolve(found, template=template, mute=tuple(mute), like=like)

    def prune(self, template: Any, found: Finding, like: str) -> Learning:
        """Take away one key after the other, as long as what is shown stays the same."""
        for key in [*self.body(template)]:
            if key not in self.body(found.template):
                smaller = wrap({k: v for k, v in self.body(template).items() if k != key}, self.basics.shape.path)
                if (yield from self.play(smaller, found.kind, found.only)) == like:
                    template = smaller
        return template

    def body(self, template: Any) -> dict[str, Any]:
        """Return *template* without what is around it."""
        for step in self.basics.shape.path:
            template = template[step]
        body: dict[str, Any] = template
        return body

    def enrich(self, kind: str, template: Any, richer: int) -> Any:
        """Add spellings of each hole to a template: something that is not shown is looked at."""
        more = dict(self.body(template))
        for hole in KEYS:
            if hole != "error":
                for key in self.basics.shape.keys(hole)[: (0, 2, 6)[richer]]:
                    more.setdefault(key, "{" + _hole(kind, hole, inside=False) + "}")
        if richer == 2:
            more |= {key: value for key, value in SUCCESS.items() if key not in more}
        return wrap(more, self.basics.shape.path)

    def play(self, template: Any, kind: str, copy: str) -> Learning:
        """Send what *template* makes of fresh words; return what is shown, None if the client dies or shows nothing."""
        values = {hole: self.tokens.next() for hole in ("who", "dest", "group", "text", "reason", "say")}
        spots = {token: hole for hole, token in values.items()}
        if copy == "own":
            values["who"] = self.basics.shape.me
        if copy == "dest" or kind == "tell":
            values["dest"] = self.basics.shape.me
        names = (self.tokens.next(), self.tokens.next())
        spots |= dict.fromkeys(names, "list")
        events = None
        if kind in ("messages", "states"):
            spots |= {names[0]: "who", names[1]: "text"}
            events = (Meaning("text", {"who": names[0], "text": names[1], "say": f"{names[0]}: {names[1]}"}),)
        message = write(template, Meaning(kind, values, names, events), lambda entry: entry.get("say"))
        screen = yield from self.tell(message)
        return pattern(screen, spots) or None if self.alive else None

    def tell(self, message: Any) -> Learning:
        """Send *message* and what shows that it was read, starting the client before if it died; return what it shows."""
        if not self.alive:
            yield Start(self.basics.welcome)
        after, until = _barrier(self.basics, self.tokens)
        seen = yield Tell((() if message is None else (message,)) + after, until)
        self.alive = seen.alive
        if not seen.alive and self.basics.control is not None and after and message is not None:
            yield Start(self.basics.welcome)  # was it the message, or two of them in one read?
            seen = yield Tell((message,))
            self.alive = seen.alive
            return seen.screen
        return self.before(seen.screen, until) if until and message is not None else pattern(seen.screen, {until: "barrier"})

    def before(self, screen: str, until: str) -> str:
        """Return what of *screen* was shown before the barrier was."""
        lines = [line for line in screen.splitlines() if line.strip()]
        at = next((at for at, line in enumerate(lines) if until in line.casefold()), len(lines))
        first = next((at for at, line in enumerate(self.behind.splitlines()) if "\u27e8barrier" in line), 0)
        return "\n".join(lines[: max(0, at - first)])


def _action(template: Any, shape: Shape) -> str:
    for step in (*shape.path, shape.action):
        template = template.get(step) if isinstance(template, dict) else None
    return template if isinstance(template, str) else ""


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
        return "list" in found.shows or ("say" in found.shows and "objects" in found.tried)
    return "say" in found.shows or {*KINDS[found.kind].shows[:2]} <= {*found.shows}


def _holes_shown(like: str) -> set[str]:
    return {part.partition("\u27e9")[0] for part in like.split("\u27e8")[1:]}


def assemble(name: str, shape: Shape, requests: Mapping[str, Any], basics: Basics, findings: Iterable[Finding]) -> Dialect:
    """Return the dialect that follows from everything learnt about a client."""
    found = {finding.kind: finding for finding in findings}
    notice = _notice(basics, found)
    rules = []
    for kind in ANSWERS:
        finding = found.get(kind)
        if kind == "say" or finding is None or finding.template is None or not finding.is_specific:
            continue
        if kind in ("connect", "disconnect") and "group" in holes(finding.template):
            continue
        if "" in finding.mute:
            rules.append(Rule(kind, finding.template, finding.only))
            rules += [Rule(kind, notice)] if notice else []
        else:
            rules.append(Rule(kind, finding.template))
            if kind not in TEXT_KINDS and notice:
                rules += [Rule(kind, notice, copy) for copy in finding.mute]
    if notice:
        rules.append(Rule("say", notice))
    deadly = dict.fromkeys(action for finding in found.values() for action in finding.deadly)
    fatal = ("unknown",) if basics.control is None else tuple(deadly)
    return Dialect(name, "client", (*shape.path, shape.action), shape.wire, dict(requests), tuple(rules), fatal=fatal)


def _notice(basics: Basics, found: Mapping[str, Finding]) -> Any:
    """Return the template that shows any text: a notice of its own, the default branch, or a text of the server."""
    say = found.get("say")
    texts = [spot.partition(":")[2] for spot in basics.control_keys if spot.startswith("text:")]
    is_dump = len(basics.control_keys) > _MOST_IN_A_SENTENCE
    if say and say.template is not None and say.is_specific and "say" in say.shows and (is_dump or not texts):
        return _as_notice(say.template)
    if texts:
        others = [spot.partition(":") for spot in basics.control_keys if "[" not in spot and not spot.startswith("text:")]
        fixed = {key: {"who": "server", "dest": "{me}"}.get(hole, "-") for hole, _, key in others if not is_dump}
        return wrap({**fixed, texts[0]: "{say}", basics.shape.action: "notice"}, basics.shape.path)
    for kind in ("broadcast", "tell", "text", "error", "hello"):
        finding = found.get(kind)
        if finding and finding.template is not None and {"text", "say"} & {*finding.shows}:
            if finding.only:
                continue
            return _as_notice(finding.template)
    return None


def _as_notice(template: Any) -> Any:
    if isinstance(template, dict):
        return {key: _as_notice(part) for key, part in template.items()}
    if isinstance(template, str):
        fixed = {"{who}": "server", "{dest}": "{me}", "{group}": "-", "{text}": "{say}"}
        return fixed.get(template, template)
    return template
