"""Mappings that are values: a dictionary and a `SortedMap` are one thing to whoever uses them."""

from __future__ import annotations

import sys
import tracemalloc

import pytest
from harness import repeatable
from hypothesis import given
from hypothesis import strategies as st

from libtchat.sorted_map import SortedMap, entries_above, with_entry, without

CHANGES = st.lists(st.tuples(st.booleans(), st.integers(0, 700)), max_size=60)


@repeatable(150)
@given(st.integers(0, 600), CHANGES)
def test_it_is_the_dictionary_it_stands_for(size: int, changes: list[tuple[bool, int]]) -> None:
    model = {f"user-{number * 7919 % 700}": number for number in range(size)}
    mapping = model.copy() if size % 2 else with_entry(model.copy(), "user-0", -1)
    model = dict(mapping)
    for is_more, number in changes:
        key, before = f"user-{number}", (mapping, dict(mapping))
        mapping = with_entry(mapping, key, number) if is_more else without(mapping, key)
        if is_more:
            model[key] = number
        else:
            model.pop(key, None)
        assert [*before[0].items()] == [*before[1].items()], "what it was made from has changed"
    assert [*mapping.items()] == [*model.items()]
    assert (len(mapping), mapping == model, model == mapping) == (len(model), True, True)
    assert [key for key in (f"user-{number}" for number in range(700)) if key in mapping] == [
        key for key in (f"user-{number}" for number in range(700)) if key in model
    ]
    for start, most in (("", 1000), ("user-3", 5), ("user-35", 1000), ("z", 3)):
        expected = sorted(entry for entry in model.items() if entry[0] > start)[:most]
        assert entries_above(mapping, start, most) == expected


def test_what_is_emptied_is_empty_and_can_be_filled_again() -> None:
    names = [f"user-{number}" for number in range(1000)]
    mapping = SortedMap.of((name, name) for name in names)
    for name in names:
        mapping = mapping.minus(name)
    assert (len(mapping), [*mapping], entries_above(mapping, "", 10)) == (0, [], [])
    with pytest.raises(KeyError):
        mapping["user-1"]
    for name in names:
        mapping = mapping.plus(name, name)
    assert [*mapping] == names


def test_a_version_costs_little_beside_the_one_it_was_made_from() -> None:
    mapping = with_entry({f"user-{number:05}": "name" for number in range(10_000)}, "more", "more")
    tracemalloc.start()
    versions = []
    for number in range(100):
        mapping = without(with_entry(mapping, f"new-{number}", "name"), f"user-{number * 97:05}")
        versions.append(mapping)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown / len(versions) < sys.getsizeof(dict(mapping)) / 20
