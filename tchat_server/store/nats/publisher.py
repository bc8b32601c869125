"""Appends records to the stream: each follows the record its writer knew of, or is refused (compare and append).

Whether one is stored may be unknown: the engine's leader died, an answer was lost. Then the same record is sent again
until it is known whose record follows. All copies expect the same one before them, so at most one of them is stored.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Sequence

from tchat_server.store.nats.connection import Connection, EngineGone, NobodyThere, Refused
from tchat_server.store.nats.follower import Follower
from tchat_server.store.nats.intake import Fate, Intake

__all__ = ["MAX_RECORD_BYTES", "Publisher"]

MAX_RECORD_BYTES = 512 * 1024

_EXPECTED = "Nats-Expected-Last-Subject-Sequence"
_NOT_LAST = (10071, 10164)
"""The engine's numbers for "another record follows", and "another one may be about to"."""

_ANSWER_SECONDS = 2.0
GIVE_UP_SECONDS = 10.0
_FOLLOW_SECONDS = 0.1
_PAUSES = (0.02, 0.05, 0.1, 0.25, 0.5)

logger = logging.getLogger("tchat_server")


class Publisher:
    """Sends records until their fate is known.

    Attributes:
        appended_total, conflicts_total, resent_total: records of ours that follow; refused; sent once more.
    """

    def __init__(self, connection: Connection, follower: Follower, intake: Intake) -> None:
        self._connection, self._follower, self._intake = connection, follower, intake
        self.appended_total = self.conflicts_total = self.resent_total = 0

    async def append(self, subject: str, records: Sequence[bytes], nonce: str, last: int) -> bool | None:
        """Append *records*, all or none, after the head of *subject*.

        Args:
            nonce: what tells them from all others.
            last: the seq they end with.
        Returns:
            True: they are followed; False: somebody else's are; None: they are not stored, and never will be.
        """
        fate = Fate(nonce, last, asyncio.get_running_loop().create_future())
        self._intake.expect(subject, fate)
        try:
            return await self._append(subject, records, self._intake.head(subject).number, fate)
        finally:
            self._intake.forget(subject)

    async def _append(self, subject: str, records: Sequence[bytes], number: int, fate: Fate) -> bool | None:
        begun = asyncio.get_running_loop().time()
        may_be_stored = False
        pauses = iter(_PAUSES)
        while not fate.is_ours.done():
            seconds = next(pauses, _PAUSES[-1])
            try:
                if not self._connection.is_connected:
                    raise NobodyThere
                await self._send(subject, records, number)
                may_be_stored = True
                seconds = _FOLLOW_SECONDS
            except NobodyThere:
                pass
            except EngineGone:
                may_be_stored = True
            except Refused as error:
                if error.code not in _NOT_LAST:
                    logger.warning("engine: a record is refused: %s (%d)", error, error.code)
                    if not may_be_stored:
                        return None
            if not may_be_stored and asyncio.get_running_loop().time() > begun + GIVE_UP_SECONDS:
                return None
            if not fate.is_ours.done():
                await asyncio.wait([fate.is_ours], timeout=seconds)
            if not fate.is_ours.done():
                self._follower.look()
                await asyncio.wait([fate.is_ours], timeout=seconds)
                self.resent_total += not fate.is_ours.done()
        is_ours = fate.is_ours.result()
        self.appended_total += is_ours
        self.conflicts_total += not is_ours
        return is_ours

    async def _send(self, subject: str, records: Sequence[bytes], number: int) -> None:
        headers = {_EXPECTED: str(number)}
        if len(records) > 1:
            headers |= {"Nats-Batch-Id": secrets.token_hex(16), "Nats-Batch-Sequence": "1"}
            for at, record in enumerate(records[:-1], 1):
                await self._connection.send(subject, record, headers=headers)
                headers = {"Nats-Batch-Id": headers["Nats-Batch-Id"], "Nats-Batch-Sequence": str(at + 1)}
            headers["Nats-Batch-Commit"] = "1"
        await self._connection.publish(subject, records[-1], headers, seconds=_ANSWER_SECONDS)

    async def mark(self, subject: str, record: bytes) -> int:
        """Append a record that replaces the last one on *subject*; return its number. Raises EngineGone."""
        deadline = asyncio.get_running_loop().time() + GIVE_UP_SECONDS
        while True:
            try:
                return await self._connection.publish(subject, record, {"Nats-Rollup": "sub"}, seconds=_ANSWER_SECONDS)
            except (EngineGone, Refused) as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise EngineGone(str(error)) from None
            await asyncio.sleep(_PAUSES[2])
