"""Who hears that a user came or went, and who is online."""

from __future__ import annotations

import pytest
from harness import UNLIMITED, Shell, ask, code, enter

from libtchat.effect import PeerId, PresenceScope
from libtchat.hub.hub import Hub
from libtchat.hub.peer import Peer
from libtchat.hub.presence import Presence
from libtchat.hub.user import OnlineUser
from libtchat.message.limits import ServerLimits
from libtchat.message.names import user_key
from libtchat.message.request import Broadcast, Create, Hello, Join, Tell
from libtchat.rate import Bucket


def notices(shell: Shell, peer: PeerId) -> list[tuple[str, str]]:
    return [(message["event"], message["name"]) for message in shell.said(peer) if "event" in message]


@pytest.mark.parametrize(
    ("scope", "hears_a_stranger", "hears_a_member"),
    [("all", True, True), ("auto", True, True), ("groups", False, True), ("none", False, False)],
)
def test_the_scope_says_who_hears_of_whom(scope: PresenceScope, hears_a_stranger: bool, hears_a_member: bool) -> None:
    shell = Shell(hub=Hub("test", UNLIMITED, scope))
    alice, bob, eve = enter(shell, "alice"), enter(shell, "bob"), enter(shell, "eve")
    ask(shell, alice, Create("wob"))
    ask(shell, bob, Join("wob"))
    shell.said(alice), shell.said(eve)
    shell.disconnect(bob)
    gone = [("disconnect", "bob")]
    assert (notices(shell, alice), notices(shell, eve)) == (gone * hears_a_member, gone * hears_a_stranger)
    enter(shell, "bob")
    come = [("connect", "bob")]
    assert (notices(shell, alice), notices(shell, eve)) == (come * hears_a_member, come * hears_a_stranger)


def test_a_crowd_only_hears_of_those_it_shares_a_group_with() -> None:
    shell = Shell(hub=Hub("test", ServerLimits(max_presence_users=3)))
    alice = enter(shell, "alice")
    enter(shell, "bob"), enter(shell, "carol")
    assert notices(shell, alice) == [("connect", "bob"), ("connect", "carol")]
    dave = enter(shell, "dave")
    assert notices(shell, alice) == []
    shell.disconnect(dave)
    assert notices(shell, alice) == [("disconnect", "dave")]


def test_only_the_first_peer_comes_and_only_the_last_one_goes() -> None:
    shell = Shell()
    alice = enter(shell, "alice")
    first = shell.connect()
    token = ask(shell, first, Hello(sender="bob"))["token"]
    assert notices(shell, alice) == [("connect", "bob")]
    second = enter(shell, "bob", token=token)
    shell.disconnect(first)
    assert notices(shell, alice) == []
    shell.disconnect(second)
    assert notices(shell, alice) == [("disconnect", "bob")]


def test_texts_to_everybody_come_at_a_rate_of_their_own_for_all_peers_of_a_user() -> None:
    shell = Shell(hub=Hub("test", ServerLimits(broadcast_burst=2, broadcasts_per_second=1.0)))
    first = shell.connect()
    token = ask(shell, first, Hello(sender="alice"))["token"]
    second, bob = enter(shell, "alice", token=token), enter(shell, "bob")
    assert code(shell, first, Broadcast("1")) == code(shell, second, Broadcast("2")) == ""
    refused = ask(shell, first, Broadcast("3"))
    assert (refused["code"], refused["retry_after"]) == ("rate-limited", 1)
    assert code(shell, bob, Broadcast("4")) == ""
    assert code(shell, first, Tell("bob", "5")) == ""
    shell.now += 1
    assert code(shell, second, Broadcast("6")) == ""


def test_everybody_is_one_tuple_while_nobody_comes_or_goes() -> None:
    presence = Presence()
    bucket = Bucket(1, 0)
    alice, bob = (OnlineUser(user_key(name), name, "", bucket) for name in ("alice", "bob"))
    peers = [Peer(PeerId(number), "", "", bucket) for number in (1, 2, 3)]
    assert presence.attach(peers[0], alice)
    assert not presence.attach(peers[1], alice)
    assert presence.attach(peers[2], bob)
    assert presence.everybody() == (1, 2, 3)
    assert presence.everybody() is presence.everybody()
    assert presence.earlier(presence.everybody(), 2) == (1, 2)
    assert not presence.detach(peers[0], alice)
    assert presence.everybody() == (2, 3)
    assert presence.detach(peers[1], alice)
    assert list(presence.online()) == [("bob", "bob")]
    assert presence.detach(peers[2], bob)
    assert not len(presence)
    assert presence.everybody() == ()
