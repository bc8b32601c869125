"""Appends records to the stream: each follows the record its writer knew of, or is refused (compare and append).

Whether one is stored may be unknown: the engine's leader died, an answer was lost. Then the same record is sent again
until it is known whose record follows. All copies expect the same one before them, so at most one of them is stored.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Sequence

from tchat_server.store.nats.connection import Connection
from tchat_server.store.nats.errors import EngineGone, EngineRefused, NobodyThere
from tchat_server.store.nats.follower import Follower
from tchat_server.store.nats.heads import Fate, Heads

__all__ = ["MAX_RECORD_BYTES", "Publisher"]

MAX_RECORD_BYTES = 512 * 1024

_EXPECTED = "Nats-Expected-Last-Subject-Sequence"
_NOT_LAST = (10071, 10164)
"""The engine's numbers for "another record follows", and "another one may be about to"."""
_NOTHING_THERE = "wrong last sequence: 0"

_ANSWER_SECONDS = (0.25, 0.25, 0.5, 1.0, 2.0)
"""How long an answer is waited for, at first and later: what a leader that stepped down was sent is not answered."""
GIVE_UP_SECONDS = 10.0
_FOLLOW_SECONDS = 0.1
_PAUSES = (0.02, 0.05, 0.1, 0.25, 0.5)

logger = logging.getLogger("tchat_server")


class Publisher:
    """Sends records until their fate is known.

    Attributes:
        appended_total, conflicts_total, resent_total: records of ours that follow; refused; sent once more.
    """

    def __init__(self, connection: Connection, follower: Follower, heads: Heads) -> None:
        self._connection, self._follower, self._heads = connection, follower, heads
        self.appended_total = self.conflicts_total = self.resent_total = 0

    async def append(
        self,
        subject: str,
        records: Sequence[bytes],
        nonce: str,
        last: int = 0,
        *,
        after: int | None = None,
        seconds: float | None = None,
        may_vanish: bool = False,
    ) -> int | None:
        """Append *records*, all or none.

        Args:
            nonce: what tells them from all others.
            last: the seq they end with.
            after: the number of the record they follow; by default the last one known.
            seconds: after which they vanish.
            may_vanish: what they are to follow may have vanished; then they follow nothing.
        Returns:
            The number of the last one, once they are followed; 0 if somebody else's are; None: they are not stored,
            and never will be.
        """
        head = self._heads.head(subject).number
        if after is None:
            after = head
        if after != head:
            return 0
        fate = Fate(nonce, last, asyncio.get_running_loop().create_future())
        self._heads.expect(subject, fate)
        try:
            number = await self._append(subject, records, after, fate, seconds, may_vanish)
        finally:
            self._heads.forget(subject)
        self.appended_total += bool(number)
        self.conflicts_total += number == 0
        return number

    async def _append(
        self, subject: str, records: Sequence[bytes], after: int, fate: Fate, seconds: float | None, may_vanish: bool
    ) -> int | None:
        begun = asyncio.get_running_loop().time()
        may_be_stored = False
        pauses, waits = iter(_PAUSES), iter(_ANSWER_SECONDS)
        while not fate.number.done():
            pause = next(pauses, _PAUSES[-1])
            try:
                if not self._connection.is_connected:
                    raise NobodyThere
                await self._send(subject, records, after, seconds, next(waits, _ANSWER_SECONDS[-1]))
                may_be_stored = True
                pause = _FOLLOW_SECONDS
            except NobodyThere:
                pass
            except EngineGone:
                may_be_stored = True
            except EngineRefused as error:
                if may_vanish and after and str(error).endswith(_NOTHING_THERE):
                    after = 0
                    continue
                if error.code not in _NOT_LAST:
                    logger.warning("engine: a record is refused: %s (%d)", error, error.code)
                    if not may_be_stored:
                        return None
            if not may_be_stored and asyncio.get_running_loop().time() > begun + GIVE_UP_SECONDS:
                return None
            await self._wait(fate, pause)
        return fate.number.result()

    async def _wait(self, fate: Fate, seconds: float) -> None:
        """Wait for what follows; if that is not told soon, look for it."""
        for _ in range(2):
            if not fate.number.done():
                await asyncio.wait([fate.number], timeout=seconds)
            if fate.number.done():
                return
            self._follower.look()
        self.resent_total += 1

    async def _send(
        self, subject: str, records: Sequence[bytes], after: int, seconds: float | None, patience: float
    ) -> None:
        headers = {_EXPECTED: str(after)}
        if seconds is not None:
            headers["Nats-TTL"] = f"{max(1, int(seconds))}s"
        if len(records) > 1:
            headers |= {"Nats-Batch-Id": secrets.token_hex(16), "Nats-Batch-Sequence": "1"}
            for at, record in enumerate(records[:-1], 2):
                await self._connection.send(subject, record, headers=headers)
                headers = {"Nats-Batch-Id": headers["Nats-Batch-Id"], "Nats-Batch-Sequence": str(at)}
            headers["Nats-Batch-Commit"] = "1"
        await self._connection.publish(subject, records[-1], headers, seconds=patience)

    async def mark(self, subject: str, record: bytes) -> int:
        """Append a record that replaces the last one on *subject*; return its number. Raises EngineGone."""
        deadline = asyncio.get_running_loop().time() + GIVE_UP_SECONDS
        waits = iter(_ANSWER_SECONDS)
        while True:
            patience = next(waits, _ANSWER_SECONDS[-1])
            try:
                return await self._connection.publish(subject, record, {"Nats-Rollup": "sub"}, seconds=patience)
            except (EngineGone, EngineRefused) as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise EngineGone(str(error)) from None
            await asyncio.sleep(_PAUSES[2])
