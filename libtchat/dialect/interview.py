"""Ask a server for one thing at a time, and make rules of what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import define, field

from libtchat.dialect.dialect import Rule, Wire
from libtchat.dialect.generalise import generalise
from libtchat.dialect.probe import Tokens, frames
from libtchat.dialect.questions import Connect, Send, ServerLearning, request_template
from libtchat.dialect.template import Meaning, constants, match, write

__all__ = ["LISTS", "Interview"]

LISTS = ("users", "members", "groups")


@define
class Interview:
    """What was learnt of a server so far, and how to ask it for more.

    Attributes:
        names: who is connected, by connection: `a`, `b` and `c`.
        path: what messages are wrapped in.
        actions: what a kind of request is called, where that is not what we call it.
        barrier: what tells that all before was answered, None if nothing does.
        fatal: the kinds that the server died of.
        done: the kinds that were tried -> whether they worked.
        acked: the kinds whose sender is told something.
    """

    tokens: Tokens
    names: dict[str, str] = field(factory=dict)
    path: tuple[str, ...] = ()
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
    unknown_kinds: dict[str, str] = field(factory=dict)

    # -- asking

    def request(self, kind: str, who: str, values: Mapping[str, str]) -> Any:
        """Return the message with which *who* asks for *kind*."""
        template = request_template(kind, self.actions.get(kind), self.path)
        return write(template, Meaning(kind, {"me": self.names[who], **values}))

    def send(self, kind: str, who: str, **values: str) -> ServerLearning:
        """Ask for *kind*, and wait until everybody was surely told; return [(connection, frame)]."""
        if kind in self.fatal:
            return []
        seen = yield Send(who, self.request(kind, who, values), self.wire, None if self.barrier is None else ())
        came = [*seen.came]
        for other in (who, *(o for o in self.names if o != who)) if self.barrier is not None else ():
            if seen.alive:
                seen = yield Send(other, self.request("users", other, {}), self.wire, self.barrier)
                came += seen.came
        if not seen.alive:
            self.fatal[kind] = None
            yield from self.revive()
            return []
        prose = next((text.strip() for _, text in came if text.strip() and "{" not in text), "")
        if prose and not any("no message" in remark for remark in self.remarks):
            self.remarks.append(f"it also says what is no message, shown as a sentence: {prose[:80]!r}")
        return [(at, frame) for at, text in came for frame, _, _ in frames(text) if not self.is_barrier(frame)]

    def is_barrier(self, frame: Any) -> bool:
        """Tell whether *frame* is what tells that all before was answered."""
        return self.barrier is not None and match(self.barrier, frame) is not None

    def revive(self) -> ServerLearning:
        """Start the server anew after a death, everybody connected and in a group."""
        yield Connect("a", fresh=True)
        for who in self.names:
            if who != "a":
                yield Connect(who)
            yield Send(who, self.request("hello", who, {}), self.wire)
        self.group = self.tokens.next()
        yield Send("a", self.request("create", "a", {"group": self.group}), self.wire)
        for who in self.names:
            if who != "a":
                yield Send(who, self.request("join", who, {"group": self.group}), self.wire)

    # -- reading

    def learn(self, kind: str, who: str, came: list[tuple[str, Any]], **values: str) -> bool:
        """Make rules of what came for *kind* asked by *who*; return whether anything did."""
        roles = {self.names[who]: "who"} | {value: hole for hole, value in values.items() if value}
        target = next((at for at, name in self.names.items() if name == values.get("dest")), None)
        listed = frozenset((*self.names.values(), *self.groups)) if kind in LISTS else frozenset()
        if kind in ("members", "messages", "states"):
            listed -= {values.get("group", "")}
        if kind in ("messages", "states"):
            roles |= dict.fromkeys(self.names.values(), "who")
        for at, frame in came:
            copy = "own" if at == who else "dest" if at == target else ""
            if kind in (*LISTS, "messages", "states", "hello") and at != who:
                continue
            template = generalise(frame, roles, listed=listed)
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
