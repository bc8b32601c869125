"""Requests that wait for an answer: what happens meanwhile counts, and what a shell does wrong is named."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Shell, ask, at_once, enter

from libtchat.effect import Answer, Ask, Effect, FindRetry, FindUser, LoadGroup, LoadUser, PeerId
from libtchat.hub import retries
from libtchat.hub.hub import Hub
from libtchat.message.names import Key, group_key, user_key
from libtchat.message.request import Create, Hello, Invite, Join, Leave, ListMembers, Say
from libtchat.stored import Loaded, StoredUser


def waiting(shell: Shell, peer: PeerId, item: Any) -> tuple[Ask, Answer]:
    """Let *peer* ask for something; return the one question this needs, and its answer as of now."""
    shell.hub.handle(peer, [item], shell.now)
    asks: list[Ask] = []
    others: list[Effect] = []
    for effect in shell.hub.drain():
        asks.append(effect) if isinstance(effect, Ask) else others.append(effect)
    shell.carry_out(others)
    (question,) = asks
    return question, shell.answer_to(question.question)


def answer(shell: Shell, question: Ask, answer: Answer) -> None:
    shell.hub.answered(question, answer, shell.now)
    shell.tick()
    shell.finish()


def restarted(shell: Shell) -> Shell:
    """Return a server with nothing loaded, over the same log."""
    return Shell(log=shell.log, now=shell.now)


def a_group() -> Shell:
    """Return a server that has not loaded the group wob yet, whose owner is alice."""
    shell = Shell()
    ask(shell, enter(shell, "alice"), Create("wob"))
    return restarted(shell)


def test_a_group_that_two_load_at_once_is_loaded_once() -> None:
    shell = a_group()
    alice, bob = enter(shell, "alice"), enter(shell, "bob")
    first = waiting(shell, alice, Say("wob", "hi"))
    second = waiting(shell, bob, Join("wob"))
    assert first[0].question == second[0].question == LoadGroup(group_key("wob"))
    answer(shell, *first)
    answer(shell, *second)
    assert [message["seq"] for message in shell.said(alice) if "seq" in message] == [2, 3]


@pytest.mark.parametrize("loaded_anew", [False, True])
def test_a_group_may_be_dropped_while_an_id_is_looked_up(loaded_anew: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "_KEPT", 0)
    monkeypatch.setattr(Hub, "rejected", lambda *_: pytest.fail("it was decided on what was dropped"))
    shell = a_group()
    bob = enter(shell, "bob")
    ask(shell, bob, Join("wob", id="x"))
    ask(shell, bob, Leave("wob", id="y"))
    question = waiting(shell, bob, Join("wob", id="z"))
    assert isinstance(question[0].question, FindRetry)
    shell.hub._ledger._sweep_at = 0
    shell.tick()
    assert shell.hub._ledger.slot(group_key("wob")) is None
    if loaded_anew:
        assert ask(shell, enter(shell, "carol"), Join("wob"))["seq"] == 4
    answer(shell, *question)
    shell.tick()
    seqs = [message["seq"] for message in shell.said(bob) if message["action"] == "join"]
    assert seqs[-1] == 4 + loaded_anew
    group = at_once(shell.log.load(group_key("wob"))).snapshot
    assert group is not None
    assert shell.hub._ledger.durable(group_key("wob")) == group


def test_a_target_that_comes_online_while_it_is_looked_up_is_known() -> None:
    shell = a_group()
    alice = enter(shell, "alice")
    ask(shell, alice, ListMembers("wob"))
    question = waiting(shell, alice, Invite("wob", "dave"))
    assert isinstance(question[0].question, FindUser)
    enter(shell, "Dave")
    answer(shell, *question)
    assert [message["dest"] for message in shell.said(alice) if message["action"] == "invite"] == ["Dave"]


def test_a_group_that_is_created_while_somebody_asks_for_it_is_there() -> None:
    shell = Shell()
    alice, bob = enter(shell, "alice"), enter(shell, "bob")
    question = waiting(shell, bob, Join("wob"))
    assert question[1] == Loaded()
    ask(shell, alice, Create("wob"))
    answer(shell, *question)
    assert [message["seq"] for message in shell.said(bob) if message["action"] == "join"] == [2]


def test_what_waits_is_given_up_when_its_peer_goes() -> None:
    shell = a_group()
    alice = enter(shell, "alice")
    question = waiting(shell, alice, Say("wob", "hi"))
    shell.disconnect(alice)
    answer(shell, *question)
    assert shell.hub._ledger.slot(group_key("wob")) is None
    assert ask(shell, enter(shell, "alice"), Say("wob", "ho"))["seq"] == 2


def test_who_is_barred_while_a_hello_waits_does_not_come_in() -> None:
    shell = Shell()
    eve = shell.connect()
    question = waiting(shell, eve, Hello(sender="eve"))
    shell.hub.operator.bar(user_key("eve"), shell.now + 60)
    answer(shell, *question)
    assert [message["code"] for message in shell.said(eve)] == ["forbidden"]


@pytest.mark.parametrize("wrong", [True, "alice", Loaded()])
def test_an_answer_of_another_type_is_an_error_of_the_shell(wrong: Answer) -> None:
    shell = Shell()
    question, _ = waiting(shell, shell.connect(), Hello(sender="alice"))
    assert isinstance(question.question, LoadUser)
    with pytest.raises(TypeError, match=r"LoadUser is answered with a .*, not a StoredUser"):
        shell.hub.answered(question, wrong, shell.now)


def test_an_answer_that_nobody_waits_for_changes_nothing() -> None:
    shell = Shell()
    alice = enter(shell, "alice")
    for peer in (alice, PeerId(99)):
        shell.hub.answered(Ask(peer, LoadUser(group_key("alice"))), StoredUser("hash"), shell.now)
    assert shell.hub.drain() == []
    question = waiting(shell, alice, Create("wob"))
    shell.hub.answered(Ask(alice, LoadUser(group_key("alice"))), StoredUser("hash"), shell.now)
    answer(shell, *question)
    assert [message["action"] for message in shell.said(alice)][-1] == "cgroupe"


def test_nothing_is_durable_or_lost_that_was_not_out() -> None:
    hub = Hub()
    with pytest.raises(RuntimeError, match="no append is out"):
        hub.committed(0.0)
    with pytest.raises(RuntimeError, match="no append is out"):
        hub.rejected({}, 0.0)
    shell = Shell(holds=True)
    alice = enter(shell, "alice")
    shell.handle(alice, Create("wob"))
    with pytest.raises(ValueError, match="den"):
        shell.hub.rejected({Key("den"): ()}, shell.now)
    shell.finish()
    assert [message["action"] for message in shell.said(alice)] == ["cgroupe"]
