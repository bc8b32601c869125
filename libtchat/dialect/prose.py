"""What a server says that is no message: greetings, prompts, complaints, as lines of text between its JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator

from libtchat.wire.framing import FrameFault, Framer

__all__ = ["MAX_CHARS", "cut"]

MAX_CHARS = 500
"""Of a line; what is longer is cut."""

_OBJECT = re.compile(rb'\{\s*(?:"|\}|$)')


def cut(framer: Framer, data: bytes) -> Iterator[bytes | str | FrameFault]:
    """Cut what came into JSON texts (bytes) and faults, as *framer* does, and the lines of text between them (str).

    A line ends where what was read at once ends: who greets without a line end is heard. What has neither a letter
    nor a digit is no line.
    """
    for line in data.splitlines(keepends=True):
        begins = 0
        if framer.may_begin and not line.lstrip().startswith(b"{"):
            found = _OBJECT.search(line)
            begins = found.start() if found else len(line)
            text = line[:begins].decode("utf-8", "replace").strip()
            if any(map(str.isalnum, text)):
                yield text[:MAX_CHARS]
        yield from framer.receive(line[begins:])
