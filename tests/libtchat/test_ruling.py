"""What an operator does to a hub: to groups by events of their logs, to users at once, and who may set a password."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from attrs import evolve
from harness import UNLIMITED, Shell, ask, at_once, code, enter

from libtchat.effect import PeerId
from libtchat.group import Group, fold
from libtchat.hub.hub import Hub
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.event import Closed, Created, Event, Invited, Joined, Left, Redacted, Said
from libtchat.message.names import group_key, user_key
from libtchat.message.reply import Error
from libtchat.message.request import (
    Ban,
    Create,
    Hello,
    Invite,
    Join,
    Leave,
    ListMembers,
    ListMessages,
    ListStates,
    Register,
    Say,
)
from libtchat.ruling import CloseGroup, Expel, GiveGroup, RedactText, Ruling, rule
from libtchat.wire.snapshot import decode_group, encode_group
from tchat_server.password import mark_of

TS = "2026-01-02T03:04:05.678Z"


def a_shell(**options: Any) -> Shell:
    return Shell(hub=Hub("test", UNLIMITED, **options), limits=UNLIMITED)


def rules(shell: Shell, ruling: Ruling, *, fails: bool = False) -> Event | Error:
    """Have something done to a group, and return what became of it."""
    ticket = len(shell.settled) + 1
    shell.hub.operator.rule(ruling, ticket, at_once(shell.log.load(group_key(ruling.group))), shell.now)
    shell.holds = fails
    shell.tick()
    if fails:
        shell.settle([group_key(ruling.group)])
        shell.holds = False
        shell.tick()
    shell.finish()
    return shell.settled[ticket]


def two_in_wob(shell: Shell) -> tuple[PeerId, PeerId]:
    alice, bob = enter(shell, "alice"), enter(shell, "bob")
    ask(shell, alice, Create("wob"))
    ask(shell, bob, Join("wob"))
    ask(shell, bob, Say("wob", "secret", id="one"))
    shell.said(alice)
    return alice, bob


def test_a_closed_group_takes_no_texts_and_all_else_goes_on() -> None:
    shell = a_shell()
    alice, bob = two_in_wob(shell)
    event = rules(shell, CloseGroup("WOB"))
    assert isinstance(event, Closed)
    assert (event.sender, event.group, event.seq) == ("server", "wob", 4)
    assert [message["action"] for message in shell.said(alice)] == ["close"]
    assert code(shell, bob, Say("wob", "more")) == "group-closed"
    assert code(shell, bob, Say("wob", "secret", id="one")) == "", "a retry is answered as before"
    stranger = enter(shell, "carol")
    assert code(shell, stranger, Say("wob", "hi")) == "not-member", "whoever is outside learns nothing"
    assert code(shell, stranger, Join("wob")) == ""
    assert ask(shell, stranger, ListMembers("wob"))["closed"] is True
    assert len(ask(shell, stranger, ListMessages("wob"))["list"]) == 1
    undone = rules(shell, CloseGroup("wob", undo=True))
    assert isinstance(undone, Closed)
    assert undone.undone
    assert code(shell, bob, Say("wob", "more")) == ""
    assert "closed" not in ask(shell, bob, ListMembers("wob"))


def test_texts_that_come_together_are_refused_together() -> None:
    shell = a_shell()
    _, bob = two_in_wob(shell)
    rules(shell, CloseGroup("wob"))
    shell.said(bob)
    shell.handle(bob, Say("wob", "a"), Say("wob", "b"))
    assert [message["code"] for message in shell.said(bob)] == ["group-closed", "group-closed"]


def test_a_removed_text_is_a_tombstone_in_every_page_and_answer() -> None:
    shell = a_shell()
    alice, bob = two_in_wob(shell)
    event = rules(shell, RedactText("wob", 3, "bob"))
    assert isinstance(event, Redacted)
    assert (event.redacts, event.author, event.seq) == (3, "bob", 4)
    assert [message["action"] for message in shell.said(bob)] == ["redact"]
    pages = [ask(shell, alice, ListMessages("wob")), ask(shell, alice, ListStates("wob", all=True))]
    for page in pages:
        (text,) = [entry for entry in page["list"] if entry["action"] == "gbroadcast"]
        assert (text["redacted"], text["sender"], text["seq"], text["id"]) == (True, "bob", 3, "one")
        assert "secret" not in str(page)
    assert ask(shell, bob, Say("wob", "secret", id="one"))["redacted"] is True
    assert not [line for line in shell.lines[alice][-2:] if b"secret" in line]


@pytest.mark.parametrize(
    ("ruling", "code", "sentence"),
    [
        (CloseGroup("nowhere"), "group-not-found", "there is no group nowhere: `tchat groups` lists them"),
        (CloseGroup("wob", undo=True), "bad-request", "wob is open already: nothing to do"),
        (Expel("wob", "carl"), "target-not-member", "carl is not in wob: nothing to do"),
    ],
)
def test_what_cannot_be_done_is_told_to_the_operator_alone(ruling: Ruling, code: str, sentence: str) -> None:
    shell = a_shell()
    alice, bob = two_in_wob(shell)
    shell.said(bob)
    outcome = rules(shell, ruling)
    assert isinstance(outcome, Error)
    assert (outcome.code, outcome.msg) == (code, sentence)
    assert shell.said(alice) + shell.said(bob) == []


def test_nobody_hears_of_what_is_not_stored() -> None:
    shell = a_shell()
    alice, bob = two_in_wob(shell)
    shell.said(bob)
    outcome = rules(shell, CloseGroup("wob"), fails=True)
    assert isinstance(outcome, Error)
    assert outcome.code == "unavailable"
    assert shell.said(alice) + shell.said(bob) == []
    assert code(shell, bob, Say("wob", "more")) == ""


def test_who_is_taken_out_of_a_group_leaves_it_and_the_next_one_owns_it() -> None:
    shell = a_shell()
    _, bob = two_in_wob(shell)
    shell.said(bob)
    event = rules(shell, Expel("wob", "ALICE"))
    assert isinstance(event, Left)
    assert (event.sender, event.owner) == ("alice", "bob")
    assert [message["action"] for message in shell.said(bob)] == ["leave"]


def groups() -> dict[str, Group]:
    """wob: alice owns it, Bob is a member, eve is banned. empty: alice was in it, eve is banned."""
    shell = a_shell()
    alice, bob = enter(shell, "alice"), enter(shell, "Bob")
    for request in (Create("wob"), Ban("wob", "eve"), Create("empty"), Ban("empty", "eve")):
        ask(shell, alice, request)
    ask(shell, bob, Join("wob"))
    ask(shell, alice, Leave("empty"))
    found = {}
    for name in ("wob", "empty"):
        loaded = at_once(shell.log.load(group_key(name)))
        group = fold(loaded.tail, loaded.snapshot)
        assert group is not None
        found[name] = evolve(group, ts=TS)
    return found


def test_a_group_whose_owner_is_gone_is_given_to_a_member_or_when_empty_to_anybody() -> None:
    found = groups()
    wob, empty = found["wob"], found["empty"]
    assert rule(wob, GiveGroup("wob", "bob"), ts=TS) == Left("alice", "wob", wob.seq + 1, TS, "Bob")
    assert rule(empty, GiveGroup("empty", "carl"), ts="") == Joined("carl", "empty", empty.seq + 1, TS, "carl")


def test_whom_a_group_knows_it_names_as_it_knows_them() -> None:
    empty = groups()["empty"]
    empty = evolve(empty, invited={user_key("dave"): Invited("alice", "empty", "Dave", empty.seq, TS)})
    assert rule(empty, GiveGroup("empty", "DAVE"), ts=TS).sender == "Dave"
    assert rule(empty, Expel("empty", "DAVE"), ts=TS).sender == "Dave"
    with pytest.raises(Refused, match="eve is not in empty"):
        rule(empty, Expel("empty", "eve"), ts=TS)  # banned is not inside


@pytest.mark.parametrize(
    ("group", "name", "message"),
    [
        ("wob", "alice", "alice owns wob already"),
        ("wob", "carl", "carl is not a member of wob"),
        ("wob", "eve", "eve is not a member of wob"),
        ("empty", "eve", "eve is banned from empty"),
        ("empty", "no body", "no body cannot own empty"),
        ("empty", "server", "server cannot own empty"),
    ],
)
def test_what_is_no_succession_is_refused(group: str, name: str, message: str) -> None:
    with pytest.raises(Refused, match=message):
        rule(groups()[group], GiveGroup(group, name), ts=TS)


def test_a_snapshot_knows_that_a_group_is_closed() -> None:
    events = (Created("alice", "wob", 1, TS, "alice"), Closed("server", "wob", 2, TS))
    for count in (1, 2):
        group = fold(events[:count])
        assert group is not None
        assert group.closed is (count == 2)
        assert decode_group(encode_group(group)) == group
    opened = fold((*events, Closed("server", "wob", 3, TS, undone=True), Said("alice", "wob", "hi", 4, TS)))
    assert opened is not None
    assert not opened.closed


def test_who_is_dismissed_is_told_why_on_each_connection_and_may_come_back_with_the_token() -> None:
    shell = a_shell()
    alice, token = shell.connect(), ""
    token = ask(shell, alice, Hello(sender="alice"))["token"]
    second = enter(shell, "alice", token=token)
    ask(shell, alice, Create("wob"))
    bob = enter(shell, "bob")
    assert shell.hub.operator.ban(user_key("alice"), shell.now, shell.now) == 0, "it is over"
    assert shell.hub.operator.dismiss(user_key("alice"), "go away", shell.now) == 2
    shell.handle(alice, Say("wob", "no"))
    group = shell.hub.group("wob")
    assert group is not None
    assert group.seq == 1, "nothing is taken from her any more"
    for peer in (alice, second):
        told = shell.said(peer)
        assert [(message["action"], message.get("msg")) for message in told][-1] == ("error", "go away")
        assert peer in shell.closed
    assert [message.get("event") for message in shell.said(bob)] == ["disconnect"]
    assert code(shell, shell.connect(), Hello(token=token, sender="alice")) == ""


def test_who_is_dismissed_with_the_token_comes_back_as_a_stranger() -> None:
    shell = a_shell()
    peer = shell.connect()
    token = ask(shell, peer, Hello(sender="alice"))["token"]
    shell.hub.operator.protect(user_key("alice"), "hash of new")
    assert at_once(shell.log.save_user(user_key("alice"), "alice", "hash of new")) is True
    shell.hub.operator.dismiss(user_key("alice"), "new password", shell.now, token="unknown")
    shell.tick()
    assert code(shell, shell.connect(), Hello(token=token, sender="alice")) == "auth-failed"
    assert code(shell, shell.connect(), Hello(password="new", sender="alice")) == ""


def test_the_token_of_a_user_who_went_is_ended_too() -> None:
    shell = a_shell()
    peer = shell.connect()
    token = ask(shell, peer, Hello(sender="alice"))["token"]
    shell.disconnect(peer)
    shell.hub.operator.dismiss(user_key("alice"), "", shell.now, token="unknown")
    assert ask(shell, shell.connect(), Hello(token=token, sender="alice"))["token"] != token


@pytest.mark.parametrize("until", [60.0, inf])
def test_who_is_barred_may_not_come_in_until_then(until: float) -> None:
    shell = a_shell()
    shell.hub.set_time_of_day(500)
    shell.hub.operator.bar(user_key("bob"), shell.now + 500 + until)
    for hello in (Hello(sender="BOB"), Hello(sender="bob", password="x"), Create("wob", sender="bob")):
        refusal = ask(shell, shell.connect(), hello)
        assert refusal["code"] == "forbidden"
        assert refusal.get("retry_after") == (60.0 if until == 60.0 else None)
    shell.now += 60
    assert code(shell, shell.connect(), Hello(sender="bob")) == ("forbidden" if until == inf else "")
    shell.hub.operator.bar(user_key("bob"), None)
    assert code(shell, shell.connect(), Hello(sender="bob")) == ("" if until == inf else "name-in-use")


def test_what_is_announced_comes_from_the_server_to_everybody() -> None:
    shell = a_shell()
    alice, nobody = enter(shell, "alice"), shell.connect()
    shell.hub.operator.announce("stops at noon", shell.now)
    shell.tick()
    (message,) = shell.said(alice)
    assert (message["action"], message["from"], message["msg"]) == ("server-broadcast", "server", "stops at noon")
    assert "event" not in message
    assert shell.said(nobody) == []


def test_who_has_the_old_password_sets_another_one() -> None:
    shell = a_shell()
    alice = enter(shell, "alice")
    assert ask(shell, alice, Register("one"))["action"] == "register"
    refusal = ask(shell, alice, Register("two"))
    assert (refusal["code"], refusal["field"]) == ("forbidden", "old")
    assert code(shell, alice, Register("two", old="wrong")) == "auth-failed"
    assert ask(shell, alice, Register("two", old="one"))["action"] == "register"
    shell.disconnect(alice)
    assert code(shell, shell.connect(), Hello(password="one", sender="alice")) == "auth-failed"
    assert code(shell, shell.connect(), Hello(password="two", sender="alice")) == ""


def test_old_passwords_are_tried_as_rarely_as_others() -> None:
    limits = evolve(UNLIMITED, password_burst=3, passwords_per_second=0.001)
    shell = Shell(hub=Hub("test", limits), limits=limits)
    alice = enter(shell, "alice")
    ask(shell, alice, Register("one"))
    codes = [code(shell, alice, Register("two", old=f"try {number}")) for number in range(4)]
    assert codes == ["auth-failed"] * 3 + ["rate-limited"]


def test_an_operator_who_sets_a_password_meanwhile_is_first() -> None:
    shell = a_shell()
    alice = enter(shell, "alice")
    ask(shell, alice, Register("one"))
    assert at_once(shell.log.save_user(user_key("alice"), "alice", "hash of three", replaces="hash of one"))
    refusal = ask(shell, alice, Register("two", old="one"))
    assert (refusal["code"], refusal["field"]) == ("forbidden", "old")


def test_where_invitations_are_wanted_a_code_holds_once() -> None:
    shell = a_shell(registration="invite")
    at_once(shell.log.invite(mark_of("code")))
    alice, bob = enter(shell, "alice"), enter(shell, "bob")
    refusal = ask(shell, alice, Register("one"))
    assert (refusal["code"], refusal["field"]) == ("forbidden", "invitation")
    assert ask(shell, alice, Register("one", invitation="wrong"))["field"] == "invitation"
    assert ask(shell, alice, Register("one", invitation="code"))["action"] == "register"
    assert ask(shell, bob, Register("one", invitation="code"))["field"] == "invitation"
    assert ask(shell, alice, Register("two", old="one"))["action"] == "register", "to change one takes no code"


def test_where_registration_is_closed_only_the_operator_gives_passwords() -> None:
    shell = a_shell(registration="closed")
    alice = enter(shell, "alice")
    refusal = ask(shell, alice, Register("one", invitation="code"))
    assert (refusal["code"], refusal["field"]) == (ErrorCode.FORBIDDEN, "password")
    shell.hub.operator.protect(user_key("alice"), "hash of one")
    at_once(shell.log.save_user(user_key("alice"), "alice", "hash of one"))
    assert ask(shell, alice, Register("two", old="one"))["action"] == "register"


def test_an_invitation_of_who_is_taken_out_ends_too() -> None:
    shell = a_shell()
    alice, _ = two_in_wob(shell)
    enter(shell, "carol")
    ask(shell, alice, Invite("wob", "carol"))
    event = rules(shell, Expel("wob", "carol"))
    assert isinstance(event, Left)
    assert ask(shell, alice, ListMembers("wob"))["invited"] == []
