"""What happens on two nodes at once, case by case: names, ids, guests, passwords, invitations, texts, presence, proofs.

Each case is a small life in the world of `nodes`; all that was heard is judged by `nodecheck` as well. The mutants at
the end are those that a made-up life seldom finds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from harness import Shell
from nodecheck import check
from nodes import Connection, World

from libtchat.cluster import Barred, FindSeat, NodeId, Protected, Prove, Record, TakeSeat
from libtchat.effect import LoadGroup, LoadUser, Send
from libtchat.hub.claim import Found
from libtchat.hub.entry import Query
from libtchat.hub.line import Line
from libtchat.hub.newcomer import Newcomers
from libtchat.hub.node import Node
from libtchat.hub.revision import Revision
from libtchat.message.direct import is_direct
from libtchat.message.event import Said
from libtchat.message.names import Key, UserKey
from libtchat.message.request import (
    Broadcast,
    Create,
    Hello,
    Invite,
    Join,
    ListGroups,
    ListMembers,
    ListUsers,
    Ping,
    Register,
    Request,
    Say,
    Tell,
)

WOB, ALICE, BOB = Key("wob"), UserKey(Key("alice")), UserKey(Key("bob"))


class Pair(World):
    """Two nodes, and what clients of them were told lately."""

    number: int = 0

    def enter(self, node: int, name: str | None, **fields: Any) -> Connection:
        """Connect, say hello, and let everything happen."""
        connection = self.connect(node, name or "")
        self.send(connection, Hello(sender=name, id="hello", **fields))
        self.rest()
        return connection

    def ask(self, connection: Connection, request: Request) -> None:
        """Ask, with an id of its own, and let everything happen."""
        self.number += 1
        self.send(connection, evolve(request, id=request.id or f"q{self.number}"))
        self.rest()

    def finish(self, node: int) -> None:
        """Let everything happen at one node alone."""
        machine = self.machines[node]
        while machine.asked:
            self.answer(machine)

    def settle_now(self, node: int) -> None:
        """Have a node's questions answered until it appends something, and that made durable and known there."""
        machine = self.machines[node]
        while machine.out is None:
            self.answer(machine)
        self.commit(machine)
        self.settle(machine)

    def answer_until(self, node: int, kind: type) -> None:
        """Answer a node's questions until one of this *kind* is out."""
        machine = self.machines[node]
        while not isinstance(machine.asked[0][0].question, kind):
            self.answer(machine)


def said(connection: Connection) -> list[Any]:
    return [json.loads(line) for line, _ in connection.heard]


def last(connection: Connection) -> Any:
    return json.loads(connection.heard[-1][0])


def notices(connection: Connection) -> list[tuple[str, str]]:
    return [(it["event"], it["name"]) for it in said(connection) if "event" in it]


def test_two_hellos_for_one_name_at_once_make_one_user() -> None:
    pair = Pair(2)
    both = [pair.connect(node, "alice") for node in (0, 1)]
    for connection in both:
        pair.send(connection, Hello(sender="alice", id="hello"))
    for node in (0, 1):
        pair.answer_until(node, TakeSeat)  # the name was free for either
    pair.rest()
    assert sorted(last(it).get("code", "welcome") for it in both) == ["name-in-use", "welcome"]
    check(pair)


def test_who_has_the_token_is_the_user_on_any_node() -> None:
    pair = Pair(2)
    here = pair.enter(0, "alice")
    there = pair.enter(1, "ALICE", token=here.token)
    assert (there.name, there.token) == ("alice", here.token)
    pair.disconnect(here)
    pair.disconnect(there)
    again = pair.enter(1, "alice", token=here.token)
    assert again.token == here.token
    pair.disconnect(again)
    assert pair.enter(0, "alice").token != here.token
    check(pair)


def test_a_user_has_so_many_connections_on_all_nodes_together() -> None:
    pair = Pair(2, limits=evolve(Shell().limits, max_peers_per_user=2))
    first = pair.enter(0, "alice")
    pair.enter(1, "alice", token=first.token)
    third = pair.enter(0, "alice", token=first.token)
    assert (last(third)["code"], last(third)["limit"]) == ("limit-reached", 2)
    pair.disconnect(first)
    assert pair.enter(0, "alice", token=first.token).token == first.token


@pytest.mark.parametrize("shows", ["nothing", "token", "new token"])
def test_nobody_is_refused_for_what_this_node_was_not_told_yet(shows: str) -> None:
    pair = Pair(2, limits=evolve(Shell().limits, max_peers_per_user=1))
    alice = pair.enter(0, "alice")
    if shows == "new token":
        pair.disconnect(alice)
        pair.rest()
        alice = pair.connect(0, "alice")
        pair.send(alice, Hello(sender="alice", id="hello"))
        pair.finish(0)
    pair.disconnect(alice)
    pair.finish(0)
    assert pair.machines[1].news, "the other node knows more"
    again = pair.connect(1, "alice")
    pair.send(again, Hello(sender="alice", token=None if shows == "nothing" else alice.token, id="hello"))
    pair.finish(1)
    assert last(again)["action"] == "server-hello"
    assert (again.token == alice.token) is (shows != "nothing")
    pair.rest()
    check(pair)


def test_who_goes_while_the_seat_is_taken_leaves_it_free() -> None:
    pair = Pair(2)
    gone = pair.connect(0, "alice")
    pair.send(gone, Hello(sender="alice", id="hello"))
    pair.answer_until(0, TakeSeat)
    pair.disconnect(gone)
    pair.rest()
    assert pair.enter(1, "alice").token
    check(pair)


def test_who_is_barred_while_the_seat_is_taken_leaves_it_free() -> None:
    pair = Pair(2)
    barred = pair.connect(0, "alice")
    pair.send(barred, Hello(sender="alice", id="hello"))
    pair.answer_until(0, TakeSeat)
    pair.machines[0].hub._identity.bars.put(UserKey(Key("alice")), pair.now + 60)
    pair.rest()
    assert last(barred)["code"] == "forbidden"
    assert pair.seat(UserKey(Key("alice"))).nodes == {}


@pytest.mark.parametrize("request_", [Say("wob", "hi", id="once"), Join("wob", id="once")], ids=["text", "join"])
@pytest.mark.parametrize("goes", [False, True], ids=["stays", "goes"])
def test_one_id_sent_to_two_nodes_makes_one_event(request_: Request, goes: bool) -> None:
    pair = Pair(2)
    owner = pair.enter(0, "owner")
    pair.ask(owner, Create("wob"))
    here = pair.enter(0, "alice")
    there = pair.enter(1, "alice", token=here.token)
    if isinstance(request_, Say):
        pair.ask(here, Join("wob"))
    pair.ask(there, ListMembers("wob"))
    for connection in (here, there):
        pair.send(connection, request_)
    for machine in pair.machines:
        while machine.asked:
            pair.answer(machine)
        assert machine.out is not None, "both decided on what they knew"
    if goes:
        pair.disconnect(there)
    for machine in pair.machines:
        pair.commit(machine)
    pair.rest()
    assert [event.id for event in pair.events(WOB)].count("once") == 1
    assert last(here)["id"] == "once"
    assert goes or "once" in [message.get("id") for message in said(there)]
    check(pair)


def test_what_is_decided_again_after_a_conflict_waits_for_no_proof() -> None:
    pair = Pair(2)
    both = [pair.enter(node, name) for node, name in ((0, "alice"), (1, "bob"))]
    pair.ask(both[0], Create("wob"))
    pair.ask(both[1], Join("wob"))
    for connection in both:
        pair.send(connection, Say("wob", "hi", id=connection.name))
    for machine in pair.machines:
        pair.commit(machine)
    for machine in pair.machines:
        pair.settle(machine)
        assert machine.asked == []
    pair.rest()
    check(pair)


def test_a_retry_on_another_node_is_answered_with_the_event() -> None:
    pair = Pair(2)
    here = pair.enter(0, "alice")
    pair.ask(here, Create("wob", id="first"))
    pair.ask(here, Say("wob", "hi", id="once"))
    pair.kill(pair.machines[0], keeps_cache=False)
    there = pair.enter(1, "alice", token=here.token)
    for request in (Create("wob", id="first"), Say("wob", "hi", id="once")):
        pair.ask(there, request)
    assert [message["seq"] for message in said(there)[1:]] == [1, 2]
    assert len(pair.events(WOB)) == 2
    pair.ask(there, Say("wob", "something else", id="once"))
    assert last(there)["code"] == "bad-request"


def test_a_guest_of_a_node_that_died_leaves_once() -> None:
    pair = Pair(3)
    members = [pair.enter(node, name) for node, name in ((0, "alice"), (1, "bob"))]
    guest = pair.enter(2, None)
    pair.ask(members[0], Create("wob"))
    for connection in (members[1], guest):
        pair.ask(connection, Join("wob"))
    pair.kill(pair.machines[2], keeps_cache=True)
    for machine in pair.machines:
        pair.tick(machine)
    assert guest.name in pair.machines[0].hub.online(), "its lease did not end"
    pair.rest()
    assert [event.action for event in pair.events(WOB)] == ["cgroupe", "join", "join", "leave"]
    assert all(notices(it).count(("disconnect", guest.name)) == 1 for it in members)
    check(pair)


def test_a_guest_that_is_not_known_yet_does_not_leave() -> None:
    pair = Pair(2)
    alice = pair.enter(0, "alice")
    pair.ask(alice, Create("wob"))
    guest = pair.connect(1, "")
    for request in (Hello(id="hello"), Join("wob", id="join")):
        pair.send(guest, request)
    pair.settle_now(1)
    assert pair.machines[0].news, "the other node was not told of the guest"
    pair.tell(pair.machines[0], WOB)
    pair.rest()
    assert [event.action for event in pair.events(WOB)] == ["cgroupe", "join"]
    check(pair)


def test_a_password_set_here_is_asked_there() -> None:
    pair = Pair(2)
    alice = pair.enter(0, "alice")
    pair.ask(alice, Register("secret"))
    assert last(pair.enter(1, "alice"))["code"] == "auth-required"
    there = pair.enter(1, "alice", password="secret")
    assert there.token == alice.token
    for connection in (alice, there):
        pair.disconnect(connection)
    pair.rest()
    assert last(pair.enter(1, "alice"))["code"] == "auth-required"
    assert last(pair.enter(1, "alice", password="guess"))["code"] == "auth-failed"
    assert pair.enter(0, "alice", password="secret").token
    check(pair)


def test_a_password_changed_here_is_the_one_asked_there() -> None:
    pair = Pair(2)
    alice = pair.enter(0, "alice")
    pair.ask(alice, Register("secret"))
    there = pair.enter(1, "alice", password="secret")
    pair.ask(alice, Register("changed", old="secret"))
    assert last(pair.enter(1, "alice", password="secret"))["code"] == "auth-failed"
    assert pair.enter(1, "alice", password="changed").token == there.token


def test_a_password_set_elsewhere_holds_for_who_is_connected_here() -> None:
    pair = Pair(2)
    here = pair.enter(0, "alice")
    there = pair.enter(1, "alice", token=here.token)
    for machine in pair.machines:
        machine.hub._login.require_auth = True
    pair.ask(there, Create("wob"))
    assert last(there)["code"] == "auth-required"
    pair.ask(here, Register("secret"))
    pair.ask(there, Create("wob"))
    assert last(there)["action"] == "cgroupe"
    pair.ask(there, Register("another"))
    assert (last(there)["code"], last(there)["field"]) == ("forbidden", "old")
    pair.spread(Protected(ALICE, None))
    pair.rest()
    pair.ask(there, ListGroups())
    assert last(there)["code"] == "auth-required"


def test_who_is_barred_elsewhere_is_closed_here_and_does_not_come_in() -> None:
    pair = Pair(2)
    alice, late = pair.enter(1, "alice"), pair.connect(1, "bob")
    pair.send(late, Hello(sender="bob", id="hello"))
    pair.answer_until(1, TakeSeat)
    for user in (ALICE, BOB):
        pair.spread(Barred(user, pair.now + 60))
    while pair.machines[1].news:
        pair.hear_news(pair.machines[1])
    pair.rest()
    assert (last(alice)["msg"], alice.is_open) == ("you are banned from this server until 2027-01-15 08:01:00Z", False)
    assert (last(late)["code"], last(late)["retry_after"]) == ("forbidden", 60)
    assert pair.seat(BOB).nodes == {}
    assert last(pair.enter(1, "ALICE"))["code"] == "forbidden"
    pair.spread(Barred(ALICE, None))
    pair.rest()
    again = pair.enter(1, "alice")
    pair.spread(Barred(ALICE, pair.now - 1))
    pair.rest()
    pair.ask(again, Ping())
    assert last(again)["action"] == "ping"


def test_a_token_that_an_operator_ended_lets_nobody_stay_or_come_in_anywhere() -> None:
    pair = Pair(2)
    here = pair.enter(0, "alice")
    pair.ask(here, Register("secret"))
    there = pair.enter(1, "alice", token=here.token)
    pair._seat(evolve(pair.seat(ALICE), token="nobody knows", why="it has a new password"), None)
    pair.hear_news(pair.machines[0])
    pair.finish(0)
    back = pair.connect(0, "alice")  # before the other node is told
    pair.send(back, Hello(sender="alice", id="hello", password="secret"))
    pair.finish(0)
    pair.rest()
    for connection in (here, there):
        assert (last(connection)["msg"], connection.is_open) == ("it has a new password", False)
        assert sum("new password" in line.decode() for line, _ in connection.heard) == 1
    assert last(pair.enter(0, "alice", token=here.token))["code"] == "auth-failed"
    assert pair.enter(1, "alice", password="secret").token == back.token == "nobody knows"
    pair.ask(back, Ping())
    assert last(back)["action"] == "ping"
    check(pair)


def test_a_token_ended_while_it_lets_somebody_in_lets_nobody_in() -> None:
    pair = Pair(2)
    here = pair.enter(0, "alice")
    pair.ask(here, Register("secret"))
    late, machine = pair.connect(1, "alice"), pair.machines[1]
    pair.send(late, Hello(sender="alice", id="hello", token=here.token))
    pair.answer_until(1, TakeSeat)
    taking = machine.asked.pop()[0]
    taken = pair._answer(machine, taking.question)
    pair._seat(evolve(pair.seat(ALICE), token="nobody knows", why="it has a new password"), None)
    while machine.news:
        pair.hear_news(machine)
    machine.hub.answered(taking, taken, pair.now)
    pair.rest()
    assert last(late)["code"] == "auth-failed"
    assert pair.seat(ALICE).nodes == {}
    check(pair)


def test_a_text_that_is_kept_is_heard_on_another_node_and_waits_for_who_is_away() -> None:
    pair = Pair(2)
    alice, bob = pair.enter(0, "alice"), pair.enter(1, "bob")
    for connection in (alice, bob):
        pair.ask(connection, Register("secret"))
    pair.ask(alice, Tell("bob", "one"))
    assert [last(it)["msg"] for it in (alice, bob)] == ["one", "one"]
    pair.disconnect(bob)
    pair.rest()
    pair.ask(alice, Tell("bob", "two"))
    assert last(alice)["kept"] is True
    again = pair.enter(1, "bob", password="secret")
    assert "two" in [it.get("msg") for it in said(again)]
    (log,) = [key for key in pair.records if is_direct(key)]
    assert [json.loads(line)["msg"] for line in pair.lines(log)] == ["one", "two"]


@pytest.mark.parametrize("question", [None, LoadUser, TakeSeat, Prove])
def test_a_text_kept_while_its_user_comes_in_elsewhere_is_heard_once(question: type | None) -> None:
    pair = Pair(2)
    alice, bob = pair.enter(0, "alice"), pair.enter(1, "bob")
    pair.ask(bob, Register("secret"))
    pair.disconnect(bob)
    pair.rest()
    pair.send(alice, Tell("bob", "two", id="kept"))
    pair.settle_now(0)
    assert last(alice)["kept"] is True
    back, machine = pair.connect(1, "bob"), pair.machines[1]
    pair.send(back, Hello(sender="bob", id="hello", password="secret"))
    if question is not None:
        pair.answer_until(1, question)
    for key in list(pair.records):
        if question is not None:
            pair.tell(machine, key)
    pair.finish(1)
    pair.rest()
    assert [it.get("msg") for it in said(back)].count("two") == 1


def test_a_name_protected_while_a_hello_waits_is_not_had_without_the_password() -> None:
    pair = Pair(2)
    late = pair.connect(1, "alice")
    pair.send(late, Hello(sender="alice", id="hello"))
    pair.answer_until(1, TakeSeat)  # there was no password when it was looked for
    alice = pair.connect(0, "alice")
    for request in (Hello(sender="alice", id="hello"), Register("secret", id="register")):
        pair.send(alice, request)
    pair.finish(0)
    assert last(alice)["action"] == "register"
    pair.disconnect(alice)
    pair.finish(0)
    pair.rest()
    assert last(late)["code"] == "auth-required"


def test_an_invitation_reaches_who_is_on_another_node_and_was_in_no_group() -> None:
    pair = Pair(2)
    alice, bob = pair.enter(0, "alice"), pair.enter(1, "bob")
    pair.ask(alice, Create("wob", private=True))
    for _ in range(2):
        pair.ask(alice, Invite("wob", "bob"))
        assert (last(bob)["action"], last(bob)["dest"]) == ("invite", "bob")
    assert len([it for it in said(bob) if it["action"] == "invite"]) == 2
    pair.ask(bob, ListGroups())
    assert last(bob)["private"] == ["wob"]
    pair.ask(alice, Invite("wob", "nobody"))
    assert last(alice)["code"] == "user-not-found"
    check(pair)


def test_a_text_to_a_user_reaches_all_connections_of_both_and_nobody_else() -> None:
    pair = Pair(3)
    alices = [pair.enter(0, "alice")]
    alices.append(pair.enter(1, "alice", token=alices[0].token))
    bobs = [pair.enter(1, "bob")]
    bobs.append(pair.enter(2, "bob", token=bobs[0].token))
    carol = pair.enter(2, "carol")
    pair.ask(alices[0], Tell("bob", "psst"))
    assert all(last(it)["msg"] == "psst" for it in alices + bobs)
    assert [it for it in said(carol) if it["action"] == "server-send"] == []
    pair.ask(alices[0], Tell("nobody", "psst"))
    assert last(alices[0])["code"] == "user-not-found"
    pair.ask(carol, Broadcast("all"))
    assert all(last(it)["msg"] == "all" for it in (*alices[1:], *bobs, carol))
    check(pair)


def test_what_is_not_stored_reaches_who_is_welcome_on_a_node_before_others_heard_of_it() -> None:
    pair = Pair(2)
    alice, bob = pair.enter(0, "alice"), pair.enter(1, "bob")
    pair.ask(alice, Create("wob"))
    pair.ask(alice, Invite("wob", "bob"))
    pair.disconnect(bob)
    pair.rest()
    bob = pair.connect(1, "bob")
    pair.send(bob, Hello(sender="bob", id="hello"))
    pair.finish(1)
    assert [it["action"] for it in said(bob)] == ["server-hello", "invite"]
    pair.send(alice, Broadcast("all"))
    pair.send(alice, Invite("wob", "bob"))
    pair.answer_until(0, Prove)
    assert pair.machines[0].news, "alice's node has heard of bob already"
    pair.rest()
    assert [it["action"] for it in said(bob)[2:]] == ["server-broadcast", "invite"]


@pytest.mark.parametrize("scope", ["all", "groups"])
def test_a_user_goes_with_the_last_connection_wherever_it_is(scope: Any) -> None:
    pair = Pair(2)
    for machine in pair.machines:
        machine.hub._login.scope = scope
    watchers = [pair.enter(node, name) for node, name in ((0, "bob"), (1, "carol"))]
    pair.ask(watchers[0], Create("wob"))
    pair.ask(watchers[1], Join("wob"))
    here = pair.enter(0, "alice")
    pair.ask(here, Join("wob"))
    there = pair.enter(1, "alice", token=here.token)
    pair.disconnect(here)
    pair.rest()
    assert all(("disconnect", "alice") not in notices(it) for it in watchers)
    pair.ask(watchers[0], ListUsers())
    assert last(watchers[0])["list"] == ["alice", "bob", "carol"]
    pair.ask(watchers[0], ListMembers("wob"))
    assert last(watchers[0])["online"] == ["alice", "bob", "carol"]
    pair.disconnect(there)
    pair.rest()
    assert [notices(it).count(("disconnect", "alice")) for it in watchers] == [1, 1]
    pair.enter(1, "alice")
    known = [("connect", "alice"), ("disconnect", "alice"), ("connect", "alice")]
    mine = [[it for it in notices(watcher) if it[1] == "alice"] for watcher in watchers]
    assert mine == ([known, known] if scope == "all" else [known[1:], known[1:]])
    check(pair)


def test_members_get_the_bytes_of_the_node_that_appended() -> None:
    pair = Pair(2)
    alice = pair.enter(0, "alice")
    pair.ask(alice, Create("wob"))
    line = b'{"action":"gbroadcast","sender":"zoe","group":"wob","msg":"hi","seq":2,"msg":"other words"}'
    text = Said("zoe", "wob", "hi", 2, "2030-01-02T03:04:05.678Z", None)
    hub = pair.machines[0].hub
    hub.told([Record(WOB, 1, (text,), ("",), (line,))], pair.now)
    assert hub.drain() == [Send((alice.peer,), text, None, line)]


@pytest.mark.parametrize("request_", [ListGroups(), ListMembers("wob"), Join("wob"), Say("wob", "hi")])
def test_what_is_answered_is_not_older_than_what_was_acknowledged_elsewhere(request_: Request) -> None:
    pair = Pair(2)
    alice, bob = pair.enter(0, "alice"), pair.enter(1, "bob")
    pair.ask(bob, ListMembers("wob"))
    assert last(bob)["code"] == "group-not-found"
    pair.send(alice, Create("wob", id="create"))
    pair.settle_now(0)
    pair.send(bob, evolve(request_, id="now"))
    pair.rest()
    answer = next(it for it in said(bob) if it.get("id") == "now")
    assert "wob" in (*answer.get("list", ()), answer.get("group")), f"{answer} is of before"
    assert answer.get("code") in (None, "not-member"), f"{answer} is of before"
    check(pair)


def test_a_welcome_tells_what_went_by_while_it_was_made() -> None:
    pair = Pair(2)
    alice, bob = pair.enter(0, "alice"), pair.enter(0, "bob")
    pair.ask(alice, Create("wob"))
    pair.ask(bob, Join("wob"))
    pair.disconnect(bob)
    pair.rest()
    again = pair.connect(1, "bob")
    pair.send(again, Hello(sender="bob", id="hello"))
    pair.answer_until(1, LoadUser)
    pair.send(alice, Say("wob", "hi", id="hi"))
    pair.settle_now(0)
    pair.tell(pair.machines[1], WOB)
    pair.answer(pair.machines[1], late=False)
    pair.rest()
    assert said(again)[0]["seqs"] == {"wob": 3}
    check(pair)


def test_a_welcome_whose_proof_came_to_nothing_waits_for_another_one() -> None:
    pair = Pair(2)
    alice, bob = pair.enter(0, "alice"), pair.enter(1, "bob")
    pair.ask(alice, Create("wob"))
    pair.ask(bob, Join("wob"))
    pair.disconnect(bob)
    pair.rest()
    pair.send(alice, Say("wob", "hi", id="hi"))
    pair.settle_now(0)
    machine = pair.machines[1]
    again = pair.connect(1, "bob")
    pair.send(again, Hello(sender="bob", id="hello"))
    pair.answer(machine, [type(ask.question) for ask, *_ in machine.asked].index(Prove), fails=True)
    pair.finish(1)
    assert said(again)[0]["seqs"] == {"wob": 3}
    pair.rest()
    check(pair)


def test_who_comes_back_hears_of_the_group_that_waits_to_be_told() -> None:
    """It is durable, but stands in the line behind what waits for a proof; what was read of the user is of before."""
    pair = Pair(2)
    alice = pair.enter(0, "alice")
    machine = pair.machines[0]
    pair.send(alice, ListGroups(id="list"))
    pair.send(alice, Create("wob", id="create"))
    pair.answer(machine, next(n for n, (ask, *_) in enumerate(machine.asked) if isinstance(ask.question, LoadGroup)))
    pair.disconnect(alice)
    again = pair.connect(0, "alice")
    pair.send(again, Hello(sender="alice", token=alice.token, id="hello"))
    while any(not isinstance(ask.question, Prove) for ask, *_ in machine.asked):
        number = next(n for n, (ask, *_) in enumerate(machine.asked) if not isinstance(ask.question, Prove))
        if machine.out is not None and isinstance(machine.asked[number][0].question, TakeSeat):
            pair.commit(machine)
            pair.settle(machine)
        pair.answer(machine, number, late=False)
    pair.send(again, Say("wob", "hi", id="say"))
    pair.rest()
    assert "say" in [message.get("id") for message in said(again)]
    check(pair)


def test_without_proof_a_list_is_unavailable_and_a_hello_ends() -> None:
    pair = Pair(2)
    alice = pair.enter(0, "alice")
    machine = pair.machines[0]
    for request in (ListGroups(id="list"), Join("nowhere", id="join"), Ping(id="ping")):
        pair.send(alice, request)
    late = pair.connect(0, "bob")
    pair.send(late, Hello(sender="bob", id="hello"))
    while any(not isinstance(ask.question, Prove) for ask, *_ in machine.asked):
        number = next(n for n, (ask, *_) in enumerate(machine.asked) if not isinstance(ask.question, Prove))
        pair.answer(machine, number)
    while machine.asked:
        pair.answer(machine, fails=True)
    answers = {it["id"]: it.get("code") for it in said(alice) if it.get("id") in ("list", "join", "ping")}
    assert answers == {"list": "unavailable", "join": "unavailable", "ping": None}
    assert (last(late)["code"], late.is_open) == ("unavailable", False)
    pair.rest()
    check(pair)


def test_what_the_storage_did_not_take_is_told_without_a_proof() -> None:
    """It is certain; and while the engine is gone there would be no proof either."""
    pair = Pair(2)
    alice = pair.enter(0, "alice")
    pair.send(alice, Create("wob", id="create"))
    pair.rest()
    machine = pair.machines[0]
    pair.send(alice, Say("wob", "hi", id="say"))
    pair.commit(machine, [Key("wob")])
    pair.settle(machine)
    assert last(alice)["code"] == "unavailable"
    assert machine.asked == []
    pair.rest()
    check(pair)


def test_a_node_asks_for_a_seat_and_a_hub_that_is_alone_for_nothing_of_the_kind() -> None:
    node, shell = Node("test", node=NodeId("a")), Shell()
    for hub in (node, shell.hub):
        peer = hub.connect(0.0, token="t")
        hub.handle(peer, [Hello(sender="alice")], 0.0)
    asked = [effect.question for effect in node.drain()]  # type: ignore[union-attr]
    assert asked == [FindSeat(UserKey(Key("alice")), known=True), Prove()]
    assert [effect.question for effect in shell.hub.drain()] == [LoadUser(Key("alice"))]  # type: ignore[union-attr]


Patch = pytest.MonkeyPatch


def what_passed_by_is_not_in_the_welcome(patch: Patch) -> None:
    patch.setattr(Newcomers, "pass_by", lambda newcomers, key, seq: None)


def an_id_is_not_learnt(patch: Patch) -> None:
    told = Node.told

    def without(node: Node, records: Any, now: float) -> None:
        told(node, [evolve(record, digests=("",) * len(record.digests)) for record in records], now)

    patch.setattr(Node, "told", without)


def an_id_is_learnt_by_who_is_online_only(patch: Patch) -> None:
    told = Revision._told
    patch.setattr(Revision, "_told", lambda revision, key, records, hear, users: told(revision, key, records, hear, {}))


def a_seat_is_what_was_told_last(patch: Patch) -> None:
    patch.setattr(Found, "is_guess", lambda found: False)


def a_proof_is_never_in_vain(patch: Patch) -> None:
    patch.setattr(Line, "is_in_vain", lambda line, proof: False)


def what_is_listed_is_not_proved(patch: Patch) -> None:
    patch.setattr(Query, "rests", lambda query: False)


MUTANTS: dict[Callable[[Patch], None], Callable[[], None]] = {
    what_passed_by_is_not_in_the_welcome: test_a_welcome_tells_what_went_by_while_it_was_made,
    an_id_is_not_learnt: lambda: test_one_id_sent_to_two_nodes_makes_one_event(Say("wob", "hi", id="once"), False),
    an_id_is_learnt_by_who_is_online_only: lambda: test_one_id_sent_to_two_nodes_makes_one_event(
        Say("wob", "hi", id="once"), True
    ),
    a_seat_is_what_was_told_last: lambda: test_nobody_is_refused_for_what_this_node_was_not_told_yet("nothing"),
    a_proof_is_never_in_vain: test_a_welcome_whose_proof_came_to_nothing_waits_for_another_one,
    what_is_listed_is_not_proved: lambda: test_what_is_answered_is_not_older_than_what_was_acknowledged_elsewhere(
        ListGroups()
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_node_with_a_fault_is_found(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    MUTANTS[mutant]()
    mutant(monkeypatch)
    with pytest.raises((AssertionError, ValueError, KeyError)):
        MUTANTS[mutant]()
