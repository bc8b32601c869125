"""Find what a server calls its requests, where it does not call them as the course does."""

from __future__ import annotations

from attrs import define

from libtchat.dialect.questions import COURSE, Connect, Layout, Send, ServerLearning
from libtchat.dialect.request_names import NOUNS, PLAIN, Spelling, names_to_try, spelling_of
from libtchat.dialect.spread import NONSENSE
from libtchat.dialect.template import holes
from libtchat.dialect.trials import Trials
from libtchat.dialect.vocabulary import ACTION_KEYS, KINDS

__all__ = ["Naming"]

_MAX_DEATHS = 6
_MAX_HELLOS = 70
_MAX_LISTS = 40
_MAX_NAMES = 240
_MAX_IN_ALL = 400
_FEW_NAMES = 90  # for who closes the connection over each that it does not know

_LAYOUTS = (
    Layout(actions=ACTION_KEYS, is_rich=True),
    *(Layout(actions=ACTION_KEYS, inside=key, is_rich=True) for key in ("data", "payload", "content")),
)
_ORDER = (
    *("broadcast", "tell", "groups", "create", "members", "join", "text", "messages", "states", "invite"),
    *("kick", "ban", "unban", "leave", "quit"),
)


@define
class Naming(Trials):
    """A server whose words are searched for. *words*: names found elsewhere that are worth a try."""

    words: tuple[str, ...] = ()
    spellings: tuple[Spelling, ...] = PLAIN
    nouns: tuple[str, ...] = NOUNS
    tried: int = 0

    def find_words(self) -> ServerLearning:
        """Find hello, the list of users, and all the rest; return whether there is a hello."""
        for layout in _LAYOUTS:
            self.layout = layout
            if (yield from self.find_hello()):
                yield from self.narrow()
                yield from self.name_all()
                self.names.pop("c", None)
                self.rename()
                return (yield from self.try_to_come_in(fresh=True))
        self.layout = COURSE
        self.actions.clear()
        self.rename()
        return False

    def find_hello(self) -> ServerLearning:
        """Try names for hello; it is one if the list of users can be asked for after it."""
        is_open = False
        control: frozenset[str] = frozenset()
        names = [NONSENSE, *names_to_try("hello", (*PLAIN[:1], *PLAIN[4:], *PLAIN[1:4]), self.words)][:_MAX_HELLOS]
        for name in names:
            if not is_open:
                yield Connect("a")
            self.actions["hello"], self.names["a"] = name, self.tokens.next()
            seen = yield Send("a", self.request("hello", "a", {}), self.wire)
            is_open = seen.alive and "a" not in seen.closed
            heard = self.looks_of(seen.came, name, "a")
            if name == NONSENSE:
                control = heard
                continue
            if not seen.alive:
                self.deaths += 1
                if self.deaths > _MAX_DEATHS:
                    return False
            if heard - control and is_open:
                is_open = False
                self.spellings = tuple(dict.fromkeys((*spelling_of(name), *PLAIN)))
                if (yield from self.find_users()):
                    return True
        return False

    def find_users(self) -> ServerLearning:
        """Say hello for everybody and find the list that names them."""
        self.rename()
        _, is_alive = yield from self.say_hello(fresh=False)
        if not is_alive:
            return False
        for name in [*names_to_try("users", self.spellings, self.words)][:_MAX_LISTS]:
            self.actions["users"] = name
            seen = yield Send("a", self.request("users", "a", {}), self.wire)
            if not seen.alive or "a" in seen.closed:
                self.rename()
                _, is_alive = yield from self.say_hello(fresh=False)
                if not is_alive:
                    return False
            if naming := self.all_named_in(seen.came):
                self.find_barrier(naming[-1])
                self.spellings = tuple(dict.fromkeys((*spelling_of(name), *self.spellings)))
                return True
        return False

    def narrow(self) -> ServerLearning:
        """Find which of the keys for the action the server looks at."""
        for keys in (*((key,) for key in ACTION_KEYS), ACTION_KEYS):
            self.lay_out(actions=keys)
            seen = yield Send("a", self.request("users", "a", {}), self.wire)
            if naming := self.all_named_in(seen.came):
                self.find_barrier(naming[-1])  # some repeat what they were asked
                return
            if not seen.alive or "a" in seen.closed:
                self.lay_out(actions=ACTION_KEYS)
                self.rename()
                yield from self.say_hello(fresh=False)

    def regroup(self) -> ServerLearning:
        """Make a new group as far as it is known how, b in it if it is known how to join."""
        self.group = self.tokens.next()
        for who, kind in (("a", "create"), ("b", "join")):
            if self.actions.get(kind, NONSENSE) != NONSENSE:
                yield from self.let(who, kind, group=self.group)

    def name_all(self) -> ServerLearning:
        """Find the name of each other kind."""
        self.names["c"] = self.tokens.next()
        yield Connect("c")
        yield from self.send("hello", "c")
        for kind in _ORDER:
            yield from self.find_name(kind)
        self.searched = ""
        self.fatal.clear()

    def find_name(self, kind: str) -> ServerLearning:
        """Find the name of *kind*."""
        tried, self.searched = 0, ""
        yield from self.look_at_nonsense(kind)
        self.searched = kind
        for name in names_to_try(kind, self.spellings, self.words, self.nouns):
            if name in self.actions.values() and kind not in ("tell", "text", "broadcast", "messages", "states"):
                continue
            tried, self.tried = tried + 1, self.tried + 1
            if (
                self.tried > _MAX_IN_ALL
                or tried > (_FEW_NAMES if self.closes else _MAX_NAMES)
                or self.deaths > _MAX_DEATHS
            ):
                break
            works = yield from self.try_name(kind, name)
            if works:
                if tried > 1:
                    longest = sorted(NOUNS, key=len, reverse=True)
                    self.nouns = tuple(noun for noun in longest if noun in name.lower())[:1] or self.nouns
                    self.spellings = tuple(dict.fromkeys((*spelling_of(name), *self.spellings)))
                return
        self.actions.pop(kind, None)

    def look_at_nonsense(self, kind: str) -> ServerLearning:
        """See what is said of an action that there is not, with the fields that *kind* has."""
        self.actions[kind] = NONSENSE
        given = {"group": self.group or self.tokens.next(), "dest": self.names["b"]}
        values = given | {"text": self.tokens.next(), "reason": self.tokens.next()}
        wanted = {*holes(KINDS[kind].typed)}
        for who in ("a", "b") if kind in ("join", "leave") else ("a",):
            looks = yield from self.looks(kind, NONSENSE, who, **{h: v for h, v in values.items() if h in wanted})
            self.control |= looks

    def try_name(self, kind: str, name: str) -> ServerLearning:
        """Tell whether *name* has the effect of *kind*."""
        self.actions[kind] = name
        return (yield from getattr(self, f"_try_{kind}")())
