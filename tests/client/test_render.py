"""What a person sees: one safe line per notice, in either language (R-client-sanitise, -shows-msg, -unknown)."""

from __future__ import annotations

import re
import sys
import typing
import unicodedata
from datetime import UTC, datetime

import pytest
from attrs import evolve as changed
from attrs import fields, resolve_types
from hypothesis import given
from hypothesis import strategies as st

from libtchat.commands import COMMANDS, Mistyped, find, parse
from libtchat.message.direct import Received, Sent
from libtchat.message.errors import ErrorCode
from libtchat.message.event import (
    Banned,
    Closed,
    Created,
    Invited,
    Joined,
    Kicked,
    Left,
    LogEvent,
    Redacted,
    Said,
    Unbanned,
)
from libtchat.message.reply import (
    DirectMessage,
    Error,
    Foreign,
    Goodbye,
    Groups,
    Members,
    Messages,
    Pong,
    PresenceNotice,
    PublicMessage,
    Registered,
    Reply,
    States,
    Users,
    Welcome,
)
from libtchat.message.request import REQUESTS, Invite, Kick, ListMessages, ListStates, Register, Say
from libtchat.mirror import CaughtUp, Gone, Heard, Missing, NoAnswer
from tchat_client.language import LANGUAGES
from tchat_client.render import Renderer
from tchat_client.sanitise import clean, clip

NOW = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)
TS = "2026-11-22T10:41:00.000Z"
SGR = re.compile("\x1b\\[[0-9;]*m")


def renderer(language: str = "en", *, is_coloured: bool = False) -> Renderer:
    return Renderer(LANGUAGES[language], "alice", "127.0.0.1:8080", is_coloured, UTC)


LINES = [
    (Said("bob", "wob", "bonjour tous", 5, TS), "10:41 wob  bob: bonjour tous", "10:41 wob  bob: bonjour tous"),
    (Said("bob", "wob", "salut Alice!", 5, TS), "10:41 wob  » bob: salut Alice!", "10:41 wob  » bob: salut Alice!"),
    (Said("bob", "wob", "malice", 5, TS), "10:41 wob  bob: malice", "10:41 wob  bob: malice"),
    (Said("alice", "wob", "alice", 5, TS), "10:41 wob  alice: alice", "10:41 wob  alice: alice"),
    (Said("bob", "wob", "a\nb", 5, TS), "10:41 wob  bob: a⏎b", "10:41 wob  bob: a⏎b"),
    (Joined("bob", "wob", 5, TS), "10:41 wob  * bob joined", "10:41 wob  * bob a rejoint le groupe"),
    (Joined("alice", "wob", 5, TS), "10:41 wob  -- you joined wob", "10:41 wob  -- vous avez rejoint wob"),
    (
        Joined("bob", "wob", 5, TS, "bob"),
        "10:41 wob  * bob joined; bob is the owner now",
        "10:41 wob  * bob a rejoint le groupe; bob est maintenant propriétaire",
    ),
    (
        Left("bob", "wob", 5, TS, "alice"),
        "10:41 wob  * bob left; you are the owner now",
        "10:41 wob  * bob a quitté le groupe; vous êtes maintenant propriétaire",
    ),
    (Created("alice", "wob", 1, TS, "alice"), "10:41 wob  -- you created wob", "10:41 wob  -- vous avez créé wob"),
    (
        Said("bob", "wob", "x", 5, TS, redacted=True),
        "10:41 wob  * a text of bob was removed",
        "10:41 wob  * un texte de bob a été retiré",
    ),
    (PublicMessage("server", "soon", TS), "14:05 !! the operator: soon", "14:05 !! l'opérateur: soon"),
    (
        Closed("server", "wob", 5, TS),
        "10:41 wob  * the operator closed wob: it takes no more texts, but can be read",
        "10:41 wob  * l'opérateur a fermé wob : il n'accepte plus de textes, mais peut être lu",
    ),
    (
        Closed("server", "wob", 5, TS, undone=True),
        "10:41 wob  * the operator opened wob again",
        "10:41 wob  * l'opérateur a rouvert wob",
    ),
    (
        Redacted("server", "wob", 4, "alice", 5, TS),
        "10:41 wob  * the operator removed a text of alice",
        "10:41 wob  * l'opérateur a retiré un texte d'alice",
    ),
    (
        Invited("bob", "wob", "alice", 5, TS),
        "10:41 wob  -- bob invites you to wob: j;wob to join",
        "10:41 wob  -- bob vous invite dans wob : j;wob pour rejoindre",
    ),
    (
        Kicked("bob", "wob", "dave", "spam", 5, TS),
        "10:41 wob  * bob kicked dave: spam",
        "10:41 wob  * bob a exclu dave: spam",
    ),
    (
        Kicked("bob", "wob", "ALICE", "", 5, TS),
        "10:41 wob  -- bob kicked you from wob",
        "10:41 wob  -- bob vous a exclu de wob",
    ),
    (
        Banned("alice", "wob", "bob", "x", 5, TS),
        "10:41 wob  -- you banned bob: x",
        "10:41 wob  -- vous avez banni bob: x",
    ),
    (
        Unbanned("bob", "wob", "dave", 5, TS),
        "10:41 wob  * bob unbanned dave",
        "10:41 wob  * bob a levé le bannissement de dave",
    ),
    (DirectMessage("bob", "alice", "hi", TS), "14:05 bob → alice: hi", "14:05 bob → alice: hi"),
    (Sent("bob", "alice", "hi", TS, seq=3), "14:05 bob → alice: hi", "14:05 bob → alice: hi"),
    (
        Sent("bob", "alice", "hi", TS, seq=3, kept=True),
        "10:41 bob → alice: hi  (while you were away)",
        "10:41 bob → alice: hi  (pendant votre absence)",
    ),
    (
        Sent("alice", "bob", "hi", TS, seq=3, kept=True),
        "10:41 alice → bob: hi  (bob is away: this waits)",
        "10:41 alice → bob: hi  (bob est absent : ce texte l'attend)",
    ),
    (Received("bob", "alice", 3, 4, TS), "14:05 * bob has got what waited", "14:05 * bob a reçu ce qui l'attendait"),
    (
        Received("bob", "alice", 3, 4, TS, removed=True),
        "14:05 * bob was removed by the operator: what waited is gone",
        "14:05 * bob a été supprimé par l'opérateur : ce qui l'attendait n'existe plus",
    ),
    (PublicMessage("bob", "hi", TS), "14:05 bob → all: hi", "14:05 bob → tous: hi"),
    (PresenceNotice("server", "connect", "bob"), "14:05 * bob is here", "14:05 * bob est là"),
    (PresenceNotice("server", "disconnect", "bob"), "14:05 * bob is gone", "14:05 * bob est parti"),
    (Users(("alice", "bob")), "14:05 -- 2 connected: alice, bob", "14:05 -- 2 connectés : alice, bob"),
    (Users(("alice",), more=True), "14:05 -- 1 connected: alice, and more", "14:05 -- 1 connecté : alice, et d'autres"),
    (
        Members("wob", 5, ("alice", "bob"), (), "bob"),
        "14:05 -- wob: 2 members: alice, bob (owner)",
        "14:05 -- wob: 2 membres : alice, bob (propriétaire)",
    ),
    (Members("wob", 5, (), ()), "14:05 -- wob: no members", "14:05 -- wob: aucun membre"),
    (
        Groups(("dev", "wob"), ("wob",)),
        "14:05 -- 2 groups: dev, wob (private)",
        "14:05 -- 2 groupes : dev, wob (privé)",
    ),
    (Groups(()), "14:05 -- no groups yet: cg;NAME creates one", "14:05 -- pas encore de groupe : cg;NOM en crée un"),
    (
        Registered("alice"),
        "14:05 -- the name alice is protected by your password now",
        "14:05 -- le nom alice est maintenant protégé par votre mot de passe",
    ),
    (Goodbye("alice"), "14:05 -- goodbye", "14:05 -- au revoir"),
    (Foreign("hello", '{"x":"hello"}'), "14:05 -- the server says: hello", "14:05 -- le serveur dit : hello"),
    (
        Foreign("220 mail ready", "220 mail ready"),
        "14:05 !! not a tchat message: 220 mail ready (is 127.0.0.1:8080 a tchat server?)",
        "14:05 !! pas un message tchat : 220 mail ready (127.0.0.1:8080 est-il un serveur tchat ?)",
    ),
    (
        Foreign("not JSON", ""),
        "14:05 !! not a tchat message: not JSON (is 127.0.0.1:8080 a tchat server?)",
        "14:05 !! pas un message tchat : not JSON (127.0.0.1:8080 est-il un serveur tchat ?)",
    ),
    (
        Welcome("alice", 1, "tchat-server 0.1.0", "t"),
        "14:05 -- Connected to 127.0.0.1:8080 as alice.",
        "14:05 -- Connecté à 127.0.0.1:8080 en tant qu'alice.",
    ),
]


@pytest.mark.parametrize(("message", "english", "french"), LINES, ids=lambda v: "" if isinstance(v, str) else None)
def test_a_message_is_shown_in_either_language(message: object, english: str, french: str) -> None:
    assert renderer("en").notice(Heard(message), NOW) == [english]
    assert renderer("fr").notice(Heard(message), NOW) == [french]


def test_every_message_has_a_line_above_or_below() -> None:
    shown = {type(message) for message, _, _ in LINES} | {Error, Messages, States, Pong, Foreign}
    assert shown == {*typing.get_args(LogEvent), *typing.get_args(Reply), Foreign}


def test_members_are_told_of_the_invited_and_banned() -> None:
    lines = renderer().notice(Heard(Members("wob", 5, ("alice",), (), "alice", ("dave",), ("eve", "mal"))), NOW)
    assert lines[1:] == ["14:05 -- wob: invited: dave", "14:05 -- wob: banned: eve, mal"]


def test_a_missed_line_is_marked_and_the_end_of_them_said() -> None:
    assert renderer().notice(Heard(Said("bob", "wob", "hi", 5, TS), missed=True), NOW) == ["10:41+ wob  bob: hi"]
    assert renderer().notice(CaughtUp("wob", 3), NOW) == ["14:05 wob  -- 3 missed above, live again"]
    assert renderer().notice(Missing("wob", 1), NOW) == ["14:05 wob  !! 1 message cannot be had any more"]
    assert renderer().notice(Gone("wob"), NOW) == ["14:05 wob  -- you are no longer in wob"]


def test_a_new_day_has_a_line_of_its_own() -> None:
    shown = renderer()
    first = shown.notice(Heard(Said("bob", "wob", "a", 1, TS)), NOW)
    second = shown.notice(Heard(Said("bob", "wob", "b", 2, "2026-11-23T00:01:00.000Z")), NOW)
    assert first == ["10:41 wob  bob: a"]
    assert second == ["---- 2026-11-23 ----", "00:01 wob  bob: b"]


def test_the_members_are_shown_after_ones_own_join_only() -> None:
    shown = renderer()
    members = Heard(Members("wob", 5, ("alice", "bob"), (), "bob"), quiet=True)
    assert shown.notice(members, NOW) == []
    shown.notice(Heard(Joined("alice", "wob", 5, TS)), NOW)
    assert shown.notice(members, NOW) == ["14:05 -- wob: 2 members: alice, bob (owner)"]
    assert shown.notice(members, NOW) == []


REFUSALS = [
    (
        Error("forbidden", "kick", group="wob", dest="bob"),
        Kick("wob", "bob", "spam", sender="alice"),
        "14:05 !! kick;wob;bob;spam: only the owner of wob may do this (forbidden)",
    ),
    (
        Error("not-member", "gbroadcast"),
        Say("wob", "x" * 100, sender="alice"),
        "14:05 !! bg;wob;" + "x" * 52 + "…: you are not a member of wob: j;wob joins it (not-member)",
    ),
    (
        Error("already-member", "invite", msg="bob is in"),
        Invite("wob", "bob", sender="alice"),
        "14:05 !! invite;wob;bob: already a member of wob (already-member)",
    ),
    (
        Error("forbidden", "register", msg="this name has a password"),
        Register("hunter2", sender="alice"),
        "14:05 !! register;***: the name alice has a password already (forbidden)",
    ),
    (Error("over-quota", "join", msg="come back later"), None, "14:05 !! come back later (over-quota)"),
    (Error("over-quota"), None, "14:05 !! over-quota"),
    (Error("rate-limited", retry_after=2.5), None, "14:05 !! too fast: wait 2.5 s (rate-limited)"),
]


@pytest.mark.parametrize(("error", "request_", "line"), REFUSALS, ids=[line[:30] for *_, line in REFUSALS])
def test_a_refusal_says_what_was_typed_why_and_the_code(error: Error, request_: object, line: str) -> None:
    assert renderer().notice(Heard(error, request_), NOW) == [line]


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_has_a_sentence_when_its_fields_are_there(code: ErrorCode) -> None:
    error = Error(code, "kick", "wob", "bob", "msg", 5, 1.5, msg="the server's own words")
    for language in LANGUAGES:
        sentence = renderer(language).refusal(error)
        assert sentence.endswith(f"({code})")
        assert "own words" not in sentence
        assert "?" not in sentence


def test_pages_show_their_entries_and_how_to_read_on() -> None:
    said = (Said("bob", "wob", "a", 41, TS), Said("bob", "wob", "b", 42, "2026-11-21T23:59:00.000Z"))
    request = ListMessages("wob", limit=2, sender="alice")
    assert renderer().notice(Heard(Messages("wob", said, True, 41, 42), request), NOW) == [
        "14:05 wob  -- there is more: messages;wob;2;41",
        "10:41 wob  bob: a",
        "2026-11-21 23:59 wob  bob: b",
    ]
    joined = (Joined("bob", "wob", 3, "not a time"),)
    assert renderer().notice(Heard(States("wob", joined, False, 3, 3), ListStates("wob", sender="alice")), NOW) == [
        "--:-- wob  * bob joined"
    ]
    assert renderer().notice(Heard(Messages("wob", (), False)), NOW) == ["14:05 wob  -- no texts in wob"]


def test_a_page_says_where_a_log_begins_whose_beginning_was_removed() -> None:
    said = (Said("bob", "wob", "a", 41, TS),)
    page = Messages("wob", said, False, 41, 41, begins=40)
    assert renderer().notice(Heard(page, ListMessages("wob")), NOW) == [
        "14:05 wob  -- what was before is removed by the server",
        "10:41 wob  bob: a",
    ]
    empty = Messages("wob", (), False, begins=42)
    assert renderer().notice(Heard(empty, ListMessages("wob")), NOW) == [
        "14:05 wob  -- what was before is removed by the server"
    ]


def test_no_answer_names_the_request() -> None:
    assert renderer().notice(NoAnswer(Say("wob", "hi", sender="alice")), NOW) == [
        "14:05 !! bg;wob;hi: no answer: it may or may not have been done"
    ]


def test_nothing_is_tried_again_in_0_seconds() -> None:
    said = [renderer().offline(seconds) for seconds in (1.2, 0.3, 0.0, -3.0)]
    assert said == ["offline, again in 2 s", "offline, again in 1 s", "connecting", "connecting"]


def test_the_round_trip_is_shown() -> None:
    shown = renderer()
    shown.round_trip_ms = 42
    assert shown.notice(Heard(Pong(TS, 1, "srv")), NOW) == ["14:05 -- round trip 42 ms, srv, protocol 1"]


def test_a_name_has_its_colour_for_ever_and_is_always_written() -> None:
    one, two = (renderer(is_coloured=True).notice(Heard(Said("bob", "wob", t, 5, TS)), NOW)[0] for t in "ab")
    assert SGR.findall(one) == SGR.findall(two) != []
    assert SGR.sub("", one) == "10:41 wob  bob: a"
    other = renderer(is_coloured=True).notice(Heard(Said("BOB", "wob", "a", 5, TS)), NOW)[0]
    assert SGR.findall(one) == SGR.findall(other)


def test_help_lists_every_command_and_says_all_about_one() -> None:
    for language in LANGUAGES:
        everything = "\n".join(renderer(language).help(None))
        assert all(f"  {command.name};" in everything for command in COMMANDS)
    kick = "\n".join(renderer().help(find("kick")))
    for part in ("kick;[group];user[;reason]", "kick;wob;bob;spam", "the owner", "forbidden", "/kick group user"):
        assert part in kick


def test_forms_are_in_ones_language_too() -> None:
    french = renderer("fr")
    assert "kick;[groupe];utilisateur[;raison]   /kick groupe utilisateur [raison]" in "\n".join(
        french.help(find("kick"))
    )
    for line, sentence in (
        ("kick;wob", "kick attend [groupe];utilisateur[;raison], par exemple kick;wob;bob;spam"),
        ("j;a b", "« a b » ne convient pas (groupe) : 1 à 64 lettres, chiffres ou _ - ."),
        ("memebrs;", "commande inconnue « memebrs », vouliez-vous dire members;[groupe] ?"),
    ):
        with pytest.raises(Mistyped) as caught:
            parse(line, None)
        assert french.mistyped(caught.value) == sentence


EVIL = "".join(
    char for char in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")
)


def is_safe(line: str) -> bool:
    return not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in SGR.sub("", line))


def test_the_evil_characters_are_those_one_thinks_of() -> None:
    assert set("\0\a\b\t\n\r\x1b\x7f\x85\x9b\u061c\u200b\u200d\u200e\u202e\u2028\u2066\u2069\ufeff\ud800") <= set(EVIL)


@pytest.mark.parametrize("char", EVIL[:400], ids=lambda c: f"U+{ord(c):04X}")
def test_no_control_character_is_left(char: str) -> None:
    shown = clean(f"a{char}b")
    assert is_safe(shown)
    assert shown[0] == "a"
    assert shown[-1] == "b"
    assert len(shown) == 3


def test_ordinary_text_is_left_alone() -> None:
    for text in ("bonjour, ça va ?", "日本語 العربية", "🎉 ok", "e\u0301", "a\u00a0b"):
        assert clean(text) == text
    assert clean("a\tb\r\nc\nd") == "a b⏎c⏎d"
    assert clip("abc", 3) == "abc"
    assert clip("abcd", 3) == "ab…"


def _evil(kind: type, attribute: object) -> object:
    """A value for one field, with every evil character in it where there is text."""
    hostile = "<" + EVIL + ">"
    shape = str(attribute.type)
    if attribute.name == "list" and kind in (Messages, States):
        return (changed(Said(hostile, hostile, hostile, 1, TS), group=hostile),)
    if "tuple" in shape:
        return (hostile, "bob")
    if attribute.type is bool:
        return True
    if "Mapping" in shape:
        return {}
    if attribute.type in (int, int | None, float | None):
        return 7
    if attribute.type in (str, str | None, str | int | None):
        return hostile
    raise AssertionError(shape)


@pytest.mark.parametrize("is_coloured", [False, True], ids=["plain", "coloured"])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "kind", [*typing.get_args(LogEvent), *typing.get_args(Reply), Foreign], ids=lambda k: k.__name__
)
def test_no_field_of_any_message_reaches_the_terminal_raw(kind: type, language: str, is_coloured: bool) -> None:
    resolve_types(kind)
    values = {attribute.name: _evil(kind, attribute) for attribute in fields(kind)}
    request = Kick("<" + EVIL, "<" + EVIL, "<" + EVIL, sender="<" + EVIL)
    for variant in ({}, *({name: "alice"} for name in ("sender", "dest", "event") if name in values)):
        message = kind(**{**values, **variant})
        lines = renderer(language, is_coloured=is_coloured).notice(Heard(message, request), NOW)
        assert lines or isinstance(message, Received), "what one has got oneself needs no line"
        assert all(is_safe(line) for line in lines)


@pytest.mark.parametrize("code", [*ErrorCode, "<" + EVIL])
def test_no_field_of_a_refusal_reaches_the_terminal_raw(code: str) -> None:
    hostile = "<" + EVIL
    error = Error(code, hostile, hostile, hostile, hostile, 5, 1.0, hostile, hostile)
    for line in renderer().notice(Heard(error), NOW):
        assert is_safe(line)


@pytest.mark.parametrize("kind", REQUESTS.values(), ids=lambda k: k.__name__)
def test_no_field_of_ones_own_request_reaches_the_terminal_raw(kind: type) -> None:
    resolve_types(kind)
    request = kind(**{attribute.name: _evil(kind, attribute) for attribute in fields(kind)})
    assert all(map(is_safe, renderer().notice(NoAnswer(request), NOW)))


def test_other_lines_are_safe_too() -> None:
    shown, hostile = renderer(), "<" + EVIL
    problem = Mistyped("near", word=hostile, suggestion=hostile)
    lines = [
        shown.status(hostile, NOW),
        shown.problem(hostile, NOW),
        shown.trace("<", hostile),
        shown.mistyped(problem),
    ]
    for notice in (CaughtUp(hostile, 2), Missing(hostile, 2), Gone(hostile)):
        lines += shown.notice(notice, NOW)
    assert all(map(is_safe, lines))


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_time_and_text_make_a_line(ts: str, text: str) -> None:
    lines = renderer().notice(Heard(Said(text, text, text, 1, ts)), NOW)
    assert len(lines) == 1
    assert is_safe(lines[0])


@pytest.mark.parametrize("ts", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-01", "nonsense", ""])
def test_a_time_that_cannot_be_is_no_crash(ts: str) -> None:
    assert renderer().notice(Heard(Said("bob", "wob", "hi", 1, ts)), NOW) == ["14:05 wob  bob: hi"]
