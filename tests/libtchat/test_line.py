"""The line of outcomes by itself: places, one append at a time, and what leaves when."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from attrs import define

from libtchat.effect import Append, Part
from libtchat.group import Group
from libtchat.hub import line as line_module
from libtchat.hub.line import Line
from libtchat.message.event import Said
from libtchat.message.names import Key

WOB, DEN = Key("wob"), Key("den")


@define(eq=False)
class Entry(line_module.Entry):
    """An entry that is called something."""

    name: str
    key: Key | None = None
    part: Part | None = None


def said(name: str, seq: int, key: Key = WOB) -> Entry:
    event = Said("alice", key, name, seq, "2026-01-02T03:04:05.678Z")
    after = Group(key, False, seq, event.ts, None, {}, {}, {})
    return Entry(name, key, Part(key, seq - 1, (event,), after, (f"digest of {name}",)))


def a_line(*entries: Entry) -> Line[Entry]:
    line: Line[Entry] = Line()
    for entry in entries:
        line.put(entry)
    return line


def leaving(line: Line[Entry]) -> list[str]:
    return [entry.name for entry in line.leaving()]


def texts(append: Append | None) -> list[list[str]]:
    assert append is not None
    return [[event.msg for event in part.events if isinstance(event, Said)] for part in append.parts]


def same(entry: Entry, lost: bool) -> Iterator[Entry]:
    yield entry


def test_what_needs_no_storage_leaves_at_once_and_what_stands_behind_an_event_waits() -> None:
    line = a_line(Entry("a"), said("b", 1), Entry("c"), Entry("d", WOB))
    assert leaving(line) == ["a"]
    assert len(line) == 3
    line.append()
    assert leaving(line) == []
    line.committed()
    assert leaving(line) == ["b", "c", "d"]
    assert len(line) == 0


def test_one_append_is_out_and_all_that_comes_meanwhile_rides_in_the_next() -> None:
    line = a_line(said("a", 5), said("x", 1, DEN))
    first = line.append()
    assert texts(first) == [["a"], ["x"]]
    for entry in (said("b", 6), Entry("q"), said("y", 2, DEN), said("c", 7)):
        line.put(entry)
    assert line.append() is None
    line.committed()
    assert leaving(line) == ["a", "x"]
    second = line.append()
    assert texts(second) == [["b", "c"], ["y"]]
    assert second is not None
    part = second.parts[0]
    assert (part.key, part.expected, part.digests) == (WOB, 5, ("digest of b", "digest of c"))
    assert part.after.seq == 7
    line.committed()
    assert leaving(line) == ["b", "q", "y", "c"]
    assert line.append() is None


def test_parts_that_are_durable_wait_for_those_ahead_of_them_that_failed() -> None:
    line = a_line(said("a", 1), said("x", 1, DEN), Entry("q"), said("b", 2))
    line.append()
    asked = []

    def again(entry: Entry, lost: bool) -> Iterator[Entry]:
        asked.append((entry.name, lost))
        yield entry

    line.put(said("c", 3))
    line.rejected({WOB: ()}, again)
    assert asked == [("a", True), ("b", True), ("c", False)]
    assert leaving(line) == []
    assert texts(line.append()) == [["a", "b", "c"]]
    line.committed()
    assert leaving(line) == ["a", "x", "q", "b", "c"]


def test_what_is_decided_again_stands_in_its_place_and_others_may_stand_before_it() -> None:
    line = a_line(Entry("p", DEN), said("a", 1), Entry("q"), Entry("r", WOB))
    line.append()
    foreign = said("foreign", 1)
    foreign.durable = True

    def again(entry: Entry, lost: bool) -> Iterator[Entry]:
        if entry.name == "a":
            yield foreign
            yield said("a", 2)
        else:
            yield Entry(entry.name + " again", entry.key)

    line.rejected({WOB: ()}, again)
    assert leaving(line) == ["p", "foreign"]
    assert texts(line.append()) == [["a"]]
    line.committed()
    assert leaving(line) == ["a", "q", "r again"]


def test_what_failed_and_needs_no_storage_any_more_leaves() -> None:
    line = a_line(said("a", 1), Entry("q"))
    line.append()
    line.rejected({WOB: ()}, lambda entry, lost: iter((Entry("unavailable", WOB),)))
    assert leaving(line) == ["unavailable", "q"]
    assert line.append() is None


def test_what_is_durable_is_not_decided_again() -> None:
    line = a_line(said("x", 1, DEN), said("a", 1))
    line.append()
    line.rejected({DEN: ()}, same)
    line.put(said("b", 2))
    line.append()
    asked: list[str] = []

    def again(entry: Entry, lost: bool) -> Iterator[Entry]:
        asked.append(entry.name)
        yield entry

    assert [entry.name for entry in line.revisable()] == ["x", "b"]
    line.rejected({WOB: ()}, again)
    assert asked == ["b"]


@pytest.mark.parametrize("settle", [lambda line: line.committed(), lambda line: line.rejected({}, same)])
def test_nothing_can_be_settled_when_nothing_is_out(settle: object) -> None:
    assert callable(settle)
    with pytest.raises(RuntimeError, match="no append is out"):
        settle(a_line(said("a", 1)))


def test_nothing_can_fail_that_was_not_out() -> None:
    line = a_line(said("a", 1))
    line.append()
    with pytest.raises(ValueError, match="den"):
        line.rejected({DEN: ()}, same)
    line.committed()
    assert leaving(line) == ["a"]
