"""Looking for a word in a group's history, or in the texts with a user, the newest first, some pages at a time."""

from __future__ import annotations

import re
import unicodedata

from attrs import define

from libtchat.message.direct import Sent
from libtchat.message.event import Said
from libtchat.message.reply import Error, Messages
from libtchat.message.request import ListMessages
from tchat_client.link import Link

__all__ = ["History"]

_ENOUGH, _MOST_PAGES, _PAGE = 20, 20, 1000
_WITH_USER = re.compile(r"(@[\w.-]+)\s+(.+)", re.DOTALL)


@define
class History:
    """One search.

    Attributes:
        group: its name, or `@bob` for the texts with bob.
        before: the seq that the next page ends before, None at the start.
        is_over: there is nothing older.
    """

    group: str
    word: str
    before: int | None = None
    is_over: bool = False

    @classmethod
    def of(cls, text: str, group: str | None) -> History | None:
        """Begin what `/search` *text* asks for: `@bob lunch` is about the texts with bob, all else about *group*.

        None if there is no group to look through.
        """
        if found := _WITH_USER.fullmatch(text):
            return cls(found[1], found[2])
        return None if group is None else cls(group, text)

    async def find(self, link: Link) -> list[Said | Sent] | Error:
        """Return the next texts with the word, oldest first: up to a screen full, after so many pages perhaps none.

        Raises:
            LinkError: there is no answer.
        """
        found: list[Said | Sent] = []
        for _ in range(_MOST_PAGES):
            page = await link.ask(ListMessages(self.group, before=self.before, limit=_PAGE), quiet=True)
            if isinstance(page, Error):
                return page
            if not isinstance(page, Messages) or not page.list:
                self.is_over = True
                break
            hits = [said for said in page.list if _plain(self.word) in _plain(said.msg)]
            kept = hits[-(_ENOUGH - len(found)) :]
            found = [*kept, *found]
            is_cut = len(kept) < len(hits)
            self.before = kept[0].seq if is_cut else page.first
            self.is_over = not is_cut and not page.more
            if self.is_over or len(found) >= _ENOUGH:
                break
        return found


def _plain(text: str) -> str:
    """Return *text* without accents, in small letters: `ete` finds `Été`."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c)).casefold()
