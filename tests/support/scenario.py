"""Scenario files: reading them, and running one case over any driver. The tester's matcher says what fits."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from talk.matcher import Names, fill, match

SPEC = Path(__file__).parents[2] / "spec"
Json = Any
_numbers = itertools.count(1)


class Driver(Protocol):
    """How a case talks to a server."""

    has_clock: bool

    def open(self, label: str) -> None: ...
    def write(self, label: str, data: bytes) -> None: ...
    def next(self, label: str) -> tuple[dict[str, Json], float] | None:
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
        self.names = Names(f"{next(_numbers):x}")
        self.captured: dict[str, object] = {}
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
                self.match(pattern, message)
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
        return fill(value, self.names, self.captured)

    def match(self, pattern: Json, value: Json) -> None:
        """Fail unless *value* matches *pattern*."""
        wrong = match(fill(pattern, self.names), value, self.captured)
        assert wrong is None, wrong
