"""Learn what a client sends: type the course's commands with words of our own, and look for them in what comes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import evolve, field

from libtchat.dialect.dialect import Wire
from libtchat.dialect.generalise import common, generalise, without_counters
from libtchat.dialect.menu import menu_items
from libtchat.dialect.probe import Await, Start, Tell, Tokens, Type, action_path, frames, texts_of, value_at
from libtchat.dialect.spread import Learning, Shape, full
from libtchat.dialect.template import Meaning, holes, write
from libtchat.dialect.vocabulary import ALSO_TYPED, COMMANDS, KEYS, KINDS, kind_of_name
from libtchat.message.value import frozen

__all__ = ["Requests", "learn_requests", "merge"]


@frozen
class Requests:
    """What a client sends.

    Attributes:
        templates: a kind -> the message.
        typed: a kind -> how it is typed.
        own: a kind -> what the client calls it.
        welcome: what its hello is to be answered with.
        trouble: what went wrong, as sentences.
    """

    shape: Shape
    templates: Mapping[str, Any] = field(factory=dict, hash=False)
    typed: Mapping[str, str] = field(factory=dict, hash=False)
    welcome: Any = field(default=None, hash=False)
    trouble: tuple[str, ...] = ()

    @property
    def own(self) -> dict[str, str]:
        """What the client calls its requests."""
        path = (*self.shape.path, self.shape.action)
        return {
            kind: name for kind, template in self.templates.items() if isinstance(name := value_at(template, path), str)
        }


ORDER = (
    *("users", "groups", "broadcast", "tell", "create", "join", "members", "messages", "text", "states"),
    *("invite", "kick", "ban", "unban", "leave", "quit"),
)
_FEW = 6  # with fewer it is no client of commands
_SHORTEST_LINE = 8  # what is longer is no word that could be there by chance


def learn_requests(me: str, prefix: str = "zr") -> Learning:
    """Find what the client sends; returns Requests. *me*: the name it was started with."""
    tokens = Tokens(prefix)
    learner = _Asking(me, tokens)
    seen = yield Start(None)
    if not frames(seen.sent):
        seen = yield Await()
    learner.take_hello(seen.sent)
    learner.shape = evolve(learner.shape, own_keys=_own_keys(learner.templates.values()))
    yield from learner.choose_welcome()
    yield from learner.type_all()
    if len(learner.templates) < _FEW:
        yield from learner.go_through_menu()
    if not learner.typed:
        yield from learner.find_style()
    yield from learner.type_missing()
    return learner.result()


class _Asking:
    def __init__(self, me: str, tokens: Tokens) -> None:
        self.me, self.tokens = me, tokens
        self.shape = Shape(me)
        self.templates: dict[str, Any] = {}
        self.typed: dict[str, str] = {}
        self.actions: dict[str, str] = {}
        self.welcome: Any = None
        self.style = ""
        self.group = tokens.next()
        self.alive = True
        self.has_hello = False

    def result(self) -> Requests:
        trouble = [] if self.has_hello else ["it says no hello"]
        shape = evolve(self.shape, own_keys=_own_keys(self.templates.values()))
        return Requests(shape, self.templates, self.typed, self.welcome, tuple(trouble))

    def take_hello(self, sent: str) -> None:
        for value, text, end in frames(sent)[:1]:
            self.has_hello = True
            self.look_at(value, text, end)
            self.keep("hello", value, {})

    def look_at(self, value: Any, text: str, end: str) -> None:
        """Learn the layout from a message."""
        path = action_path(value, self.me)
        indent = re.match(r"\{\s*\n( +)", text)
        colon = re.search(r'"(\s*:\s*)', text)
        wire = Wire(len(indent[1]) if indent else 0, colon[1] if colon else ":", "\r\n" if "\r" in end else end[:1])
        self.shape = Shape(self.me, path[:-1], path[-1], wire)

    def keep(self, kind: str, value: Any, roles: Mapping[str, str]) -> None:
        self.templates[kind] = generalise(value, {**roles, self.me: "me"})
        action = value_at(value, (*self.shape.path, self.shape.action))
        if isinstance(action, str):
            self.actions[kind] = action

    def choose_welcome(self) -> Learning:
        """Find an answer to hello after which the client does what is typed; else one that it survives."""
        obeys = yield from self.try_welcomes()
        if not obeys:
            seen = yield Await()
            if seen.sent and not self.is_answer(seen.sent):
                seen = yield Await()
            if self.is_answer(seen.sent):
                yield from self.try_welcomes()
        yield Start(self.welcome)

    def try_welcomes(self) -> Learning:
        names = dict.fromkeys(("server-hello", self.actions.get("hello", "client-hello"), "hello", "welcome"))
        survived: list[Any] = []
        for name in names:
            message, _ = full("hello", name, self.shape, Tokens("zw"), copy="own")
            seen = yield Start(message)
            if seen.alive:
                seen = yield Type((KINDS["users"].typed,))
                survived += [message] if seen.alive else []
                if seen.alive and self.is_answer(seen.sent):
                    self.welcome = message
                    return True
        self.welcome = (survived or [None])[0]
        return False

    def is_answer(self, sent: str) -> bool:
        """Tell whether *sent* is more than a late hello."""
        path = (*self.shape.path, self.shape.action)
        return any(value_at(value, path) != self.actions.get("hello", "") for value, _, _ in frames(sent))

    def type_all(self) -> Learning:
        for kind in ORDER:
            yield from self.type_one(kind, self.form(KINDS[kind].typed))
            if not self.alive and kind != ORDER[-1]:
                yield Start(self.welcome)
                self.alive = True

    def form(self, typed: str) -> str:
        """Return a command of the course as this client takes it."""
        return self.style.replace("{}", typed.replace(";", " ").strip()) if self.style else typed

    def find_style(self) -> Learning:
        """See whether commands are typed with spaces, or after a slash, instead of the course's way."""
        for style in ("{}", "/{}"):
            self.style = style
            for kind in ("users", "broadcast", "tell"):
                yield Start(self.welcome)
                for word in (KINDS[kind].typed.partition(";")[0], *ALSO_TYPED[kind][:1]):
                    yield from self.type_one(kind, self.form(word + ";" + KINDS[kind].typed.partition(";")[2]))
                    if kind in self.templates:
                        yield from self.type_all()
                        return
        self.style = ""

    def type_one(self, kind: str, form: str) -> Learning:
        roles = {self.tokens.next(): hole for hole in ("dest", "text", "reason")} | {self.group: "group"}
        if kind == "create":
            roles.pop(self.group)
            self.group = self.tokens.next()
            roles[self.group] = "group"
        line = write(form, Meaning(kind, {hole: token for token, hole in roles.items()}))
        seen = yield Type((line,))
        self.alive = seen.alive
        for value, text, end in frames(seen.sent):
            if self.fits(kind, value, roles, line):
                if not self.actions:
                    self.look_at(value, text, end)
                self.keep(kind, value, roles)
                self.typed[kind] = form
                return

    def fits(self, kind: str, value: Any, roles: Mapping[str, str], line: str) -> bool:
        """Tell whether *value* is what was asked for by *line*: not the line as a text, nor another request."""
        found = {*holes(generalise(value, roles))}
        action = value_at(value, (*self.shape.path, self.shape.action)) if self.actions else None
        if len(line) > _SHORTEST_LINE and any(line in text for text in texts_of(value)):
            return False
        needed = {*holes(KINDS[kind].typed)} - {"reason"}
        if needed:
            return needed <= found
        return not found and (action is None or action not in {self.actions[k] for k in self.actions if k != kind})

    def type_missing(self) -> Learning:
        """Try again what was not sent: as a member of a group, under other names."""
        missing = [kind for kind in COMMANDS if kind not in self.templates and self.templates.keys() - {"hello"}]
        if len(missing) == len(COMMANDS):
            return
        if any(" \u2192 " in how for how in self.typed.values()):
            return
        for kind in missing:
            yield Start(self.welcome)
            yield from self.type_one(kind, self.form(KINDS[kind].typed))  # some wait for an answer before they go on
            if kind not in self.templates:
                yield from self.enter_group(kind)
                _, _, fields = KINDS[kind].typed.partition(";")
                for word in (KINDS[kind].typed.partition(";")[0], *ALSO_TYPED.get(kind, ())):
                    yield from self.type_one(kind, self.form(f"{word};{fields}"))
                    if kind in self.templates:
                        break
                    if not self.alive:
                        yield Start(self.welcome)

    def enter_group(self, kind: str) -> Learning:
        """Make a group and say that it is made: some send nothing about a group that they are not in."""
        if "create" not in self.templates or kind in ("create", "quit"):
            return
        yield Type((self.typed["create"].replace("{group}", self.group),))
        for name in ("server-{}", "{}"):
            message, _ = full("create", name.format(self.actions["create"]), self.shape, Tokens("zw"), copy="own")
            seen = yield Tell((_with_group(message, self.shape, self.group),))
            if not seen.alive:
                yield Start(self.welcome)

    def go_through_menu(self) -> Learning:
        """Choose each line of the menu, in a new run each, and answer its questions with words of our own."""
        seen = yield Start(self.welcome)
        screen = seen.screen
        seen = yield Type(("",))
        items = menu_items(screen + "\n" + seen.screen)
        for key, label in items.items() or ((str(number), "") for number in range(1, 17)):
            yield Start(self.welcome)
            answers = tuple(self.tokens.next() for _ in range(4))
            seen = yield Type((key, *answers))
            for value, _, _ in frames(seen.sent):
                self.take_chosen(key, label, value, answers[: max(0, seen.typed - 1)])

    def take_chosen(self, key: str, label: str, value: Any, answers: tuple[str, ...]) -> None:
        action = value_at(value, (*self.shape.path, self.shape.action))
        if not isinstance(action, str) or action == self.actions.get("hello"):
            return
        kind = next((kind for kind, row in KINDS.items() if row.action == action), None)
        kind = kind or kind_of_name(action) or kind_of_name(label)
        if kind is None or kind in self.templates:
            return
        roles = dict(_roles(value, answers))
        self.keep(kind, value, roles)
        self.typed[kind] = " \u2192 ".join([key, *(f"{{{roles[token]}}}" for token in answers if token in roles)])


def _own_keys(templates: Iterable[Any]) -> dict[str, tuple[str, ...]]:
    """Return under which keys *templates* have each hole: a program reads what it writes."""
    found: dict[str, dict[str, None]] = {}
    for template in templates:
        for key, hole in _holes_by_key(template):
            found.setdefault("who" if hole == "me" else hole, {})[key] = None
    return {hole: tuple(keys) for hole, keys in found.items()}


def _holes_by_key(template: Any) -> Iterator[tuple[str, str]]:
    for key, part in template.items() if isinstance(template, dict) else ():
        if isinstance(part, str):
            yield from ((key, hole) for hole in holes(part))
        else:
            yield from _holes_by_key(part)


def _roles(value: Any, answers: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Go through the *answers* found in *value*, each with the hole of the key it stands under."""
    if isinstance(value, dict):
        for key, part in value.items():
            if isinstance(part, str) and part in answers:
                hole = next((hole for hole, keys in KEYS.items() if key in keys and hole != "who"), "text")
                yield part, hole
            else:
                yield from _roles(part, answers)


def _with_group(message: Any, shape: Shape, group: str) -> Any:
    body = value_at(message, shape.path) if shape.path else message
    body.update((key, group) for key in KEYS["group"] if key in body)
    return message


def merge(one: Requests, other: Requests) -> Requests:
    """Return what two runs under different names have in common: what changes by itself is no part of a request."""
    found = dict(one.templates)
    for kind in found.keys() & other.templates.keys():
        found[kind] = common(found[kind], other.templates[kind]) or found[kind]
    found = without_counters(found, (*one.shape.path, one.shape.action))
    return Requests(one.shape, found, one.typed, one.welcome, one.trouble)
