"""A server without sockets or time, for tests: a hub, a memory log, and peers whose received messages are kept.

`Shell` carries effects out as the real server does. An append stays out until `settle` is called or, with a
`Delay`, until a random number of items came in; it may then fail.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Awaitable, Iterable
from typing import Any, TypeVar

from attrs import Factory, define, evolve, field
from hypothesis import HealthCheck, Phase, settings

from libtchat.effect import (
    Answer,
    Append,
    Ask,
    CheckPassword,
    CheckRequest,
    Close,
    Effect,
    HashPassword,
    Item,
    PeerId,
    Question,
    Read,
    ReadGroups,
    Resend,
    Send,
    Settled,
)
from libtchat.hub.hub import Hub
from libtchat.message.limits import DEFAULT_LIMITS, ServerLimits
from libtchat.message.request import Hello
from libtchat.wire import codec
from libtchat.wire.connection import CRLF
from tchat_server.store.answers import Answers
from tchat_server.store.event_log import Ready, encode_part
from tchat_server.store.memory import MemoryLog
from tchat_server.store.pages import reading

UNLIMITED = evolve(
    DEFAULT_LIMITS,
    requests_per_second=0.0,
    broadcasts_per_second=0.0,
    passwords_per_second=0.0,
    registers_per_second=0.0,
)
T = TypeVar("T")


def at_once(ready: Awaitable[T]) -> T:
    """Return what waits for nothing."""
    assert isinstance(ready, Ready)
    value: T = ready.value
    return value


def result_of(awaitable: Awaitable[T]) -> T:
    """Return what is awaited, if that waits for nothing."""
    try:
        next(awaitable.__await__())
    except StopIteration as done:
        value: T = done.value
        return value
    raise AssertionError("it waits")


@define
class Delay:
    """How long appends stay out (in items handled meanwhile) and how often their parts fail."""

    random: random.Random
    most: int = 3
    failing: float = 0.3
    left: int = 0


@define
class Shell:
    """One hub and what it needs. Time stands still unless `now` is moved."""

    hub: Hub = Factory(lambda: Hub("test", UNLIMITED))
    log: MemoryLog = Factory(lambda shell: MemoryLog(clock=lambda: shell.now, limits=UNLIMITED), takes_self=True)
    limits: ServerLimits = UNLIMITED
    delay: Delay | None = None
    now: float = 1_800_000_000.0
    received: dict[PeerId, deque[dict[str, Any]]] = field(factory=dict, init=False)
    lines: dict[PeerId, list[bytes]] = field(factory=dict, init=False)
    closed: set[PeerId] = field(factory=set, init=False)
    settled: dict[int, Any] = field(factory=dict, init=False)
    storage: Answers = field(init=False)
    out: Append | None = field(default=None, init=False)
    asked: deque[Ask] = field(factory=deque, init=False)
    holds: bool = False
    tokens: int = 0

    def __attrs_post_init__(self) -> None:
        self.storage = Answers(self.log, lambda _: Ready(None))

    def connect(self, origin: str = "", **more: Any) -> PeerId:
        self.tokens += 1
        peer = self.hub.connect(self.now, token=f"token-{self.tokens}", origin=origin, **more)
        self.received[peer] = deque()
        self.lines[peer] = []
        return peer

    def vouch(self, user: str, **more: Any) -> PeerId:
        """Connect somebody who need not prove who it is."""
        peer = self.connect(user=user, **more)
        self.tick()
        return peer

    def disconnect(self, peer: PeerId) -> None:
        self.closed.add(peer)
        self.hub.disconnected(peer, self.now)
        self.tick()

    def handle(self, peer: PeerId, *items: Item) -> None:
        self.hub.handle(peer, items, self.now)
        self.tick()

    def said(self, peer: PeerId) -> list[dict[str, Any]]:
        """Take what *peer* received since the last call."""
        messages = list(self.received[peer])
        self.received[peer].clear()
        return messages

    def tick(self) -> None:
        while True:
            if effects := self.hub.drain():
                self.carry_out(effects)
            elif self.asked:
                self._answer(self.asked.popleft())
            elif self.out is None or self.holds or self._stays_out():
                return
            else:
                self.settle()

    def settle(self, failing: Iterable[str] = ()) -> None:
        """Complete the append that is out; the groups with the keys in *failing* are unavailable."""
        assert self.out is not None
        append, self.out = self.out, None
        lost = {part.key for part in append.parts if part.key in set(failing) or self._fails()}
        failed = dict(at_once(self.log.append([encode_part(part) for part in append.parts if part.key not in lost])))
        failed.update(dict.fromkeys(lost, ()))
        self.carry_out(self.hub.rejected(failed, self.now) if failed else self.hub.committed(self.now))

    def finish(self) -> None:
        """Complete everything that is out."""
        while self.out is not None:
            self.settle()
            self.tick()

    def carry_out(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    line = codec.encode(effect.message)
                    for peer in effect.peers:
                        self._write(peer, line)
                case Append():
                    assert self.out is None, "two appends are out"
                    self.out = effect
                    if self.delay is not None:
                        self.delay.left = self.delay.random.randint(0, self.delay.most)
                case Ask():
                    self.asked.append(effect)
                case Close():
                    self.closed.add(effect.peer)
                    self.hub.disconnected(effect.peer, self.now)
                case Settled():
                    self.settled[effect.ticket] = effect.outcome
                case Read() | ReadGroups() | Resend():
                    self._write(effect.peer, self._read(effect))

    def _write(self, peer: PeerId, line: bytes) -> None:
        if peer not in self.closed:
            self.lines[peer].append(line)
            self.received[peer].append(json.loads(line))

    def _read(self, effect: Read | ReadGroups | Resend) -> bytes:
        return result_of(reading(effect, self.log, self.limits)()).removesuffix(CRLF)

    def _answer(self, ask: Ask) -> None:
        self.hub.answered(ask, self.answer_to(ask.question), self.now)

    def answer_to(self, question: Question) -> Answer:
        """Answer as the storage is now."""
        match question:
            case HashPassword(password=password):
                return f"hash of {password}"
            case CheckPassword(password=password, password_hash=hash):
                return hash == f"hash of {password}"
            case CheckRequest():
                return None
            case _:
                return at_once(self.storage.answer(question))

    def _stays_out(self) -> bool:
        if self.delay is None:
            return False
        self.delay.left -= 1
        return self.delay.left >= 0

    def _fails(self) -> bool:
        return self.delay is not None and self.delay.random.random() < self.delay.failing


def repeatable(examples: int, **more: Any) -> settings:
    """Return settings with which Hypothesis makes the same examples each time, and stops at the first that fails."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        **more,
    )


def enter(shell: Shell, name: str | None, **fields: Any) -> PeerId:
    """Connect a peer that says hello, and forget what it was told."""
    peer = shell.connect()
    assert ask(shell, peer, Hello(**fields, sender=name))["action"] == "server-hello"
    shell.said(peer)
    return peer


def ask(shell: Shell, peer: PeerId, item: Item) -> dict[str, Any]:
    """Return the first message that *peer* gets after *item*; the others stay unread."""
    shell.said(peer)
    shell.handle(peer, item)
    shell.finish()
    assert shell.received[peer], f"nothing came after {item}"
    return shell.received[peer].popleft()


def code(shell: Shell, peer: PeerId, item: Item) -> str:
    """Return the code of the refusal that answers *item*, "" if it is answered otherwise."""
    return str(ask(shell, peer, item).get("code", ""))
