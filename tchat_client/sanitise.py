"""What came from elsewhere, as it may be printed: the one place that decides it (R-client-sanitise).

`Language.text` passes every value it puts into a sentence through `clean`; `--json` prints what `json_line` gives.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping

from libtchat.message.reply import Foreign, Message
from libtchat.wire.codec import encode

__all__ = ["clean", "clip", "json_line"]

_UNSAFE = frozenset({"Cc", "Cf", "Cs"})  # C0, DEL, C1; bidi, zero-width and other invisible controls; surrogates
_LINE_ENDS = re.compile("\r\n|[\r\n\v\f\x85\u2028\u2029]")


def clean(text: str) -> str:
    """Return *text* as it may go to a terminal, on one line.

    Line ends become ⏎, tabs a space, every other control or invisible character U+FFFD.
    """
    if text.isprintable():
        return text
    text = _LINE_ENDS.sub("⏎", text.replace("\t", " "))
    return "".join("\ufffd" if unicodedata.category(char) in _UNSAFE else char for char in text)


def clip(text: str, most: int) -> str:
    """Return *text*, cut to *most* characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def json_line(message: Message | Foreign | Mapping[str, object]) -> str:
    """Return one JSON object on one line, in which everything that cannot be seen is an escape.

    What a foreign server said is written anew; what was no object becomes the `msg` of one.
    """
    if isinstance(message, Foreign):
        try:
            found = json.loads(message.raw)
        except (ValueError, RecursionError):
            found = None
        message = found if isinstance(found, dict) else {"msg": message.raw or message.text}
    if isinstance(message, Mapping):
        line = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    else:
        line = encode(message).decode()
    if line.isprintable():
        return line
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)
