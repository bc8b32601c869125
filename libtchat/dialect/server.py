"""Learn a server: three connections ask it for everything, and what comes back is read with the words they used.

`learn_server` is a generator like those for clients: it yields what to do at which connection and is sent what came.
"""

from __future__ import annotations

from typing import Any

from attrs import define

from libtchat.dialect.answers import as_page, unnamed
from libtchat.dialect.dialect import Dialect, Rule
from libtchat.dialect.finding import conclude
from libtchat.dialect.generalise import generalise
from libtchat.dialect.naming import Naming
from libtchat.dialect.probe import Tokens, frames
from libtchat.dialect.questions import CREATE_ACTIONS, OTHER_ACTIONS, Close, Connect, Layout, Send, ServerLearning
from libtchat.dialect.spread import NONSENSE
from libtchat.dialect.template import constants, holes

__all__ = ["learn_server"]


def learn_server(
    name: str, prefix: str = "zs", partner: Dialect | None = None, words: tuple[str, ...] = ()
) -> ServerLearning:
    """Learn a server; returns a ServerFinding.

    Args:
        partner: how its own client asks, if that is known.
        words: names of requests that are worth a try, found elsewhere.
    """
    learner = _Learner(Tokens(prefix), words=words)
    if partner is not None:
        learner.asks, learner.wire = partner.requests, partner.wire
        learner.layout = Layout(partner.action[:-1], partner.action[-1:])
    yield from learner.find_layout()
    for step in (learner.meet, learner.talk, learner.gather, learner.list_all, learner.moderate, learner.part):
        yield from step()
    yield from learner.provoke()
    return conclude(learner, name)


@define
class _Learner(Naming):
    def find_layout(self) -> ServerLearning:
        """Come in, in the words of the server's own client, the course's, or those that are found by trying."""
        self.names = {"a": self.tokens.next(), "b": self.tokens.next()}
        if self.asks and (yield from self.try_to_come_in(fresh=False)):
            return
        asks, self.asks = self.asks, {}
        if (yield from self.try_layouts(fresh=bool(asks))):
            return
        if not self.has_answered and (yield from self.hear_late()):
            return
        if (yield from self.find_words()):
            self.remarks.append("it calls its requests otherwise than the course: they were found by trying")
            return
        self.asks = asks
        hellos, _ = yield from self.say_hello(fresh=True)
        self.learn("hello", "a", hellos)
        self.remarks.append("its list of users names nobody: what is acknowledged is guessed by waiting")

    def meet(self) -> ServerLearning:
        self.names["c"] = self.tokens.next()
        yield Connect("c")
        came = yield from self.send("hello", "c")
        self.learn("hello", "c", [(at, frame) for at, frame in came if at == "c"])
        self.keep_presence("connect", "c", [(at, frame) for at, frame in came if at != "c"])
        seen = yield Send("b", self.request("users", "b", {}), self.wire)
        came = [(at, frame) for at, text in seen.came for frame, _, _ in frames(text)]
        self.done["users"] = self.has_list(came, "b", self.names["a"], self.names["c"])
        self.learn("users", "b", came)

    def keep_presence(self, kind: str, who: str, came: list[tuple[str, Any]]) -> None:
        """Learn how others are told that *who* came or went."""
        roles = {self.names[who]: "who"} | dict.fromkeys(self.groups, "group")
        for _, frame in came:
            self.samples.append((kind, frame))
            template = generalise(frame, roles)
            for rule in [rule for rule in self.rules if rule.kind == "hello" and rule.template == template]:
                self.rules.remove(rule)  # everybody is told, not the one who said hello
                self.acked.discard("hello")
            found = {*holes(template)}
            if "who" in found and not any(rule.template == template for rule in self.rules):
                self.rules.append(Rule("leave" if "group" in found else kind, template))

    def talk(self) -> ServerLearning:
        for who, other in (("a", "b"), ("b", "c")):
            text = self.tokens.next()
            came = yield from self.send("broadcast", who, text=text)
            self.done["broadcast"] = self.learn("broadcast", who, came, text=text) and text in str(came)
            text = self.tokens.next()
            came = yield from self.send("tell", who, dest=self.names[other], text=text)
            self.done["tell"] = any(at == other and text in str(frame) for at, frame in came)
            self.learn("tell", who, came, dest=self.names[other], text=text)

    def gather(self) -> ServerLearning:
        """Make groups; invite, join, and say something."""
        yield from self.create()
        first = self.group
        values = {"group": first, "dest": self.names["b"]}
        came = yield from self.send("invite", "a", **values)
        self.done["invite"] = any(at == "b" for at, _ in came)
        self.learn("invite", "a", came, **values)
        came = yield from self.send("members", "a", group=first)
        self.invite_adds = self.has_list(came, "a", self.names["b"], self.names["a"])
        yield from self.create()
        for who in ("b", "c"):
            yield from self.act("join", who, group=self.group)
        for who in ("a", "b"):
            text = self.tokens.next()
            came = yield from self.send("text", who, group=self.group, text=text)
            self.done["text"] = any(at != who and text in str(frame) for at, frame in came)
            self.learn("text", who, came, group=self.group, text=text)
            self.last_text = text

    def create(self) -> ServerLearning:
        """Make a group, under the name of the action that does it."""
        answered: list[str] = []
        for action in (self.actions.get("create", ""),) if self.knows("create") else CREATE_ACTIONS:
            self.actions["create"] = action
            group = self.tokens.next()
            came = yield from self.send("create", "a", group=group)
            if "create" in self.fatal:
                self.fatal.pop("create")
                continue
            answered += [action] if any(at == "a" for at, _ in came) else []
            members = yield from self.send("members", "a", group=group)
            is_there = self.has_list(members, "a", self.names["a"])
            if not is_there:
                is_there = self.has_list((yield from self.send("groups", "b")), "b", group)
            if is_there:
                self.done["create"] = True
                self.keep_group(group, came)
                return
        if not self.knows("create"):
            self.actions["create"] = (answered or CREATE_ACTIONS)[0]
        group = self.tokens.next()
        came = yield from self.send("create", "a", group=group)
        self.keep_group(group, came)

    def keep_group(self, group: str, came: list[tuple[str, Any]]) -> None:
        """Go on in *group*, whose creation was answered by what *came*."""
        self.group = group
        self.groups.append(group)
        self.learn("create", "a", came, group=group)

    def act(self, kind: str, who: str, **values: str) -> ServerLearning:
        came = yield from self.send(kind, who, **values)
        self.done[kind] = self.learn(kind, who, came, **values) or self.done.get(kind, False)
        return came

    def list_all(self) -> ServerLearning:
        came = yield from self.act("members", "b", group=self.group)
        self.done["members"] = self.has_list(came, "b", self.names["a"])
        came = yield from self.act("groups", "b")
        self.done["groups"] = self.has_list(came, "b", self.group)
        for action in OTHER_ACTIONS["messages"] if not self.knows("messages") else (self.actions.get("messages", ""),):
            self.actions["messages"] = action
            came = yield from self.send("messages", "b", group=self.group)
            if self.last_text in str(came):
                break
        self.done["messages"] = self.learn_page("messages", came)
        came = yield from self.send("states", "b", group=self.group)
        self.done["states"] = self.learn_page("states", came)

    def learn_page(self, kind: str, came: list[tuple[str, Any]]) -> bool:
        """Learn a list of texts or events: its entries hold texts that were said before."""
        texts = {self.last_text: "text", self.group: "group"} | dict.fromkeys(self.names.values(), "who")
        for at, frame in came:
            if at != "b":
                continue
            self.samples.append((kind, frame))
            template = as_page(generalise(frame, texts), kind)
            if any(constants(template)) and not self.is_known(kind, template):
                self.rules.append(Rule(kind, template))
                self.acked.add(kind)
        return kind in self.acked

    def moderate(self) -> ServerLearning:
        b = self.names["b"]
        for kind in ("kick", "ban"):
            yield from self.act(kind, "a", group=self.group, dest=b, reason=self.tokens.next())
            if kind == "ban":
                yield from self.fail("join", "b", group=self.group)
                yield from self.act("unban", "a", group=self.group, dest=b)
            yield from self.send("join", "b", group=self.group)
        yield from self.act("leave", "b", group=self.group)

    def fail(self, kind: str, who: str, **values: str) -> ServerLearning:
        """Ask for what must be refused, and keep what comes as an error."""
        came = yield from self.send(kind, who, **values)
        roles = {self.names[who]: "who"} | {value: hole for hole, value in values.items()}
        name = self.name_of(kind)
        self.errors += [(frame, roles, name) for at, frame in came if at == who]
        return came

    def part(self) -> ServerLearning:
        came = yield from self.send("quit", "c")
        self.keep_presence("disconnect", "c", [(at, frame) for at, frame in came if at != "c"])
        self.learn("quit", "c", [(at, frame) for at, frame in came if at == "c"])
        seen = yield Close("c")
        came = [(at, frame) for at, text in seen.came for frame, _, _ in frames(text)]
        self.keep_presence("disconnect", "c", came)
        self.names.pop("c")

    def provoke(self) -> ServerLearning:
        """Ask for what is refused, the most dangerous last; see what kills it."""
        nobody = self.tokens.next()
        self.actions["say"] = NONSENSE
        came = yield from self.fail("say", "a")
        self.unknown = [
            unnamed(generalise(frame, {self.names["a"]: "who"}), NONSENSE) for at, frame in came if at == "a"
        ]
        if self.fatal.pop("say", 0) is None:
            self.fatal["unknown"] = None
        yield from self.fail("join", "b", group=nobody)
        yield from self.fail("create", "b", group=self.group)
        yield from self.fail("text", "b", group=self.group, text=self.tokens.next())
        yield from self.fail("kick", "b", group=self.group, dest=self.names["a"], reason="x")
        for word, kind, holes_ in _DEADLY:
            values = {"group": self.group, "dest": nobody, "reason": "x", "text": "x"}
            if word == "group-nobody":
                values["group"] = nobody
            if kind not in self.fatal:
                yield from self.fail(kind, "a", **{hole: values[hole] for hole in holes_})
                if kind in self.fatal:
                    self.fatal.pop(kind)
                    self.fatal[word] = None


_DEADLY = (
    ("join-twice", "join", ("group",)),
    ("kick-nobody", "kick", ("group", "dest", "reason")),
    ("invite-nobody", "invite", ("group", "dest")),
    ("group-nobody", "text", ("group", "text")),
    ("tell-nobody", "tell", ("dest", "text")),
)
