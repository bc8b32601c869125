"""Ask a server for one thing at a time, and make rules of what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import define, field

from libtchat.dialect.dialect import Rule, Wire
from libtchat.dialect.generalise import generalise
from libtchat.dialect.probe import Tokens, frames, value_at
from libtchat.dialect.questions import COURSE, Connect, Layout, Send, ServerLearning, request_template
from libtchat.dialect.template import Meaning, constants, match, write
from libtchat.dialect.vocabulary import KINDS

__all__ = ["LISTS", "Interview"]

LISTS = ("users", "members", "groups")


@define
class Interview:
    """What was learnt of a server so far, and how to ask it for more.

    Attributes:
        names: who is connected, by connection: `a`, `b` and `c`.
        layout: where things stand in a request.
        asks: a kind -> the request with which the server's own client asks for it, where that is known.
        actions: what a kind of request is called, where that is not what we call it.
        barrier: what tells that all before was answered, None if nothing does.
        fatal: the kinds that the server died of.
        done: the kinds that were tried -> whether they worked.
        acked: the kinds whose sender is told something.
    """

    tokens: Tokens
    names: dict[str, str] = field(factory=dict)
    layout: Layout = COURSE
    asks: Mapping[str, Any] = field(factory=dict)
    wire: Wire = Wire()
    actions: dict[str, str] = field(factory=dict)
    barrier: Any = None
    alive: bool = True
    has_answered: bool = False
    group: str = ""
    last_text: str = ""
    groups: list[str] = field(factory=list)
    rules: list[Rule] = field(factory=list)
    errors: list[tuple[Any, Mapping[str, str], str]] = field(factory=list)
    acked: set[str] = field(factory=set)
    done: dict[str, bool] = field(factory=dict)
    fatal: dict[str, None] = field(factory=dict)
    remarks: list[str] = field(factory=list)
    invite_adds: bool = False
    unknown: list[Any] = field(factory=list)
    samples: list[tuple[str, Any]] = field(factory=list)
    unknown_kinds: dict[str, str] = field(factory=dict)

    def request(self, kind: str, who: str, values: Mapping[str, str]) -> Any:
        """Return the message with which *who* asks for *kind*."""
        return write(self.template(kind), Meaning(kind, {"me": self.names[who], **values}))

    def template(self, kind: str) -> Any:
        """Return the request of *kind*, with holes."""
        if kind in self.asks:
            return self.asks[kind]
        return request_template(kind, self.actions.get(kind), self.layout)

    def knows(self, kind: str) -> bool:
        """Tell whether it is known what the server calls *kind*."""
        return kind in self.asks or kind in self.actions

    def remark(self, remark: str) -> None:
        """Say something about the server, once."""
        if remark not in self.remarks:
            self.remarks.append(remark)

    def name_of(self, kind: str) -> str:
        """Return what the server calls the request of *kind*."""
        if kind in self.asks:
            return str(value_at(self.asks[kind], (*self.layout.path, self.layout.actions[0])))
        return self.actions.get(kind) or KINDS[kind].action

    def send(self, kind: str, who: str, **values: str) -> ServerLearning:
        """Ask for *kind*, and wait until everybody was surely told; return [(connection, frame)]."""
        if kind in self.fatal:
            return []
        is_last = kind == "quit"  # nothing may be asked there after it
        until = None if self.barrier is None or is_last else ()
        seen = yield Send(who, self.request(kind, who, values), self.wire, until)
        came = [*seen.came]
        for other in (who, *(o for o in self.names if o != who)) if self.barrier is not None else ():
            is_asked = not is_last if other == who else not self.is_unheard_of(kind, who, values, came)
            if seen.alive and is_asked:
                seen = yield Send(other, self.request("users", other, {}), self.wire, self.barrier)
                came += seen.came
        if seen.alive and who in seen.closed and kind != "quit":
            yield from self.come_back(who)
        if not seen.alive:
            self.fatal[kind] = None
            yield from self.revive()
            return []
        prose = next((text.strip() for _, text in came if text.strip() and "{" not in text), "")
        if prose and not any("no message" in remark for remark in self.remarks):
            self.remarks.append(f"it also says what is no message, shown as a sentence: {prose[:80]!r}")
        return [(at, frame) for at, text in came for frame, _, _ in frames(text) if not self.is_barrier(frame)]

    def is_unheard_of(self, kind: str, who: str, values: Mapping[str, str], came: list[tuple[str, str]]) -> bool:
        """Tell whether *who* was told that there is no such request, so that nobody else hears of it."""
        return False

    def is_barrier(self, frame: Any) -> bool:
        """Tell whether *frame* is what tells that all before was answered."""
        return self.barrier is not None and match(self.barrier, frame) is not None

    def revive(self) -> ServerLearning:
        """Start the server anew after a death, everybody connected and in a group."""
        yield Connect("a", fresh=True)
        for who in self.names:
            if who != "a":
                yield Connect(who)
            yield from self.let(who, "hello")
        yield from self.regroup()

    def come_back(self, who: str) -> ServerLearning:
        """Connect again whose connection the server has closed."""
        yield Connect(who)
        yield from self.let(who, "hello")
        if who == "a" and self.group:
            yield from self.regroup()
        elif self.group:
            yield from self.let(who, "join", group=self.group)

    def regroup(self) -> ServerLearning:
        """Make a new group with everybody in it."""
        self.group = self.tokens.next()
        yield from self.let("a", "create", group=self.group)
        for who in self.names:
            if who != "a":
                yield from self.let(who, "join", group=self.group)

    def let(self, who: str, kind: str, **values: str) -> ServerLearning:
        """Let *who* ask for something, whatever is said of it."""
        request = self.request(kind, who, values)
        if self.barrier is None:
            yield Send(who, request, self.wire)
            return
        yield Send(who, request, self.wire, ())
        yield Send(who, self.request("users", who, {}), self.wire, self.barrier)

    def learn(self, kind: str, who: str, came: list[tuple[str, Any]], **values: str) -> bool:
        """Make rules of what came for *kind* asked by *who*; return whether anything did."""
        roles = {self.names[who]: "who"} | {value: hole for hole, value in values.items() if value}
        target = next((at for at, name in self.names.items() if name == values.get("dest")), None)
        listed = frozenset((*self.names.values(), *self.groups)) if kind in LISTS else frozenset()
        listed -= {values.get("group", "")}
        if kind == "groups":
            listed = frozenset(self.groups)
            roles |= dict.fromkeys(self.names.values(), "who")
        if kind in ("messages", "states"):
            roles |= dict.fromkeys(self.names.values(), "who")
        self.samples += [(kind, frame) for _, frame in came]
        for at, frame in came:
            copy = "own" if at == who else "dest" if at == target else ""
            if kind in (*LISTS, "messages", "states", "hello") and at != who:
                continue
            template = generalise(frame, roles, listed=listed, entry="group" if kind == "groups" else "who")
            if template and any(constants(template)) and not self.is_known(kind, template):
                self.rules.append(Rule(kind, template, "" if kind in (*LISTS, "messages", "states", "hello") else copy))
            if at == who:
                self.acked.add(kind)
        return bool(came)

    def is_known(self, kind: str, template: Any) -> bool:
        """Tell whether *template* says another kind already."""
        return any(rule.template == template and rule.kind != kind for rule in self.rules)

    def has_list(self, came: list[tuple[str, Any]], who: str, *words: str) -> bool:
        """Tell whether one frame that *who* was sent names all *words*."""
        return any(at == who and all(word in str(frame) for word in words) for at, frame in came)
