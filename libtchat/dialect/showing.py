"""Find how a client shows each kind of answer: by which name, under which keys, in whose copy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, evolve, field

from libtchat.dialect.probe import Start, Tell, Tokens, pattern, shown, wrap
from libtchat.dialect.spread import (
    EVENT_KINDS,
    LIST_KINDS,
    NONSENSE,
    WITH_DEST,
    Basics,
    Finding,
    Learning,
    Shape,
    barrier_of,
    covers,
    full,
    hole_of,
    is_enough,
    smallest,
)
from libtchat.dialect.template import Meaning, holes, write
from libtchat.dialect.vocabulary import KEYS, KINDS, SUCCESS, kind_of_name, names_of

__all__ = ["learn_answers"]

_MAX_NAMES_IF_DEADLY = 16
_MAX_NAMES = 44
_MAX_UNCLEAR = 24  # words of a source that may mean anything
_LATER_NAMES = 8  # tried again in other copies
_WIDE_NAMES = 6

# In whose copy a kind is tried, the likeliest first, where that is not anybody's.
_COPIES: Mapping[str, tuple[str, ...]] = {"invite": ("dest", "", "own"), "create": ("own", "")}

_LIST_VARIANTS = ("", "objects", "text", "text-objects")

# What languages show of what is not there.
_NOTHING = re.compile(r"\b(?:undefined|None|null|NaN|nil)\b")
_USER = re.compile("\u27e8(?:who|dest)[^\u27e9]*\u27e9")
_ANYBODY = "\u27e8user\u27e9"


def learn_answers(
    basics: Basics, kinds: Sequence[str], own: Mapping[str, str], words: Sequence[str] = (), prefix: str = "za"
) -> Learning:
    """Find how each of *kinds* is shown; returns a list of Finding.

    Args:
        own: what the client calls its requests.
        words: further names of actions to try, found elsewhere.
    """
    prober = _Prober(basics, Tokens(prefix))
    yield from prober.prepare()
    found = []
    unclear = [
        word for word in words if kind_of_name(word) is None and word not in (*own.values(), *KINDS["error"].names)
    ][:_MAX_UNCLEAR]
    for kind in kinds:
        affixes = names_of(kind, own.get(kind), tuple(prober.affixes))
        names = [*affixes]
        more = [word for word in words if kind_of_name(word) == kind and word not in names[:3]]
        names = [*dict.fromkeys([*names[:3], *more, *names[3:]])]
        prober.affixes_of = {name: affix for name, affix in affixes.items() if name in names[:8]} | dict.fromkeys(
            names[8:], ""
        )
        finding = yield from prober.learn(kind, [*names[:_MAX_NAMES], *(unclear if kind == "say" else ())])
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
    reads_little: bool = False
    affixes: dict[str, None] = field(factory=dict)
    affixes_of: Mapping[str, str] = field(factory=dict)

    def prepare(self) -> Learning:
        """See what the barrier looks like by itself, and behind what the program does not know."""
        seen = yield from self.tell(None)
        self.behind = seen
        if self.basics.control is not None:
            message, spots = full("say", NONSENSE, self.basics.shape, self.tokens)
            seen = yield from self.tell(message)
            self.control = pattern(seen, spots, NONSENSE) if self.alive else ""

    def note(self, finding: Finding, affixes: Mapping[str, str]) -> None:
        """Remember how the program makes its names."""
        name = _action(finding.template, self.basics.shape)
        if finding.is_specific and affixes.get(name, "{0}").count("{own}"):
            self.affixes[affixes[name]] = None

    def learn(self, kind: str, names: Sequence[str]) -> Learning:
        self.deadly = []
        if self.basics.control is None:
            names = names[:_MAX_NAMES_IF_DEADLY]
        copies = _COPIES.get(kind, ("", "dest", "own"))
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
                if is_enough(best):
                    break
            if best.is_specific:
                break
        if not best.is_specific and self.basics.control is not None and not is_told_all and not self.reads_little:
            best = yield from self.try_all_keys(best, [name for name in names[:_WIDE_NAMES] if name not in self.deadly])
        if best.is_specific:
            best = yield from self.reduce(best)
        return evolve(best, deadly=tuple(self.deadly))

    def try_all_keys(self, best: Finding, names: Sequence[str]) -> Learning:
        """Try *names* with all keys there are, unless the program dies of so long a message."""
        copy = _COPIES.get(best.kind, ("",))[0]
        for name in names:
            found = yield from self.try_name(best.kind, name, copy, "wide")
            if name in self.deadly:
                self.deadly.remove(name)
                self.reads_little = True
                break
            best = found if found.rank > best.rank else best
        return best

    def try_name(self, kind: str, name: str, copy: str, wide: str = "") -> Learning:
        best = Finding(kind)
        variants: tuple[str, ...] = _LIST_VARIANTS if kind in LIST_KINDS else ("", "success")
        if kind not in LIST_KINDS and "{own}" not in self.affixes_of.get(name, "{own}"):
            variants = ("",)
        tried = variants if self.basics.control is not None else variants[: len(variants) // 2]
        for variant in tried:
            message, spots = full(kind, name, self.basics.shape, self.tokens, wide + variant, copy)
            screen = yield from self.tell(message)
            if not self.alive:
                if variant == tried[-1]:
                    self.deadly.append(name)
                    return best
                continue
            like = pattern(screen, spots, name)
            keys = tuple(dict.fromkeys(shown(screen, spots)))
            is_specific = bool(like) and not self.is_default(like) and len(keys) <= max(5, 0.6 * len(spots))
            found = Finding(
                kind,
                smallest(kind, name, keys, self.basics.shape),
                covers(kind, keys),
                like,
                is_specific,
                copy,
                variant,
            )
            if found.rank > best.rank and (keys or is_specific):
                best = found
            if is_enough(best) or (kind in LIST_KINDS and not is_specific):
                break
            if variant == "objects" and "say" in best.shows:
                return evolve(best, tried=variant)  # the readable sentence lists them
            if kind not in LIST_KINDS and (like or self.control):
                break  # the second variant is for those that show nothing
        return best

    def is_default(self, like: str) -> bool:
        """Tell whether *like* is what is shown of anything, whoever it is about."""
        me = self.basics.shape.me
        return _USER.sub(_ANYBODY, like).replace(me, _ANYBODY) == _USER.sub(_ANYBODY, self.control).replace(
            me, _ANYBODY
        )

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
                    more.setdefault(key, "{" + hole_of(kind, hole, inside=False) + "}")
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
        """Send *message*, then what shows that it was read; return what is shown. Who died is started before."""
        if not self.alive:
            yield Start(self.basics.welcome)
        after, until = barrier_of(self.basics, self.tokens)
        seen = yield Tell((() if message is None else (message,)) + after, until)
        self.alive = seen.alive
        if not seen.alive and self.basics.control is not None and after and message is not None:
            yield Start(self.basics.welcome)  # was it the message, or two of them in one read?
            seen = yield Tell((message,))
            self.alive = seen.alive
            return seen.screen
        return (
            self.before(seen.screen, until)
            if until and message is not None
            else pattern(seen.screen, {until: "barrier"})
        )

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


def _holes_shown(like: str) -> set[str]:
    return {part.partition("\u27e9")[0] for part in like.split("\u27e8")[1:]}
