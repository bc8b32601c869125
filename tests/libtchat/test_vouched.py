"""A hub inside a program that knows its users: it says who a peer is, asks on behalf of users, and may refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from attrs import define
from harness import UNLIMITED, Shell

from libtchat.effect import Answer, CheckRequest, PeerId, Question
from libtchat.hub.hub import Hub
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.limits import ServerLimits
from libtchat.message.names import user_key
from libtchat.message.request import Request
from libtchat.wire.codec import decode_request


@define
class Asking(Shell):
    """A shell that is asked about requests. *asked*: what it was asked."""

    may: Callable[[str, Request], Answer] = lambda user, request: True
    seen: list[tuple[str, str]] = attrs.field(factory=list, init=False)

    def answer_to(self, question: Question) -> Answer:
        if isinstance(question, CheckRequest):
            self.seen.append((question.user, question.request.action))
            return self.may(question.user, question.request)
        return super().answer_to(question)


def a_shell(limits: ServerLimits = UNLIMITED, **options: Any) -> Shell:
    return Shell(hub=Hub("test", limits, **options), limits=limits)


def asking(may: Callable[[str, Request], Answer]) -> Asking:
    return Asking(hub=Hub("test", UNLIMITED, asks_first=True), may=may)


def ask(shell: Shell, peer: PeerId, **message: Any) -> dict[str, Any]:
    """Send a request, and return the first message after it."""
    shell.said(peer)
    shell.handle(peer, decode_request(json.dumps(message).encode()))
    shell.finish()
    return shell.said(peer)[0]


def actions(shell: Shell, peer: PeerId) -> list[str]:
    return [message.get("event") or message["action"] for message in shell.said(peer)]


def test_who_is_vouched_for_is_named_without_a_word_and_may_ask_at_once() -> None:
    shell = a_shell()
    alice = shell.vouch("alice")
    assert shell.said(alice) == []
    assert shell.hub.online() == ("alice",)
    assert ask(shell, alice, action="cgroupe", group="wob")["sender"] == "alice"


def test_a_hello_of_somebody_vouched_for_tells_no_token() -> None:
    shell = a_shell()
    alice = shell.vouch("alice")
    for claim in ({}, {"sender": "alice"}):
        welcome = ask(shell, alice, action="client-hello", **claim)
        assert (welcome["action"], welcome["from"], welcome["token"]) == ("server-hello", "alice", "")
    assert ask(shell, alice, action="client-hello", sender="bob")["code"] == "forbidden"


def test_who_is_vouched_for_needs_no_password_and_holds_the_name() -> None:
    shell = a_shell()
    owner = shell.connect()
    ask(shell, owner, action="client-hello", sender="alice")
    ask(shell, owner, action="register", password="secret")
    alice = shell.vouch("alice")
    shell.disconnect(owner)
    assert ask(shell, alice, action="cgroupe", group="wob")["action"] == "cgroupe"
    assert ask(shell, shell.connect(), action="client-hello", sender="alice")["code"] == "auth-required"


def test_a_token_from_before_holds_when_the_user_is_vouched_for_meanwhile() -> None:
    shell = a_shell()
    first = shell.connect()
    token = ask(shell, first, action="client-hello", sender="alice")["token"]
    shell.disconnect(first)
    shell.vouch("alice", on_behalf=True)
    shell.vouch("alice")
    assert ask(shell, shell.connect(), action="client-hello", sender="alice", token=token)["token"] == token


def test_one_tab_too_many_is_told_so_and_closed() -> None:
    shell = a_shell(attrs.evolve(UNLIMITED, max_peers_per_user=2))
    shell.vouch("alice", on_behalf=True)
    tabs = [shell.vouch("alice") for _ in range(3)]
    error = shell.said(tabs[2])[0]
    assert (error["code"], error["limit"]) == ("limit-reached", 2)
    assert shell.closed == {tabs[2]}
    assert ask(shell, tabs[0], action="ping")["action"] == "ping"
    assert actions(shell, shell.vouch("alice", on_behalf=True)) == []


def test_a_name_that_is_none_or_may_not_come_in_is_told_so_and_closed() -> None:
    shell = a_shell()
    peer = shell.vouch("two words")
    assert shell.said(peer)[0]["code"] == "bad-name"
    shell.hub.operator.bar(user_key("eve"), shell.now + 10)
    eve = shell.vouch("eve")
    assert shell.closed == {peer, eve}
    shell.now += 10
    assert shell.vouch("eve") not in shell.closed


def test_nobody_hears_of_what_is_asked_on_behalf_of_a_user() -> None:
    shell = a_shell()
    bob = shell.vouch("bob")
    robot = shell.vouch("robot", on_behalf=True)
    assert shell.hub.online() == ("bob",)
    alice = shell.vouch("alice")
    quiet = shell.vouch("alice", on_behalf=True)
    shell.disconnect(alice)
    shell.disconnect(robot)
    assert actions(shell, bob) == ["connect", "disconnect"]
    alice = shell.vouch("alice")
    shell.disconnect(quiet)
    assert actions(shell, bob) == ["connect"]
    assert ask(shell, bob, action="client-list-clients")["list"] == ["alice", "bob"]


def test_a_name_the_program_speaks_for_is_free_for_its_user() -> None:
    shell = a_shell()
    shell.vouch("alice", on_behalf=True)
    assert ask(shell, shell.connect(), action="client-hello", sender="alice")["action"] == "server-hello"


def test_names_without_password_are_served_if_the_program_vouches_for_them() -> None:
    shell = a_shell(require_auth=True)
    assert ask(shell, shell.vouch("alice"), action="cgroupe", group="wob")["action"] == "cgroupe"
    assert ask(shell, shell.connect(), action="join", sender="bob", group="wob")["code"] == "auth-required"


def test_the_program_is_asked_before_anything_is_decided() -> None:
    shell = asking(lambda user, request: user != "eve")
    alice, eve = shell.vouch("alice"), shell.vouch("eve")
    assert ask(shell, alice, action="cgroupe", group="wob")["action"] == "cgroupe"
    assert ask(shell, eve, action="join", group="wob")["code"] == "forbidden"
    assert ask(shell, eve, action="ping")["action"] == "ping"
    assert [entry for entry in shell.seen if entry[0] == "alice"] == [("alice", "cgroupe")]
    group = shell.hub.group("WOB")
    assert group is not None
    assert list(group.members) == ["alice"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [(False, "forbidden"), (None, "unavailable"), (Refused(ErrorCode.RATE_LIMITED, retry_after=3), "rate-limited")],
)
def test_a_refusal_says_what_the_program_says(answer: Answer, code: str) -> None:
    shell = asking(lambda user, request: request.action != "gbroadcast" or answer)
    alice = shell.vouch("alice")
    ask(shell, alice, action="cgroupe", group="wob")
    assert ask(shell, alice, action="gbroadcast", group="wob", msg="hi")["code"] == code


def test_every_text_is_asked_about_by_itself() -> None:
    shell = asking(lambda user, request: "no" not in getattr(request, "msg", ""))
    alice = shell.vouch("alice")
    ask(shell, alice, action="cgroupe", group="wob")
    texts = [{"action": "gbroadcast", "group": "wob", "msg": msg} for msg in ("yes", "no", "sure")]
    shell.handle(alice, *[decode_request(json.dumps(text).encode()) for text in texts])
    shell.finish()
    answers = [message for message in shell.said(alice) if message["action"] != "cgroupe"]
    assert [message.get("code", message["msg"]) for message in answers] == ["yes", "forbidden", "sure"]


def test_who_comes_by_himself_is_asked_about_and_who_is_vouched_for_is_not() -> None:
    shell = asking(lambda user, request: request.action != "client-hello")
    assert ask(shell, shell.connect(), action="client-hello", sender="alice")["code"] == "forbidden"
    assert ask(shell, shell.connect(), action="client-hello")["code"] == "forbidden"
    assert ask(shell, shell.connect(), action="cgroupe", sender="alice", group="wob")["code"] == "forbidden"
    assert shell.seen == [("alice", "client-hello"), ("", "client-hello"), ("alice", "client-hello")]
    assert ask(shell, shell.vouch("alice"), action="client-hello")["action"] == "server-hello"


def test_what_the_program_asks_itself_is_not_asked_about() -> None:
    shell = asking(lambda user, request: False)
    robot = shell.vouch("robot", on_behalf=True)
    assert ask(shell, robot, action="cgroupe", group="wob")["action"] == "cgroupe"
    assert shell.seen == []


def test_a_password_may_be_set_only_if_the_program_agrees() -> None:
    shell = asking(lambda user, request: request.action != "register")
    assert ask(shell, shell.vouch("alice"), action="register", password="secret")["code"] == "forbidden"
