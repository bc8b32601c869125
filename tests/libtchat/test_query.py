"""Lists that are too long for one answer: cut at a number of entries or bytes, and asked on from the last entry."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Shell, ask, at_once, enter
from hypothesis import given, settings
from hypothesis import strategies as st

from libtchat.effect import Part, PeerId, Read
from libtchat.group import evolve
from libtchat.message.event import Created, Event, Invited, Joined
from libtchat.message.limits import ServerLimits
from libtchat.message.names import group_key
from libtchat.message.reply import Groups
from libtchat.message.request import (
    Ban,
    Broadcast,
    Create,
    Hello,
    Invite,
    Join,
    Kick,
    ListGroups,
    ListMembers,
    ListMessages,
    ListStates,
    ListUsers,
    Say,
    Tell,
)
from libtchat.paging import cut, fill
from tchat_server.store.event_log import encode_part

TS = "2026-01-02T03:04:05.678Z"


def whole(shell: Shell, peer: PeerId, kind: Any, *group: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Ask on until there is no more; return the answers and all entries, of whichever list."""
    answers: list[dict[str, Any]] = []
    entries: list[str] = []
    after = None
    while not answers or answers[-1].get("more"):
        answers.append(ask(shell, peer, kind(*group, after=after)))
        page = {*answers[-1]["list"], *answers[-1].get("invited", ()), *answers[-1].get("banned", ())}
        entries.extend(sorted(page))
        after = entries[-1]
    return answers, entries


def store(shell: Shell, name: str, *events: Event) -> None:
    group = None
    for event in events:
        group = evolve(group, event)
    assert group is not None
    assert not at_once(shell.log.append([encode_part(Part(group_key(name), 0, events, group, ("",) * len(events)))]))


@pytest.mark.parametrize(("digits", "first"), [(4, 1000), (31, 468)], ids=["by entries", "by bytes"])
def test_a_list_of_users_is_cut_and_goes_on(digits: int, first: int) -> None:
    shell = Shell()
    peers = [enter(shell, f"u{number:0{digits}}") for number in range(1200)]
    answers, entries = whole(shell, peers[0], ListUsers)
    assert len(answers[0]["list"]) == first
    assert all(sum(len(name) + 3 for name in answer["list"]) <= 16 * 1024 for answer in answers)
    assert entries == [f"u{number:0{digits}}" for number in range(1200)]


def test_members_invited_and_banned_are_paged_as_one_list() -> None:
    shell = Shell()
    names = [f"u{number:04}" for number in range(2500)]
    events: list[Event] = [Created("a", "wob", 1, TS, "a")]
    for number, name in enumerate(names):
        kind = Joined if number % 2 else None
        seq = len(events) + 1
        events.append(Joined(name, "wob", seq, TS) if kind else Invited("a", "wob", name, seq, TS))
    store(shell, "wob", *events)
    member, outsider = enter(shell, "a"), enter(shell, "outsider")
    answers, entries = whole(shell, member, ListMembers, "wob")
    assert entries == ["a", *names]
    assert [len(a["list"]) + len(a["invited"]) + len(a["banned"]) for a in answers] == [1000, 1000, 501]
    assert {(answer["seq"], answer["owner"]) for answer in answers} == {(len(events), "a")}
    answers, entries = whole(shell, outsider, ListMembers, "wob")
    assert entries == ["a", *names[1::2]]
    assert not any("invited" in answer or "banned" in answer for answer in answers)


def test_a_list_goes_on_after_an_entry_that_is_gone() -> None:
    shell = Shell()
    alice = enter(shell, "alice")
    ask(shell, alice, Create("wob"))
    for name in ("bob", "carol", "dave"):
        ask(shell, enter(shell, name), Join("wob"))
    ask(shell, alice, Kick("wob", "bob"))
    assert ask(shell, alice, ListMembers("wob", after="Bob"))["list"] == ["carol", "dave"]
    assert ask(shell, alice, ListMembers("wob", after="zoe"))["list"] == []


def test_a_list_asked_for_again_shows_what_is_new() -> None:
    shell = Shell()
    alice, bob, eve = enter(shell, "alice"), enter(shell, "bob"), enter(shell, "eve")

    def seen(peer: PeerId) -> tuple[Any, ...]:
        answer = ask(shell, peer, ListMembers("wob"))
        return tuple(answer.get(key) for key in ("list", "online", "invited", "banned"))

    ask(shell, alice, Create("wob"))
    assert [seen(alice), seen(eve)] == [(["alice"], ["alice"], [], []), (["alice"], ["alice"], None, None)]
    ask(shell, bob, Join("wob"))
    assert seen(eve) == (["alice", "bob"], ["alice", "bob"], None, None)
    shell.disconnect(bob)
    shell.finish()
    assert seen(eve) == (["alice", "bob"], ["alice"], None, None)
    ask(shell, alice, Invite("wob", "eve"))
    invited, none = (["eve"], []), (None, None)
    assert [seen(who)[2:] for who in (eve, alice, eve, alice)] == [none, invited, none, invited]
    ask(shell, alice, Ban("wob", "mallory"))
    assert seen(alice)[2:] == (["eve"], ["mallory"])
    ask(shell, alice, Ban("wob", "bob"))
    assert seen(alice) == (["alice"], ["alice"], ["eve"], ["bob", "mallory"])
    ask(shell, alice, Create("dev"))
    assert ask(shell, alice, ListMembers("dev"))["list"] == ["alice"]


def test_groups_are_cut_with_the_private_ones_among_them() -> None:
    shell = Shell()
    for number in range(1100):
        owner = "alice" if number % 100 == 0 else "bob"
        name = f"g{number:04}"
        store(shell, name, Created(owner, name, 1, TS, owner, private=number % 100 == 0))
    alice, eve = enter(shell, "alice"), enter(shell, "eve")
    answers, entries = whole(shell, alice, ListGroups)
    assert entries == [f"g{number:04}" for number in range(1100)]
    assert len(answers[0]["list"]) == 1000
    assert [name for answer in answers for name in answer["private"]] == [f"g{n:04}" for n in range(0, 1100, 100)]
    assert all({*answer["private"], *answer["mine"]} <= {*answer["list"]} for answer in answers)
    _, entries = whole(shell, eve, ListGroups)
    assert entries == [f"g{number:04}" for number in range(1100) if number % 100]


NAMES = st.lists(st.text("abcé", min_size=1, max_size=5), unique=True)


@settings(derandomize=True, database=None, deadline=None)
@given(NAMES, NAMES, st.integers(1, 6), st.integers(1, 40))
def test_paging_through_groups_misses_none_and_repeats_none(
    public: list[str], private: list[str], entries: int, size: int
) -> None:
    limits = ServerLimits(max_page_entries=entries, max_page_bytes=size)
    private = [name for name in private if name not in public]
    stored, seen, after = sorted(public), [], ""
    while True:
        names, more = cut((name for name in stored if name > after), limits)
        mine = tuple(sorted(name for name in private if name > after))
        page = fill(Groups((), mine, mine), names, more, limits)
        assert len(page.list) <= entries
        assert set(page.private) <= set(page.list)
        seen.extend(page.list)
        if not page.more:
            break
        assert page.list
        after = page.list[-1]
    assert seen == sorted([*public, *private])


def test_one_entry_that_is_too_long_is_given_alone() -> None:
    limits = ServerLimits(max_page_bytes=4)
    assert cut(iter(["a" * 10, "b"]), limits) == (("a" * 10,), True)
    assert cut(iter([]), limits) == ((), False)


def test_a_page_of_history_never_shows_what_was_not_told() -> None:
    shell = Shell()
    alice = enter(shell, "alice")
    ask(shell, alice, Create("wob"))
    shell.holds = True
    shell.handle(alice, Say("wob", "1"))
    shell.handle(alice, ListMessages("wob"), Say("wob", "2"), ListStates("wob", all=True))
    shell.settle()
    assert [message["action"] for message in shell.said(alice)] == ["gbroadcast", "msgs"]
    shell.tick()
    shell.settle()
    told = shell.said(alice)
    assert [message["action"] for message in told] == ["gbroadcast", "states"]
    assert [entry["seq"] for entry in told[1]["list"]] == [1, 2, 3]
    shell.hub.handle(alice, [ListMessages("wob", before=99)], shell.now)
    assert [effect.before for effect in shell.hub.drain() if isinstance(effect, Read)] == [4]


def test_who_is_online_is_who_is_there_when_the_list_leaves() -> None:
    shell = Shell()
    alice, bob = enter(shell, "alice"), enter(shell, "bob")
    ask(shell, alice, Create("wob"))
    shell.holds = True
    shell.handle(bob, Join("wob"))
    shell.handle(alice, ListMembers("wob"))
    shell.disconnect(bob)
    shell.settle()
    members = next(message for message in shell.said(alice) if message["action"] == "members")
    assert (members["list"], members["online"]) == (["alice", "bob"], ["alice"])


def test_a_text_is_not_told_to_a_peer_before_its_own_hello() -> None:
    shell = Shell()
    alice = enter(shell, "alice")
    shell.holds = True
    shell.handle(alice, Create("wob"), Broadcast("hi"), Tell("alice", "note"))
    bob = shell.connect()
    shell.handle(bob, Hello(sender="bob"), Broadcast("me too"))
    shell.finish()
    assert [message["action"] for message in shell.said(bob)] == ["server-hello", "server-broadcast"]
    told = [message["msg"] for message in shell.said(alice) if message["action"] == "server-broadcast"]
    assert told[0] == "hi"
    assert told[-1] == "me too"
