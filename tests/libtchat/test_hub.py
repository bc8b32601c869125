"""The hub over a log that takes its time, fails and is written by others, against a naive model (I1-I10).

What leaves the hub is in one order. So the model is asked as a server that does one thing after the other would be:
whatever leaves must be what that server answers to the peer's oldest request, after all events that left before.
That one sentence holds the contract: nothing leaves before it is durable, nothing overtakes, and what was decided
on something that failed is decided again in place.

The mutants at the end are hubs with one mistake each. The same machine must find each of them.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import model
import pytest
from attrs import define, evolve, field
from harness import UNLIMITED, Shell, at_once, repeatable
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from libtchat import group, sorted_map
from libtchat.effect import Answer, Append, Ask, Effect, PageKind, Part, PeerId, Read, ReadGroups, Resend, Send
from libtchat.group import Group, fold
from libtchat.hub import ledger as ledger_module
from libtchat.hub import retries
from libtchat.hub.decider import Decider
from libtchat.hub.entry import AnyEntry, Decision, Notice, Query
from libtchat.hub.hub import Hub
from libtchat.hub.ledger import Ledger, Slot
from libtchat.hub.line import Line
from libtchat.hub.lookup import Lookup
from libtchat.hub.newcomer import Newcomers
from libtchat.hub.presence import Presence
from libtchat.hub.query import Replies
from libtchat.hub.retries import Retries
from libtchat.hub.revision import Revision
from libtchat.message import reply
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.event import Event, Invited, Joined, Kicked, Left, Said
from libtchat.message.names import Key, group_key
from libtchat.message.request import (
    Ban,
    Create,
    GroupRequest,
    Hello,
    Invite,
    Join,
    Kick,
    Leave,
    ListGroups,
    ListMembers,
    ListMessages,
    ListStates,
    Ping,
    Request,
    Say,
    Unban,
)
from libtchat.rules import decide
from libtchat.wire import codec
from tchat_server.store.event_log import encode_part

USERS = ("alice", "bob", "carol", "dave")
STAMPED = ("action", "group", "dest", "msg", "reason", "id")
TS = "2026-01-02T03:04:05.678Z"


@define(eq=False)
class Asked:
    """A request not answered yet.

    Attributes:
        is_lost: its event could not be stored: it is answered with unavailable.
        may_fail: what it needed could not be read: likewise, unless it is known meanwhile.
        failures: how many appends had failed when it was asked.
        number: how many were asked before it, by anybody.
    """

    item: Any
    is_lost: bool = False
    may_fail: bool = False
    failures: int = 0
    number: int = 0


@define
class World(Shell):
    """A shell that holds appends and answers back, and compares everything that leaves with the model.

    Attributes:
        told: per group, the events that left.
        asked_by: per peer, open or not, what it asked and was not answered.
        welcomed: the peers whose hello was answered.
        foreign: per group, events of another server that the hub has not told yet.
        failures: how many appends failed.
        number: how many requests were made.
        before: how many events of each group had left when a peer was welcomed.
        views: what each peer makes of the events it received.
    """

    user_of: dict[PeerId, str] = field(factory=dict, init=False)
    told: dict[str, list[Event]] = field(factory=dict, init=False)
    accepted: dict[tuple[str, str], tuple[Event, Request]] = field(factory=dict, init=False)
    asked_by: dict[PeerId, deque[Asked]] = field(factory=dict, init=False)
    welcomed: set[PeerId] = field(factory=set, init=False)
    invitations: deque[tuple[PeerId, Event]] = field(factory=deque, init=False)
    foreign: dict[str, deque[Event]] = field(factory=dict, init=False)
    answers: deque[tuple[Ask, Answer]] = field(factory=deque, init=False)
    failures: int = field(default=0, init=False)
    number: int = field(default=0, init=False)
    before: dict[PeerId, dict[str, int]] = field(factory=dict, init=False)
    views: dict[PeerId, dict[str, Group | None]] = field(factory=dict, init=False)
    tokens_of: dict[str, str] = field(factory=dict, init=False)

    @property
    def open(self) -> list[PeerId]:
        return [peer for peer in self.user_of if peer not in self.closed]

    def enter(self, user: str) -> PeerId:
        peer = self.connect()
        token = self.tokens_of[user] if user in (self.user_of[other] for other in self.open) else None
        self.user_of[peer] = user
        self.asked_by[peer] = deque()
        self.views[peer] = {}
        self.ask(peer, Hello(token=token, id=f"hello-{peer}", sender=user))
        return peer

    def ask(self, peer: PeerId, item: Request) -> None:
        self.number += 1
        self.asked_by[peer].append(Asked(item, failures=self.failures, number=self.number))
        self.handle(peer, item)

    def leave(self, peer: PeerId) -> None:
        for _ in self.inbox(peer):
            self.asked_by[peer].pop()  # not looked at yet, and never will be
        self.disconnect(peer)

    def inbox(self, peer: PeerId) -> tuple[Any, ...]:
        """What a peer sent that was not decided, the item that waits for an answer included."""
        it = self.hub._peers[peer]
        return (*([it.work] if it.work else ()), *(it.inbox or ()))

    def tick(self) -> None:
        while effects := self.hub.drain():
            self.carry_out(effects)

    def answer(self, *, fails: bool = False) -> None:
        """Deliver the oldest answer, which is of when it was asked for."""
        ask, answer = self.answers.popleft()
        if fails and ask.peer not in self.closed:
            answer = None
            asked = self.asked_by[ask.peer]
            asked[len(asked) - len(self.inbox(ask.peer))].may_fail = True
        self.hub.answered(ask, answer, self.now)
        self.tick()

    def settle_some(self, failing: set[str]) -> None:
        assert self.out is not None
        conflicts = {group_key(name) for name, events in self.foreign.items() if events}
        for asked in (asked for waiting in self.asked_by.values() for asked in waiting if asked.is_lost):
            asked.is_lost = group_key(asked.item.group) not in failing | conflicts  # else it gets another chance
        for part in self.out.parts:
            if part.key in failing:
                for event in part.events:
                    self.origin(event).is_lost = True
        self.failures += bool(failing or conflicts)
        self.settle(failing)
        self.tick()

    def write_as_another_server(self, name: str, request: GroupRequest, actor: str) -> None:
        key = group_key(name)
        before = at_once(self.log.load(key)).snapshot
        try:
            event = decide(before, request, actor, ts=TS, known_dest=getattr(request, "dest", None))
        except Refused:
            return
        seq = 0 if before is None else before.seq
        if event.seq > seq:
            part = Part(key, seq, (event,), group.evolve(before, event), ("",))
            assert not at_once(self.log.append([encode_part(part)]))
            self.foreign.setdefault(name, deque()).append(event)

    def come_to_rest(self) -> None:
        """Let everything end, then compare the hub, the log, the model and what every member saw."""
        while self.answers or self.out is not None:
            if self.answers:
                self.answer()
            else:
                self.settle_some(set())
        assert self.hub.backlog == 0
        assert not any(self.foreign.values()), "somebody else's events were not told"
        for peer in self.open:
            assert not self.asked_by[peer], f"{self.asked_by[peer][0]} was never answered"
        for name, events in self.told.items():
            durable = self.hub._ledger.durable(group_key(name))
            page = at_once(
                self.log.read(group_key(name), PageKind.ALL, after=0, before=10**6, limit=10**6, max_bytes=10**9)
            )
            assert page.lines == tuple(codec.encode(event) for event in events), "the log is not what was told"
            assert durable in (fold(events), None)
            for peer in self.open:
                if peer in self.welcomed and self.user_of[peer] in model.replay(events).members:
                    assert self.views[peer][name] == fold(events), f"{self.user_of[peer]} saw something else"

    def carry_out(self, effects: Any) -> None:
        for effect in effects:
            self.witness(effect)
            super(World, self).carry_out([effect])  # noqa: UP008 (a class with slots is made anew)

    def witness(self, effect: Effect) -> None:
        if self.invitations:
            assert effect == Send((self.invitations[0][0],), self.invitations[0][1]), "an invitation is due"
            self.invitations.popleft()
            return
        match effect:
            case Send(peers=peers, message=reply.PresenceNotice()):
                assert self.welcomed >= self.still_open(peers), "a notice before the welcome"
            case Send(peers=peers, message=message) if isinstance(message, Event):
                self.event_leaves(peers, message, effect.source)
            case Send(peers=(peer,), message=message):
                self.answer_leaves(peer, message.id, message)  # type: ignore[union-attr]
            case Read(peer=peer, id=id):
                self.answer_leaves(peer, id, effect)
            case ReadGroups(peer=peer, reply=groups):
                self.answer_leaves(peer, groups.id, effect)
            case Resend(peer=peer, seq=seq):
                event = next(log[seq - 1] for name, log in self.told.items() if group_key(name) == effect.key)
                self.answer_leaves(peer, event.id, effect)
            case Ask():
                self.answers.append((effect, self.answer_to(effect.question)))
            case Append():
                pass
            case _:
                raise AssertionError(f"{effect} leaves")

    def still_open(self, peers: tuple[PeerId, ...]) -> set[PeerId]:
        assert len(set(peers)) == len(peers), "a peer is told twice"
        return set(peers) - self.closed

    def origin(self, event: Event) -> Asked:
        """Find the request that made *event*: the oldest one like it, because what comes again makes no event."""
        found = [
            asked
            for peer, waiting in self.asked_by.items()
            if self.user_of[peer] == event.sender
            for asked in waiting
            if all(getattr(asked.item, name, None) == getattr(event, name, None) for name in STAMPED)
        ]
        assert found, f"nobody asked for {event}"
        return min(found, key=lambda asked: asked.number)

    def take(self, peer: PeerId, id: str | None) -> Asked:
        """Take the request that is answered now: the oldest one of its peer."""
        waiting = self.asked_by[peer]
        while peer in self.closed and waiting and waiting[0].item.id != id:
            waiting.popleft()
        assert waiting, f"an answer {id} to nothing"
        assert waiting[0].item.id == id, f"the answer {id} overtakes {waiting[0].item}"
        return waiting.popleft()

    def event_leaves(self, peers: tuple[PeerId, ...], event: Event, source: PeerId | None) -> None:
        log = self.told.setdefault(event.group, [])
        if event.seq <= len(log):
            self.invitation_leaves_again(peers, event, log)
            return
        assert event.seq == len(log) + 1, f"{event} after {len(log)}"
        page = at_once(
            self.log.read(
                group_key(event.group), PageKind.ALL, after=event.seq - 1, before=10**6, limit=1, max_bytes=10**6
            )
        )
        assert page.lines == (codec.encode(event),), f"{event} leaves and is not in the log"
        if event.id is None:
            assert self.foreign[event.group].popleft() == event
            assert source is None
        else:
            self.own_event_leaves(event, log, source)
        hearers = model.told(log, event)
        expected = {peer for peer in self.welcomed - self.closed if self.user_of[peer] in hearers}
        assert self.still_open(peers) == expected, f"{event} is told to {peers}, not {expected}"
        log.append(event)
        for peer in expected:
            self.hear(peer, event)

    def own_event_leaves(self, event: Event, log: list[Event], source: PeerId | None) -> None:
        asked = self.origin(event)
        peer = next(peer for peer, waiting in self.asked_by.items() if asked in waiting)
        assert source == peer, "somebody else pays for it"
        asked = self.take(peer, event.id)
        request = asked.item
        assert not asked.is_lost, f"{event} was lost, and leaves"
        assert (event.sender, event.id) not in self.accepted, f"{event} is made twice"
        assert model.verdict(log, request, event.sender, getattr(request, "dest", None) != "ghost") == ""
        assert (event.action, event.group) == (request.action, request.group)
        for name in ("dest", "reason", "msg", "private"):
            assert getattr(event, name, None) == getattr(request, name, None)
        assert getattr(event, "owner", None) == model.new_owner(log, request, event.sender)
        assert event.id is not None
        self.accepted[event.sender, event.id] = (event, request)

    def invitation_leaves_again(self, peers: tuple[PeerId, ...], event: Event, log: list[Event]) -> None:
        assert isinstance(event, Invited)
        asker = peers[0]
        waiting = self.asked_by[asker]
        likes = (a for a in waiting if isinstance(a.item, Invite) and a.item.group == event.group)
        asked = next((asked for asked in likes if asked.item.dest == event.dest), None)
        if asked is None and asker in self.closed:
            return  # after the welcome of one who is gone
        assert asked is not None
        self.take(asker, asked.item.id)
        if asker not in self.closed:
            assert model.verdict(log, asked.item, self.user_of[asker]) == "again"
            assert (event.sender, asked.item.id) not in self.accepted
        assert event == model.replay(log).invited[event.dest]
        guests = {peer for peer in self.welcomed - self.closed if self.user_of[peer] == event.dest}
        assert self.still_open(peers) == guests | {asker} - self.closed

    def hear(self, peer: PeerId, event: Event) -> None:
        """Let *peer* fold what it hears; what it may not have heard between two memberships it reads up."""
        views, user = self.views[peer], self.user_of[peer]
        view = views.get(event.group)
        log = self.told[event.group][: event.seq - 1]
        for missed in log[view.seq if view else 0 :]:
            assert missed.seq <= self.before[peer].get(event.group, 0) or user not in model.told(
                log[: missed.seq - 1], missed
            ), f"{user} missed {missed}"
            view = group.evolve(view, missed)
        views[event.group] = group.evolve(view, event)

    def answer_leaves(self, peer: PeerId, id: str | None, answer: Any) -> None:
        asked = self.take(peer, id)
        if peer in self.closed:
            return
        expected = self.expected(peer, asked)
        if isinstance(answer, reply.Error):
            is_unsure = (
                isinstance(asked.item, Invite) and expected in ("", "user-not-found") and asked.failures < self.failures
            )
            if answer.code is ErrorCode.UNAVAILABLE and (asked.may_fail or is_unsure):
                return  # whether the target is known was not asked the first time
            assert answer.code == expected, f"{asked.item} is answered {answer}, not {expected}"
        elif isinstance(asked.item, Hello):
            assert expected == ""
            self.welcome(peer, answer)
        elif isinstance(answer, Resend):
            assert expected == answer.seq
            assert answer.key == group_key(asked.item.group)
        else:
            assert expected == "", f"{asked.item} is answered {answer}, not {expected}"
            self.check_list(peer, asked.item, answer)

    def expected(self, peer: PeerId, asked: Asked) -> str | int:
        """Say the code of the refusal, "" if it is answered, the seq if it made an event already."""
        item, user = asked.item, self.user_of[peer]
        if isinstance(item, Ping):
            return ""
        if asked.is_lost:
            return "unavailable"
        if isinstance(item, Hello):
            return ""
        if peer not in self.welcomed:
            return "bad-request"
        if isinstance(item, ListGroups):
            return ""
        if (user, item.id) in self.accepted:
            event, request = self.accepted[user, item.id]
            return event.seq if request == item else "bad-request"
        return model.verdict(self.told.get(item.group, []), item, user, getattr(item, "dest", None) != "ghost")

    def welcome(self, peer: PeerId, answer: Any) -> None:
        assert isinstance(answer, reply.Welcome)
        user = self.user_of[peer]
        states = {name: model.replay(log) for name, log in sorted(self.told.items())}
        mine = tuple(name for name, state in states.items() if user in state.members)
        assert answer.groups == mine
        assert answer.seqs == {name: len(self.told[name]) for name in mine}
        self.tokens_of[user] = answer.token
        self.welcomed.add(peer)
        self.before[peer] = {name: len(log) for name, log in self.told.items()}
        self.views[peer] = {name: fold(self.told[name]) for name in mine}
        self.invitations.extend((peer, s.invited[user]) for s in states.values() if user in s.invited)

    def check_list(self, peer: PeerId, item: Request, answer: Any) -> None:
        user = self.user_of[peer]
        match item:
            case ListMembers(group=name):
                state = model.replay(self.told[name])
                assert (answer.seq, answer.owner) == (len(self.told[name]), state.owner)
                assert answer.list == tuple(sorted(state.members))
                is_member = user in state.members
                assert answer.invited == (tuple(sorted(state.invited)) if is_member else None)
                assert answer.banned == (tuple(sorted(state.banned)) if is_member else None)
                here = {self.user_of[other] for other in self.welcomed - self.closed}
                entering = {self.user_of[other] for other in self.open}
                assert here & set(answer.list) <= set(answer.online) <= entering & set(answer.list)
            case ListMessages(group=name) | ListStates(group=name):
                assert (answer.group, answer.before) == (name, len(self.told[name]) + 1), "a page of what was not told"
            case ListGroups():
                states = {name: model.replay(log) for name, log in sorted(self.told.items())}
                seen = [name for name, state in states.items() if user in state.members or user in state.invited]
                assert answer.reply.mine == tuple(name for name in seen if user in states[name].members)
                assert answer.reply.private == tuple(name for name in seen if states[name].private)
            case _:
                assert isinstance(item, Ping)
                assert isinstance(answer, reply.Pong)


def a_world() -> World:
    """Make a world in which everybody knows everybody: all are in the lobby, which nobody ever leaves."""
    world = World(hub=Hub("test", UNLIMITED), holds=True)
    for name in USERS:
        world.write_as_another_server("lobby", Create("lobby") if name == "alice" else Join("lobby"), name)
    world.told["lobby"] = list(world.foreign.pop("lobby"))
    alice, bob, carol = map(world.enter, USERS[:3])
    while world.answers:
        world.answer()
    world.ask(alice, Create("wob", id="start-1"))
    world.answer()
    world.ask(bob, Join("wob", id="start-2"))
    world.ask(carol, Join("wob", id="start-3"))
    world.ask(alice, Invite("wob", "dave", id="start-4"))
    world.answer()
    return world


GROUPS = st.sampled_from(["wob", "wob", "wob", "den"])
WHICH = st.integers(0, 7)
TARGETS = st.sampled_from([*USERS, "bob", "carol"])


class HubMachine(RuleBasedStateMachine):
    """Random peers, requests, commits, failures and another server's events."""

    def __init__(self) -> None:
        super().__init__()
        self.ids = itertools.count(1)
        self.sent: dict[str, list[GroupRequest]] = {user: [] for user in USERS}
        self.world = a_world()

    def peer(self, which: int) -> PeerId | None:
        peers = self.world.open
        return peers[which % len(peers)] if peers else None

    def ask(self, which: int, request: Any) -> None:
        if (peer := self.peer(which)) is not None:
            request = evolve(request, id=f"{next(self.ids)}")
            if isinstance(request, GroupRequest):
                self.sent[self.world.user_of[peer]].append(request)
            self.world.ask(peer, request)

    @rule(which=WHICH, group=GROUPS, kind=st.sampled_from([Join, Join, Leave, Say, Say, Create]))
    def talk(self, which: int, group: str, kind: Any) -> None:
        self.ask(which, kind(group, "hi") if kind is Say else kind(group))

    @rule(which=WHICH, group=GROUPS, kind=st.sampled_from([Invite, Kick, Kick, Ban, Unban]), dest=TARGETS)
    def moderate(self, which: int, group: str, kind: Any, dest: str) -> None:
        self.ask(which, kind(group, dest))

    @rule(which=WHICH, invites=st.booleans(), dest=st.sampled_from(["ghost", "dave"]))
    def keep_private(self, which: int, invites: bool, dest: str) -> None:
        self.ask(which, Invite("den", dest) if invites else Create("den", private=True))

    @rule(which=WHICH, group=GROUPS, kind=st.sampled_from([ListMembers, ListMessages, ListStates, ListGroups, Ping]))
    def query(self, which: int, group: str, kind: Any) -> None:
        self.ask(which, kind() if kind in (ListGroups, Ping) else kind(group))

    @rule(which=WHICH, back=st.integers(1, 3), same=st.sampled_from([True, True, False]))
    def repeat(self, which: int, back: int, same: bool) -> None:
        """Send an earlier request again, or another one with its id; not while the first is open on another peer."""
        peer = self.peer(which)
        sent = self.sent[self.world.user_of[peer]] if peer is not None else []
        if peer is None or len(sent) < back:
            return
        request = sent[-back]
        for other in self.world.open:
            if other != peer and any(asked.item.id == request.id for asked in self.world.asked_by[other]):
                return
        self.world.ask(peer, request if same else Say(request.group, "another text", id=request.id))

    @rule(user=st.sampled_from(USERS))
    def come(self, user: str) -> None:
        peers = [peer for peer in self.world.open if self.world.user_of[peer] == user]
        if not peers or (len(peers) == 1 and peers[0] in self.world.welcomed):
            self.world.enter(user)

    @rule(which=WHICH)
    def go(self, which: int) -> None:
        if (peer := self.peer(which)) is not None:
            self.world.leave(peer)

    @rule(which=WHICH)
    def lose_the_cable(self, which: int) -> None:
        """Come back at once and send the last request again, as one who never saw its answer."""
        peer, user_of = self.peer(which), self.world.user_of
        if peer is not None and [user_of[other] for other in self.world.open].count(user := user_of[peer]) == 1:
            self.world.leave(peer)
            again = self.world.enter(user)
            if self.sent[user]:
                self.world.ask(again, self.sent[user][-1])

    @precondition(lambda self: self.world.answers)
    @rule(fails=st.sampled_from([False, False, False, True]))
    def answer(self, fails: bool) -> None:
        self.world.answer(fails=fails)

    @precondition(lambda self: self.world.out)
    @rule(fails=st.sampled_from([False, False, True]), which=WHICH)
    def settle(self, fails: bool, which: int) -> None:
        keys = [part.key for part in self.world.out.parts]
        failing = {keys[which % len(keys)]} if fails else set()
        self.world.settle_some(failing - {group_key(name) for name, events in self.world.foreign.items() if events})

    @precondition(lambda self: self.world.out)
    @rule(
        which=WHICH,
        actor=st.sampled_from(USERS),
        kind=st.sampled_from([Join, Leave, Say, Create, Invite, Kick, Ban, Unban]),
        dest=TARGETS,
    )
    def write_as_another_server(self, which: int, actor: str, kind: Any, dest: str) -> None:
        parts = self.world.out.parts
        name = parts[which % len(parts)].after.name
        more = {Say: ("yo",)}.get(kind, (dest,) if kind in (Invite, Kick, Ban, Unban) else ())
        self.world.write_as_another_server(name, kind(name, *more), actor)

    def teardown(self) -> None:
        self.world.come_to_rest()


def run_machine(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        HubMachine,
        settings=repeatable(examples, stateful_step_count=steps),
    )


def test_the_hub_is_a_server_that_does_one_thing_after_the_other() -> None:
    run_machine(examples=150, steps=40)


def test_it_is_such_a_server_however_little_it_keeps_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    little_at_hand(monkeypatch)
    run_machine(examples=150, steps=40)


def little_at_hand(patch: pytest.MonkeyPatch) -> None:
    """Leave ids to the log as soon as they are durable, and hold groups as large ones are held."""
    patch.setattr(retries, "_KEPT", 0)
    patch.setattr(sorted_map, "_SMALL", 1)
    patch.setattr(sorted_map, "_CHUNK", 2)


@pytest.mark.nightly
def test_the_hub_is_such_a_server_for_long() -> None:
    run_machine(examples=3000, steps=60)


Patch = pytest.MonkeyPatch


def overtaking(patch: Patch, overtakes: Callable[[AnyEntry], bool]) -> None:
    """Let some entries leave before what stands ahead of them."""
    leaving = Line.leaving

    def impatient(line: Line[AnyEntry]) -> Iterator[AnyEntry]:
        early = [entry for entry in line._entries if overtakes(entry)]
        line._entries = deque(entry for entry in line._entries if entry not in early)
        line._size -= sum(len(entry.part.events) if entry.part else 1 for entry in early)
        yield from early
        yield from leaving(line)

    patch.setattr(Line, "leaving", impatient)


def is_refusal(entry: AnyEntry) -> bool:
    effects = entry.effects if isinstance(entry, Decision | Notice) else ()
    return any(isinstance(e, Send) and isinstance(e.message, reply.Error) for e in effects)


def a_refusal_leaves_early(patch: Patch) -> None:
    overtaking(patch, lambda entry: isinstance(entry, Decision) and is_refusal(entry))


def a_ping_overtakes(patch: Patch) -> None:
    overtaking(patch, lambda entry: isinstance(entry, Query) and isinstance(entry.item, Ping))


def a_list_overtakes(patch: Patch) -> None:
    lists = ListMembers | ListMessages | ListStates
    overtaking(patch, lambda entry: isinstance(entry, Query) and isinstance(entry.item, lists))


def a_welcome_overtakes(patch: Patch) -> None:
    overtaking(patch, lambda entry: isinstance(entry, Query) and isinstance(entry.item, Hello))


def an_event_leaves_when_it_is_decided(patch: Patch) -> None:
    overtaking(patch, lambda entry: entry.part is not None)


def a_commit_covers_what_came_after_it(patch: Patch) -> None:
    def committed(line: Line[AnyEntry]) -> None:
        line._settle({})
        for entry in line._entries:
            entry.durable = True

    patch.setattr(Line, "committed", committed)


def a_second_append_goes_out(patch: Patch) -> None:
    append = Line.append

    def hasty(line: Line[AnyEntry]) -> Append | None:
        if line._waiting:
            line._out = None
        return append(line)

    patch.setattr(Line, "append", hasty)


def a_failure_is_taken_for_a_commit(patch: Patch) -> None:
    patch.setattr(Revision, "rejected", lambda revision, failed, told: revision._line.committed())


def what_fails_goes_to_the_end(patch: Patch) -> None:
    def rejected(line: Line[AnyEntry], failed: Any, again: Any) -> None:
        lost = line._settle(failed)
        entries, line._entries, line._waiting, line._size = line._entries, deque(), {}, 0
        late = [e for e in entries if e.key in failed and not e.durable]
        for entry in (*(e for e in entries if e not in late), *(new for e in late for new in again(e, id(e) in lost))):
            line.put(entry)

    patch.setattr(Line, "rejected", rejected)


def only_what_was_lost_is_decided_again(patch: Patch) -> None:
    def rejected(line: Line[AnyEntry], failed: Any, again: Any) -> None:
        lost = line._settle(failed)
        entries, line._entries, line._waiting, line._size = line._entries, deque(), {}, 0
        for entry in entries:
            for new in again(entry, True) if id(entry) in lost else (entry,):
                line.put(new)

    patch.setattr(Line, "rejected", rejected)


def a_refusal_stands_whatever_fails(patch: Patch) -> None:
    undo, rejected = Revision._undo, Line.rejected

    def stubborn(line: Line[AnyEntry], failed: Any, again: Any) -> None:
        rejected(line, failed, lambda entry, lost: iter((entry,)) if is_refusal(entry) else again(entry, lost))

    patch.setattr(Revision, "_undo", lambda revision, it: None if is_refusal(it) else undo(revision, it))
    patch.setattr(Line, "rejected", stubborn)


def unavailable_is_told_to_everybody(patch: Patch) -> None:
    rejected = Line.rejected
    patch.setattr(Line, "rejected", lambda line, failed, again: rejected(line, failed, lambda e, _: again(e, True)))


def unavailable_is_told_to_nobody(patch: Patch) -> None:
    rejected = Line.rejected
    patch.setattr(Line, "rejected", lambda line, failed, again: rejected(line, failed, lambda e, _: again(e, False)))


def a_foreign_event_is_not_told(patch: Patch) -> None:
    place = Line.place
    patch.setattr(Line, "place", lambda line, key, tell, again: place(line, key, lambda _: list(tell(_))[:0], again))


def a_failed_fold_is_kept(patch: Patch) -> None:
    rewind = Ledger.rewind

    def forgetful(ledger: Ledger, keys: Any, untold: Any) -> None:
        for key in keys:
            slot = ledger._slots[key]
            slot.durable = slot.newest
        rewind(ledger, keys, untold)

    patch.setattr(Ledger, "rewind", forgetful)


def a_fold_is_skipped(patch: Patch) -> None:
    extend = Ledger.extend

    def lazy(ledger: Ledger, slot: Slot, event: Event) -> Any:
        before = slot.newest
        found = extend(ledger, slot, event)
        if isinstance(event, Joined):
            slot.newest = before
        return found

    patch.setattr(Ledger, "extend", lazy)


def a_durable_fold_is_skipped(patch: Patch) -> None:
    tell = Ledger.tell
    patch.setattr(Ledger, "tell", lambda ledger, part: isinstance(part.events[0], Said) or tell(ledger, part))


def queries_see_what_is_only_decided(patch: Patch) -> None:
    def newest(ledger: Ledger, key: Key) -> Group | None:
        return slot.newest if (slot := ledger._slots.get(key)) else None

    patch.setattr(Ledger, "durable", newest)


def the_audience_is_found_when_it_leaves(patch: Patch) -> None:
    keep = Decider.keep

    def late(decider: Decider, entry: Any, part: Part) -> None:
        keep(decider, entry, part)
        entry.audience = decider._presence.peers(part.after.members)

    patch.setattr(Decider, "keep", late)


def an_old_audience_is_used(patch: Patch) -> None:
    patch.setattr(Ledger, "came", lambda ledger, peer, user: None)


def who_is_gone_hears_on(patch: Patch) -> None:
    extend = Ledger.extend

    def stale(ledger: Ledger, slot: Slot, event: Event) -> Any:
        kept = slot.audience
        found = extend(ledger, slot, event)
        if kept is not None and isinstance(event, Kicked | Left):
            slot.audience = kept
        return found

    patch.setattr(Ledger, "extend", stale)


def who_came_later_hears_what_is_decided_again(patch: Patch) -> None:
    patch.setattr(Presence, "earlier", lambda presence, peers, arrivals: peers)


def who_is_kicked_is_not_told(patch: Patch) -> None:
    told = ledger_module.outsiders
    patch.setattr(
        ledger_module, "outsiders", lambda b, event, a: () if isinstance(event, Kicked) else told(b, event, a)
    )


def the_invited_hear_everything(patch: Patch) -> None:
    told = ledger_module.outsiders
    patch.setattr(
        ledger_module, "outsiders", lambda b, event, a: tuple(dict.fromkeys((*told(b, event, a), *a.invited)))
    )


def a_failed_retry_id_is_kept(patch: Patch) -> None:
    patch.setattr(Retries, "undo", lambda retries, id: None)


def retry_ids_are_not_kept(patch: Patch) -> None:
    patch.setattr(Decider, "_retried", lambda decider, decision, mark: None)


def a_retry_id_is_not_looked_up(patch: Patch) -> None:
    little_at_hand(patch)
    patch.setattr(Lookup, "may_be_stored", lambda lookup, user, request: False)


def retry_ids_are_lost_with_the_connection(patch: Patch) -> None:
    patch.setattr(Newcomers, "_adopt", lambda newcomers, user: None)


def what_happens_during_a_hello_is_missed(patch: Patch) -> None:
    patch.setattr(Newcomers, "note", lambda newcomers, part: None)


def a_page_shows_what_is_not_told(patch: Patch) -> None:
    page = Replies._page
    patch.setattr(Replies, "_page", lambda replies, *what: evolve(page(replies, *what), before=10**9))


MUTANTS = [
    a_refusal_leaves_early,
    a_ping_overtakes,
    a_list_overtakes,
    a_welcome_overtakes,
    an_event_leaves_when_it_is_decided,
    a_commit_covers_what_came_after_it,
    a_second_append_goes_out,
    a_failure_is_taken_for_a_commit,
    what_fails_goes_to_the_end,
    only_what_was_lost_is_decided_again,
    a_refusal_stands_whatever_fails,
    unavailable_is_told_to_everybody,
    unavailable_is_told_to_nobody,
    a_foreign_event_is_not_told,
    a_failed_fold_is_kept,
    a_fold_is_skipped,
    a_durable_fold_is_skipped,
    queries_see_what_is_only_decided,
    the_audience_is_found_when_it_leaves,
    an_old_audience_is_used,
    who_came_later_hears_what_is_decided_again,
    who_is_kicked_is_not_told,
    the_invited_hear_everything,
    a_failed_retry_id_is_kept,
    retry_ids_are_not_kept,
    a_retry_id_is_not_looked_up,
    retry_ids_are_lost_with_the_connection,
    what_happens_during_a_hello_is_missed,
    who_is_gone_hears_on,
    a_page_shows_what_is_not_told,
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_hub_with_a_mistake_is_caught(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    mutant(monkeypatch)
    with pytest.raises((AssertionError, ValueError, KeyError)):
        run_machine(examples=1000, steps=40)
