"""Compares what clients were told with what the log holds after all crashes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from attrs import define, field
from crash.writer import Record

__all__ = ["Verdict", "compare"]


@define
class Verdict:
    """The figures; all but the first four must be 0.

    Attributes:
        lost: accepted requests whose event is not in the log, byte for byte, under the seq that was told.
        duplicated: ids that made more than one event.
        gaps: places in a log where the seq does not go up by one.
        unfounded: refused requests that made an event, and events whose id nobody was answered.
        different: events heard that are not those of the log, byte for byte: then two heard different things.
        faults: what clients noticed at once: a seq that went back.
    """

    events: int = 0
    accepted: int = 0
    refused: int = 0
    retried: int = 0
    heard: int = 0
    lost: int = 0
    duplicated: int = 0
    gaps: int = 0
    unfounded: int = 0
    different: int = 0
    faults: list[str] = field(factory=list)

    @property
    def is_good(self) -> bool:
        return not any((self.lost, self.duplicated, self.gaps, self.unfounded, self.different, self.faults))

    def __str__(self) -> str:
        return (
            f"{self.events} events, {self.accepted} accepted and {self.refused} refused requests, "
            f"{self.retried} retries, {self.heard} heard; {self.lost} lost, {self.duplicated} duplicated, "
            f"{self.gaps} gaps, {self.unfounded} unfounded, {self.different} different, {len(self.faults)} faults"
        )


def compare(records: Iterable[Record], logs: Mapping[str, Sequence[bytes]]) -> Verdict:
    """Compare clients' records with each group's log, which is its events as they were read, in order."""
    verdict = Verdict()
    told: dict[tuple[str, int], bytes] = {}
    made: Counter[str] = Counter()
    for group, lines in logs.items():
        for number, line in enumerate(lines, 1):
            event = json.loads(line)
            verdict.events += 1
            verdict.gaps += (event["group"], event["seq"]) != (group, number)
            told[group, event["seq"]] = line
            made.update([event["id"]] if "id" in event else [])
    verdict.duplicated = sum(count > 1 for count in made.values())
    answered: set[str] = set()
    for record in records:
        verdict.accepted += len(record.accepted)
        verdict.refused += len(record.refused)
        verdict.retried += record.retried
        verdict.heard += len(record.heard)
        verdict.faults += record.faults
        verdict.lost += sum(line != _stored(told, line) for line in record.accepted.values())
        verdict.different += sum(line != _stored(told, line) for _, line in record.heard)
        verdict.unfounded += sum(id in made for id in record.refused)
        answered.update(record.accepted)
    verdict.unfounded += sum(id not in answered for id in made)
    return verdict


def _stored(told: Mapping[tuple[str, int], bytes], line: bytes) -> bytes | None:
    event = json.loads(line)
    return told.get((event["group"], event["seq"]))
