"""Texts between two users that are kept: what waits for whom, who may read it, and what a failing log changes."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from harness import UNLIMITED, Shell, ask, at_once, code, enter

from libtchat.direct import Box, boxes_after
from libtchat.effect import Ask, AwaitRoom, FindUser, PeerId
from libtchat.group import Standing, fold, outsiders, subject
from libtchat.hub.hub import Hub
from libtchat.message.direct import Received, Sent, correspondent, direct_key, is_direct
from libtchat.message.names import group_key, user_key
from libtchat.message.request import Hello, ListMessages, ListStates, ListUsers, Ping, Quit, Register, Tell
from libtchat.ruling import EndTexts
from libtchat.wire.snapshot import decode_box, decode_group, encode_box, encode_group

TS = "2026-01-02T03:04:05.678Z"


def registered(shell: Shell, name: str) -> PeerId:
    peer = enter(shell, name)
    assert ask(shell, peer, Register(name))["action"] == "register"
    return peer


def away(shell: Shell, name: str) -> None:
    """Let a user with a password come and go."""
    shell.handle(registered(shell, name), Quit())


def come(shell: Shell, name: str, *, kept: bool = True) -> PeerId:
    peer = shell.connect()
    shell.handle(peer, Hello(sender=name, password=name, kept=kept))
    return peer


def texts(shell: Shell, peer: PeerId) -> list[Any]:
    return [message["msg"] for message in shell.said(peer) if message["action"] == "server-send"]


def test_no_group_has_the_key_of_two_users() -> None:
    key = direct_key(user_key("bob"), user_key("Alice"))
    assert key == direct_key(user_key("ALICE"), user_key("bob"))
    assert is_direct(key)
    assert group_key(key) != key
    assert not is_direct(group_key(key))


@pytest.mark.parametrize(("group", "name"), [("@bob", "bob"), (" @Bob ", "Bob"), ("bob", None), ("", None), ("@", "")])
def test_the_texts_with_somebody_are_named_with_an_at_sign(group: str, name: str | None) -> None:
    assert correspondent(group) == name


def test_boxes_are_the_fold_of_the_events() -> None:
    alice, bob = user_key("alice"), user_key("bob")
    boxes = boxes_after({}, Sent("alice", "bob", "hé", TS, seq=1, kept=True, reader="bob"))
    assert boxes == {bob: Box("bob", "alice", 1, (1,), 3)}
    boxes = boxes_after(boxes, Sent("alice", "bob", "x", TS, seq=2, kept=True))
    assert boxes == {bob: Box("bob", "alice", 1, (1, 2), 4), alice: Box("alice", "bob", 2)}
    boxes = boxes_after(boxes, Received("bob", "alice", 1, 3, TS))
    assert boxes[bob] == Box("bob", "alice", 1, (2,), 4)
    boxes = boxes_after(boxes, Received("bob", "alice", 2, 4, TS))
    assert boxes[bob] == Box("bob", "alice", 1)
    boxes = boxes_after(boxes, Sent("alice", "bob", "x", TS, seq=5, reader="bob"))
    assert boxes_after(boxes, Received("bob", "alice", 5, 6, TS, removed=True)) == {}
    assert boxes == {bob: Box("bob", "alice", 1)}, "the name has no password any more, so it may be somebody else's"
    assert decode_box(encode_box(boxes[bob])) == boxes[bob]


def test_the_log_of_two_says_for_whom_something_waits_and_whom_an_event_concerns() -> None:
    bob = user_key("bob")
    kept, live = Sent("alice", "bob", "x", TS, seq=1, kept=True), Sent("alice", "bob", "y", TS, seq=2)
    came, note = Received("bob", "alice", 2, 3, TS), Sent("bob", "bob", "z", TS, seq=1)
    assert [subject(event) for event in (kept, live, came, note)] == ["bob", None, "bob", None]
    logs = [fold((kept, live, came)[:count]) for count in (1, 2, 3)]
    assert [log.standing(bob) for log in logs if log] == [Standing.WAITING, Standing.WAITING, Standing.NONE]
    own = fold([note])
    assert own is not None
    assert own.private
    assert outsiders(None, note, own) == (bob,)


def test_a_snapshot_holds_the_boxes() -> None:
    shell = Shell()
    away(shell, "bob")
    ask(shell, enter(shell, "alice"), Tell("bob", "hi"))
    key = direct_key(user_key("alice"), user_key("bob"))
    group = shell.hub.group(key)
    found = shell.log._logs[key].group
    assert group is None, "nobody asks for it as for a group"
    assert decode_group(encode_group(found)) == found
    assert found.boxes[user_key("bob")].waiting == (1,)


def test_who_says_hello_twice_at_once_gets_what_waits_once() -> None:
    shell = Shell()
    away(shell, "bob")
    ask(shell, enter(shell, "alice"), Tell("bob", "hi"))
    bob = shell.connect()
    shell.handle(bob, Hello(sender="bob", password="bob"), Hello(sender="bob"))
    assert texts(shell, bob) == ["hi"]


def test_what_waits_comes_to_both_terminals_once_and_in_order() -> None:
    shell = Shell()
    away(shell, "bob")
    alice = enter(shell, "alice")
    for number in range(5):
        assert ask(shell, alice, Tell("bob", str(number)))["kept"] is True
    one, two = come(shell, "bob"), come(shell, "bob")
    assert texts(shell, one) == texts(shell, two) == ["0", "1", "2", "3", "4"]
    shell.handle(one, Ping())
    shell.handle(two, Ping())
    received = [message for peer in (alice, one, two) for message in shell.said(peer)]
    assert [it["last"] for it in received if it["action"] == "server-received"] == [5, 5, 5], "once for each peer"
    assert texts(shell, come(shell, "bob")) == []


def test_texts_of_several_users_wait_beside_one_another() -> None:
    shell = Shell()
    away(shell, "bob")
    for name in ("carol", "alice"):
        ask(shell, enter(shell, name), Tell("bob", f"from {name}"))
    bob = come(shell, "bob")
    assert texts(shell, bob) == ["from alice", "from carol"]
    shell.handle(bob, Ping())
    assert [(it["to"], it["last"]) for it in shell.said(bob) if it["action"] == "server-received"] == [
        ("alice", 1),
        ("carol", 1),
    ]


def test_who_goes_in_the_middle_gets_it_again_and_what_came_meanwhile() -> None:
    shell = Shell()
    away(shell, "bob")
    alice = enter(shell, "alice")
    ask(shell, alice, Tell("bob", "one"))
    first = come(shell, "bob")
    ask(shell, alice, Tell("bob", "live"))
    assert texts(shell, first) == ["one", "live"]
    shell.disconnect(first)
    assert ask(shell, alice, Tell("bob", "two"))["seq"] == 3
    assert texts(shell, come(shell, "bob")) == ["one", "two"]


def test_a_restart_of_the_server_changes_nothing() -> None:
    shell = Shell()
    away(shell, "bob")
    ask(shell, enter(shell, "alice"), Tell("bob", "one", id="a"))
    again = Shell(log=shell.log)
    assert ask(again, enter(again, "alice"), Tell("bob", "one", id="a"))["seq"] == 1, "the same, and kept once"
    bob = come(again, "bob")
    assert texts(again, bob) == ["one"]
    again.handle(bob, Ping())
    third = Shell(log=shell.log)
    assert texts(third, come(third, "bob")) == []


def test_a_text_that_could_not_be_stored_is_refused_and_waits_for_nobody() -> None:
    shell = Shell(holds=True)
    bob = shell.connect()
    shell.handle(bob, Hello(sender="bob"), Register("bob"))
    shell.handle(bob, Quit())
    alice = enter(shell, "alice")
    shell.handle(alice, Tell("bob", "lost", id="a"))
    assert shell.said(alice) == [], "nobody is told before it is durable"
    shell.settle(failing=[direct_key(user_key("alice"), user_key("bob"))])
    assert [it["code"] for it in shell.said(alice)] == ["unavailable"]
    shell.holds = False
    assert texts(shell, come(shell, "bob")) == []
    assert ask(shell, alice, Tell("bob", "again", id="a"))["seq"] == 1


def test_who_comes_while_a_text_is_on_its_way_to_the_disk_gets_it_once() -> None:
    shell = Shell()
    away(shell, "bob")
    alice = enter(shell, "alice")
    shell.holds = True
    shell.handle(alice, Tell("bob", "hi"))
    bob = come(shell, "bob")
    assert shell.said(bob) == [], "the answer to its hello stands behind it"
    shell.settle()
    shell.tick()
    assert texts(shell, bob) == ["hi"]


def test_a_text_that_is_decided_again_when_its_user_has_gone_waits() -> None:
    shell = Shell()
    bob, alice = registered(shell, "bob"), enter(shell, "alice")
    shell.holds = True
    shell.handle(alice, Tell("bob", "first"))
    other = Shell(log=shell.log)
    ask(other, enter(other, "alice"), Tell("bob", "another server's"))
    shell.disconnect(bob)
    shell.settle()
    shell.tick()
    shell.finish()
    assert [(it.get("seq"), it.get("kept")) for it in shell.said(alice) if it["action"] == "server-send"] == [
        (1, True),
        (2, True),
    ]
    shell.holds = False
    assert texts(shell, come(shell, "bob")) == ["another server's", "first"]


def test_a_script_leaves_what_waits() -> None:
    shell = Shell()
    away(shell, "bob")
    ask(shell, enter(shell, "alice"), Tell("bob", "hi"))
    script = come(shell, "bob", kept=False)
    shell.handle(script, ListUsers(), Quit())
    assert texts(shell, script) == []
    assert texts(shell, come(shell, "bob")) == ["hi"]


@pytest.mark.parametrize(
    ("limits", "sent", "code_of_last"),
    [
        ({"max_kept_texts": 2}, ["a", "b", "c"], "limit-reached"),
        ({"max_kept_bytes": 8}, ["12345678", "1"], "limit-reached"),
        ({"max_kept_bytes": 8}, ["123456789"], "limit-reached"),
        ({"max_kept_texts": 2}, ["a", "b"], ""),
    ],
)
def test_so_much_waits_and_no_more(limits: dict[str, Any], sent: list[str], code_of_last: str) -> None:
    shell = Shell(hub=Hub("test", evolve(UNLIMITED, **limits)))
    away(shell, "bob")
    alice = enter(shell, "alice")
    codes = [code(shell, alice, Tell("bob", text)) for text in sent]
    assert codes == [*[""] * (len(sent) - 1), code_of_last]
    bob = come(shell, "bob")
    assert len(texts(shell, bob)) == len(sent) - bool(code_of_last)
    shell.handle(bob, Ping(), Quit())
    assert code(shell, alice, Tell("bob", "a")) == "", "there is room again"


def test_so_many_users_texts_wait_and_no_more() -> None:
    shell = Shell(hub=Hub("test", evolve(UNLIMITED, max_kept_senders=4)))
    away(shell, "bob")
    strangers = [enter(shell, name) for name in ("a", "b", "c")]
    assert [code(shell, peer, Tell("bob", "hi")) for peer in strangers] == ["", "", "limit-reached"]
    assert code(shell, strangers[0], Tell("bob", "hi")) == "", "who has a text there may add to it"
    known = [registered(shell, name) for name in ("d", "e", "f")]
    assert [code(shell, peer, Tell("bob", "hi")) for peer in known] == ["", "", "limit-reached"]


@pytest.mark.parametrize("fails", [False, True])
def test_texts_on_their_way_to_the_disk_take_room_too(*, fails: bool) -> None:
    shell = Shell(hub=Hub("test", evolve(UNLIMITED, max_kept_senders=4)))
    away(shell, "bob")
    strangers = [enter(shell, name) for name in ("a", "b", "c")]
    shell.holds = True
    for peer in strangers:
        shell.handle(peer, *[Tell("bob", "hi")] * (1 if fails else 2))
    shell.settle([direct_key(user_key(name), user_key("bob")) for name in "a" if fails])
    shell.holds = False
    shell.tick()
    answers = [shell.said(peer)[-1].get("code", "") for peer in strangers]
    assert answers == ["unavailable" if fails else "", "", "limit-reached"]
    assert code(shell, strangers[2], Tell("bob", "hi")) == ("" if fails else "limit-reached")


@pytest.mark.parametrize("target", ["bob", "carl"])
def test_what_became_durable_while_its_addressee_was_looked_up_takes_room_too(target: str) -> None:
    shell = Shell(hub=Hub("test", evolve(UNLIMITED, max_kept_senders=2)))
    away(shell, "bob")
    away(shell, "carl")
    first, second = enter(shell, "a"), enter(shell, "b")
    shell.holds = True
    shell.handle(first, Tell("bob", "hi"))
    shell.hub.handle(second, (Tell(target, "hi"),), shell.now)
    lookups = 0
    while (effects := shell.hub.drain()) or shell.asked:
        shell.carry_out(effects)
        while shell.asked:
            question = shell.asked.popleft()
            answer = shell.answer_to(question.question)
            lookups += isinstance(question.question, FindUser)
            if lookups == 2 and shell.out is not None:
                shell.settle()  # what was looked up does not have it
            shell.hub.answered(question, answer, shell.now)
    shell.holds = False
    shell.tick()
    assert shell.said(first)[-1].get("code", "") == ""
    assert shell.said(second)[-1].get("code", "") == ("limit-reached" if target == "bob" else "")
    assert lookups == (3 if target == "bob" else 2), "it is looked for again only if it is of before"


def test_who_is_removed_has_no_part_in_the_log_any_more_and_is_told_nothing_of_it() -> None:
    shell = Shell(hub=Hub("test", UNLIMITED))
    alice = registered(shell, "alice")
    away(shell, "bob")
    ask(shell, alice, Tell("bob", "hi"))
    key = direct_key(user_key("alice"), user_key("bob"))
    for ticket, outcome in enumerate((Received("bob", "alice", 1, 2, shell.hub._clock.ts, removed=True), "error")):
        shell.hub.operator.rule(EndTexts(key, "BOB"), ticket, at_once(shell.log.load(key)), shell.now)
        shell.tick()
        shell.finish()
        found = shell.settled[ticket]
        assert (found == outcome) if ticket == 0 else found.action == outcome
    assert [message["removed"] for message in shell.said(alice) if message["action"] == "server-received"] == [True]
    assert texts(shell, come(shell, "bob")) == []


def test_much_that_waits_comes_in_portions() -> None:
    shell = Shell(hub=Hub("test", evolve(UNLIMITED, max_kept_bytes=10)))
    away(shell, "bob")
    for name in ("a", "b", "c"):
        ask(shell, enter(shell, name), Tell("bob", name * 10))
    bob = come(shell, "bob")
    assert texts(shell, bob) == ["a" * 10]
    for text in ("b" * 10, "c" * 10):
        shell.handle(bob, Ping())
        assert texts(shell, bob) == [text]
    shell.handle(bob, Ping())
    assert texts(shell, bob) == []
    assert texts(shell, come(shell, "bob")) == []


def test_nobody_else_reads_the_texts_of_two() -> None:
    shell = Shell()
    alice, bob, eve = (registered(shell, name) for name in ("alice", "bob", "eve"))
    ask(shell, alice, Tell("bob", "secret"))
    for group in ("@alice", "@bob", "@eve", direct_key(user_key("alice"), user_key("bob"))):
        for request in (ListMessages(group), ListStates(group, all=True, after=0)):
            answer = ask(shell, eve, request)
            assert answer.get("list") == [] or answer["code"] == "group-not-found", group
    assert [it["msg"] for it in ask(shell, bob, ListMessages("@ALICE"))["list"]] == ["secret"]


def test_who_had_no_password_then_reads_the_texts_since_and_waits_for_none_without_one() -> None:
    shell = Shell()
    alice, bob = registered(shell, "alice"), enter(shell, "bob")
    ask(shell, alice, Tell("bob", "before"))
    ask(shell, bob, Register("bob"))
    ask(shell, alice, Tell("bob", "since"))
    page = ask(shell, bob, ListMessages("@alice", after=0, limit=1))
    assert ([it["msg"] for it in page["list"]], page["more"]) == (["since"], False)
    shell.disconnect(bob)
    ask(shell, alice, Tell("bob", "away"))
    bob = come(shell, "bob", kept=False)
    shell.hub.operator.protect(user_key("bob"), None)
    shell.handle(bob, Hello(sender="bob"))
    assert texts(shell, bob) == [], "the name was taken from who had it"


@pytest.mark.parametrize("group", ["@", "@a b", "@" + "x" * 33, "@@bob"])
def test_what_is_no_name_after_the_at_sign_is_refused(group: str) -> None:
    shell = Shell()
    assert code(shell, registered(shell, "alice"), ListMessages(group)) == "bad-name"


def test_one_may_write_to_oneself() -> None:
    shell = Shell()
    alice = registered(shell, "alice")
    assert ask(shell, alice, Tell("alice", "note"))["seq"] == 1
    assert [it["msg"] for it in ask(shell, alice, ListMessages("@alice"))["list"]] == ["note"]


def test_texts_without_a_password_on_either_side_are_as_ever() -> None:
    shell = Shell()
    alice, bob = enter(shell, "alice"), enter(shell, "bob")
    assert "seq" not in ask(shell, alice, Tell("bob", "hi"))
    assert texts(shell, bob) == ["hi"]
    shell.handle(bob, Quit())
    assert code(shell, alice, Tell("bob", "hi")) == "user-not-found"


def test_a_text_waits_before_it_is_decided_while_much_waits_for_who_is_to_hear_it() -> None:
    shell = Shell(Hub(limits=UNLIMITED))
    alice, bob, eve = (enter(shell, name) for name in ("alice", "bob", "eve"))
    shell.hub.crowded.add(bob)
    shell.handle(bob, Tell("bob", "to himself"))
    shell.handle(eve, Tell("alice", "to somebody else"))
    shell.hub.handle(alice, [Tell("bob", "\x01\x01"), Ping()], shell.now)
    (question,) = shell.hub.drain()
    assert isinstance(question, Ask)
    assert question == Ask(alice, AwaitRoom(bob, 12))
    assert texts(shell, bob) == ["to himself"]
    shell.hub.answered(question, True, shell.now)
    shell.tick()
    assert texts(shell, bob) == ["\x01\x01"]


def test_the_smallest_texts_come_some_dozens_at_a_time_too() -> None:
    shell = Shell(Hub(limits=UNLIMITED))
    away(shell, "bob")
    senders = [enter(shell, f"sender{number}") for number in range(20)]
    for sender in senders:
        shell.handle(sender, *[Tell("bob", "x")] * 30)
    bob = come(shell, "bob")
    came = [len(texts(shell, bob))]
    assert 60 <= came[0] <= 100
    while came[-1]:
        shell.handle(bob, Ping())
        came.append(len(texts(shell, bob)))
    assert sum(came) == 600
