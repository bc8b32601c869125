"""Checks recorded messages, as a trace shows them, against the schemas: one line for each fault."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterable, Iterator, Tuple

from cases.case import SPEC
from words import say

from talk import shapes
from talk.wire import Garbage, parse

__all__ = ["faults"]

_LINE = re.compile(r"^[^{<>]*?(?P<sign>[<>])?\s*(?P<json>\{.*)\s*$")


def faults(lines: Iterable[str], side: str, folder: Path = SPEC / "schema") -> Iterator[Tuple[int, str]]:
    """Yield (line number, what is wrong) for every fault.

    Args:
        lines: one JSON object a line. In a trace, messages stand after `>` (a request) or `<` (a server's message),
            and other lines are passed over.
        side: what a line without `>` or `<` is: "server" or "client".
    """
    every = list(lines)
    is_trace = any(found and found.group("sign") for found in map(_LINE.match, every))
    by_sign = {"<": shapes.load(folder, "server.json"), ">": shapes.load(folder, "requests.json")}
    for number, line in enumerate(every, 1):
        found = _LINE.match(line)
        if not found:
            if line.strip() and not is_trace:
                yield number, say("no-json-object")
            continue
        known = by_sign[found.group("sign") or {"server": "<", "client": ">"}[side]]
        try:
            message = parse(found.group("json").encode("utf-8", "surrogatepass"))
        except Garbage as error:
            yield number, str(error)
            continue
        for fault in known.faults(message) if known else []:
            yield number, "%s: %s" % (message.get("action", say("no-action")), fault)
