"""Accounts in the stream: passwords, who may not come in, invitation codes.

Each name and each code has a subject of its own, and what is written follows what its writer knew of (compare and
append). An account that uses up a code names it: of two that name one code the first one in the stream counts, for
every node.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping

from attrs import define

from libtchat.message.names import UserKey
from tchat_server.store.event_log import LogUnavailable, Ready
from tchat_server.store.nats.intake import Intake
from tchat_server.store.nats.publisher import Publisher
from tchat_server.store.nats.record import Account, AnyRecord, Bar, Code, encode_record
from tchat_server.store.nats.subject import Subjects

__all__ = ["Accounts"]


@define
class Accounts:
    """What an operator and `register` change about users.

    Attributes:
        password_of: finds the password hash of a user, as of what was followed.
        reached: waits until everything is followed that was acknowledged.
    """

    _subjects: Subjects
    _intake: Intake
    _publisher: Publisher
    password_of: Callable[[UserKey], Awaitable[str | None]]
    reached: Callable[[], Awaitable[None]]

    async def save_user(
        self, key: UserKey, name: str, password_hash: str | None, replaces: str | None, invitation: str | None
    ) -> bool:
        """Store a password hash; see EventLog. Raises LogUnavailable."""
        subject, number = self._subjects.user(key), 0
        await self.reached()
        while not number:
            if invitation is not None and invitation not in self._intake.codes:
                return False
            after, nonce = self._intake.heads.head(subject).number, secrets.token_hex(8)
            if await self.password_of(key) != replaces:
                return False
            account = Account(key, name, password_hash, nonce, invitation)
            number = await self._append(subject, account, nonce, after)
        return True

    async def invite(self, mark: str) -> bool:
        """Let a code hold, once; see EventLog. Raises LogUnavailable."""
        nonce = secrets.token_hex(8)
        return await self._append(self._subjects.code(mark), Code(mark, nonce), nonce, 0) > 0

    async def save_bar(self, key: UserKey, name: str, until: float | None) -> bool:
        """Store until when a user may not come in; see EventLog. Raises LogUnavailable."""
        subject, number = self._subjects.bar(key), 0
        await self.reached()
        while not number:
            if until is None and key not in self._intake.bars:
                return False
            after, nonce = self._intake.heads.head(subject).number, secrets.token_hex(8)
            number = await self._append(subject, Bar(key, name, until, nonce), nonce, after)
        return True

    def barred(self) -> Ready[Mapping[UserKey, float]]:
        """Find who may not come in, as of what was followed; see EventLog."""
        return Ready(dict(self._intake.bars))

    async def _append(self, subject: str, record: AnyRecord, nonce: str, after: int) -> int:
        """Append a record that follows *after*; return its number, 0 if another one does. Raises LogUnavailable."""
        if (reason := self._intake.damaged.get(subject)) is not None:
            raise LogUnavailable(f"this cannot be changed: {reason}")
        number = await self._publisher.append(subject, [encode_record(record)], nonce, 1, after=after)
        if number is None:
            raise LogUnavailable("the engine did not store it")
        return number
