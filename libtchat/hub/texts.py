"""Texts that come together: one behind the other, to one group, none with an id. They are decided together."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define

from libtchat.effect import Item
from libtchat.message.request import Say

__all__ = ["Texts", "together"]


@define(eq=False)
class Texts:
    """One text or more, to be said by one user in one group."""

    sender: str | None
    group: str
    said: list[Say]


def together(items: Iterable[Item]) -> list[Item | Texts]:
    """Put texts together that may be decided together; all other items stay as they are."""
    found: list[Item | Texts] = []
    texts: Texts | None = None
    for item in items:
        if type(item) is not Say or item.id is not None:
            texts = None
            found.append(item)
        elif texts is not None and item.group == texts.group and item.sender == texts.sender:
            texts.said.append(item)
        else:
            texts = Texts(item.sender, item.group, [item])
            found.append(texts)
    return found
