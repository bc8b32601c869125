"""The cases: reading spec/scenarios and what is asked of WebSocket alone, and choosing among them. Runs nothing."""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path
from typing import Dict, List, Mapping, NamedTuple, Tuple

__all__ = ["SPEC", "Case", "load_cases", "load_frame_cases", "select"]

WRITING = {"send", "send_text", "send_hex"}
SPEC = Path(__file__).resolve().parent.parent.parent


class Case(NamedTuple):
    """One conversation of a scenario file; `part` is 0 where path.py finds it out.

    `frames` is a case of spec/vectors/websocket.json as it is there, empty for a conversation.
    """

    id: str
    level: str
    cites: Tuple[str, ...]
    title: str
    hello: Tuple[str, ...]
    steps: Tuple[Dict[str, object], ...]
    part: int = 0
    frames: Mapping[str, object] = {}

    @property
    def topic(self) -> str:
        return self.id.split("/")[0]

    @property
    def is_timed(self) -> bool:
        """The case looks at the clock, so nothing else should run beside it."""
        return any("apart_ms" in step for step in self.steps)

    @property
    def is_about_bytes(self) -> bool:
        """The case is about how messages are cut out of bytes, which only a plain connection leaves to the peers."""
        texts = [str(step["send_text"]) for step in self.steps if "send_text" in step]
        is_whole = all("times" not in step for step in self.steps) and all(map(_is_object, texts))
        return self.topic == "framing" or not is_whole or any("send_hex" in step for step in self.steps)

    @property
    def is_cut(self) -> bool:
        """The case writes twice in a row, which should come as two reads, so little else should run beside it."""
        return any(
            WRITING & one.keys() and (WRITING | {"silent"}) & other.keys() and one["peer"] == other["peer"]
            for one, other in zip(self.steps, self.steps[1:])
        )


def load_cases(folder: Path = SPEC / "scenarios") -> List[Case]:
    """Read every scenario file, in the order of the files' names."""
    cases = []
    for path in sorted(folder.glob("*.json")):
        for raw in json.loads(path.read_text("utf-8"))["cases"]:
            hello, steps = tuple(raw.get("hello", ())), tuple(raw["steps"])
            cases.append(Case(raw["id"], raw["level"], tuple(raw["cites"]), raw["title"], hello, steps))
    return cases


def load_frame_cases(path: Path = SPEC / "vectors" / "websocket.json") -> List[Case]:
    """Read the cases about handshakes and frames; none if the file is not there."""
    found = json.loads(path.read_text("utf-8"))["cases"] if path.is_file() else []
    return [Case(raw["id"], raw["level"], tuple(raw["cites"]), raw["title"], (), (), 6, raw) for raw in found]


def select(cases: List[Case], selectors: List[str]) -> List[Case]:
    """Keep the cases that a topic, an id, a `*` pattern or an R- id names; all of them without selectors."""
    return [case for case in cases if not selectors or any(_is_meant(case, word) for word in selectors)]


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _is_meant(case: Case, word: str) -> bool:
    return word in (case.topic, case.id) or word in case.cites or fnmatch.fnmatchcase(case.id, word)
