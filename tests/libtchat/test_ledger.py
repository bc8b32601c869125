"""Groups decided on and deciding again: limits per user, retries over time and connections, groups that are dropped."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from harness import UNLIMITED, Shell, ask, at_once, code, enter

from libtchat.effect import Ask, LoadUser, Part, PeerId
from libtchat.group import evolve
from libtchat.hub import retries
from libtchat.hub.clock import Clock
from libtchat.hub.hub import Hub
from libtchat.hub.ledger import Slot
from libtchat.message.names import group_key, user_key
from libtchat.message.request import Ban, Create, Hello, Invite, Join, Leave, ListGroups, ListMembers, Ping, Say
from libtchat.rules import decide
from libtchat.stored import Retried, StoredUser
from tchat_server.store.event_log import encode_part


def a_shell(**limits: Any) -> Shell:
    found = attrs.evolve(UNLIMITED, **limits)
    return Shell(hub=Hub("test", found), limits=found)


def actions(shell: Shell, peer: PeerId) -> list[str]:
    """Take what *peer* received, but for presence notices: the actions, or the codes of refusals."""
    return [str(message.get("code", message["action"])) for message in shell.said(peer) if "event" not in message]


def test_a_user_creates_fifteen_groups_and_no_more_also_after_coming_back() -> None:
    shell = a_shell()
    alice = enter(shell, "alice")
    for number in range(15):
        assert code(shell, alice, Create(f"g{number}")) == ""
    refused = ask(shell, alice, Create("one-more"))
    assert (refused["code"], refused["limit"]) == ("limit-reached", 15)
    assert code(shell, alice, Create("g0")) == "group-exists"
    assert code(shell, alice, Leave("g0")) == ""
    assert code(shell, alice, Create("one-more")) == "limit-reached"
    shell.disconnect(alice)
    assert code(shell, enter(shell, "alice"), Create("one-more")) == "limit-reached"
    assert code(shell, enter(shell, "bob"), Create("one-more")) == ""


def test_a_group_on_its_way_to_the_disk_counts_once_when_its_user_has_a_second_peer() -> None:
    shell = a_shell(max_groups_created=2)
    alice = shell.connect()
    token = ask(shell, alice, Hello(sender="alice"))["token"]
    shell.holds = True
    shell.handle(alice, Create("first"))
    enter(shell, "alice", token=token)
    shell.finish()
    assert code(shell, alice, Create("second")) == ""


def test_an_invitation_stands_when_the_join_that_used_it_failed() -> None:
    shell = a_shell()
    alice, bob = enter(shell, "alice"), enter(shell, "bob")
    ask(shell, alice, Create("wob", private=True))
    ask(shell, alice, Invite("wob", "bob"))
    shell.holds = True
    shell.handle(bob, Join("wob"))
    shell.settle(failing=["wob"])
    assert ask(shell, bob, ListGroups())["private"] == ["wob"]


def test_a_user_is_in_so_many_groups_and_may_change_one_for_another() -> None:
    shell = a_shell(max_groups_joined=3)
    alice, bob = enter(shell, "alice"), enter(shell, "bob")
    for number in range(3):
        ask(shell, alice, Create(f"g{number}"))
        ask(shell, bob, Join(f"g{number}"))
    ask(shell, enter(shell, "carol"), Create("more"))
    refused = ask(shell, bob, Join("more"))
    assert (refused["code"], refused["limit"]) == ("limit-reached", 3)
    assert code(shell, bob, Create("own")) == "limit-reached"
    assert code(shell, bob, Join("g1")) == "already-member"
    assert code(shell, bob, Join("nowhere")) == "group-not-found"
    assert code(shell, bob, Leave("g0")) == ""
    assert code(shell, bob, Join("more")) == ""
    assert code(shell, bob, Join("g0")) == "limit-reached"


def test_what_is_not_durable_yet_counts_for_the_limits_and_what_failed_does_not() -> None:
    shell = a_shell(max_groups_created=1)
    alice = enter(shell, "alice")
    shell.holds = True
    shell.handle(alice, Create("first"), Create("second"))
    shell.settle(failing=["first"])
    shell.tick()
    assert actions(shell, alice) == ["unavailable", "limit-reached"]
    shell.handle(alice, Create("third"))
    shell.settle()
    assert actions(shell, alice) == ["cgroupe"]
    assert code(shell, alice, Join("first")) == "group-not-found"
    assert list(shell.hub._ledger._slots) == ["third"]


def test_a_group_to_be_entered_counts_before_it_is_durable() -> None:
    shell = a_shell(max_groups_joined=1)
    alice = enter(shell, "alice")
    shell.holds = True
    shell.handle(alice, Create("first"), Create("second"))
    shell.settle()
    assert actions(shell, alice) == ["cgroupe", "limit-reached"]
    shell.handle(alice, Leave("first"), Create("third"))
    shell.finish()
    assert actions(shell, alice) == ["leave", "cgroupe"]


@pytest.mark.parametrize("join", [Join("wob"), Join("WOB")])
def test_a_group_is_full_at_its_limit(join: Join) -> None:
    shell = a_shell(max_members=2)
    alice, bob, carol = (enter(shell, name) for name in ("alice", "bob", "carol"))
    ask(shell, alice, Create("wob"))
    assert code(shell, bob, join) == ""
    refused = ask(shell, carol, join)
    assert (refused["code"], refused["limit"]) == ("limit-reached", 2)


def test_invitations_and_bans_share_one_limit() -> None:
    shell = a_shell(max_invited_and_banned=2)
    alice = enter(shell, "alice")
    enter(shell, "bob"), enter(shell, "carol")
    ask(shell, alice, Create("wob"))
    assert code(shell, alice, Invite("wob", "bob")) == code(shell, alice, Ban("wob", "eve")) == ""
    assert code(shell, alice, Invite("wob", "carol")) == code(shell, alice, Ban("wob", "x")) == "limit-reached"
    assert code(shell, alice, Ban("wob", "bob")) == ""


@pytest.mark.parametrize("is_there", [True, False])
def test_so_many_invitations_wait_for_one_user_and_no_more(is_there: bool) -> None:
    shell = a_shell(max_invitations=2)
    alice, bob = enter(shell, "alice"), enter(shell, "bob")
    ask(shell, bob, Create("bobs"))
    for number in range(4):
        ask(shell, alice, Create(f"g{number}"))
    if not is_there:
        shell.disconnect(bob)
    assert [code(shell, alice, Invite(f"g{number}", "bob")) for number in (0, 0, 1)] == [""] * 3
    refused = ask(shell, alice, Invite("g2", "bob"))
    assert (refused["code"], refused["limit"]) == ("limit-reached", 2)
    assert code(shell, alice, Invite("g0", "bob")) == "", "what waits already is sent again"
    if not is_there:
        bob = shell.connect()
        shell.handle(bob, Hello(sender="bob"))
        assert actions(shell, bob) == ["server-hello", "invite", "invite"]
    assert code(shell, bob, Leave("g0")) == ""
    assert code(shell, bob, Join("g1")) == ""
    assert [code(shell, alice, Invite(f"g{number}", "bob")) for number in (2, 3, 0)] == ["", "", "limit-reached"]


def test_invitations_that_are_not_durable_count_and_those_that_failed_do_not() -> None:
    shell = a_shell(max_invitations=1)
    alice = enter(shell, "alice")
    enter(shell, "bob")
    for number in range(3):
        ask(shell, alice, Create(f"g{number}"))
    shell.said(alice)
    shell.holds = True
    shell.handle(alice, Invite("g0", "bob"), Invite("g1", "bob"))
    shell.settle(failing=["g0"])
    shell.tick()
    assert actions(shell, alice) == ["unavailable", "limit-reached"]
    shell.handle(alice, Invite("g2", "bob"))
    shell.settle()
    assert actions(shell, alice) == ["invite"]
    assert shell.hub._decider._quota._inviting == {}


def test_a_hello_is_told_as_many_invitations_as_may_wait_though_more_are_stored() -> None:
    shell = a_shell()
    alice, bob = enter(shell, "alice"), enter(shell, "bob")
    ask(shell, bob, Create("bobs"))
    shell.disconnect(bob)
    for number in range(5):
        ask(shell, alice, Create(f"g{number}"))
        ask(shell, alice, Invite(f"g{number}", "bob"))
    less = attrs.evolve(UNLIMITED, max_invitations=3)
    again = Shell(hub=Hub("test", less), limits=less, log=shell.log)
    bob = again.connect()
    again.handle(bob, Hello(sender="bob"))
    assert actions(again, bob) == ["server-hello", "invite", "invite", "invite"]


def test_bans_everywhere_cost_their_target_nothing() -> None:
    shell = a_shell(max_groups_created=1000)
    alice, bob = enter(shell, "alice"), enter(shell, "bob")
    for number in range(50):
        ask(shell, alice, Create(f"g{number}"))
        ask(shell, alice, Ban(f"g{number}", "bob"))
    assert code(shell, bob, Join("g7")) == "banned"
    session = shell.hub._presence.user(user_key("bob"))
    assert session is not None
    assert session.memberships == {}
    shell.disconnect(bob)
    enter(shell, "bob")
    assert at_once(shell.log.load_user(user_key("bob"))) == StoredUser()


def test_an_id_is_remembered_for_ten_minutes() -> None:
    shell = a_shell()
    alice = enter(shell, "alice")
    ask(shell, alice, Create("wob"))
    said = [ask(shell, alice, Say("wob", "hi", id="x"))["seq"]]
    for later in (599, 2):
        shell.now += later
        said.append(ask(shell, alice, Say("wob", "hi", id="x"))["seq"])
    assert said == [2, 2, 3]


def test_an_id_is_of_one_user() -> None:
    shell = a_shell()
    alice, bob = enter(shell, "alice"), enter(shell, "bob")
    ask(shell, alice, Create("wob", id="x"))
    ask(shell, alice, Invite("wob", "bob", id="y"))
    assert [ask(shell, bob, request)["seq"] for request in (Join("wob", id="x"), Leave("wob", id="y"))] == [3, 4]


def test_an_id_is_remembered_over_a_reconnect_before_its_event_is_durable() -> None:
    shell = a_shell()
    alice = enter(shell, "alice")
    ask(shell, alice, Create("wob"))
    shell.holds = True
    shell.handle(alice, Say("wob", "hi", id="x"))
    shell.disconnect(alice)
    alice = shell.connect()
    shell.handle(alice, Hello(sender="alice"), Say("wob", "hi", id="x"))
    shell.finish()
    told = shell.said(alice)
    assert [message["action"] for message in told] == ["server-hello", "gbroadcast"]
    assert (told[0]["seqs"], told[1]["seq"]) == ({"wob": 2}, 2)


def test_an_id_is_remembered_that_becomes_durable_while_its_user_comes_back() -> None:
    shell = a_shell()
    alice = enter(shell, "alice")
    ask(shell, alice, Create("wob"))
    shell.holds = True
    shell.handle(alice, Say("wob", "hi", id="x"))
    shell.disconnect(alice)
    again = shell.connect()
    shell.hub.handle(again, [Hello(sender="alice")], shell.now)
    questions = [effect for effect in shell.hub.drain() if isinstance(effect, Ask)]
    assert isinstance(questions[0].question, LoadUser)
    stale = [shell.answer_to(it.question) for it in questions]
    shell.settle()
    for question, answer in zip(questions, stale, strict=True):
        shell.hub.answered(question, answer, shell.now)
    shell.tick()
    shell.said(again)
    assert ask(shell, again, Say("wob", "hi", id="x"))["seq"] == 2


def test_a_failed_id_is_forgotten_over_a_reconnect_too() -> None:
    shell = a_shell()
    alice = enter(shell, "alice")
    ask(shell, alice, Create("wob"))
    shell.holds = True
    shell.handle(alice, Say("wob", "hi", id="x"))
    shell.disconnect(alice)
    again = shell.connect()
    shell.handle(again, Hello(sender="alice"))
    shell.settle(failing=["wob"])
    shell.tick()
    assert ask(shell, again, Say("wob", "hi", id="x"))["seq"] == 2


def test_a_failed_id_is_forgotten_over_two_reconnects() -> None:
    shell = a_shell()
    alice, request = enter(shell, "alice"), Create("wob", id="x")
    shell.holds = True
    shell.handle(alice, request)
    for _ in range(2):
        shell.disconnect(alice)
        alice = shell.connect()
        shell.handle(alice, Hello(sender="alice"), request)
    assert shell.out is not None
    shell.settle(failing=["wob"])
    shell.tick()
    shell.finish()
    assert [message["seq"] for message in shell.said(alice) if message["action"] == "cgroupe"] == [1]
    assert code(shell, alice, Create("wob", id="y")) == "group-exists"


def test_a_failed_id_may_be_used_for_another_request() -> None:
    shell = a_shell()
    alice = enter(shell, "alice")
    ask(shell, alice, Create("wob"))
    shell.holds = True
    shell.handle(alice, Join("wob", id="x"), Say("wob", "hi", id="x"), Leave("wob"))
    shell.settle(failing=["wob"])
    assert actions(shell, alice) == ["already-member", "unavailable", "unavailable"]


@pytest.fixture
def none_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every id be in the log alone once its event is durable."""
    monkeypatch.setattr(retries, "_KEPT", 0)


def seqs(shell: Shell, peer: PeerId) -> list[int | str]:
    return [message.get("seq", message.get("code", "")) for message in shell.said(peer)]


@pytest.mark.usefixtures("none_at_hand")
def test_an_id_that_is_not_at_hand_is_looked_up() -> None:
    shell = a_shell()
    alice = enter(shell, "alice")
    ask(shell, alice, Create("wob"))
    first, other = Say("wob", "hi", id="x"), Say("wob", "ho", id="y")
    assert [ask(shell, alice, it)["seq"] for it in (first, other, first, other)] == [2, 3, 2, 3]
    assert code(shell, alice, Say("wob", "ha", id="x")) == "bad-request"
    shell.now += 601
    assert ask(shell, alice, first)["seq"] == 4


def test_nothing_is_looked_up_for_who_used_few_ids() -> None:
    shell = a_shell()
    alice = enter(shell, "alice")
    ask(shell, alice, Create("wob"))
    for number in range(100):
        shell.hub.handle(alice, [Say("wob", "hi", id=f"{number}")], shell.now)
        effects = shell.hub.drain()
        assert not [effect for effect in effects if isinstance(effect, Ask)]
        shell.carry_out(effects)
        shell.finish()


@pytest.mark.usefixtures("none_at_hand")
def test_what_was_looked_up_before_the_id_was_used_does_not_count() -> None:
    shell = a_shell()
    alice = shell.connect()
    token = ask(shell, alice, Hello(sender="alice"))["token"]
    again = enter(shell, "alice", token=token)
    ask(shell, alice, Create("wob", id="the first"))
    peers, request = (alice, again), Say("wob", "hi", id="x")
    for peer in peers:
        shell.said(peer)
        shell.hub.handle(peer, [request], shell.now)
    asked = [effect for effect in shell.hub.drain() if isinstance(effect, Ask)]
    answers = [shell.answer_to(it.question) for it in asked]
    assert answers == [Retried(), Retried()]
    for it, answer in zip(asked, answers, strict=True):
        shell.hub.answered(it, answer, shell.now)
        shell.tick()
        shell.finish()
    assert set(seqs(shell, alice) + seqs(shell, again)) == {2}


@pytest.mark.usefixtures("none_at_hand")
def test_what_was_looked_up_is_not_forgotten_when_it_is_decided_again() -> None:
    shell = a_shell()
    alice, request = enter(shell, "alice"), Say("wob", "hi", id="x")
    ask(shell, alice, Create("wob"))
    assert ask(shell, alice, request)["seq"] == 2
    shell.holds = True
    shell.handle(alice, Say("wob", "lost"), request)
    shell.settle(failing=["wob"])
    shell.finish()
    assert seqs(shell, alice) == ["unavailable", 2]


@pytest.mark.usefixtures("none_at_hand")
def test_an_id_that_leaves_while_its_repetition_waits_is_not_forgotten_when_that_is_decided_again() -> None:
    shell = a_shell()
    alice, request = enter(shell, "alice"), Say("wob", "hi", id="x")
    ask(shell, alice, Create("wob"))
    shell.holds = True
    shell.handle(alice, request)
    shell.handle(alice, Say("wob", "lost"), request)
    shell.settle()
    shell.tick()
    shell.settle(failing=["wob"])
    shell.finish()
    assert seqs(shell, alice) == [2, "unavailable", 2]


def test_an_id_whose_event_failed_is_decided_anew_by_what_repeats_it() -> None:
    shell = a_shell()
    alice, request = enter(shell, "alice"), Say("wob", "hi", id="x")
    ask(shell, alice, Create("wob"))
    shell.holds = True
    shell.handle(alice, request)
    shell.handle(alice, request)
    shell.settle(failing=["wob"])
    shell.tick()
    shell.finish()
    assert seqs(shell, alice) in (["unavailable", 2], ["unavailable", "unavailable"])
    assert ask(shell, alice, request)["seq"] == 2


@pytest.mark.usefixtures("none_at_hand")
def test_an_id_in_flight_stays_at_hand() -> None:
    shell = a_shell()
    alice, request = enter(shell, "alice"), Say("wob", "hi", id="x")
    ask(shell, alice, Create("wob"))
    shell.holds = True
    shell.handle(alice, Say("wob", "before", id="w"))
    shell.handle(alice, request)
    shell.settle()
    shell.tick()
    shell.now += 601
    shell.handle(alice, request)
    shell.finish()
    assert seqs(shell, alice) == [2, 3, 3]


def test_who_went_is_not_written_to() -> None:
    shell = a_shell()
    alice, bob = enter(shell, "alice"), enter(shell, "bob")
    ask(shell, alice, Create("wob"))
    ask(shell, bob, Join("wob"))
    assert shell.hub._ledger.audience(group_key("wob")) == (alice, bob)
    shell.disconnect(bob)
    assert shell.hub._ledger.audience(group_key("wob")) == (alice,)
    bob = enter(shell, "bob")
    assert shell.hub._ledger.audience(group_key("wob")) == (alice, bob)


def test_who_came_after_a_request_does_not_hear_what_is_decided_again() -> None:
    shell = a_shell()
    alice, bob = enter(shell, "alice"), enter(shell, "bob")
    ask(shell, alice, Create("wob"))
    ask(shell, bob, Join("wob"))
    shell.disconnect(bob)
    shell.holds = True
    shell.handle(alice, Say("wob", "lost"))
    shell.handle(alice, Say("wob", "decided again"))
    bob = shell.connect()
    shell.handle(bob, Hello(sender="bob"))
    shell.settle(failing=["wob"])
    shell.finish()
    shell.tick()
    shell.finish()
    told = shell.said(bob)
    assert [message["action"] for message in told] == ["server-hello"]
    assert told[0]["seqs"] == {"wob": 3}


def test_whether_a_target_is_known_is_not_guessed_when_it_is_decided_again() -> None:
    shell = a_shell()
    alice, dave = enter(shell, "alice"), enter(shell, "dave")
    ask(shell, dave, Create("daves"))
    ask(shell, alice, Create("wob"))
    shell.disconnect(dave)
    shell.said(alice)
    shell.holds = True
    shell.handle(alice, Invite("wob", "dave"))
    shell.handle(alice, Invite("wob", "dave"))
    shell.settle(failing=["wob"])
    assert actions(shell, alice) == ["unavailable", "unavailable"]
    shell.handle(alice, Invite("wob", "dave"))
    shell.settle()
    assert actions(shell, alice) == ["invite"]


def test_another_group_is_not_held_up_by_one_that_fails() -> None:
    shell = a_shell()
    alice = enter(shell, "alice")
    ask(shell, alice, Create("wob"))
    ask(shell, alice, Create("den"))
    shell.holds = True
    shell.handle(alice, Say("wob", "1"), Say("den", "2"), Ping())
    shell.settle(failing=["wob"])
    assert actions(shell, alice) == ["unavailable", "gbroadcast", "ping"]
    assert shell.hub.backlog == 0


@pytest.mark.parametrize("others_fail", [False, True])
def test_who_is_banned_while_coming_knows_of_it(others_fail: bool) -> None:
    shell = a_shell()
    alice, bob = enter(shell, "alice"), enter(shell, "bob")
    shell.disconnect(bob)
    ask(shell, alice, Create("wob", private=True))
    peers = [shell.connect(), shell.connect()]
    for peer in peers:
        password = "wrong" if others_fail and peer == peers[0] else None
        shell.hub.handle(peer, [Hello(password=password, sender="bob")], shell.now)
    questions = [effect for effect in shell.hub.drain() if isinstance(effect, Ask)]
    stale = [shell.answer_to(it.question) for it in questions]
    assert ask(shell, alice, Invite("wob", "bob"))["action"] == "error"  # nobody knows bob yet
    ask(shell, alice, Ban("wob", "bob"))
    shell.said(alice)
    for question, answer in zip(questions, stale, strict=True):
        shell.hub.answered(question, answer, shell.now)
        shell.tick()
    assert not shell.hub._newcomers._news
    session = shell.hub._presence.user(user_key("bob"))
    assert session is not None
    assert [str(membership.standing) for membership in session.memberships.values()] == ["banned"]


def test_who_comes_back_before_the_join_is_durable_hears_the_group() -> None:
    shell = a_shell()
    alice, bob = enter(shell, "alice"), enter(shell, "bob")
    ask(shell, alice, Create("wob"))
    shell.holds = True
    shell.handle(bob, Join("wob"))
    shell.handle(alice, Say("wob", "1"))
    shell.disconnect(bob)
    bob = shell.connect()
    shell.handle(bob, Hello(sender="bob"))
    shell.handle(alice, Say("wob", "2"))
    shell.finish()
    told = shell.said(bob)
    assert [message["action"] for message in told] == ["server-hello", "gbroadcast"]
    assert (told[0]["seqs"], told[1]["seq"]) == ({"wob": 3}, 4)


def test_groups_nobody_is_online_in_are_dropped_once_there_are_many_and_loaded_again() -> None:
    shell = a_shell()
    shell.hub._ledger._sweep_at = 5
    alice, bob = enter(shell, "alice"), enter(shell, "bob")
    for number in range(4):
        ask(shell, alice, Create(f"g{number}"))
    ask(shell, bob, Create("bobs"))
    ask(shell, bob, Join("g0"))

    def loaded() -> set[str]:
        return {key for key in ("g0", "g1", "g2", "g3", "bobs") if shell.hub._ledger.durable(group_key(key))}

    assert loaded() == {"g0", "g1", "g2", "g3", "bobs"}
    shell.hub._ledger._sweep_at = 5
    shell.disconnect(alice)
    assert loaded() == {"g0", "bobs"}
    assert ask(shell, bob, ListMembers("g1"))["list"] == ["alice"]
    assert ask(shell, bob, Join("g2"))["seq"] == 2
    alice = shell.connect()
    assert ask(shell, alice, Hello(sender="alice"))["seqs"] == {"g0": 2, "g1": 1, "g2": 2, "g3": 1}
    assert ask(shell, alice, ListGroups())["mine"] == ["g0", "g1", "g2", "g3"]


def test_nothing_is_dropped_that_is_not_durable() -> None:
    shell = a_shell()
    shell.hub._ledger._sweep_at = 1
    alice = enter(shell, "alice")
    shell.holds = True
    shell.handle(alice, Create("wob"))
    shell.disconnect(alice)
    assert shell.hub._ledger._slots
    shell.finish()
    shell.tick()
    assert not shell.hub._ledger._slots
    assert ask(shell, enter(shell, "bob"), ListMembers("wob"))["list"] == ["alice"]


def test_a_name_that_was_never_used_is_not_kept() -> None:
    shell = a_shell()
    alice = enter(shell, "alice")
    for number in range(10):
        assert code(shell, alice, Join(f"nowhere{number}")) == "group-not-found"
        assert code(shell, alice, ListMembers(f"nowhere{number}")) == "group-not-found"
    assert shell.hub._ledger._slots == {}


def test_a_clock_stamps_in_utc_with_milliseconds() -> None:
    clock = Clock()
    stamps = []
    for now in (0.0, 1_800_000_000.9996, 1_700_000_000.5):
        clock.now = now
        stamps.append(clock.ts)
    assert stamps == ["1970-01-01T00:00:00.000Z", "2027-01-15T08:00:00.999Z", "2023-11-14T22:13:20.500Z"]
    for fraction, milliseconds in ((0.001, "001"), (0.9999998, "999")):  # as near as a float can say it
        clock.now = 1_700_000_000 + fraction
        assert clock.ts == f"2023-11-14T22:13:20.{milliseconds}Z"


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_decided_again_follows_what_is_durable_and_waits_to_be_told(fails: bool) -> None:
    """A group's events may be durable and wait, behind another group's conflict, when its next append fails."""
    shell = Shell(holds=True)
    alice = enter(shell, "alice")

    def settle(*failing: str) -> None:
        shell.settle(failing)
        shell.tick()

    def write_as_another_server(name: str) -> None:
        group = at_once(shell.log.load(group_key(name))).snapshot
        event = decide(group, Say(name, "elsewhere"), "alice", ts="2026-01-02T03:04:05.678Z")
        after = evolve(group, event)
        assert not at_once(
            shell.log.append([encode_part(Part(group_key(name), event.seq - 1, (event,), after, ("",)))])
        )

    shell.handle(alice, Create("x"), Create("y"))
    shell.finish()
    shell.handle(alice, Say("x", "x1"))
    shell.handle(alice, Say("x", "x2"), Say("y", "y1"))
    settle()
    write_as_another_server("x")
    settle()  # y1 is durable, and x2, ahead of it, is decided again
    shell.handle(alice, Say("y", "y2"))
    write_as_another_server("x")
    settle()
    if fails:
        settle("y")
        shell.handle(alice, Say("y", "y3"))
    else:
        write_as_another_server("y")
        settle()
    shell.finish()
    told = [(m["group"], m["seq"], m["msg"]) for m in shell.said(alice) if m["action"] == "gbroadcast"]
    of_y = [(seq, msg) for group, seq, msg in told if group == "y"]
    assert of_y == [(2, "y1"), *([(3, "y3")] if fails else [(3, "elsewhere"), (4, "y2")])]
    assert [seq for group, seq, _ in told if group == "x"] == [2, 3, 4, 5]


def test_large_groups_are_dropped_sooner_if_all_their_members_are_away() -> None:
    shell = a_shell()
    alice = enter(shell, "alice")
    ask(shell, alice, Create("hers"))
    ledger = shell.hub._ledger
    slot = ledger.slot(group_key("hers"))
    assert slot is not None
    assert slot.newest is not None
    members = {user_key(f"away-{number}"): f"away-{number}" for number in range(10_000)}
    large = attrs.evolve(slot.newest, members=members)
    most = 0
    for number in range(60):
        ledger.hold(group_key(f"large-{number}"), Slot(large, large))
        shell.tick()
        most = max(most, len(ledger))
    assert most <= 20
    assert ledger.slot(group_key("hers")) is slot
    before = ledger._weight
    assert code(shell, enter(shell, "bob"), Join("hers")) == ""
    assert ledger._weight > before, "a group grows"
    here = attrs.evolve(large, members={**members, user_key("alice"): "alice"})
    for number in range(20):
        ledger.hold(group_key(f"here-{number}"), Slot(here, here))
    shell.tick()
    assert len(ledger) >= 20, "alice is in them"
    assert ledger._weight < ledger._sweep_at, "they are not looked at again at once"
