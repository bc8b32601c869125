"""Several nodes are one server to their users, whatever is late, lost or twice on the way between them.

Nodes live a life that Hypothesis makes up, in a world without an engine (`nodes`); then all that anybody heard is
judged (`nodecheck`). The mutants at the end are nodes with one fault each; the same test must find each of them.
"""

from __future__ import annotations

import json
from typing import Any

from attrs import evolve
from harness import repeatable
from hypothesis import given
from hypothesis import strategies as st
from nodecheck import check
from nodes import Connection, World

from libtchat.message.names import Key
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
    Request,
    Say,
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
        for step in steps:
            getattr(self, f"do_{step[0]}")(*step[1:])
        self.world.rest()
        check(self.world)

    @property
    def open(self) -> list[Connection]:
        return [it for it in self.world.connections if it.is_open]

    def token(self, name: str) -> str | None:
        """Return the token that was told last to who has this name."""
        heard = [line for it in self.world.connections if it.name == name for line, _ in it.heard]
        welcomes = [json.loads(line) for line in heard if b'"server-hello"' in line]
        return welcomes[-1]["token"] if welcomes else None

    def do_come(self, node: int, name: str) -> None:
        connection = self.world.connect(node % len(self.world.machines), name)
        self.number += 1
        self.world.send(connection, Hello(sender=name, token=self.token(name), id=f"h{self.number}"))

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


NODES, PEERS = st.integers(0, 3), st.integers(0, 7)
GROUP, NAME = st.sampled_from((*GROUPS, "wob", "wob")), st.sampled_from(NAMES)
REQUESTS = st.one_of(
    st.builds(Say, GROUP, st.sampled_from("abc")),
    st.builds(Say, GROUP, st.sampled_from("abc")),
    st.builds(Say, GROUP, st.sampled_from("abc")),
    st.builds(Join, GROUP),
    st.builds(Join, GROUP),
    st.builds(Leave, GROUP),
    st.builds(Create, GROUP, st.booleans()),
    st.builds(Create, GROUP),
    *(st.builds(kind, GROUP, NAME) for kind in (Invite, Kick, Ban, Unban)),
    st.builds(ListMembers, GROUP),
    st.builds(ListMessages, GROUP, after=st.just(0)),
    st.builds(ListStates, GROUP, all=st.booleans(), after=st.just(0)),
    st.builds(ListGroups),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("come"), NODES, NAME),
        *(st.tuples(st.just("ask"), PEERS, REQUESTS) for _ in range(5)),
        st.tuples(st.just("again"), PEERS, st.integers(1, 3)),
        st.tuples(st.just("go"), PEERS),
        st.tuples(st.just("commit"), NODES, st.sampled_from(["", "", "", "wob", "den"])),
        *(st.tuples(st.just("settle"), NODES) for _ in range(2)),
        *(st.tuples(st.just("tell"), NODES, GROUP) for _ in range(2)),
        *(st.tuples(st.just("answer"), NODES, st.integers(0, 3), st.just(False)) for _ in range(4)),
        st.tuples(st.just("answer"), NODES, st.integers(0, 3), st.booleans()),
        st.tuples(st.just("kill"), NODES, st.booleans()),
        st.tuples(st.just("lease")),
        st.tuples(st.just("news"), NODES),
        st.tuples(st.just("relay"), NODES),
    ),
    min_size=20,
    max_size=60,
)
LIVES = st.tuples(st.integers(2, 4), st.integers(0, 2**16), STEPS)


def run(examples: int) -> None:
    def live(life: tuple[int, int, list[tuple[Any, ...]]]) -> None:
        count, seed, steps = life
        Life(count, seed).live([("come", n, name) for n, name in enumerate(NAMES)] + steps)

    repeatable(examples)(given(LIVES)(live))()


def test_several_nodes_are_one_server() -> None:
    run(300)
