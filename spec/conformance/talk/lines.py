"""Vectors and conversations as plain lines, for languages that have no JSON at hand: fields between tabs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, Iterator, List

from cases.case import SPEC, Case
from words import say

from talk.matcher import Names, fill

__all__ = ["of_case", "of_vectors"]


def of_vectors(name: str, folder: Path = SPEC / "vectors") -> Iterator[str]:
    """Yield a line for each vector of a file: id, bytes, error code or `-`, frames; bytes and frames in hexadecimal.

    Raises:
        OSError: there is no such file.
    """
    for case in json.loads((folder / (name + ".json")).read_text("utf-8"))["cases"]:
        data = bytes.fromhex(case["hex"]) if "hex" in case else case["text"].encode("utf-8")
        error = case.get("error")
        code = error["code"] if isinstance(error, dict) else error
        frames = [frame.encode("utf-8").hex() for frame in case.get("frames", [])]
        yield "\t".join([case["id"], data.hex(), code or "-", *frames])


def of_case(case: Case, names: Names) -> List[str]:
    """Return the lines of a conversation: verb, peer, and what it takes; only a remark if lines can't tell it."""
    out = ["case\t" + case.id]
    out += ["hello\t%s\t%s" % (label, names.of(label)) for label in case.hello]
    for step in case.steps:
        verb = next(key for key in _VERBS if key in step)
        if '"$get"' in json.dumps(step.get("send")):
            return ["#\t%s: %s" % (case.id, say("needs-json"))]
        out.append("\t".join([_NAMES.get(verb, verb), str(step["peer"]), *_VERBS[verb](step, names)]))
    return out


def _send(step: Dict[str, object], names: Names) -> List[str]:
    return [json.dumps(fill(step["send"], names), ensure_ascii=True)]


def _text(step: Dict[str, object], names: Names) -> List[str]:
    return [names.replace(str(step["send_text"])).encode("utf-8").hex(), str(step.get("times", 1))]


def _hex(step: Dict[str, object], names: Names) -> List[str]:
    return [str(step["send_hex"]), "1"]


def _get(step: Dict[str, object], names: Names) -> List[str]:
    pattern = step["get"]
    assert isinstance(pattern, dict)
    return [value if isinstance(value, str) else "-" for value in (pattern.get(key) for key in ("action", "code"))]


def _nothing(step: Dict[str, object], names: Names) -> List[str]:
    return []


_NAMES = {"send_text": "bytes", "send_hex": "bytes"}
_VERBS = {
    "send": _send,
    "send_text": _text,
    "send_hex": _hex,
    "get": _get,
    "silent": _nothing,
    "closed": _nothing,
    "close": _nothing,
}
