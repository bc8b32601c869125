"""The readable `msg`: the exact forms that the specification shows, and that there is always one."""

from __future__ import annotations

import string

import pytest
from attrs import evolve, fields

from libtchat.message.errors import ErrorCode
from libtchat.message.event import Banned, Created, Event, Invited, Joined, Kicked, Left, Said, Unbanned
from libtchat.message.reply import (
    DirectMessage,
    Error,
    Goodbye,
    Groups,
    Members,
    Message,
    Messages,
    Pong,
    PresenceNotice,
    PublicMessage,
    Registered,
    States,
    Users,
    Welcome,
)
from libtchat.wire.wording import ERROR_SENTENCES, describe, summarize

TS = "2026-01-31T10:42:00.123Z"
HI = Said("alice", "wob", "hi", 1, TS)
YO = Said("bob", "wob", "yo", 2, TS)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (Created("alice", "wob", 1, TS, "alice"), "alice created wob"),
        (Joined("bob", "wob", 2, TS), "bob joined wob"),
        (Left("bob", "wob", 2, TS), "bob left wob"),
        (Invited("alice", "wob", "bob", 2, TS), "alice invited bob to wob (j;wob to join)"),
        (Kicked("alice", "wob", "bob", "spam", 2, TS), "alice kicked bob from wob: spam"),
        (Kicked("alice", "wob", "bob", " ", 2, TS), "alice kicked bob from wob"),
        (Banned("alice", "wob", "bob", "a\nb", 2, TS), "alice banned bob from wob: a b"),
        (Banned("alice", "wob", "bob", "", 2, TS), "alice banned bob from wob"),
        (Unbanned("alice", "wob", "bob", 2, TS), "alice unbanned bob from wob"),
        (Said("bob", "wob", "two\nlines", 2, TS), "two\nlines"),
        (DirectMessage("a", "b", "two\nlines", TS), "two\nlines"),
        (PublicMessage("a", "", TS), ""),
        (PresenceNotice("server", "connect", "bob"), "bob has joined the chat"),
        (PresenceNotice("server", "disconnect", "bob"), "bob has left the chat"),
        (Welcome("alice", 1, "s", "t"), "welcome alice"),
        (Welcome("alice", 1, "s", "t", ("a", "b")), "welcome alice, your groups: a, b"),
        (Users(("a", "b")), "connected: a, b"),
        (Users(()), "nobody is connected"),
        (Goodbye("bob"), "goodbye bob"),
        (Goodbye(), "goodbye"),
        (Members("wob", 3, ("alice", "bob"), ()), "members of wob: alice, bob"),
        (Members("wob", 3, (), ()), "wob has no members"),
        (Groups(("a",)), "groups: a"),
        (Groups(()), "no groups yet"),
        (Messages("wob", (HI, YO), False), "alice: hi / bob: yo"),
        (Messages("wob", (), False), "no messages in wob"),
        (States("wob", (Joined("bob", "wob", 2, TS), YO), False), "bob joined wob / bob: yo"),
        (States("wob", (), False), "no events in wob"),
        (Registered("bob"), "the name bob is protected by your password now"),
        (Pong(TS, 1, "tchat"), "pong from tchat"),
        (Error("banned", group="wob", msg="my own words"), "my own words"),
        (Error("later-code", "dance"), "dance failed: later-code"),
        (Error("too-large", field="msg", limit=8192), "msg is above 8192 bytes: send less at once"),
        (Error("too-large", limit=65536), "a message is above 65536 bytes: send less at once"),
        (Error("rate-limited", retry_after=0.5), "too fast: wait 0.5 s and send it again"),
        (Error("already-member", "join", "wob"), "you are a member of wob already: nothing to do"),
        (Error("already-member", "invite", "wob", "bob"), "bob is a member of wob already: nothing to do"),
    ],
)
def test_a_message_says(message: Message, text: str) -> None:
    assert describe(message) == text


def test_every_code_has_a_sentence_and_no_other_has() -> None:
    assert set(ERROR_SENTENCES) == set(ErrorCode)


@pytest.mark.parametrize("code", ErrorCode)
def test_an_error_says_what_to_do_with_or_without_its_fields(code: ErrorCode) -> None:
    known = {attribute.name for attribute in fields(Error)} | {"in_group"}
    assert {name for _, name, _, _ in string.Formatter().parse(ERROR_SENTENCES[code]) if name} <= known
    bare = Error(code)
    full = evolve(bare, request="kick", group="wob", dest="bob", field="msg", limit=7, retry_after=2.0)
    for error in (bare, full):
        assert ": " in describe(error)
        assert describe(error).splitlines() == [describe(error)]
        assert "None" not in describe(error)
        assert "{" not in describe(error)


def test_a_name_with_braces_is_not_a_placeholder() -> None:
    assert describe(Error("group-not-found", group="{dest}")).startswith("there is no group {dest}")
    assert describe(Error("group-not-found")).startswith("there is no group of that name: list them")
    assert describe(Error("{group}", "x")) == "x failed: group"


def test_a_long_list_is_cut_in_the_msg_only() -> None:
    names = tuple(f"user{n:03}" for n in range(500))
    text = describe(Users(names))
    assert len(text) < 1050
    shown = text.removeprefix("connected: ").partition(" and ")[0].split(", ")
    assert tuple(shown) == names[: len(shown)]
    assert text.endswith(f" and {500 - len(shown)} more")


def test_a_summary_has_the_last_texts_that_fit_whole() -> None:
    events: list[Event] = [Said("a", "w", f"{n:03} " + "x" * 90, n, TS) for n in range(100)]
    text = summarize(reversed(events))
    assert len(text) <= 1000
    entries = text.split(" / ")
    assert entries == [f"a: {n:03} " + "x" * 90 for n in range(100 - len(entries), 100)]
    assert len(text) + len(" / ") + len(entries[0]) > 1000


def test_a_summary_of_one_text_that_is_too_long_is_its_beginning() -> None:
    text = summarize([Said("a", "w", "x" * 5000, 2, TS), HI])
    assert len(text) == 1000
    assert text.startswith("a: xxx")
    assert text.endswith("x…")
