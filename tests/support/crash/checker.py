"""Compares what clients were told with what the log holds after all crashes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from attrs import define, field
from crash.story import Story
from crash.writer import Record

__all__ = ["Checker", "Verdict", "compare"]


@define
class Verdict:
    """The figures; all but the first five must be 0.

    Attributes:
        lost: accepted requests whose event is not in the log, byte for byte, under the seq that was told.
        duplicated: ids that made more than one event.
        gaps: places in a log where the seq does not go up by one.
        unfounded: refused requests that made an event, and events whose id nobody was answered.
        different: events heard that are not those of the log, byte for byte: then two heard different things.
        holes: events that a member did not hear, between two that came over the same connection.
        disordered: events with a lower seq than one that was acknowledged before they were asked for.
        stale: lists and refusals that are older than what was acknowledged before they were asked for.
        faults: what clients noticed at once: a seq that went back.
        examples: which of the above, in words.
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
    holes: int = 0
    disordered: int = 0
    stale: int = 0
    faults: list[str] = field(factory=list)
    examples: list[str] = field(factory=list)

    @property
    def wrong(self) -> dict[str, int]:
        """What must be 0 and is not."""
        names = "lost duplicated gaps unfounded different holes disordered stale"
        found = {name: int(getattr(self, name)) for name in names.split()} | {"faults": len(self.faults)}
        return {name: count for name, count in found.items() if count}

    @property
    def is_good(self) -> bool:
        return not self.wrong

    def __str__(self) -> str:
        wrong = ", ".join(f"{count} {name}" for name, count in self.wrong.items())
        return (
            f"{self.events} events, {self.accepted} accepted and {self.refused} refused requests, "
            f"{self.retried} retries, {self.heard} heard; {wrong or 'nothing lost, doubled or out of order'}"
        )


class Checker:
    """Compares step by step: at each what was recorded since the last one, when every request is answered."""

    def __init__(self) -> None:
        self._stories: dict[str, Story] = {}

    def lengths(self) -> dict[str, int]:
        """Return how many events of each group were compared."""
        return {group: len(story.lines) for group, story in self._stories.items()}

    def check(self, records: Iterable[Record], newer: Mapping[str, Sequence[bytes]]) -> Verdict:
        """Compare clients' records with each group's *newer* events, as they were read, in order."""
        records, verdict = [*records], Verdict()
        made: Counter[str] = Counter()
        for group, lines in newer.items():
            story = self._stories.setdefault(group, Story(group))
            for line in lines:
                event = json.loads(line)
                verdict.events += 1
                verdict.gaps += not story.add(event, line)
                made.update([event["id"]] if "id" in event else [])
        verdict.duplicated = sum(count > 1 for count in made.values())
        answered: set[str] = set()
        for record in records:
            verdict.accepted += len(record.accepted)
            verdict.refused += len(record.refused)
            verdict.retried += record.retried
            verdict.heard += len(record.heard)
            verdict.faults += record.faults
            verdict.lost += sum(not self._is_stored(line) for line in record.accepted.values())
            verdict.different += sum(self._line(heard.group, heard.seq) != heard.line for heard in record.heard)
            verdict.unfounded += sum(id in made for id in record.refused)
            both = [id for id in record.refused if id in made]
            verdict.examples += [f"refused ({record.refused[id]}) and made: {id}" for id in both]
            answered.update(record.accepted)
        verdict.unfounded += sum(id not in answered for id in made)
        verdict.examples += [f"made, and nobody was told so: {id}" for id in made if id not in answered]
        for story in self._stories.values():
            verdict.holes += story.holes(records)
            verdict.disordered += story.disordered(records)
            verdict.stale += story.stale(records)
        return verdict

    def _is_stored(self, line: bytes) -> bool:
        event = json.loads(line)
        return self._line(event["group"], event["seq"]) == line

    def _line(self, group: str, seq: int) -> bytes | None:
        story = self._stories.get(group)
        return story.lines.get(seq) if story is not None else None


def compare(records: Iterable[Record], logs: Mapping[str, Sequence[bytes]]) -> Verdict:
    """Compare clients' records with each group's log, which is its events as they were read, in order."""
    return Checker().check(records, logs)
