"""What a name may be, and when two names are the same (R-name-*)."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.names import check_group_name, check_user_name, group_key, is_guest, user_key

# Mostly what a name may consist of, and what folds strangely.
names = st.text(st.sampled_from("aAıİßẞſKÅéẛ̣ǅ9-_.ﬁａ中 ́") | st.characters(categories=["L", "M", "Nd"]), max_size=34)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("alice", "alice"),
        (" alice\t\n", "alice"),
        ("\u00a0alice\u2003", "alice"),
        ("Zoe\u0308", "Zoë"),
        ("a_b-c.d", "a_b-c.d"),
        ("9", "9"),
        ("x" * 32, "x" * 32),
        ("名前", "名前"),
        ("हिन्दी", "हिन्दी"),
        ("١٢", "١٢"),
        ("аlice", "аlice"),  # a Cyrillic а
        ("server2", "server2"),
        ("guest", "guest"),
        ("guest-x", "guest-x"),
    ],
)
def test_a_name_is_shown_trimmed_and_composed(name: str, shown: str) -> None:
    assert check_user_name(name) == shown
    assert check_group_name(name) == shown


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            " ",
            "a b",
            "a;b",
            "a/b",
            "a\nb",
            "a\0b",
            "a\u200bb",
            "a\u202eb",
            "\ud800",
            "x" * 65,
            "😀",
            "½",
            "Ⅳ",
            "ﷺ" * 10,
        ),
        *("a@b", "$x", "{x}", '"', "\x7f", "a\u00a0b", "#wob"),
        *(
            "server\ufe0f",
            "\u3164",
            "\uffa0",
            "a\u034f",
            "\u115f",
            "\u1160",
            "a\u17b4",
            "a\u17b5",
            "a\u180b",
            "a\u180f",
        ),
        *("a\ufe00", "a\U000e0100", "a\U000e01ef", "guest-1\ufe0f"),
    ],
)
def test_what_is_no_name_is_refused_with_its_field(name: str) -> None:
    for check in (check_user_name, check_group_name):
        with pytest.raises(Refused) as caught:
            check(name, field="dest")
        assert (caught.value.code, caught.value.field) == (ErrorCode.BAD_NAME, "dest")


@pytest.mark.parametrize("nothing", [None, 7, b"alice", ["alice"]])
def test_what_is_no_text_is_the_program_s_mistake(nothing: Any) -> None:
    for check in (check_user_name, check_group_name):
        with pytest.raises(TypeError, match="a name is text, not"):
            check(nothing)


def test_what_is_not_shown_in_a_name_is_named() -> None:
    with pytest.raises(Refused, match=r"U\+FE0F"):
        check_user_name("server\ufe0f")


def test_letters_and_marks_beside_the_invisible_ones_are_seen() -> None:
    for near in ("\u1161", "a\u034e", "a\u0350", "a\u17b6", "\u1820", "\u3165", "\uffa1", "a\ufe20"):
        assert check_user_name(near) == near


def test_a_user_has_32_characters_and_a_group_64() -> None:
    assert check_group_name("x" * 64) == "x" * 64
    with pytest.raises(Refused) as caught:
        check_user_name("x" * 33)
    assert caught.value.limit == 32
    with pytest.raises(Refused) as caught:
        check_group_name("x" * 65)
    assert caught.value.limit == 64


def test_the_key_obeys_the_rule_too() -> None:
    with pytest.raises(Refused):
        check_user_name("\ufdfa" * 2)  # two characters, whose key has thirty-six, blanks among them
    with pytest.raises(Refused):
        check_user_name("\ufb03" * 11)  # eleven ligatures, whose key has thirty-three letters


@pytest.mark.parametrize(
    "name", ["server", "SERVER", " Server ", "ｓerver", "guest-1", "Guest-007", "GUEST-１", "guest-१"]
)
def test_the_servers_own_names_cannot_be_chosen(name: str) -> None:
    with pytest.raises(Refused) as caught:
        check_user_name(name)
    assert caught.value.code == ErrorCode.BAD_NAME
    check_group_name(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("alice", "ALICE"),
        ("alice", "ａｌｉｃｅ"),
        ("alice", " Alice "),
        ("Zoë", "zoe\u0308"),
        ("ﬁn", "FIN"),
        ("Å", "\u212b"),
        ("K", "\u212a"),
        ("İ", "i\u0307"),
    ],
)
def test_names_that_differ_in_case_width_or_composition_are_the_same(one: str, other: str) -> None:
    assert user_key(one) == user_key(other)
    assert group_key(one) == group_key(other)


@pytest.mark.parametrize(("one", "other"), [("alice", "аlice"), ("alice", "alicé"), ("a.b", "ab"), ("a-b", "a_b")])
def test_names_that_only_look_alike_are_different(one: str, other: str) -> None:
    assert user_key(one) != user_key(other)


@given(name=names)
def test_a_name_is_refused_or_shown_as_the_same_name(name: str) -> None:
    try:
        shown = check_user_name(name)
    except Refused:
        return
    key = user_key(name)
    assert user_key(shown) == user_key(key) == group_key(name) == key
    assert unicodedata.is_normalized("NFKC", key)
    assert unicodedata.is_normalized("NFC", shown)
    assert check_user_name(shown) == shown == shown.strip()
    assert 1 <= len(shown) <= 32


@given(name=st.text(max_size=8))
def test_only_the_servers_names_are_guests(name: str) -> None:
    assert is_guest(user_key("guest-12"))
    if is_guest(user_key(name)):
        with pytest.raises(Refused):
            check_user_name(name)
