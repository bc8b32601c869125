"""Where the subjects of a stream stand, as far as it was followed: which record is the last one of each.

Who waits for the fate of a record of its own is told.
"""

from __future__ import annotations

import asyncio

from attrs import define, field

from tchat_server.store.sqlite.cache import Head

__all__ = ["Fate", "Heads"]

_NOTHING = Head(0, 0)


@define(eq=False)
class Fate:
    """What became of a record of ours that may follow its subject's head.

    Attributes:
        nonce: the record's.
        last: its last seq: when it is followed up to there, all of it is.
        number: the result: its number when it follows, 0 when somebody else's record does.
    """

    nonce: str
    last: int
    number: asyncio.Future[int]


@define
class Heads:
    """Per subject its head, and the fate that its next record decides. *found*: those of before; of others is none."""

    found: dict[str, Head] = field(factory=dict)
    _fates: dict[str, Fate] = field(factory=dict)
    _decided: list[tuple[Fate, int]] = field(factory=list)

    def head(self, subject: str) -> Head:
        """Return where a subject stands."""
        return self.found.get(subject, _NOTHING)

    def expect(self, subject: str, fate: Fate) -> None:
        """Have *fate* decided by the next record on *subject*."""
        self._fates[subject] = fate

    def forget(self, subject: str) -> None:
        """Expect nothing there any more."""
        self._fates.pop(subject, None)

    def is_ours(self, subject: str, nonce: str) -> bool:
        """Tell whether the next record on *subject*, with this nonce, is the one that is expected."""
        fate = self._fates.get(subject)
        return fate is not None and fate.nonce == nonce

    def follow(self, subject: str, head: Head, nonce: str, *, is_void: bool = False) -> None:
        """Take in the next record on *subject*; *is_void*: it counts as if somebody else had written it."""
        self.found[subject] = head
        is_ours = self.is_ours(subject, nonce)
        if not is_ours or head.seq >= self._fates[subject].last:
            self._decide(subject, head.number if is_ours and not is_void else 0)

    def spoil(self, subject: str) -> None:
        """Take note that a record is damaged, and nothing follows on *subject* any more."""
        self._decide(subject, 0)

    def tell(self) -> None:
        """Tell who waits what was decided."""
        decided, self._decided = self._decided, []
        for fate, number in decided:
            if not fate.number.done():
                fate.number.set_result(number)

    def give_up(self, error: Exception) -> None:
        """Let all that wait fail."""
        for fate in self._fates.values():
            if not fate.number.done():
                fate.number.set_exception(error)
                fate.number.exception()  # whoever waited may have been cancelled
        self._fates.clear()

    def _decide(self, subject: str, number: int) -> None:
        if (fate := self._fates.pop(subject, None)) is not None:
            self._decided.append((fate, number))
