"""Checks recorded messages, as a trace shows them, against the schemas: one line for each fault."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterable, Iterator, Tuple

import scenario
import shapes
from wire import Garbage, parse

__all__ = ["faults"]

_LINE = re.compile(r"^[^{<>]*?(?P<sign>[<>])?\s*(?P<json>\{.*)$")


def faults(lines: Iterable[str], side: str, folder: Path = scenario.SPEC / "schema") -> Iterator[Tuple[int, str]]:
    """Yield (line number, what is wrong) for every fault.

    Args:
        lines: one JSON object a line, perhaps after `>` (a request) or `<` (a server's message) and a label; lines
            without a `{` are passed over.
        side: what a line without `>` or `<` is: "server" or "client".
    """
    by_sign = {"<": shapes.load(folder, "server.json"), ">": shapes.load(folder, "requests.json")}
    for number, line in enumerate(lines, 1):
        found = _LINE.match(line.strip())
        if not found:
            if line.strip() and line.strip()[0] not in "#<>!-" and "{" not in line:
                yield number, "no JSON object"
            continue
        known = by_sign[found.group("sign") or {"server": "<", "client": ">"}[side]]
        try:
            message = parse(found.group("json").encode("utf-8", "surrogatepass"))
        except Garbage as error:
            yield number, str(error)
            continue
        for fault in known.faults(message) if known else []:
            yield number, "%s: %s" % (message.get("action", "no action"), fault)
