"""A first look at each action: does the server answer it at all? How well it does is for the cases to say."""

from __future__ import annotations

import contextlib
import secrets
import time
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from report.outcome import Lack
from talk.matcher import Names, fill
from talk.wire import Closed, Flood, Garbage, Message, Peer, Silence, write
from words import say

from server.target import Target

__all__ = ["Prober"]

GRACE_SECONDS = 0.3
MAY_JUST_CLOSE = ("client-quit", "client-error")


class _Look(NamedTuple):
    """What to send for one action: *before* sets the stage, `peer` asks, `hearer` hears of it besides."""

    before: Tuple[Tuple[str, str], ...]
    peer: str
    hearer: str


_MADE = (("alice", "cgroupe"),)
_BOTH = (*_MADE, ("bob", "join"))
_LOOKS: Dict[str, _Look] = {
    "ping": _Look((), "alice", ""),
    "client-quit": _Look((), "alice", ""),
    "client-list-clients": _Look((), "alice", ""),
    "client-send": _Look((), "alice", "bob"),
    "client-broadcast": _Look((), "alice", "bob"),
    "client-error": _Look((), "alice", ""),
    "cgroupe": _Look((), "alice", ""),
    "join": _Look(_MADE, "bob", "alice"),
    "gbroadcast": _Look(_BOTH, "alice", "bob"),
    "leave": _Look(_BOTH, "bob", "alice"),
    "members": _Look(_MADE, "alice", ""),
    "groups": _Look((), "alice", ""),
    "invite": _Look(_MADE, "alice", "bob"),
    "kick": _Look(_BOTH, "alice", "bob"),
    "ban": _Look(_BOTH, "alice", "bob"),
    "unban": _Look((*_BOTH, ("alice", "ban")), "alice", "bob"),
    "msgs": _Look(_MADE, "alice", ""),
    "states": _Look(_MADE, "alice", ""),
    "register": _Look((), "alice", ""),
}
_FIELDS: Dict[str, Message] = {
    "ping": {},
    "client-send": {"from": "$me", "to": "$bob", "msg": "hi"},
    "client-broadcast": {"from": "$me", "msg": "hi"},
    "gbroadcast": {"sender": "$me", "group": "$wob", "msg": "hi"},
    "groups": {"name": "$me"},
    "register": {"sender": "$me", "password": "secret"},
    **{action: {"from": "$me"} for action in ("client-quit", "client-list-clients", "client-error")},
    **{action: {"sender": "$me", "group": "$wob", "dest": "$bob"} for action in ("invite", "kick", "ban", "unban")},
}
_ON_GROUP: Message = {"sender": "$me", "group": "$wob"}
# What is asked after a request that may stay without an answer, so that one need not wait: the first that is answered.
_BARRIERS = ("ping", "client-list-clients")


class Prober:
    """Looks at one action after another, and remembers which are answered."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._answered: List[str] = []

    def look(self, action: str, lacking: Sequence[str] = ()) -> Optional[Lack]:
        """Ask for *action* as a client would; return what is missing, None if anything else than that came back.

        What is *lacking* already is not asked for before: even without a group `join` has an answer.

        Raises:
            OSError: nobody listens there any more.
        """
        look = _LOOKS[action]
        chat = _Chat(self.target, next((one for one in _BARRIERS if one in self._answered), ""))
        try:
            with contextlib.suppress(Silence, Closed, Garbage, Flood):
                chat.enter()
                for peer, earlier in look.before:
                    if earlier in lacking:
                        break
                    chat.ask(peer, earlier)
                    chat.settle(peer)
            kind = self._kind(chat, action, look)
        finally:
            chat.leave()
        if not kind:
            self._answered.append(action)
            return None
        ms = int(self.target.timeout_seconds * 1000)
        return Lack(action, kind, say("lack-" + kind, action=action, ms=ms, mistake=6))

    def _kind(self, chat: "_Chat", action: str, look: _Look) -> str:
        try:
            chat.ask(look.peer, action)
            answer = chat.answer(look.peer)
        except Silence:
            return "no-echo" if self._is_heard(chat, action, look) else "silent"
        except Closed:
            return "" if action in MAY_JUST_CLOSE else "closes"
        except (Garbage, Flood):
            return ""
        is_unknown = answer.get("action") == "error" and answer.get("code") == "unknown-action"
        return "unknown" if is_unknown else ""

    def _is_heard(self, chat: "_Chat", action: str, look: _Look) -> bool:
        """Say whether the request was carried out, and only its requester was left out (mistake 6)."""
        with contextlib.suppress(Silence, Closed, Garbage, Flood):
            if look.hearer:
                return chat.hears(look.hearer, action)
            if action == "cgroupe":
                chat.ask("bob", "join")
                return chat.hears("alice", "join") or chat.hears("bob", "join")
        return False


class _Chat:
    """Alice and bob on the server, with names nobody else has."""

    def __init__(self, target: Target, barrier: str) -> None:
        self.names = Names("probe-" + secrets.token_hex(3))
        self.barrier = barrier
        self.has_group = False
        self.target = target
        self.peers: Dict[str, Peer] = {label: target.open(at) for at, label in enumerate(("alice", "bob"))}

    def enter(self) -> None:
        for label in self.peers:
            self.ask(label, "client-hello", {"from": "$me"})
            self.next(label, self.target.timeout_seconds)

    def leave(self) -> None:
        """Leave the group, if there was one, and close."""
        for label, peer in self.peers.items():
            if self.has_group and not peer.is_closed:
                self.ask(label, "leave")
                with contextlib.suppress(Silence, Closed, Garbage, Flood):
                    self.next(label, GRACE_SECONDS)
            peer.sock.close()

    def ask(self, label: str, action: str, fields: Optional[Message] = None) -> None:
        message = fill({**(fields or _FIELDS.get(action, _ON_GROUP)), "action": action}, self.names)
        assert isinstance(message, dict)
        me = self.names.of(label)
        mine = {key: me if value == self.names.of("me") else value for key, value in message.items()}
        self.has_group = self.has_group or action == "cgroupe"
        self.peers[label].send(write(mine))

    def settle(self, asker: str) -> None:
        """Read away the answer to *asker* and what others hear, so that the next message answers the next request."""
        with contextlib.suppress(Silence):
            self.next(asker, GRACE_SECONDS)
        for label in self.peers:
            if self.barrier:
                self.ask(label, self.barrier)
            self._await(label, lambda action: action == self._barrier_answer)

    def answer(self, label: str) -> Message:
        """Return the next message; with a barrier behind the request, silence is known at once."""
        if not self.barrier:
            return self.next(label, self.target.timeout_seconds)
        with contextlib.suppress(Silence):
            return self.next(label, GRACE_SECONDS)
        self.ask(label, self.barrier)
        answer = self.next(label, self.target.timeout_seconds)
        return answer if answer.get("action") != self._barrier_answer else self.next(label, GRACE_SECONDS)

    @property
    def _barrier_answer(self) -> str:
        return self.barrier.replace("client-", "server-")

    def next(self, label: str, seconds: float) -> Message:
        """Return the next message that is no presence notice."""
        peer = self.peers[label]
        peer.timeout_seconds = seconds
        deadline = time.monotonic() + seconds
        while True:
            message = peer.next().message
            if message.get("action") != "server-broadcast" or "event" not in message:
                return message
            if time.monotonic() > deadline:
                raise Silence(say("silence", ms=int(seconds * 1000)))

    def hears(self, label: str, action: str) -> bool:
        """Say whether a message about *action* comes now."""
        return self._await(label, lambda found: action.replace("client-", "") in found)

    def _await(self, label: str, is_wanted: Callable[[str], bool]) -> bool:
        """Say whether a message comes whose action is wanted, before it is silent or has said much else."""
        deadline = time.monotonic() + self.target.timeout_seconds
        with contextlib.suppress(Silence):
            while time.monotonic() < deadline:
                if is_wanted(str(self.next(label, GRACE_SECONDS).get("action"))):
                    return True
        return False
