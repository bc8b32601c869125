"""Several nodes over one log and one roster, without an engine: in memory, with delays, conflicts, deaths and restarts.

`World` is what an engine and the network do; what happens next is said by who drives it. Every line that a connection
hears is kept with what was acknowledged when, so that `nodecheck` can judge the whole afterwards.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Iterable
from typing import Any

from attrs import Factory, define, evolve, field
from harness import UNLIMITED, at_once

from libtchat.cluster import Barred, FindSeat, NodeId, Protected, Prove, Record, Relay, ReleaseSeat, Seat, TakeSeat
from libtchat.effect import (
    Answer,
    Append,
    Ask,
    CheckPassword,
    Close,
    Effect,
    FindRetry,
    FindUser,
    HashPassword,
    LoadGroup,
    LoadUser,
    NumberGuest,
    PageKind,
    PeerId,
    Question,
    Read,
    ReadGroups,
    Resend,
    SaveUser,
    Send,
)
from libtchat.group import Group, fold
from libtchat.hub.node import Node
from libtchat.message.event import EVENTS, Event, LogEvent
from libtchat.message.names import Key, UserKey
from libtchat.message.request import Request
from libtchat.paging import fill
from libtchat.wire import codec
from tchat_server.store.event_log import EncodedPart, encode_part
from tchat_server.store.memory import MemoryLog

_EVENTS = tuple(EVENTS.values())
BIG = 2**40


@define(eq=False)
class Connection:
    """One client's connection.

    Attributes:
        sent: what it asked, in order, each with what was acknowledged by any node then: per group, the last seq.
        token: what the welcome told, None before.
        present: per request, who was welcomed before it was asked, and not gone.
        heard: the lines it got, each with how long each group's log was then.
    """

    node: int
    peer: PeerId
    name: str
    sent: list[tuple[Request, dict[Key, int]]] = field(factory=list)
    heard: list[tuple[bytes, dict[Key, int]]] = field(factory=list)
    is_open: bool = True
    token: str | None = None
    present: dict[str | None, dict[str, Connection]] = field(factory=dict)


@define(eq=False)
class Out:
    """An append on its way. *failed*: what the engine made of it, None before."""

    parts: list[EncodedPart]
    failed: dict[Key, tuple[LogEvent, ...]] | None = None
    unavailable: set[Key] = field(factory=set)


@define(eq=False)
class Machine:
    """One node: its hub, its cache of the log, and what is on its way to it.

    Attributes:
        position: per group, up to which seq it has the log.
        asked: questions out, each with what the log had for it when it was asked, and the lengths of all logs then.
        seats: as it was told, or put them itself.
    """

    number: int
    node: NodeId
    hub: Node
    cache: MemoryLog
    connections: dict[PeerId, Connection] = field(factory=dict)
    position: dict[Key, int] = field(factory=dict)
    out: Out | None = None
    asked: list[tuple[Ask, Answer, dict[Key, int], int]] = field(factory=list)
    seats: dict[UserKey, Seat] = field(factory=dict)
    relays: deque[Relay] = field(factory=deque)
    news: deque[Seat | NodeId | Protected | Barred] = field(factory=deque)
    is_fenced: bool = False


@define
class World:
    """The engine, and all nodes. Time stands still unless `now` is moved."""

    count: int
    seed: int = 0
    limits: Any = UNLIMITED
    now: float = 1_800_000_000.0
    random: random.Random = field(init=False)
    machines: list[Machine] = field(factory=list, init=False)
    connections: list[Connection] = field(factory=list, init=False)
    records: dict[Key, list[tuple[Record, Group, int]]] = Factory(dict)  # and by which run of a node
    acknowledged: dict[Key, int] = Factory(dict)
    accounts: dict[UserKey, tuple[str, str]] = Factory(dict)
    seats: dict[UserKey, Seat] = Factory(dict)
    leases: deque[NodeId] = Factory(deque)
    gone: set[NodeId] = Factory(set)
    faults: int = 0
    revision: int = 0
    guests: int = 0
    runs: int = 0
    tokens: int = 0

    def __attrs_post_init__(self) -> None:
        self.random = random.Random(self.seed)
        for number in range(self.count):
            self.machines.append(self._machine(number, MemoryLog(clock=lambda: self.now, limits=self.limits), {}))

    def length(self, key: Key) -> int:
        records = self.records.get(key)
        return records[-1][0].events[-1].seq if records else 0

    def lengths(self) -> dict[Key, int]:
        return {key: self.length(key) for key in self.records}

    def events(self, key: Key) -> list[Event]:
        """Return the events of a group."""
        found = [event for record, _, _ in self.records.get(key, ()) for event in record.events]
        return [event for event in found if isinstance(event, Event)]

    def lines(self, key: Key) -> list[bytes]:
        return [line for record, _, _ in self.records.get(key, ()) for line in record.lines]

    def connect(self, number: int, name: str) -> Connection:
        machine = self.machines[number]
        self.tokens += 1
        peer = machine.hub.connect(self.now, token=f"token-{self.tokens}", origin=name)
        connection = machine.connections[peer] = Connection(number, peer, name)
        self.connections.append(connection)
        return connection

    def send(self, connection: Connection, request: Request) -> None:
        machine = self.machines[connection.node]
        connection.sent.append((request, dict(self.acknowledged)))
        connection.present[request.id] = {it.name: it for it in self.connections if it.is_open and it.token}
        machine.hub.handle(connection.peer, [request], self.now)
        self.tick(machine)

    def disconnect(self, connection: Connection) -> None:
        machine = self.machines[connection.node]
        connection.is_open = False
        machine.connections.pop(connection.peer, None)
        machine.hub.disconnected(connection.peer, self.now)
        self.tick(machine)

    def commit(self, machine: Machine, unavailable: Iterable[Key] = ()) -> None:
        """Let the engine take the append that is out; the node does not know yet."""
        out = machine.out
        assert out is not None
        assert out.failed is None
        out.failed = {}
        for part in out.parts:
            if part.key in unavailable:
                self.faults += 1
                out.failed[part.key] = ()
            elif part.expected != self.length(part.key):
                out.failed[part.key] = tuple(self.events(part.key)[part.expected :])
            else:
                record = Record(part.key, part.expected, part.events, part.digests, part.lines)
                self.records.setdefault(part.key, []).append((record, part.after, machine.number))

    def settle(self, machine: Machine) -> None:
        """Tell the node what became of its append; what the contract says is told before comes before."""
        out = machine.out
        assert out is not None
        assert out.failed is not None
        for part in out.parts:
            failed = out.failed.get(part.key)
            self._advance(machine, part.key, part.events[-1].seq if failed is None else self.length(part.key))
            if failed is None:
                seq = part.events[-1].seq
                self.acknowledged[part.key] = max(self.acknowledged.get(part.key, 0), seq)
        machine.out = None
        hub = machine.hub
        effects = hub.rejected(out.failed, self.now) if out.failed else hub.committed(self.now)
        self._carry_out(machine, effects)
        self.tick(machine)

    def tell(self, machine: Machine, key: Key) -> None:
        """Give a node the next record of a group that it does not have."""
        position = machine.position.get(key, 0)
        found = next((it for it in self.records.get(key, ()) if it[0].expected == position), None)
        if found is not None:
            self._advance(machine, key, found[0].events[-1].seq)
            self.tick(machine)

    def answer(self, machine: Machine, number: int = 0, *, fails: bool = False, late: bool | None = None) -> None:
        """Answer one of the questions that are out; *late*: as of now, and not of when it was asked."""
        ask, early, lengths, revision = machine.asked.pop(number % len(machine.asked))
        if isinstance(ask.question, Prove) and not fails:
            self._reach(machine, lengths, revision)
        late = self.random.random() < 0.5 if late is None else late
        answer = self._answer(machine, ask.question) if late or early is None else early
        self.faults += fails
        machine.hub.answered(ask, None if fails and _may_fail(ask.question) else answer, self.now)
        self.tick(machine)

    def kill(self, machine: Machine, *, keeps_cache: bool) -> None:
        """Let a node die, and another one come in its place. What its append became is left as it is."""
        for connection in machine.connections.values():
            connection.is_open = False
        cache = machine.cache if keeps_cache else MemoryLog(clock=lambda: self.now, limits=self.limits)
        position = machine.position if keeps_cache else {}
        self.machines[machine.number] = new = self._machine(machine.number, cache, position)
        for key, length in self.lengths().items():
            self._fill(new, key, length)
        self.leases.append(machine.node)

    def end_lease(self) -> None:
        """Let the lease of a node that died end."""
        if self.leases:
            gone = self.leases.popleft()
            self.gone.add(gone)
            self.spread(gone)

    def hear_news(self, machine: Machine) -> None:
        """Tell a node the next thing the roster has for it."""
        if machine.news:
            self._hear(machine, machine.news.popleft())
            self.tick(machine)

    def relay(self, machine: Machine) -> None:
        """Bring a node the next text for its connections."""
        if machine.relays:
            machine.hub.relayed(machine.relays.popleft(), self.now)
            self.tick(machine)

    def rest(self) -> None:
        """Let everything end that is on its way."""
        while self.leases:
            self.end_lease()
        for _ in range(10_000):
            busy = False
            for machine in self.machines:
                while machine.news:
                    self.hear_news(machine)
                while machine.relays:
                    self.relay(machine)
                for key in list(self.records):
                    while machine.position.get(key, 0) < self.length(key):
                        self.tell(machine, key)
                if machine.asked:
                    self.answer(machine)
                    busy = True
                if machine.out is not None:
                    if machine.out.failed is None:
                        self.commit(machine)
                    self.settle(machine)
                    busy = True
            if not busy and not any(m.news or m.relays for m in self.machines):
                return
        raise AssertionError("it never ends")

    def tick(self, machine: Machine) -> None:
        while effects := machine.hub.drain():
            self._carry_out(machine, effects)

    def _machine(self, number: int, cache: MemoryLog, position: dict[Key, int]) -> Machine:
        self.runs += 1
        node = NodeId(f"node-{number}.{self.runs}")
        machine = Machine(number, node, Node("test", self.limits, node=node), cache, position=dict(position))
        for key in self.seats:
            self._hear(machine, self.seat(key))
        return machine

    def _advance(self, machine: Machine, key: Key, seq: int) -> None:
        """Let a node have a group's log up to *seq*; others' records are told, one by one."""
        for record, after, number in list(self.records.get(key, ())):
            if machine.position.get(key, 0) != record.expected or record.expected >= seq:
                continue
            self._store(machine, record, after)
            if not (number == machine.number and self._is_own(machine, record)):
                machine.hub.told([record], self.now)
        self.tick(machine)

    def _is_own(self, machine: Machine, record: Record) -> bool:
        """Tell whether this run of the node appended it: its append is out still."""
        out = machine.out
        return out is not None and any(part.key == record.key and part.events == record.events for part in out.parts)

    def _fill(self, machine: Machine, key: Key, seq: int) -> None:
        for record, after, _ in self.records.get(key, ()):
            if machine.position.get(key, 0) == record.expected < seq:
                self._store(machine, record, after)

    def _store(self, machine: Machine, record: Record, after: Group) -> None:
        part = EncodedPart(record.key, record.expected, record.events, after, record.digests, record.lines)
        assert not at_once(machine.cache.append([part]))
        machine.position[record.key] = record.events[-1].seq

    def _reach(self, machine: Machine, lengths: dict[Key, int], revision: int) -> None:
        while any(isinstance(it, Seat) and it.revision <= revision for it in machine.news):
            self._hear(machine, machine.news.popleft())
        keys = list(lengths)
        self.random.shuffle(keys)
        for key in keys:
            self._advance(machine, key, lengths[key])

    def _carry_out(self, machine: Machine, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    line = effect.line or codec.encode(effect.message)
                    if isinstance(effect.message, _EVENTS):
                        self._check_durable(effect.message, line)
                    for peer in effect.peers:
                        self._write(machine, peer, line)
                case Append():
                    assert machine.out is None, "two appends are out"
                    machine.out = Out([encode_part(part) for part in effect.parts])
                case Ask():
                    early = None if isinstance(effect.question, _CHANGES) else self._answer(machine, effect.question)
                    machine.asked.append((effect, early, dict(self.acknowledged), self.revision))
                case Close():
                    if (connection := machine.connections.get(effect.peer)) is not None:
                        connection.is_open = False
                        del machine.connections[effect.peer]
                    machine.hub.disconnected(effect.peer, self.now)
                case Read() | ReadGroups() | Resend():
                    self._write(machine, effect.peer, self._read(machine, effect))
                case Relay():
                    relay = evolve(effect, line=codec.encode(effect.message))
                    for other in self.machines:
                        if other is not machine:
                            other.relays.append(relay)

    def _check_durable(self, event: Any, line: bytes) -> None:
        lines = [it for key in self.records for it in self.lines(key)]
        assert line in lines, f"{event} is told and not durable, or in other bytes"

    def _write(self, machine: Machine, peer: PeerId, line: bytes) -> None:
        if (connection := machine.connections.get(peer)) is not None:
            connection.heard.append((line, self.lengths()))
            if b'"server-hello"' in line:
                welcome = json.loads(line)
                connection.name, connection.token = welcome["sender"], welcome["token"]

    def _read(self, machine: Machine, effect: Read | ReadGroups | Resend) -> bytes:
        room = self.limits.max_page_bytes
        match effect:
            case Read(key=key, kinds=kinds, after=after, before=before, limit=limit):
                page = at_once(machine.cache.read(key, kinds, after=after, before=before, limit=limit, max_bytes=room))
                ends = {"more": page.more, "first": page.first, "last": page.last}
                return codec.encode_page(effect.action, effect.group, page.lines, **ends, id=effect.id)  # type: ignore[arg-type]
            case ReadGroups(reply=reply):
                names = at_once(machine.cache.public_groups(after=effect.after, limit=1000, max_bytes=room))
                return codec.encode(fill(reply, names.names, names.more, self.limits))
            case Resend(key=key, seq=seq):
                page = at_once(
                    machine.cache.read(key, PageKind.ALL, after=seq - 1, before=seq + 1, limit=1, max_bytes=room)
                )
                return page.lines[0]

    def _answer(self, machine: Machine, question: Question) -> Answer:
        cache = machine.cache
        match question:
            case LoadGroup(key=key):
                return at_once(cache.load(key))
            case LoadUser(key=user):
                _, password_hash = self.accounts.get(user, ("", None))
                return evolve(at_once(cache.load_user(user)), password_hash=password_hash)
            case FindUser(key=user):
                for key, length in self.lengths().items():
                    self._advance(machine, key, length)
                known = at_once(cache.find_user(user))
                name, password_hash = self.accounts.get(user, (known.name, None))
                return evolve(known, name=name, is_protected=password_hash is not None)
            case FindRetry(key=user, id=id):
                return at_once(cache.find_retry(user, id))
            case SaveUser(key=user, name=name, password_hash=hashed, replaces=replaces):
                _, current = self.accounts.get(user, ("", None))
                if current not in (replaces, hashed):
                    return False
                self.accounts[user] = (name, hashed)
                self.spread(Protected(user, hashed), machine)
                return True
            case NumberGuest():
                self.guests += 1
                return self.guests
            case HashPassword(password=password):
                return f"hash of {password}"
            case CheckPassword(password=password, password_hash=hash):
                return hash == f"hash of {password}"
            case Prove():
                return True
            case FindSeat(key=key, known=known):
                return machine.seats.get(key, Seat(key, "", "")) if known else self.seat(key)
            case TakeSeat(seat=seat):
                before = self.seats.get(seat.key)
                if (before.revision if before else 0) != seat.revision:
                    return 0
                return self._seat(seat, machine)
            case ReleaseSeat(key=key):
                seat = self.seats[key]
                nodes = dict(seat.nodes)
                nodes[machine.node] -= 1
                self._seat(evolve(seat, nodes={node: n for node, n in nodes.items() if n}), machine)
                return True
        raise AssertionError(f"{question} is asked")

    def seat(self, key: UserKey) -> Seat:
        """Return a seat as it is found: without nodes whose lease ended, whatever is stored."""
        seat = self.seats.get(key) or Seat(key, "", "")
        return evolve(seat, nodes={node: count for node, count in seat.nodes.items() if node not in self.gone})

    def _seat(self, seat: Seat, by: Machine | None) -> int:
        self.revision += 1
        self.seats[seat.key] = evolve(seat, revision=self.revision)
        if by is not None:
            self._know(by, self.seat(seat.key))
        self.spread(self.seat(seat.key), by)
        return self.revision

    def spread(self, news: Seat | NodeId | Protected | Barred, by: Machine | None = None) -> None:
        """Have all nodes, but the one it is of, told some time."""
        for machine in self.machines:
            if machine is not by:
                machine.news.append(news)

    def _hear(self, machine: Machine, news: Seat | NodeId | Protected | Barred) -> None:
        if isinstance(news, Seat):
            self._know(machine, news)
            machine.hub.seated([news], self.now)
        elif isinstance(news, Protected | Barred):
            machine.hub.told([news], self.now)
        else:
            for seat in list(machine.seats.values()):
                nodes = {node: count for node, count in seat.nodes.items() if node != news}
                machine.seats[seat.key] = evolve(seat, nodes=nodes)
            machine.hub.lost(news, self.now)

    def _know(self, machine: Machine, seat: Seat) -> None:
        if seat.key not in machine.seats or machine.seats[seat.key].revision < seat.revision:
            machine.seats[seat.key] = seat


_CHANGES = (SaveUser, NumberGuest, TakeSeat, ReleaseSeat, Prove, FindSeat, FindUser)


def _may_fail(question: Question) -> bool:
    return isinstance(question, LoadGroup | LoadUser | FindUser | FindRetry | Prove)


def state(world: World, key: Key) -> Group | None:
    return fold(world.events(key))
