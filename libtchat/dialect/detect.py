"""Tell from its first messages which dialect a client speaks: by keys in their order, what is fixed, the layout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import define, field

from libtchat.dialect.dialect import Dialect, Wire
from libtchat.dialect.generalise import generalise
from libtchat.dialect.template import constants, match

__all__ = ["Detector", "alike", "fitting_kind", "layout_of"]


def layout_of(text: str) -> tuple[bool, bool]:
    """Return whether a message is indented, and whether its colons are followed by a space."""
    return "\n" in text.strip(), '": ' in text or '" : ' in text


def _layout(wire: Wire) -> tuple[bool, bool]:
    return bool(wire.indent), wire.colon.endswith(" ")


def _paths(found: Any, at: str = "") -> Iterator[str]:
    if isinstance(found, dict):
        for key, part in found.items():
            yield f"{at}.{key}"
            yield from _paths(part, f"{at}.{key}")


def _leaves(found: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Go through what is no object, with its path: a number or a time that no template has is another one each time."""
    for key, part in found.items() if isinstance(found, dict) else ():
        yield from _leaves(part, f"{at}.{key}") if isinstance(part, dict) else [(f"{at}.{key}", part)]


def fitting_kind(dialect: Dialect, message: Any) -> str | None:
    """Return the kind of request that *message* is in *dialect*: the one that fixes most of it, None if none."""
    found = [
        (one.score, -at, kind)
        for at, (kind, template) in enumerate(dialect.requests.items())
        if (one := match(template, message)) is not None
    ]
    return max(found)[2] if found else None


def _fits(dialect: Dialect, message: Any, text: str) -> bool:
    kind = fitting_kind(dialect, message)
    if kind is None or layout_of(text) != _layout(dialect.wire):
        return False
    ours = [*_paths(dialect.requests[kind])]
    passing = {path for path, part in _leaves(message) if type(part) in (int, float) or generalise(part, {}) is None}
    theirs = [path for path in _paths(message) if path in ours or path not in passing]
    return theirs == [path for path in ours if path in theirs] and len(ours) - len(theirs) <= 1


@define
class Detector:
    """One connection: *candidates* are the dialects that all its messages so far fit, the most demanding first."""

    candidates: list[Dialect] = field(factory=list)
    count: int = 0
    why: str = "nothing said yet"

    def __attrs_post_init__(self) -> None:
        self.candidates = _by_demand(self.candidates)

    @property
    def others(self) -> tuple[Dialect, ...]:
        """What else the client may speak; nothing, if that could end the first candidate."""
        if not self.candidates or "unknown" in self.candidates[0].fatal:
            return ()
        return tuple(self.candidates[1:])

    def take(self, message: Any, text: str) -> Dialect | None:
        """Take in a message; return the dialect to speak now, None for this protocol itself."""
        self.count += 1
        fitting = [dialect for dialect in self.candidates if _fits(dialect, message, text)]
        if fitting or self.count == 1:
            self.candidates = fitting
        names = ", ".join(dialect.name for dialect in self.candidates[1:])
        self.why = f"by message {self.count}" + (f"; {names} would say the same so far" if names else "")
        if not self.candidates:
            self.why = "its messages fit no dialect"
        return self.candidates[0] if self.candidates else None


def _by_demand(dialects: Sequence[Dialect]) -> list[Dialect]:
    return sorted(dialects, key=_demand, reverse=True)


def _demand(dialect: Dialect) -> tuple[bool, bool, int, str]:
    """Order dialects by how little they bear: who dies of the unknown comes before who shows it."""
    return ("unknown" in dialect.fatal, dialect.rule("say") is None, len(dialect.answers), dialect.name)


def alike(dialects: Sequence[Dialect]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Go through pairs of clients that begin alike: their names and the kinds in which they differ."""
    for at, one in enumerate(dialects):
        for other in dialects[at + 1 :]:
            if _layout(one.wire) != _layout(other.wire):
                continue
            same = {kind: _is_same(one, other, kind) for kind in one.requests.keys() & other.requests.keys()}
            if same.get("hello", True):
                yield one.name, other.name, tuple(kind for kind in one.requests if same.get(kind) is False)


def _is_same(one: Dialect, other: Dialect, kind: str) -> bool:
    first, second = one.requests[kind], other.requests[kind]
    return [*_paths(first)] == [*_paths(second)] and [*constants(first)] == [*constants(second)]
