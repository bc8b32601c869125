"""How far a server is followed that asks for time, or for one page more."""

from __future__ import annotations

from collections.abc import Hashable

from attrs import define, field

from tchat_client.errors import NotTchat

__all__ = ["MAX_TRIES", "Bound", "patience"]

MAX_TRIES = 30
"""How often something is tried again for a server that asks for patience."""

_LEAST_SECONDS, _USUAL_SECONDS, _MOST_SECONDS = 0.1, 1.0, 60.0
_MOST_PAGES = 2000  # of names: some 400 000
_MOST_CHARACTERS = 32 * 1024 * 1024


def patience(asked: float | None) -> float:
    """Return how many seconds to wait where a server asks for *asked* (`retry_after`): 0.1 to 60, 1 if that is none."""
    if asked is None or not asked > 0:
        return _USUAL_SECONDS
    return min(max(asked, _LEAST_SECONDS), _MOST_SECONDS)


@define
class Bound:
    """Counts the pages of one list, so that a server which always has more is not followed for ever."""

    most_pages: int = _MOST_PAGES
    most_characters: int = _MOST_CHARACTERS
    _seen: set[Hashable] = field(factory=set)
    _characters: int = 0

    def take(self, place: Hashable, characters: int) -> None:
        """Note that a page of so many *characters* came, and that the next one is asked for from *place*.

        Raises:
            NotTchat: there were too many pages or characters, or that place was asked for before.
        """
        self._characters += characters
        if place in self._seen or len(self._seen) >= self.most_pages or self._characters > self.most_characters:
            raise NotTchat("endless-list", pages=len(self._seen) + 1)
        self._seen.add(place)
