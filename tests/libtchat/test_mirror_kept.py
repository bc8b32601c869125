"""The mirror and what is kept between two users; and a log whose beginning the server has removed."""

from __future__ import annotations

import pytest

from libtchat.message.direct import Received, Sent
from libtchat.message.event import Said
from libtchat.message.reply import Error, Message, States, Welcome
from libtchat.message.request import ListMembers, ListStates, Ping, Request, Tell
from libtchat.mirror import CaughtUp, Heard, Mirror, Missing, Notice


def ts(seq: int) -> str:
    return f"2026-01-31T10:42:{seq:02}.000Z"


def text(seq: int, *, by: str = "alice", kept: bool = False, reader: str | None = None) -> Sent:
    return Sent(by, "bob" if by == "alice" else "alice", f"text {seq}", ts(seq), seq=seq, kept=kept, reader=reader)


def said(seq: int) -> Said:
    return Said("alice", "wob", f"text {seq}", seq, ts(seq))


def welcome(**seqs: int) -> Welcome:
    return Welcome("bob", 1, "test", "token", tuple(seqs), seqs)


def hear(mirror: Mirror, *messages: Message) -> list[Notice]:
    return [notice for message in messages for notice in mirror.apply(message)]


def shown(notices: list[Notice]) -> list[int]:
    return [it.message.seq for it in notices if isinstance(it, Heard) and isinstance(it.message, Sent | Said)]


def asked(mirror: Mirror) -> list[Request]:
    """Return what the mirror wants asked, as asked with the id `q`."""
    wanted = mirror.wanted()
    for request in wanted:
        request = type(request)(**{**fields(request), "id": "q"})
        mirror.sent(request, quiet=True)
    return wanted


def fields(request: Request) -> dict[str, object]:
    return {a.name: getattr(request, a.name) for a in request.__attrs_attrs__}  # type: ignore[union-attr]


@pytest.fixture
def bob() -> Mirror:
    mirror = Mirror()
    hear(mirror, welcome())
    return mirror


def test_what_waited_is_shown_and_the_server_is_given_a_sign_once(bob: Mirror) -> None:
    assert shown(hear(bob, text(1, kept=True), text(2, kept=True))) == [1, 2]
    assert asked(bob) == [Ping()]
    assert shown(hear(bob, Received("bob", "alice", 2, 3, ts(3)), text(4))) == [4]
    assert asked(bob) == []


def test_what_waited_was_missed_and_what_is_told_now_was_not(bob: Mirror) -> None:
    notices = hear(bob, text(1, kept=True), text(2), text(3, by="bob", kept=True))
    assert [(it.missed, it.mine) for it in notices] == [(True, False), (False, False), (False, True)]


def test_what_comes_again_after_a_lost_connection_is_shown_once(bob: Mirror) -> None:
    hear(bob, text(1, kept=True))
    bob.disconnected()
    assert shown(hear(bob, welcome(), text(1, kept=True), text(2, kept=True))) == [], "held until the log is known"
    assert asked(bob) == [ListStates("@alice", after=0, limit=1000, all=True)]
    page = States("@alice", (text(1, kept=True), text(2, kept=True)), False, 1, 2, "q")
    assert shown(hear(bob, page)) == [2]
    assert asked(bob) == [Ping()]


def test_what_was_missed_while_the_connection_was_lost_is_caught_up_page_by_page(bob: Mirror) -> None:
    hear(bob, text(1))
    bob.disconnected()
    hear(bob, welcome())
    assert len(asked(bob)) == 1
    first = hear(bob, States("@alice", (text(1), text(2, by="bob")), True, 1, 2, "q"))
    assert shown(first) == [2]
    assert asked(bob) == [ListStates("@alice", after=2, limit=1000, all=True)]
    rest = hear(bob, States("@alice", (text(3),), False, 3, 3, "q"))
    assert shown(rest) == [3]
    assert rest[-1] == CaughtUp("@alice", 2)


def test_a_gap_is_filled_before_what_came_after_it(bob: Mirror) -> None:
    hear(bob, text(1))
    assert hear(bob, text(3)) == []
    assert asked(bob) == [ListStates("@alice", after=1, limit=1000, all=True)]
    assert shown(hear(bob, States("@alice", (text(2, by="bob"), text(3)), False, 2, 3, "q"))) == [2, 3]


def test_a_text_is_the_answer_to_its_request_also_from_a_server_that_echoes_no_id(bob: Mirror) -> None:
    bob.sent(Tell("alice", "text 1", id="q"))
    (notice,) = hear(bob, text(1, by="bob"))
    assert isinstance(notice, Heard)
    assert notice.request == Tell("alice", "text 1", id="q")
    assert notice.mine


def test_nothing_is_asked_of_a_log_that_one_may_not_read(bob: Mirror) -> None:
    came = hear(bob, text(4, reader="alice"), Received("alice", "bob", 3, 5, ts(5)), text(9, reader="alice"))
    assert shown(came) == [4, 9]
    bob.disconnected()
    assert shown(hear(bob, welcome(), text(12, reader="alice"))) == [12]
    assert asked(bob) == []


def test_a_log_that_may_not_be_read_any_more_holds_nothing_back(bob: Mirror) -> None:
    hear(bob, text(4))
    bob.disconnected()
    assert shown(hear(bob, welcome(), text(5))) == []
    assert len(asked(bob)) == 1
    assert shown(hear(bob, Error("auth-required", "states", id="q"))) == [5]


def test_who_catches_up_is_told_what_was_removed(bob: Mirror) -> None:
    hear(bob, welcome(wob=3))
    bob.disconnected()
    hear(bob, welcome(wob=60))
    assert asked(bob) == [ListStates("wob", after=3, limit=1000, all=True)]
    page = States("wob", tuple(map(said, (51, 52))), True, 51, 52, "q", begins=51)
    notices = hear(bob, page)
    assert notices[0] == Missing("wob", 47)
    assert shown(notices) == [51, 52]
    assert asked(bob) == [ListStates("wob", after=52, limit=1000, all=True)]
    rest = hear(bob, States("wob", tuple(map(said, range(53, 61))), False, 53, 60, "q", begins=51))
    assert shown(rest) == [*range(53, 61)]
    assert asked(bob) == [ListMembers("wob")]


def test_who_catches_up_is_told_that_all_was_removed(bob: Mirror) -> None:
    hear(bob, welcome(wob=3))
    bob.disconnected()
    hear(bob, welcome(wob=60))
    asked(bob)
    assert hear(bob, States("wob", (), False, id="q", begins=61)) == [Missing("wob", 57)]
    assert shown(hear(bob, said(61))) == [61]
