"""Several nodes are one server to their users, whatever is late, lost or twice on the way between them.

Nodes live a life that Hypothesis makes up, in a world without an engine (`nodes`); then all that anybody heard is
judged (`nodecheck`). The mutants at the end are nodes with one fault each; the same test must find each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from attrs import evolve
from harness import repeatable
from hypothesis import given
from hypothesis import strategies as st
from nodecheck import check
from nodes import Connection, World

from libtchat.cluster import TakeSeat
from libtchat.hub.elsewhere import Elsewhere
from libtchat.hub.entry import Decision
from libtchat.hub.follower import Follower
from libtchat.hub.guest import Guests
from libtchat.hub.identity import Identity
from libtchat.hub.line import Line
from libtchat.hub.node import Node
from libtchat.hub.presence import Presence
from libtchat.hub.revision import Revision
from libtchat.message.names import Key, is_guest
from libtchat.message.request import (
    Ban,
    Broadcast,
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
    ListUsers,
    Request,
    Say,
    Tell,
    Unban,
)

NAMES = ("alice", "bob", "carol", "dave")
GROUPS = ("wob", "den")


class Life:
    """What happens in one world."""

    def __init__(self, count: int, seed: int) -> None:
        self.world = World(count, seed)
        self.number = 0

    def live(self, steps: list[tuple[Any, ...]]) -> None:
        for node, name in enumerate(NAMES):
            self.do_come(node, name)
        self.world.rest()
        for step in steps:
            getattr(self, f"do_{step[0]}")(*step[1:])
        self.world.rest()
        check(self.world)

    @property
    def open(self) -> list[Connection]:
        return [it for it in self.world.connections if it.is_open]

    def token(self, name: str) -> str | None:
        """Return the token that was told last to who has this name."""
        return next((it.token for it in reversed(self.world.connections) if it.name == name and it.token), None)

    def do_come(self, node: int, name: str | None) -> None:
        connection = self.world.connect(node % len(self.world.machines), name or "")
        self.number += 1
        token = self.token(name) if name is not None else None
        self.world.send(connection, Hello(sender=name, token=token, id=f"h{self.number}"))

    def do_ask(self, peer: int, request: Request) -> None:
        if self.open:
            self.number += 1
            self.world.send(self.open[peer % len(self.open)], evolve(request, id=f"r{self.number}"))

    def do_again(self, peer: int, most: int) -> None:
        """Send once more what the user of a connection asked on another one, which may be gone."""
        if not self.open:
            return
        here = self.open[peer % len(self.open)]
        theirs = [it for it in self.world.connections if it.name == here.name and it is not here]
        asked = [request for it in theirs for request, _ in it.sent if isinstance(request, GroupRequest)]
        mine = {request.id for request, _ in here.sent}
        again = [request for request in asked[-most:] if request.id not in mine]
        for request in again:
            self.world.send(here, request)

    def do_go(self, peer: int) -> None:
        if self.open:
            self.world.disconnect(self.open[peer % len(self.open)])

    def do_commit(self, node: int, failing: str) -> None:
        machine = self.world.machines[node % len(self.world.machines)]
        if machine.out is not None and machine.out.failed is None:
            self.world.commit(machine, {Key(failing)} & {part.key for part in machine.out.parts})

    def do_settle(self, node: int) -> None:
        machine = self.world.machines[node % len(self.world.machines)]
        if machine.out is not None:
            if machine.out.failed is None:
                self.world.commit(machine)
            self.world.settle(machine)

    def do_tell(self, node: int, group: str) -> None:
        self.world.tell(self.world.machines[node % len(self.world.machines)], Key(group))

    def do_answer(self, node: int, number: int, fails: bool) -> None:
        machine = self.world.machines[node % len(self.world.machines)]
        if machine.asked:
            self.world.answer(machine, number, fails=fails)

    def do_kill(self, node: int, keeps_cache: bool) -> None:
        self.world.kill(self.world.machines[node % len(self.world.machines)], keeps_cache=keeps_cache)

    def do_lease(self) -> None:
        self.world.end_lease()

    def do_news(self, node: int) -> None:
        self.world.hear_news(self.world.machines[node % len(self.world.machines)])

    def do_relay(self, node: int) -> None:
        self.world.relay(self.world.machines[node % len(self.world.machines)])


REQUESTS: tuple[tuple[int, Callable[[str, str, int], Request]], ...] = (
    (8, lambda group, name, n: Say(group, "abc"[n % 3])),
    (6, lambda group, name, n: Join(group)),
    (2, lambda group, name, n: Leave(group)),
    (3, lambda group, name, n: Create(group, n % 3 == 0)),
    (2, lambda group, name, n: Invite(group, name)),
    (1, lambda group, name, n: Kick(group, name)),
    (1, lambda group, name, n: Ban(group, name)),
    (1, lambda group, name, n: Unban(group, name)),
    (2, lambda group, name, n: ListMembers(group)),
    (1, lambda group, name, n: ListMessages(group, after=0)),
    (1, lambda group, name, n: ListStates(group, all=n % 2 == 0, after=0)),
    (2, lambda group, name, n: ListGroups()),
    (1, lambda group, name, n: ListUsers()),
    (1, lambda group, name, n: Tell(name, "psst")),
    (1, lambda group, name, n: Broadcast("all")),
)
STEPS: tuple[tuple[int, Callable[[int, int], tuple[Any, ...]]], ...] = (
    (62, lambda a, b: ("answer", a, b, False)),
    (3, lambda a, b: ("answer", a, b, True)),
    (78, lambda a, b: ("ask", a, _request(b))),
    (8, lambda a, b: ("again", a, 1 + b % 3)),
    (30, lambda a, b: ("settle", a)),
    (14, lambda a, b: ("commit", a, ("", "", "", *GROUPS)[b % 5])),
    (26, lambda a, b: ("tell", a, GROUPS[b % 2])),
    (10, lambda a, b: ("come", a, NAMES[b % 4])),
    (3, lambda a, b: ("come", a, None)),
    (4, lambda a, b: ("go", a)),
    (10, lambda a, b: ("news", a)),
    (4, lambda a, b: ("relay", a)),
    (2, lambda a, b: ("kill", a, b % 2 == 0)),
    (2, lambda a, b: ("lease",)),
)


def _chosen(table: Sequence[tuple[int, Any]]) -> list[Any]:
    return [make for weight, make in table for _ in range(weight)]


_REQUESTS, _STEPS = _chosen(REQUESTS), _chosen(STEPS)
assert len(_STEPS) == 256


def _request(n: int) -> Request:
    make: Callable[[str, str, int], Request] = _REQUESTS[n % len(_REQUESTS)]
    return make(GROUPS[n // 64 % 2], NAMES[n // 16 % 4], n)


def steps_of(data: bytes) -> list[tuple[Any, ...]]:
    """Make steps of bytes, three for each: which one, and two numbers."""
    return [_STEPS[data[n]](data[n + 1], data[n + 2]) for n in range(0, len(data) - 2, 3)]


LIVES = st.tuples(st.integers(2, 4), st.integers(0, 2**16), st.binary(min_size=300, max_size=500))


def run(examples: int) -> None:
    def live(life: tuple[int, int, bytes]) -> None:
        count, seed, data = life
        Life(count, seed).live(steps_of(data))

    repeatable(examples)(given(LIVES)(live))()


def test_several_nodes_are_one_server() -> None:
    run(300)


Patch = pytest.MonkeyPatch


def what_is_refused_is_not_proved(patch: Patch) -> None:
    patch.setattr(Decision, "rests", lambda decision: False)


def a_proof_is_taken_for_granted(patch: Patch) -> None:
    patch.setattr(Line, "begin_proof", lambda line: line.proved())


def a_proof_does_not_wait_for_what_is_held(patch: Patch) -> None:
    patch.setattr(Follower, "_prove", lambda follower: follower._line.proved())


def what_is_told_goes_to_the_end(patch: Patch) -> None:
    patch.setattr(Line, "is_clear", lambda line, key: key not in line._waiting)


def what_is_told_is_not_decided_on(patch: Patch) -> None:
    place = Line.place
    patch.setattr(Line, "place", lambda line, key, tell, again: place(line, key, tell, lambda entry: (entry,)))


def a_group_that_is_not_loaded_is_not_told(patch: Patch) -> None:
    patch.setattr(Follower, "_concerns", lambda follower, record: False)


def only_groups_of_users_here_are_told(patch: Patch) -> None:
    patch.setattr(Follower, "_concerns", lambda follower, record: record.key in follower._interest)


def what_was_loaded_with_the_group_is_not_told(patch: Patch) -> None:
    patch.setattr(Revision, "tell_late", lambda revision, key, records, users: None)


def lines_are_written_anew(patch: Patch) -> None:
    told = Revision._told

    def anew(*args: Any) -> Any:
        for entry in told(*args):
            entry.line = None
            entry.part = evolve(entry.part, events=(evolve(entry.part.events[0], ts="2001-01-01T00:00:00.000Z"),))
            yield entry

    patch.setattr(Revision, "_told", anew)


def what_is_told_comes_twice(patch: Patch) -> None:
    told = Node.told

    def twice(node: Node, records: Any, now: float) -> None:
        told(node, [*records, *records], now)

    patch.setattr(Node, "told", twice)


def a_name_is_taken_unseen(patch: Patch) -> None:
    def take(identity: Identity, peer: Any, hello: Any, found: Any, seat: Any) -> Any:
        peer.is_seated = True
        yield TakeSeat(seat)
        return True

    patch.setattr(Identity, "_take", take)


def who_is_gone_keeps_the_seat(patch: Patch) -> None:
    answered = Elsewhere.answered
    patch.setattr(
        Elsewhere, "answered", lambda it, question, answer, is_awaited: answered(it, question, answer, is_awaited=True)
    )


def nobody_is_elsewhere(patch: Patch) -> None:
    patch.setattr(Elsewhere, "seated", lambda elsewhere, seats, now: None)


def everybody_comes_anew(patch: Patch) -> None:
    attach = Presence.attach
    patch.setattr(Presence, "attach", lambda presence, peer, user: attach(presence, peer, user) or True)


def guests_of_a_node_that_died_stay(patch: Patch) -> None:
    patch.setattr(Guests, "lost", lambda guests, user: None)


def a_guest_unknown_here_is_gone(patch: Patch) -> None:
    patch.setattr(Guests, "look_for", lambda guests, user, group: is_guest(user) and guests.lost(user))


MUTANTS = [
    what_is_refused_is_not_proved,
    a_proof_is_taken_for_granted,
    a_proof_does_not_wait_for_what_is_held,
    what_is_told_goes_to_the_end,
    what_is_told_is_not_decided_on,
    a_group_that_is_not_loaded_is_not_told,
    only_groups_of_users_here_are_told,
    what_was_loaded_with_the_group_is_not_told,
    lines_are_written_anew,
    a_name_is_taken_unseen,
    who_is_gone_keeps_the_seat,
    nobody_is_elsewhere,
    everybody_comes_anew,
    guests_of_a_node_that_died_stay,
    a_guest_unknown_here_is_gone,
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_node_with_a_fault_is_found(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    mutant(monkeypatch)
    with pytest.raises((AssertionError, ValueError, KeyError)):
        run(examples=2000)


def test_what_is_told_twice_is_heard_once(monkeypatch: Patch) -> None:
    what_is_told_comes_twice(monkeypatch)
    run(examples=50)
