"""Mappings of names that are values: one more or one fewer entry makes another mapping and leaves the first as it was.

A small mapping is a dictionary, copied when it changes. A large one is a `SortedMap`, which shares nearly everything
with the one it was made from, so a change of 10 000 entries copies some 200 references.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import ItemsView, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, Generic, TypeVar

__all__ = ["SortedMap", "entries_above", "with_entry", "without"]

_K = TypeVar("_K", bound=str)
_V = TypeVar("_V")

_SMALL = 256
"""Below this a dictionary is the quicker one: to change, to look up, to sort."""

_CHUNK = 128
"""Entries of a piece that is copied when one of them changes: about the square root of the most there are."""

Row = tuple[Any, ...]


class _Rows:
    """Rows in their order, in chunks of at most `_CHUNK`, none of them empty. Never changed after it was made."""

    __slots__ = ("chunks", "lasts")

    def __init__(self, chunks: tuple[tuple[Row, ...], ...]) -> None:
        self.chunks: tuple[tuple[Row, ...], ...] = chunks
        self.lasts: tuple[Row, ...] = tuple([chunk[-1] for chunk in chunks])

    @classmethod
    def of(cls, rows: list[Row]) -> _Rows:
        """Make one of *rows*, which are sorted."""
        half = _CHUNK // 2
        return cls(tuple([tuple(rows[start : start + half]) for start in range(0, len(rows), half)]))

    def __iter__(self) -> Iterator[Row]:
        return chain.from_iterable(self.chunks)

    def place(self, row: Row) -> tuple[int, int]:
        """Return the chunk and the index of the first row that is not below *row*."""
        number = bisect_left(self.lasts, row)
        return number, bisect_left(self.chunks[number], row) if number < len(self.chunks) else 0

    def starting(self, row: Row) -> Iterator[Row]:
        """Go through the rows that are not below *row*."""
        number, index = self.place(row)
        if number == len(self.chunks):
            return iter(())
        return chain(self.chunks[number][index:], chain.from_iterable(islice(self.chunks, number + 1, None)))

    def plus(self, row: Row) -> _Rows:
        """Return these rows and *row*."""
        if not self.chunks:
            return _Rows(((row,),))
        number, index = self.place(row)
        if number == len(self.chunks):
            number, index = number - 1, len(self.chunks[-1])
        chunk = self.chunks[number]
        return self._replaced(number, number + 1, (*chunk[:index], row, *chunk[index:]))

    def minus(self, row: Row) -> _Rows:
        """Return these rows without *row*, which is one of them."""
        number, index = self.place(row)
        chunk = self.chunks[number]
        chunk, end = chunk[:index] + chunk[index + 1 :], number + 1
        if len(chunk) < _CHUNK // 4 and end < len(self.chunks):
            chunk, end = chunk + self.chunks[end], end + 1
        return self._replaced(number, end, chunk)

    def _replaced(self, start: int, end: int, chunk: tuple[Row, ...]) -> _Rows:
        middle = len(chunk) // 2
        cut = (chunk[:middle], chunk[middle:]) if len(chunk) > _CHUNK else (chunk,) if chunk else ()
        return _Rows((*self.chunks[:start], *cut, *self.chunks[end:]))


class SortedMap(Mapping[_K, _V], Generic[_K, _V]):
    """A large mapping that is a value. It goes through its entries in the order they came in, as a dictionary does.

    Its rows are kept twice: `(key, number, value)` by key, and `(number, key)` by number, which rises with each entry.
    """

    __slots__ = ("_by_age", "_by_key", "_next", "_size")

    def __init__(self, by_key: _Rows, by_age: _Rows, size: int, next: int) -> None:
        self._by_key = by_key
        self._by_age = by_age
        self._size = size
        self._next = next

    @classmethod
    def of(cls, items: Iterable[tuple[_K, _V]]) -> SortedMap[_K, _V]:
        """Make one of *items*, each key once."""
        rows: list[Row] = [(key, number, value) for number, (key, value) in enumerate(items)]
        by_age: list[Row] = [(number, key) for key, number, _ in rows]
        rows.sort(key=lambda row: row[0])
        return cls(_Rows.of(rows), _Rows.of(by_age), len(rows), len(rows))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[_K]:
        return (key for _, key in self._by_age)

    def __contains__(self, key: object) -> bool:
        return self._row(key) is not None

    def __getitem__(self, key: _K) -> _V:
        if (row := self._row(key)) is None:
            raise KeyError(key)
        value: _V = row[2]
        return value

    def items(self) -> ItemsView[_K, _V]:
        """Return the entries as of a dictionary: without looking up every key."""
        values = {row[0]: row[2] for row in self._by_key}
        return {key: values[key] for _, key in self._by_age}.items()

    def __repr__(self) -> str:
        return f"SortedMap({dict(self)})"

    def above(self, key: str, most: int) -> list[tuple[_K, _V]]:
        """List at most *most* entries with a key above *key*, by key."""
        return [(row[0], row[2]) for row in islice(self._by_key.starting((key, self._next)), most)]

    def plus(self, key: _K, value: _V) -> SortedMap[_K, _V]:
        """Return this mapping with *key*, which keeps its place if it is there already."""
        row, number = self._row(key), self._next
        if row is not None:
            by_key = self._by_key.minus(row).plus((key, row[1], value))
            return SortedMap(by_key, self._by_age, self._size, number)
        by_key, by_age = self._by_key.plus((key, number, value)), self._by_age.plus((number, key))
        return SortedMap(by_key, by_age, self._size + 1, number + 1)

    def minus(self, key: _K) -> SortedMap[_K, _V]:
        """Return this mapping without *key*, which is in it."""
        row = self._row(key)
        assert row is not None
        by_key, by_age = self._by_key.minus(row), self._by_age.minus((row[1], key))
        return SortedMap(by_key, by_age, self._size - 1, self._next)

    def _row(self, key: object) -> Row | None:
        rows = self._by_key
        number = bisect_left(rows.lasts, (key,))
        if number == len(rows.lasts):
            return None
        chunk = rows.chunks[number]
        row = chunk[bisect_left(chunk, (key,))]
        return row if row[0] == key else None


def with_entry(mapping: Mapping[_K, _V], key: _K, value: _V) -> Mapping[_K, _V]:
    """Return *mapping* with one more entry, or another value for one that keeps its place."""
    if isinstance(mapping, SortedMap):
        return mapping.plus(key, value)
    if len(mapping) >= _SMALL:
        return SortedMap.of(mapping.items()).plus(key, value)
    return {**mapping, key: value}


def without(mapping: Mapping[_K, _V], key: _K) -> Mapping[_K, _V]:
    """Return *mapping* without *key*; itself, if that is not in it."""
    if key not in mapping:
        return mapping
    if isinstance(mapping, SortedMap):
        smaller = mapping.minus(key)
        return smaller if len(smaller) > _SMALL // 2 else dict(smaller)
    if len(mapping) > _SMALL:
        return SortedMap.of(mapping.items()).minus(key)
    return {k: v for k, v in mapping.items() if k != key}


def entries_above(mapping: Mapping[_K, _V], key: str, most: int) -> list[tuple[_K, _V]]:
    """List at most *most* entries of *mapping* with a key above *key* ("": all), by key."""
    if isinstance(mapping, SortedMap):
        return mapping.above(key, most)
    above = [k for k in mapping if k > key] if key else mapping
    return [(k, mapping[k]) for k in sorted(above)[:most]]
