"""Try on a server whether a name is that of a request: each in a situation in which only the right one has its effect.

Who hears a text, whom a list names: that no other request does. Where nothing can be seen, an answer counts that is not
the one to what there is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import define

from libtchat.dialect.greeting import Greeting
from libtchat.dialect.probe import frames
from libtchat.dialect.questions import Send, ServerLearning

__all__ = ["Trials"]


@define
class Trials(Greeting):
    """A server of which hello and the list of users are known.

    Attributes:
        control: the looks of what is said of requests that there are not.
        searched: the kind whose name is searched for, "" for none.
        closes: it closes the connection of who asks for what it does not know.
        deaths: how often it died.
    """

    control: frozenset[str] = frozenset()
    searched: str = ""
    closes: bool = False
    deaths: int = 0

    def looks(self, kind: str, name: str, who: str = "a", **values: str) -> ServerLearning:
        """Ask for *kind*; return the looks of what *who* hears that is not said of what there is not."""
        came = yield from self.ask(kind, who, **values)
        words = (name, *self.names.values(), *values.values())
        return frozenset(_look(frame, words) for at, frame in came if at == who) - self.control

    def come_back(self, who: str) -> ServerLearning:
        """Connect again, and remember that it closes."""
        self.closes = True
        yield from super().come_back(who)

    def ask(self, kind: str, who: str = "a", **values: str) -> ServerLearning:
        """Ask for *kind*; what the server dies of is asked for again elsewhere."""
        came = yield from self.send(kind, who, **values)
        if kind in self.fatal:
            self.fatal.pop(kind)
            self.deaths += 1
        return came

    def is_unheard_of(self, kind: str, who: str, values: Mapping[str, str], came: list[tuple[str, str]]) -> bool:
        """Tell whether *who* was told what is said of what there is not."""
        if kind != self.searched:
            return False
        words = (self.actions.get(kind, ""), *self.names.values(), *values.values())
        heard = [frame for at, text in came if at == who for frame, _, _ in frames(text) if not self.is_barrier(frame)]
        return bool(heard) and {_look(frame, words) for frame in heard} <= self.control

    def looks_of(self, came: Iterable[tuple[str, str]], name: str, who: str) -> frozenset[str]:
        """Return the looks of all frames at *who*."""
        words = (name, *self.names.values())
        return frozenset(_look(frame, words) for at, text in came if at == who for frame, _, _ in frames(text))

    def all_named_in(self, came: Iterable[tuple[str, str]]) -> list[Any]:
        """Return the frames at a that name everybody."""
        found = [frame for at, text in came if at == "a" for frame, _, _ in frames(text)]
        return [frame for frame in found if all(name in str(frame) for name in self.names.values())]

    def heard_by(self, kind: str, **values: str) -> ServerLearning:
        """Let a say something; return who of the others hears it."""
        text = self.tokens.next()
        came = yield from self.ask(kind, "a", text=text, **values)
        return {at for at, frame in came if at != "a" and text in str(frame)}

    def lists(self, kind: str, who: str = "a", **values: str) -> ServerLearning:
        """Ask for a list; return the connections whose users it names."""
        came = yield from self.ask(kind, who, **values)
        text = str([frame for at, frame in came if at == who])
        return {at for at, name in self.names.items() if name in text}

    def _try_broadcast(self) -> ServerLearning:
        heard = yield from self.heard_by("broadcast")
        return {"b", "c"} <= heard

    def _try_tell(self) -> ServerLearning:
        heard = yield from self.heard_by("tell", dest=self.names["b"])
        return heard == {"b"}

    def _try_groups(self) -> ServerLearning:
        looks = yield from self.looks("groups", self.actions["groups"])
        return bool(looks)

    def _try_create(self) -> ServerLearning:
        group = self.tokens.next()
        looks = yield from self.looks("create", self.actions["create"], group=group)
        if "groups" in self.actions:
            came = yield from self.ask("groups", "b")
            looks = self.has_list(came, "b", group)
        if looks:
            self.group = group
        return bool(looks)

    def _try_members(self) -> ServerLearning:
        named = yield from self.lists("members", group=self.group)
        return named == {"a"}

    def _try_join(self) -> ServerLearning:
        looks = yield from self.looks("join", self.actions["join"], "b", group=self.group)
        if "members" in self.actions:
            named = yield from self.lists("members", group=self.group)
            return "b" in named
        return bool(looks)

    def _try_text(self) -> ServerLearning:
        heard = yield from self.heard_by("text", group=self.group)
        if heard == {"b"}:
            yield from self._say_last()
            return True
        return False

    def _say_last(self) -> ServerLearning:
        self.last_text = self.tokens.next()
        yield from self.ask("text", "a", group=self.group, text=self.last_text)

    def _try_messages(self) -> ServerLearning:
        came = yield from self.ask("messages", "a", group=self.group)
        return bool(self.last_text) and self.last_text in str(came)

    def _try_states(self) -> ServerLearning:
        if self.actions["states"] == self.actions.get("messages"):
            return False
        looks = yield from self.looks("states", self.actions["states"], group=self.group)
        return bool(looks)

    def _try_invite(self) -> ServerLearning:
        came = yield from self.ask("invite", "a", group=self.group, dest=self.names["c"])
        return any(at == "c" for at, _ in came)

    def _try_kick(self) -> ServerLearning:
        return (yield from self._throws_out("kick"))

    def _try_ban(self) -> ServerLearning:
        is_out = yield from self._throws_out("ban")
        if is_out:
            yield from self.ask("join", "b", group=self.group)
            named = yield from self.lists("members", group=self.group)
            return "b" not in named
        return False

    def _throws_out(self, kind: str) -> ServerLearning:
        looks = yield from self.looks(
            kind, self.actions[kind], group=self.group, dest=self.names["b"], reason=self.tokens.next()
        )
        if "members" not in self.actions:
            return bool(looks)
        named = yield from self.lists("members", group=self.group)
        if "b" in named or not named:
            return False
        if kind == "kick":
            yield from self.ask("join", "b", group=self.group)
        return True

    def _try_unban(self) -> ServerLearning:
        looks = yield from self.looks("unban", self.actions["unban"], group=self.group, dest=self.names["b"])
        yield from self.ask("join", "b", group=self.group)
        if "members" not in self.actions:
            return bool(looks)
        named = yield from self.lists("members", group=self.group)
        return "b" in named

    def _try_leave(self) -> ServerLearning:
        looks = yield from self.looks("leave", self.actions["leave"], "b", group=self.group)
        if "members" not in self.actions:
            return bool(looks)
        named = yield from self.lists("members", group=self.group)
        return bool(named) and "b" not in named

    def _try_quit(self) -> ServerLearning:
        if self.closes:  # as after anything that it does not know
            return True
        seen = yield Send("c", self.request("quit", "c", {}), self.wire)
        return "c" in seen.closed or bool(self.looks_of(seen.came, self.actions["quit"], "c") - self.control)


def _look(frame: Any, words: Sequence[str]) -> str:
    """Return *frame* with *words* and numbers made equal: what it says, whoever it is said about."""
    text = json.dumps(frame, ensure_ascii=False, sort_keys=True)
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "\u2026")
    return re.sub(r"\d+", "0", text)
