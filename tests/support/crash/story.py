"""One group's log, and what clients may have known of it when: holes, wrong order, answers that are too old."""

from __future__ import annotations

import bisect
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from attrs import define, field
from crash.writer import Heard, Record

__all__ = ["Story"]

_MUST_BE_MEMBER = ("gbroadcast", "invite", "kick", "ban", "unban", "leave")


@define
class Story:
    """The events of a group so far.

    Attributes:
        lines: by seq, as they were read.
    """

    group: str
    lines: dict[int, bytes] = field(factory=dict)
    _last: int = 0
    _members: dict[str, list[tuple[int, bool]]] = field(factory=lambda: defaultdict(list))

    def add(self, event: dict[str, Any], line: bytes) -> bool:
        """Add the next event; tell whether it is that."""
        follows = (event["group"], event["seq"]) == (self.group, self._last + 1)
        self._last = seq = event["seq"]
        self.lines[seq] = line
        action = event["action"]
        if action in ("cgroupe", "join"):
            self._members[event["sender"]].append((seq, True))
        elif action == "leave":
            self._members[event["sender"]].append((seq, False))
        elif action in ("kick", "ban"):
            self._members[event["dest"]].append((seq, False))
        return follows

    def holes(self, records: Iterable[Record]) -> int:
        """Count the events that a member did not hear between two of one connection."""
        return sum(self._missed(record.name, heard) for record in records for heard in self._by_connection(record))

    def disordered(self, records: Iterable[Record]) -> int:
        """Count the events that were asked for when one with a higher seq was acknowledged already."""
        count, earliest = 0, math.inf
        for _, sent, done in sorted(self._accepted(records), reverse=True):
            count += sent > earliest
            earliest = min(earliest, done)
        return count

    def stale(self, records: Iterable[Record]) -> int:
        """Count the answers that can't be right for any state between the request and the answer."""
        records = [*records]
        accepted = [*self._accepted(records)]
        known = _Highest(sorted((done, seq) for seq, _, done in accepted))
        later = _Highest(sorted((-sent, -seq) for seq, sent, _ in accepted))  # the lowest that was sent after
        count = 0
        for record in records:
            for id, (request, sent) in record.sent.items():
                if request["group"] != self.group or id not in record.done:
                    continue
                low = known.until(sent, 0)
                high = -later.until(-record.done[id], -self._last - 1) - 1
                if id in record.listed:
                    count += record.listed[id] < low
                elif id in record.refused:
                    count += not self._may_be(request["action"], record.refused[id], record.name, low, high)
        return count

    def _may_be(self, action: str, code: str, user: str, low: int, high: int) -> bool:
        """Tell whether a request may be refused like that after some event from *low* to *high*."""
        if code == "group-not-found":
            return low == 0
        if code == "already-member" and action == "join":
            return any(is_member for is_member in self._standings(user, low, high))
        if code == "not-member" and action in _MUST_BE_MEMBER:
            return not all(is_member for is_member in self._standings(user, low, high))
        return True

    def _standings(self, user: str, low: int, high: int) -> Iterator[bool]:
        """Yield whether *user* is a member, after *low* and after each change up to *high*."""
        changes = self._members.get(user, [])
        at = bisect.bisect_right(changes, (low, True))
        yield changes[at - 1][1] if at else False
        yield from (is_member for seq, is_member in changes[at:] if seq <= high)

    def _accepted(self, records: Iterable[Record]) -> Iterator[tuple[int, float, float]]:
        for record in records:
            for id, line in record.accepted.items():
                if id in record.sent and record.sent[id][0]["group"] == self.group:
                    yield json.loads(line)["seq"], record.sent[id][1], record.done[id]

    def _by_connection(self, record: Record) -> Iterable[list[Heard]]:
        found: dict[int, list[Heard]] = defaultdict(list)
        for heard in record.heard:
            if heard.group == self.group:
                found[heard.connection].append(heard)
        return found.values()

    def _missed(self, user: str, heard: list[Heard]) -> int:
        fresh = [it.seq for it in heard if not it.is_repeated]
        if not fresh:
            return 0
        came = {it.seq for it in heard}
        missing = (seq for seq in range(fresh[0], fresh[-1]) if seq not in came)
        return sum(all(self._standings(user, seq - 1, seq)) for seq in missing)


class _Highest:
    """The highest of the values up to some place."""

    def __init__(self, ordered: list[tuple[float, int]]) -> None:
        self._places = [place for place, _ in ordered]
        self._highest: list[int] = []
        for _, value in ordered:
            self._highest.append(max(value, self._highest[-1]) if self._highest else value)

    def until(self, place: float, nothing: int) -> int:
        at = bisect.bisect_left(self._places, place)
        return self._highest[at - 1] if at else nothing
