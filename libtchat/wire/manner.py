"""How another program's server writes, seen from what it sends, and requests written that way for it.

A server of this protocol is never written to in any other spelling than the protocol's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import define

from libtchat.wire.spelling import FIELDS, WRAPPER

__all__ = ["Manner"]

_TEXTS = FIELDS["msg"]


@define
class Manner:
    """What one server was seen to write.

    Attributes:
        says_cgroup: it names the action `cgroup`, as an action or in a sentence.
        wraps: it puts its objects into another one, under `messageFormat`.
        indent: how many spaces it indents its objects by, 0 if it does not.
        text: the field that it puts texts in, where ours is `msg`.
    """

    says_cgroup: bool = False
    wraps: bool = False
    indent: int = 0
    text: str = ""

    def see(self, raw: str) -> None:
        """Learn from one object as it came."""
        try:
            found = json.loads(raw)
        except (ValueError, RecursionError):
            return
        if not isinstance(found, dict):
            return
        lines = raw.split("\n")
        if len(lines) > 1:
            self.indent = min(8, len(lines[1]) - len(lines[1].lstrip(" ")))
        inside = found.get(WRAPPER)
        if isinstance(inside, dict):
            self.wraps, found = True, inside
        if any("cgroup" in text.replace("cgroupe", "") for text in _texts(found)):
            self.says_cgroup = True
        if "msg" not in found:
            self.text = next((name for name in _TEXTS if isinstance(found.get(name), str)), self.text)

    def write(self, request: bytes) -> bytes:
        """Return a request of ours, one object, as this server writes."""
        if not (self.says_cgroup or self.wraps or self.indent or self.text):
            return request
        found: dict[str, Any] = json.loads(request)
        if self.says_cgroup and found["action"] == "cgroupe":
            found["action"] = "cgroup"
        if self.text and "msg" in found:
            found[self.text] = found["msg"]
        whole = {WRAPPER: found} if self.wraps else found
        return json.dumps(whole, ensure_ascii=False, indent=self.indent or None).encode()


def _texts(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts of an object and of the lists in it."""
    for value in found.values():
        for text in value if isinstance(value, list) else (value,):
            if isinstance(text, str):
                yield text
