"""Lines fit, whatever letters they have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tchat_client.measure import clip, width, wrap


@pytest.mark.parametrize(
    ("text", "columns"),
    [("abc", 3), ("été", 3), ("e\u0301", 1), ("漢字", 4), ("🎉", 2), ("\x1b[1mab\x1b[0m", 2), ("", 0)],
)
def test_wide_letters_take_two_columns_and_colours_none(text: str, columns: int) -> None:
    assert width(text) == columns


@pytest.mark.parametrize(
    ("text", "columns", "lines"),
    [
        ("10:41 bob: one two three", 15, ["10:41 bob: one", "  two three"]),
        ("10:41 bob: abcdefghijklmnop end", 12, ["10:41 bob:", "  abcdefghij", "  klmnop end"]),
        ("漢字 漢字 漢字", 7, ["漢字", "  漢字", "  漢字"]),
        ("漢字漢字漢字", 6, ["漢字", "  漢字", "  漢字"]),
        ("one\n10:42 eve: two", 40, ["one", "  10:42 eve: two"]),
        ("\x1b[1mone two\x1b[0m three", 9, ["\x1b[1mone two\x1b[0m", "  three"]),
        ("", 9, [""]),
    ],
)
def test_lines_are_broken_at_the_ends_of_words(text: str, columns: int, lines: list[str]) -> None:
    assert wrap(text, columns, "  ").split("\n") == lines


@given(st.text(), st.integers(5, 60))
def test_no_line_is_too_wide_and_no_letter_is_lost(text: str, columns: int) -> None:
    text = "".join(char for char in text if char.isprintable())
    wrapped = wrap(text, columns, "  ").split("\n")
    assert all(width(line) <= columns or len(line.strip()) == 1 for line in wrapped if line.strip())
    assert all(line.startswith("  ") for line in wrapped[1:])
    assert "".join(wrapped).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "columns", "cut"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("漢字漢", 4, "漢…"), ("漢字", 4, "漢字"), ("", 1, "")],
)
def test_a_text_is_cut_to_its_columns(text: str, columns: int, cut: str) -> None:
    assert clip(text, columns) == cut
