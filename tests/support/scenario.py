"""Scenario files: reading them, filling in names, matching what came, and running one case over any driver."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

SPEC = Path(__file__).parents[2] / "spec"
Json = Any
_numbers = itertools.count(1)
_IS = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "time": lambda value: isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value),
}


class Driver(Protocol):
    """How a case talks to a server."""

    has_clock: bool

    def open(self, label: str) -> None: ...
    def write(self, label: str, data: bytes) -> None: ...
    def next(self, label: str) -> tuple[Json, float] | None:
        """Return the next message and when it came, None if nothing more comes."""

    def is_closed(self, label: str) -> bool: ...
    def close(self, label: str) -> None: ...
    def end(self) -> None: ...


def cases() -> Iterator[dict[str, Json]]:
    """Go through all cases of all scenario files, in a stable order."""
    for path in sorted((SPEC / "scenarios").glob("*.json")):
        yield from json.loads(path.read_text("utf-8"))["cases"]


class Run:
    """One case being run over one driver."""

    def __init__(self, case: dict[str, Json], driver: Driver) -> None:
        self.case, self.driver = case, driver
        self.names: dict[str, str] = {}
        self.captured: dict[str, Json] = {}
        self.labels: set[str] = set()
        self.arrived: dict[str, float] = {}

    def run(self) -> None:
        try:
            for label in self.case.get("hello", ()):
                self.step({"peer": label, "send": {"from": f"${label}", "action": "client-hello"}})
                self.step({"peer": label, "get": {"action": "server-hello"}})
            for number, step in enumerate(self.case["steps"], 1):
                try:
                    self.step(step)
                except AssertionError as error:
                    raise AssertionError(f"{self.case['id']}, step {number} {step}: {error}") from None
        finally:
            self.driver.end()

    def step(self, step: dict[str, Json]) -> None:
        label = step["peer"]
        if label not in self.labels:
            self.labels.add(label)
            self.driver.open(label)
        match step:
            case {"send": message}:
                self.driver.write(label, (json.dumps(self.filled(message)) + "\n").encode())
            case {"send_text": text}:
                self.driver.write(label, self.filled(text).encode() * step.get("times", 1))
            case {"send_hex": text}:
                self.driver.write(label, bytes.fromhex(text))
            case {"get": pattern}:
                before = self.arrived.get(label)
                message = self.next(label, is_presence=isinstance(pattern, dict) and "event" in pattern)
                self.match(pattern, message, "message")
                if "apart_ms" in step and self.driver.has_clock:
                    assert before is not None
                    assert self.arrived[label] - before >= step["apart_ms"] / 1000, "came too soon after the last one"
            case {"silent": True}:
                self.driver.write(label, b'{"action":"ping"}\n')
                message = self.next(label, is_presence=False)
                assert message.get("action") == "ping", f"not silent: {message}"
            case {"closed": True}:
                while self.driver.next(label) is not None:
                    pass
                assert self.driver.is_closed(label), "not closed"
            case {"close": True}:
                self.driver.close(label)
                self.labels.discard(label)
            case _:
                raise ValueError(f"unknown step {step}")

    def next(self, label: str, *, is_presence: bool) -> dict[str, Json]:
        while True:
            came = self.driver.next(label)
            assert came is not None, "nothing came"
            message, self.arrived[label] = came
            if is_presence or message.get("event") not in ("connect", "disconnect"):
                return message

    def filled(self, value: Json) -> Json:
        """Return *value* with every $name replaced, the same name by the same word."""
        match value:
            case str():
                return re.sub(r"\$([a-z][a-z0-9]*)", lambda found: self.name(found[1]), value)
            case list():
                return [self.filled(item) for item in value]
            case {"$get": name}:
                return self.captured[name]
            case dict():
                return {self.filled(key): self.filled(item) for key, item in value.items()}
        return value

    def name(self, word: str) -> str:
        return self.names.setdefault(word, f"{word[:12]}-{next(_numbers):x}")

    def match(self, pattern: Json, value: Json, place: str) -> None:
        """Fail unless *value* matches *pattern*."""
        match pattern:
            case {"$is": kind}:
                assert _IS[kind](value), f"{place} is {value!r}, not {kind}"
            case {"$set": name}:
                self.captured[name] = value
            case {"$get": name}:
                assert value == self.captured[name], f"{place} is {value!r}, not {self.captured[name]!r}"
            case {"$includes": items}:
                assert all(item in value for item in self.filled(items)), f"{place} {value!r} lacks some of {items}"
            case {"$excludes": items}:
                assert not any(item in value for item in self.filled(items)), f"{place} {value!r} has some of {items}"
            case {"$matches": regex}:
                assert re.fullmatch(self.filled(regex), value), f"{place} is {value!r}, not like {regex}"
            case dict():
                assert isinstance(value, dict), f"{place} is {value!r}, not an object"
                for key, wanted in ((self.filled(key), wanted) for key, wanted in pattern.items()):
                    if wanted == {"$absent": True}:
                        assert key not in value, f"{place}.{key} is there in {value}"
                    else:
                        assert key in value, f"{place}.{key} is missing in {value}"
                        self.match(wanted, value[key], f"{place}.{key}")
            case list():
                assert isinstance(value, list), f"{place} is {value!r}, not a list"
                assert len(value) == len(pattern), f"{place} has {len(value)} entries, not {len(pattern)}: {value}"
                for number, (wanted, item) in enumerate(zip(pattern, value, strict=True)):
                    self.match(wanted, item, f"{place}[{number}]")
            case _:
                wanted = self.filled(pattern)
                assert type(value) is type(wanted), f"{place} is {value!r}, not {wanted!r}"
                assert value == wanted, f"{place} is {value!r}, not {wanted!r}"
