"""Who a peer may be, as far as it takes time: tokens that expire, numbers of guests, passwords tried too often."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from harness import UNLIMITED, Shell, ask, code, enter

from libtchat.effect import Answer, Ask, HashPassword, Item, PeerId, SaveUser
from libtchat.hub import identity
from libtchat.hub.hub import Hub
from libtchat.message.errors import ErrorCode, Violation
from libtchat.message.limits import ServerLimits
from libtchat.message.request import Ban, Create, Hello, Invite, Join, ListMembers, ListUsers, Ping, Quit, Register, Say


def a_shell(**options: Any) -> Shell:
    limits = attrs.evolve(UNLIMITED, **{k: v for k, v in options.items() if hasattr(UNLIMITED, k)})
    others = {k: v for k, v in options.items() if not hasattr(UNLIMITED, k)}
    return Shell(hub=Hub("test", limits, **others), limits=limits)


def token_of(shell: Shell, name: str) -> str:
    peer = shell.connect()
    token = ask(shell, peer, Hello(sender=name))["token"]
    shell.disconnect(peer)
    return str(token)


def test_a_token_is_good_for_an_hour_after_its_user_went() -> None:
    shell = a_shell()
    token = token_of(shell, "alice")
    shell.now += 3599
    first = shell.connect()
    assert ask(shell, first, Hello(token=token, sender="alice"))["token"] == token
    shell.disconnect(first)
    shell.now += 3599
    first = enter(shell, "alice", token=token)
    assert code(shell, shell.connect(), Hello(token="wrong", sender="alice")) == "name-in-use"
    assert code(shell, shell.connect(), Hello(token=token, sender="alice")) == ""


def test_after_an_hour_a_token_is_worth_nothing() -> None:
    shell = a_shell()
    token = token_of(shell, "alice")
    shell.now += 3600
    enter(shell, "alice")
    assert code(shell, shell.connect(), Hello(token=token, sender="alice")) == "name-in-use"
    shell.disconnect(enter(shell, "bob"))
    assert list(shell.hub._identity._tokens) == ["bob"], "what is worth nothing is not kept"


def test_so_many_tokens_are_kept_of_users_who_went(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_MAX_TOKENS", 2)
    shell = a_shell()
    tokens = {name: token_of(shell, name) for name in ("alice", "bob", "carol")}
    told = [ask(shell, shell.connect(), Hello(token=token, sender=name))["token"] for name, token in tokens.items()]
    assert [token in told for token in tokens.values()] == [False, True, True]


def test_a_token_is_good_while_its_user_is_connected_however_long() -> None:
    shell = a_shell()
    peer = shell.connect()
    token = ask(shell, peer, Hello(sender="alice"))["token"]
    shell.now += 30 * 86_400
    assert code(shell, shell.connect(), Hello(token=token, sender="alice")) == ""


def test_who_comes_without_the_token_ends_it() -> None:
    shell = a_shell()
    token = token_of(shell, "alice")
    enter(shell, "alice")
    assert code(shell, shell.connect(), Hello(token=token, sender="alice")) == "name-in-use"


def test_a_protected_name_with_an_old_token_is_refused() -> None:
    shell = a_shell()
    peer = shell.connect()
    token = ask(shell, peer, Hello(sender="alice"))["token"]
    assert ask(shell, peer, Register("secret"))["action"] == "register"
    shell.disconnect(peer)
    shell.now += 3600
    assert code(shell, shell.connect(), Hello(token=token, sender="alice")) == "auth-failed"
    assert code(shell, shell.connect(), Hello(sender="alice")) == "auth-required"
    assert code(shell, shell.connect(), Hello(password="secret", sender="alice")) == ""


def test_a_guests_number_is_never_given_again() -> None:
    shell = a_shell()
    names = [ask(shell, shell.connect(), Hello())["from"] for _ in range(3)]
    peer = shell.connect()
    names.append(ask(shell, peer, Hello())["from"])
    shell.disconnect(peer)
    shell.now -= 86_400  # the clock goes back
    names.append(ask(shell, shell.connect(), Hello())["from"])
    assert len(set(names)) == len(names)
    numbers = [int(name.removeprefix("guest-")) for name in names]
    assert numbers == sorted(numbers)


def test_a_guest_leaves_its_groups_when_its_connection_ends() -> None:
    shell = a_shell()
    alice, guest = enter(shell, "alice"), enter(shell, None)
    ask(shell, alice, Create("wob"))
    name = ask(shell, guest, Join("wob"))["sender"]
    shell.said(alice)
    shell.disconnect(guest)
    assert ("leave", name) in [(message["action"], message.get("sender")) for message in shell.said(alice)]
    hasty = shell.connect()
    name = ask(shell, hasty, Hello())["from"]
    shell.holds = True
    shell.handle(alice, Ban("wob", name))
    shell.handle(hasty, Join("wob"))
    shell.disconnect(hasty)
    shell.settle(failing=["wob"])
    shell.tick()
    shell.finish()
    assert [message["action"] for message in shell.said(alice) if "seq" in message] == ["join", "leave"]


def test_guests_leave_who_went_with_the_server_and_no_others() -> None:
    shell = a_shell()
    alice, member, invited = enter(shell, "alice"), enter(shell, None), shell.connect()
    guest = ask(shell, invited, Hello())["from"]
    ask(shell, alice, Create("wob"))
    ask(shell, alice, Invite("wob", guest))
    shell.hub._ledger._sweep_at = 0
    shell.disconnect(alice)
    assert shell.hub.group("wob") is None, "it is loaded again"
    alice = enter(shell, "alice")
    assert ask(shell, alice, ListMembers("wob"))["invited"] == [guest]
    assert code(shell, member, Join("wob")) == ""
    again = Shell(log=shell.log)
    alice = enter(again, "alice")
    again.handle(alice, ListMembers("wob"))
    *events, found = again.said(alice)
    assert [event["action"] for event in events if "seq" in event] == ["leave", "leave"]
    assert (found["list"], found["invited"]) == (["alice"], [])


def test_a_user_has_eight_peers_at_most() -> None:
    shell = a_shell()
    token = ask(shell, shell.connect(), Hello(sender="alice"))["token"]
    peers = [enter(shell, "alice", token=token) for _ in range(7)]
    refused = ask(shell, shell.connect(), Hello(token=token, sender="alice"))
    assert (refused["code"], refused["limit"]) == ("limit-reached", 8)
    shell.disconnect(peers[0])
    assert code(shell, shell.connect(), Hello(token=token, sender="alice")) == ""


class Guessing:
    """Alice, who set her password at home, and anybody who tries passwords."""

    def __init__(self, **limits: float) -> None:
        self.shell = a_shell(
            **{"password_burst": 3, "passwords_per_second": 0.2, "registers_per_second": 1.0, **limits}
        )
        alice = self.shell.connect("home")
        ask(self.shell, alice, Hello(sender="alice"))
        ask(self.shell, alice, Register("secret"))

    def attempt(self, name: str, password: str, origin: str) -> dict[str, Any]:
        return ask(self.shell, self.shell.connect(origin), Hello(password=password, sender=name))

    def codes(self, *origins: str, name: str = "alice") -> list[str]:
        return [self.attempt(name, "wrong", origin)["code"] for origin in origins]


def test_wrong_passwords_are_throttled_by_address() -> None:
    guessing = Guessing()
    tries = [guessing.attempt(f"nobody{number}", "wrong", "10.9.9.9") for number in range(4)]
    assert [message["code"] for message in tries] == ["auth-failed"] * 3 + ["rate-limited"]
    assert tries[-1]["retry_after"] == 5
    guessing.shell.now += 5
    assert guessing.codes("10.9.9.9", "10.9.9.9") == ["auth-failed", "rate-limited"]


def test_a_stranger_does_not_keep_an_owner_out_who_comes_from_elsewhere() -> None:
    guessing = Guessing()
    shell = guessing.shell
    for number in range(30):
        assert guessing.codes(*["10.9.9.9"] * 30)[-1] == "rate-limited"
        owner = shell.connect(f"10.0.0.{number}")
        assert ask(shell, owner, Hello(password="secret", sender="alice"))["action"] == "server-hello"
        shell.disconnect(owner)
        shell.now += 1


def test_strangers_from_many_addresses_are_throttled_by_name_but_the_owner_gets_in_at_home() -> None:
    guessing = Guessing()
    codes = guessing.codes(*[f"10.0.0.{number}" for number in range(40)])
    assert codes == ["auth-failed"] * 30 + ["rate-limited"] * 10
    assert guessing.attempt("alice", "secret", "10.0.1.1")["code"] == "rate-limited"
    assert guessing.attempt("alice", "secret", "home")["action"] == "server-hello"
    guessing.shell.now += 1
    assert guessing.attempt("alice", "secret", "10.0.1.1")["action"] == "server-hello"


def test_right_passwords_do_not_count() -> None:
    guessing = Guessing()
    for number in range(60):
        peer = guessing.shell.connect(f"10.0.0.{1 + number // 20 * number}")
        assert ask(guessing.shell, peer, Hello(password="secret", sender="alice"))["action"] == "server-hello"
        guessing.shell.disconnect(peer)


def test_registers_are_throttled_by_address() -> None:
    guessing = Guessing(register_burst=3)
    codes = []
    for number in range(5):
        peer = guessing.shell.connect("10.9.9.9")
        ask(guessing.shell, peer, Hello(sender=f"u{number}"))
        answer = ask(guessing.shell, peer, Register("secret"))
        codes.append(answer.get("code", ""))
    assert codes == ["", "", "", "rate-limited", "rate-limited"]
    assert answer["retry_after"] == 1
    elsewhere = guessing.shell.connect("10.0.0.1")
    ask(guessing.shell, elsewhere, Hello(sender="bob"))
    refused = ask(guessing.shell, elsewhere, Register(""))
    assert (refused["code"], refused["field"]) == ("bad-request", "password")
    assert code(guessing.shell, elsewhere, Register("secret")) == ""


def test_an_unknown_name_is_refused_like_a_known_one() -> None:
    shell = a_shell()
    peer = enter(shell, "alice")
    ask(shell, peer, Register("secret"))
    shell.disconnect(peer)
    known = ask(shell, shell.connect(), Hello(password="wrong", sender="alice"))
    unknown = ask(shell, shell.connect(), Hello(password="wrong", sender="nobody"))
    assert known == unknown


def test_where_a_password_is_asked_for_nothing_goes_without() -> None:
    shell = a_shell(require_auth=True)
    peer = enter(shell, "alice")
    for request in (Create("wob"), Say("wob", "hi"), ListUsers()):
        assert code(shell, peer, request) == "auth-required"
    assert ask(shell, peer, Ping())["action"] == "ping"
    assert ask(shell, peer, Register("secret"))["action"] == "register"
    assert code(shell, peer, Create("wob")) == ""


def test_two_passwords_at_once_and_one_is_kept() -> None:
    shell = a_shell()
    first = shell.connect()
    token = ask(shell, first, Hello(sender="alice"))["token"]
    second = enter(shell, "alice", token=token)
    shell.said(first)
    for peer, password in ((first, "one"), (second, "two")):
        shell.hub.handle(peer, [Register(password)], shell.now)
    shell.tick()
    assert [shell.said(peer)[-1]["action"] for peer in (first, second)] == ["register", "error"]
    assert code(shell, shell.connect(), Hello(password="two", sender="alice")) == "auth-failed"
    assert code(shell, shell.connect(), Hello(password="one", sender="alice")) == ""


def test_what_cannot_be_asked_now_is_unavailable_and_may_be_said_again() -> None:
    shell = a_shell()
    peer = shell.connect()
    shell.hub.handle(peer, [Hello(sender="alice")], shell.now)
    for effect in shell.hub.drain():
        assert isinstance(effect, Ask)
        shell.hub.answered(effect, None, shell.now)
    shell.tick()
    assert [message["code"] for message in shell.said(peer)] == ["unavailable"]
    assert code(shell, peer, Hello(sender="alice")) == ""


def test_items_wait_for_the_peers_own_question_and_for_nobody_elses() -> None:
    shell = a_shell()
    bob, alice = enter(shell, "bob"), enter(shell, "alice")
    shell.said(bob)
    shell.hub.handle(alice, [Register("secret")], shell.now)
    shell.hub.handle(alice, [Ping(id="1")], shell.now)
    shell.hub.handle(bob, [Ping(id="2")], shell.now)
    (ask_hash, send) = shell.hub.drain()
    assert isinstance(ask_hash, Ask)
    assert ask_hash.question == HashPassword("secret")
    shell.carry_out([send])
    assert [message["id"] for message in shell.said(bob)] == ["2"]
    shell.hub.answered(ask_hash, "hashed", shell.now)
    shell.tick()
    assert [message["action"] for message in shell.said(alice)] == ["register", "ping"]


def test_a_peer_that_is_gone_when_its_answer_comes_is_forgotten() -> None:
    shell = a_shell()
    peer = shell.connect()
    shell.hub.handle(peer, [Hello(sender="alice")], shell.now)
    shell.hub.handle(peer, [Create("wob")], shell.now)
    questions = shell.hub.drain()
    assert questions
    shell.hub.disconnected(peer, shell.now)
    for question in questions:
        assert isinstance(question, Ask)
        shell.hub.answered(question, shell.answer_to(question.question), shell.now)
    assert shell.hub.drain() == []
    assert not shell.hub._newcomers._news
    bob = enter(shell, "bob")
    assert ask(shell, bob, ListUsers())["list"] == ["bob"]
    assert code(shell, bob, Join("wob")) == "group-not-found"


def test_a_request_with_a_bad_field_names_its_peer_and_a_password_does_not() -> None:
    shell = a_shell()
    for first, answer in (
        (Violation(ErrorCode.BAD_REQUEST, field="dest", request="kick", sender="alice", identifies=True), "cgroupe"),
        (Violation(ErrorCode.UNKNOWN_ACTION, request="dance", sender="bob"), "bad-request"),
        (Register("secret", sender="bob"), "bad-request"),
    ):
        peer = shell.connect()
        ask(shell, peer, first)
        found = ask(shell, peer, Create("wob"))
        assert found.get("code", found["action"]) == answer


def test_nothing_is_taken_from_a_peer_that_quit_or_broke_the_stream() -> None:
    shell = a_shell()
    for last in (Quit(), Violation(ErrorCode.TOO_LARGE, fatal=True)):
        peer = shell.connect()
        shell.hub.handle(peer, (last, Ping()), shell.now)
        assert shell.hub.backlog == 1
        shell.tick()
        assert [message["action"] for message in shell.said(peer)] in (["server-quit"], ["error"])
        assert peer in shell.closed


def test_requests_come_at_a_rate_and_the_wait_is_told() -> None:
    shell = Shell(hub=Hub("test", ServerLimits(request_burst=3, requests_per_second=2.0)))
    peer = shell.connect()
    answers = [ask(shell, peer, Ping(id=str(number))) for number in range(5)]
    assert [message["action"] for message in answers] == ["ping"] * 3 + ["error"] * 2
    assert answers[-1].items() >= {"code": "rate-limited", "retry_after": 0.5, "request": "ping", "id": "4"}.items()
    shell.now += 0.5
    assert code(shell, peer, Ping()) == ""
    assert ask(shell, peer, Ban("wob", "bob")).items() >= {"request": "ban", "group": "wob", "dest": "bob"}.items()
    shell.handle(peer, Violation(ErrorCode.TOO_LARGE, fatal=True))
    assert peer in shell.closed, "what ends a stream ends it, however soon it comes"


class Slow:
    """A shell whose storage answers only when it is told to."""

    def __init__(self) -> None:
        self.shell = a_shell()
        self.asked: list[Ask] = []

    def handle(self, peer: PeerId, item: Item) -> None:
        self.shell.hub.handle(peer, [item], self.shell.now)
        self.tick()

    def tick(self) -> None:
        while effects := self.shell.hub.drain():
            self.asked += [effect for effect in effects if isinstance(effect, Ask)]
            self.shell.carry_out([effect for effect in effects if not isinstance(effect, Ask)])

    def leave(self, peer: PeerId) -> None:
        self.shell.closed.add(peer)
        self.shell.hub.disconnected(peer, self.shell.now)
        self.tick()

    def load(self, peer: PeerId) -> Answer:
        """Work out the answer to what *peer* asked, which takes its time to arrive."""
        (ask,) = [ask for ask in self.asked if ask.peer == peer]
        return self.shell.answer_to(ask.question)

    def answer(self, peer: PeerId, answer: Answer) -> None:
        (ask,) = [ask for ask in self.asked if ask.peer == peer]
        self.asked.remove(ask)
        self.shell.hub.answered(ask, answer, self.shell.now)
        self.tick()

    def registering(self, name: str) -> tuple[PeerId, str]:
        """Let a user set the password "secret", which is being stored; return its peer and its token."""
        peer = self.shell.connect()
        token = ask(self.shell, peer, Hello(sender=name))["token"]
        self.handle(peer, Register("secret"))
        self.answer(peer, "hash of secret")
        assert [type(ask.question) for ask in self.asked] == [SaveUser]
        return peer, str(token)

    def finish(self) -> None:
        while self.asked:
            self.answer(self.asked[0].peer, self.load(self.asked[0].peer))
        self.shell.tick()


def test_who_comes_while_a_password_is_being_stored_is_decided_after_it() -> None:
    slow = Slow()
    alice, _ = slow.registering("alice")
    slow.leave(alice)
    mallory, owner = slow.shell.connect(), slow.shell.connect()
    slow.handle(mallory, Hello(sender="alice"))
    slow.handle(owner, Hello(password="secret", sender="alice"))
    for peer in (mallory, owner):
        slow.answer(peer, slow.load(peer))
    assert slow.shell.said(mallory) == slow.shell.said(owner) == []
    slow.finish()
    assert [message["code"] for message in slow.shell.said(mallory)] == ["auth-required"]
    assert [message["action"] for message in slow.shell.said(owner)] == ["server-hello"]


def test_what_was_loaded_before_a_password_was_stored_lets_nobody_in() -> None:
    slow = Slow()
    mallory = slow.shell.connect()
    slow.handle(mallory, Hello(sender="alice"))
    stale = slow.load(mallory)
    alice = enter(slow.shell, "alice")
    assert ask(slow.shell, alice, Register("secret"))["action"] == "register"
    slow.shell.disconnect(alice)
    slow.answer(mallory, stale)
    slow.finish()
    assert [message["code"] for message in slow.shell.said(mallory)] == ["auth-required"]
    assert code(slow.shell, slow.shell.connect(), Hello(password="secret", sender="alice")) == ""


def test_a_password_that_could_not_be_stored_keeps_nobody_out() -> None:
    slow = Slow()
    alice, _ = slow.registering("alice")
    bob = slow.shell.connect()
    slow.leave(alice)
    slow.handle(bob, Hello(sender="alice"))
    slow.answer(alice, None)
    while slow.asked:
        slow.answer(bob, None if isinstance(slow.asked[0].question, SaveUser) else slow.load(bob))
    assert [message["action"] for message in slow.shell.said(bob)] == ["server-hello"]


def test_the_owner_comes_back_with_the_token_while_the_password_is_being_stored() -> None:
    slow = Slow()
    alice, token = slow.registering("alice")
    slow.leave(alice)
    again = slow.shell.connect()
    slow.handle(again, Hello(token=token, sender="alice"))
    slow.answer(again, slow.load(again))
    assert [message["action"] for message in slow.shell.said(again)] == ["server-hello"]
    slow.finish()
    assert code(slow.shell, again, Register("other")) == "forbidden"
    assert code(slow.shell, slow.shell.connect(), Hello(sender="alice")) == "auth-required"
    assert code(slow.shell, slow.shell.connect(), Hello(password="secret", sender="alice")) == ""


def test_a_second_register_waits_for_the_first_and_is_refused() -> None:
    slow = Slow()
    alice, token = slow.registering("alice")
    again = enter(slow.shell, "alice", token=token)
    slow.handle(again, Register("other"))
    slow.finish()
    assert [message["action"] for message in slow.shell.said(alice)][-1] == "register"
    assert [message["code"] for message in slow.shell.said(again)] == ["forbidden"]
