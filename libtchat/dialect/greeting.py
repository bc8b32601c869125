"""Come in at a server: how messages are laid out, what a hello is, what its list of users looks like."""

from __future__ import annotations

from typing import Any

from attrs import define, evolve

from libtchat.dialect.generalise import generalise
from libtchat.dialect.interview import Interview
from libtchat.dialect.probe import frames
from libtchat.dialect.questions import COURSE, Connect, Hear, Layout, Send, ServerLearning
from libtchat.dialect.template import constants
from libtchat.dialect.vocabulary import WRAPPERS

__all__ = ["Greeting"]

_WRAPPED = (COURSE, *(Layout((key,)) for key in WRAPPERS))


@define
class Greeting(Interview):
    """An interview up to the point where a list of users names somebody. *is_open*: the connections last."""

    is_open: bool = True

    def try_layouts(self, *, fresh: bool) -> ServerLearning:
        """Ask for the list of users in each layout of the course's words; return whether one was answered."""
        for layout in _WRAPPED:
            self.layout = layout
            if layout != COURSE:
                self.rename()
            if (yield from self.try_to_come_in(fresh=fresh)):
                return True
            fresh = not self.is_open  # what it closed for may have been its end
        self.layout = COURSE
        return False

    def try_to_come_in(self, *, fresh: bool) -> ServerLearning:
        """Say hello and ask for the list of users; return whether it names somebody."""
        hellos, is_alive = yield from self.say_hello(fresh=fresh)
        if not is_alive:
            return False
        seen = yield Send("a", self.request("users", "a", {}), self.wire)
        users = [frame for at, text in seen.came if at == "a" for frame, _, _ in frames(text)]
        self.has_answered = self.has_answered or bool(users or hellos)
        naming = [frame for frame in users if self.names["b"] in str(frame)]
        self.is_open = seen.alive and "a" not in seen.closed
        if not naming or not seen.alive:
            return False
        self.learn("hello", "a", hellos)
        self.find_barrier(naming[-1])
        return True

    def say_hello(self, *, fresh: bool) -> ServerLearning:
        """Open all connections; return what a was told for its hello, and whether that can go on."""
        hellos: list[tuple[str, Any]] = []
        self.is_open = True
        for who in self.names:
            seen = yield Connect(who, fresh=fresh and who == "a")
            if seen.came and not fresh and who == "a":
                self.remark(f"it speaks first: {seen.came[0][1][:80]!r}")
            seen = yield Send(who, self.request("hello", who, {}), self.wire)
            if not seen.alive or who in seen.closed:
                self.has_answered = self.has_answered or (seen.alive and self.layout == COURSE)
                self.is_open = False
                return hellos, False
            if who == "a":
                hellos = [(at, frame) for at, text in seen.came for frame, _, _ in frames(text)]
        return hellos, True

    def find_barrier(self, frame: Any) -> None:
        """Take the answer to `ls;` as what tells that all before was answered."""
        names = dict.fromkeys(self.names.values(), "list")
        template = generalise(frame, names, listed=frozenset(names))
        self.barrier = template if any(constants(template)) else None

    def hear_late(self) -> ServerLearning:
        """See whether the server only answers late; return whether it was come in at then."""
        yield from self.say_hello(fresh=True)
        seen = yield Hear("a")
        if not seen.came:
            return False
        self.remark("it answers slowly: every wait was made longer")
        return (yield from self.try_layouts(fresh=True))

    def rename(self) -> None:
        """Give everybody a new name: the old ones may be taken."""
        self.names = {who: self.tokens.next() for who in self.names}

    def lay_out(self, **changes: Any) -> None:
        """Change something in how the server is asked."""
        self.layout = evolve(self.layout, **changes)
