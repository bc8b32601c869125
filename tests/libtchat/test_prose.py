"""What a server says between its messages: lines of text, and the messages as if it had not been there."""

from __future__ import annotations

import pytest

from libtchat.dialect.prose import MAX_CHARS, cut
from libtchat.wire.framing import Framer


@pytest.mark.parametrize(
    ("chunks", "parts"),
    [
        ([b"Bienvenue !\n", b'{"a":1}\n'], ["Bienvenue !", b'{"a":1}']),
        ([b"Bienvenue", b'{"a":1}', b'{"a":2}'], ["Bienvenue", b'{"a":1}', b'{"a":2}']),
        ([b'Bonjour {"a":1}\n{"a":2}\nau revoir\n'], ["Bonjour", b'{"a":1}', b'{"a":2}', "au revoir"]),
        ([b"a set {1, 2}\r\n> \n---\n"], ["a set {1, 2}"]),
        ([b'{\n  "a": "not\\n', b'a {line}"\n}\n'], [b'{\n  "a": "not\\na {line}"\n}']),
        ([b"\xff\xe9l\xe8ve\n"], ["\ufffd\ufffdl\ufffdve"]),
        ([b"x" * 9000], ["x" * MAX_CHARS]),
    ],
    ids=["a greeting", "no line ends", "in one read", "braces and prompts", "many lines", "no UTF-8", "a flood"],
)
def test_text_between_messages_is_told_from_them(chunks: list[bytes], parts: list[bytes | str]) -> None:
    framer = Framer()
    assert [part for chunk in chunks for part in cut(framer, chunk)] == parts
