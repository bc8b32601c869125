"""What comes in one read is handled as if it came piece by piece: two hubs live the same life, one of each kind.

The mutants at the end handle a read wrongly, each in one way; the same test must find each of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import define, evolve
from harness import UNLIMITED, Shell, at_once, repeatable
from hypothesis import given
from hypothesis import strategies as st

from libtchat import group, rules
from libtchat.effect import Item, Part, PeerId
from libtchat.hub import decider, hub
from libtchat.hub.entry import Decision, Run
from libtchat.hub.hub import Hub
from libtchat.hub.peer import Peer
from libtchat.hub.texts import Texts
from libtchat.message.errors import ErrorCode, Refused, Violation
from libtchat.message.names import Key, group_key
from libtchat.message.request import (
    Ban,
    Create,
    Hello,
    Join,
    Kick,
    Leave,
    ListMembers,
    ListMessages,
    Ping,
    Quit,
    Register,
    Say,
)
from tchat_server.store.event_log import encode_part

NAMES = ("alice", "bob", "carol")
TS = "2026-01-02T03:04:05.678Z"


@define
class Twins:
    """Two servers told the same; the second is told each request by itself."""

    whole: Shell
    apart: Shell

    @property
    def both(self) -> tuple[Shell, Shell]:
        return self.whole, self.apart

    def enter(self, name: str) -> PeerId:
        """Connect one more peer of that user."""
        (peer,) = {shell.connect() for shell in self.both}
        self.send(peer, Hello(token=f"token-{NAMES.index(name) + 1}", sender=name))
        return peer

    def send(self, peer: PeerId, *items: Item) -> None:
        self.whole.handle(peer, *items)
        for item in items:
            self.apart.hub.handle(peer, [item], self.apart.now)
        self.apart.tick()
        assert self.whole.closed == self.apart.closed

    def settle(self, failing: str) -> None:
        for shell in self.both:
            if shell.out is not None:
                shell.settle({failing})
                shell.tick()

    def write_as_another_server(self, request: Any, actor: str) -> None:
        for shell in self.both:
            key = group_key(request.group)
            before = at_once(shell.log.load(key)).snapshot
            try:
                event = rules.decide(before, request, actor, ts=TS, known_dest=getattr(request, "dest", None))
            except Refused:
                continue
            part = Part(key, event.seq - 1, (event,), group.evolve(before, event), ("",))
            assert not at_once(shell.log.append([encode_part(part)]))

    def compare(self) -> None:
        for shell in self.both:
            shell.finish()
            assert shell.hub.backlog == 0
        assert self.whole.lines == self.apart.lines
        for key in (Key("wob"), Key("den")):
            assert at_once(self.whole.log.load(key)) == at_once(self.apart.log.load(key))


def twins() -> Twins:
    """Make two servers with a group `wob` of all."""
    both = Twins(Shell(holds=True), Shell(holds=True))
    alice, *others = map(both.enter, NAMES)
    both.send(alice, Create("wob"))
    for peer in others:
        both.send(peer, Join("wob"))
    for shell in both.both:
        shell.finish()
    return both


GROUPS = st.sampled_from(["wob", "wob", "wob", "WOB", "den"])
OTHERS = st.sampled_from(NAMES)
SAY = st.builds(Say, GROUPS, st.sampled_from("abc"), sender=st.sampled_from([None, None, None, "alice", "dora"]))
ITEMS = st.one_of(
    SAY,
    SAY,
    SAY,
    SAY,
    SAY.map(lambda say: evolve(say, id="once")),
    st.builds(Join, GROUPS),
    st.builds(Leave, GROUPS),
    st.builds(Create, st.just("den")),
    st.builds(Kick, GROUPS, OTHERS),
    st.builds(Ban, GROUPS, OTHERS),
    st.builds(ListMembers, GROUPS),
    st.builds(ListMessages, GROUPS),
    st.builds(Ping),
    st.builds(Quit),
    st.just(Violation(ErrorCode.BAD_JSON, fatal=True)),
    st.none(),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 5), st.lists(ITEMS, min_size=2, max_size=6)),
        st.tuples(st.just("send"), st.integers(1, 5), st.lists(SAY, min_size=2, max_size=6)),
        st.tuples(st.just("settle"), st.sampled_from(["", "", "wob", "den"])),
        st.tuples(st.just("conflict"), st.one_of(SAY, st.builds(Leave, GROUPS)), OTHERS),
        st.tuples(st.just("come"), OTHERS),
        st.tuples(st.just("knock")),
        st.tuples(st.just("wait"), st.sampled_from([-1.0, 0.001, 2.0])),
        st.tuples(st.just("go"), st.integers(1, 5)),
    ),
    min_size=4,
    max_size=14,
)


def live(steps: list[tuple[Any, ...]]) -> None:
    world = twins()
    for step in steps:
        match step:
            case "send", peer, items:
                world.send(PeerId(peer), *items)
            case "settle", failing:
                world.settle(failing)
            case "conflict", request, actor:
                world.write_as_another_server(request, actor)
            case "come", name:
                world.enter(name)
            case ("knock",):
                for shell in world.both:
                    shell.connect()
            case "wait", seconds:
                for shell in world.both:
                    shell.now += seconds
            case "go", peer:
                for shell in world.both:
                    shell.disconnect(PeerId(peer))
    world.compare()


def run(examples: int) -> None:
    repeatable(examples)(given(STEPS)(live))()


def test_what_comes_in_one_read_is_handled_as_if_it_came_piece_by_piece() -> None:
    run(examples=400)


def test_texts_that_come_together_are_one_entry() -> None:
    world = twins()
    world.send(PeerId(1), *(Say("wob", text) for text in "abc"), Ping(), Say("wob", "d"))
    world.send(PeerId(1), Say("wob", "e", id="id"), Say("wob", "f"), Say("wob", "g", sender="alice"))
    lengths = [[len(it.part.events) if it.part else 0 for it in shell.hub._line._entries] for shell in world.both]
    assert lengths == [[3, 0, 1, 1, 1, 1], [1, 1, 1, 0, 1, 1, 1, 1]]
    assert [shell.hub.backlog for shell in world.both] == [8, 8]
    world.compare()


def test_texts_that_are_decided_again_are_not_told_to_who_came_after_them() -> None:
    world = twins()
    world.send(PeerId(1), Say("wob", "a"), Say("wob", "b"))
    late = world.enter("bob")
    world.write_as_another_server(Say("wob", "from elsewhere"), "carol")
    world.settle("")
    world.compare()
    assert [message["action"] for message in world.whole.said(late)] == ["server-hello"]
    assert [message["msg"] for message in world.whole.said(PeerId(2))[-3:]] == ["from elsewhere", "a", "b"]


def test_texts_that_come_together_from_who_may_not_speak_are_each_refused() -> None:
    world = Twins(*(Shell(Hub("test", UNLIMITED, require_auth=True), holds=True) for _ in range(2)))
    world.write_as_another_server(Create("wob"), "alice")
    alice = world.enter("alice")
    bob = world.enter("bob")
    world.send(bob, Register("secret"), ListMembers("wob"))  # loads the group, as anybody may who registered
    world.send(alice, Say("wob", "a"), Say("wob", "b"))
    world.compare()
    assert [message.get("code") for message in world.whole.said(alice)] == [None, None, *["auth-required"] * 2]


Patch = pytest.MonkeyPatch


def a_run_is_turned_round(patch: Patch) -> None:
    together = hub.together

    def careless(items: Any) -> Any:
        found = together(items)
        for texts in found:
            if isinstance(texts, Texts):
                texts.said.reverse()
        return found

    patch.setattr(hub, "together", careless)


def a_run_goes_across_groups(patch: Patch) -> None:
    together = hub.together

    def careless(items: Any) -> Any:
        return together([evolve(it, group="wob") if type(it) is Say and len(items) > 1 else it for it in items])

    patch.setattr(hub, "together", careless)


def an_id_is_not_minded(patch: Patch) -> None:
    together = hub.together

    def careless(items: Any) -> Any:
        return together([evolve(it, id=None) if type(it) is Say and len(items) > 1 else it for it in items])

    patch.setattr(hub, "together", careless)


def a_run_that_is_refused_is_refused_once(patch: Patch) -> None:
    process = Hub._process

    def once(it: Hub, peer: Any, item: Any) -> None:
        texts = item.said if isinstance(item, Texts) else []
        process(it, peer, item)
        entries = it._line._entries
        if len(texts) > 1 and isinstance(last := entries[-1], Decision) and last.request is texts[-1]:
            entries.pop()
            it._line._size -= 1

    patch.setattr(Hub, "_process", once)


def of_a_run_that_failed_the_first_is_left(patch: Patch) -> None:
    def first(run: Run) -> list[Decision]:
        return [Decision(run.peer, run.user, run.texts[0], run.key, run.arrivals)]

    patch.setattr(Run, "apart", first)


def a_run_is_stamped_by_itself(patch: Patch) -> None:
    say = rules.say
    late = "2099-01-01T00:00:00.000Z"

    def careless(it: Any, texts: Any, *args: Any, ts: str, **more: Any) -> Any:
        return say(it, texts, *args, ts=late if texts[1:] else ts, **more)

    patch.setattr(decider, "say", careless)


def a_run_goes_back_in_time(patch: Patch) -> None:
    say = rules.say

    def careless(it: Any, texts: Any, *args: Any, **more: Any) -> Any:
        return say(evolve(it, ts="") if it and texts[1:] else it, texts, *args, **more)

    patch.setattr(decider, "say", careless)


def a_run_behind_the_end_is_said(patch: Patch) -> None:
    process = Hub._process

    def eager(it: Hub, peer: Peer, item: Any) -> None:
        ended, peer.ended = peer.ended, peer.ended and not isinstance(item, Texts)
        process(it, peer, item)
        peer.ended = ended or peer.ended

    patch.setattr(Hub, "_process", eager)


MUTANTS = [
    a_run_goes_back_in_time,
    a_run_behind_the_end_is_said,
    a_run_is_turned_round,
    a_run_goes_across_groups,
    an_id_is_not_minded,
    a_run_that_is_refused_is_refused_once,
    of_a_run_that_failed_the_first_is_left,
    a_run_is_stamped_by_itself,
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_hub_that_handles_a_read_wrongly_is_caught(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    mutant(monkeypatch)
    with pytest.raises((AssertionError, ValueError, KeyError)):
        run(examples=2000)
