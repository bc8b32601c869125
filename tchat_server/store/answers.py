"""The questions of the hub, and what answers them: the log, the roster, or a slow function."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import assert_never

from libtchat.cluster import Clustered, FindSeat, Prove, ReleaseSeat, TakeSeat
from libtchat.effect import (
    Answer,
    AwaitRoom,
    CheckPassword,
    CheckRequest,
    FindRetry,
    FindUser,
    HashPassword,
    LoadGroup,
    LoadUser,
    NumberGuest,
    Question,
    SaveUser,
)
from libtchat.message.names import UserKey
from libtchat.stored import Loaded
from tchat_server.password import Passwords, mark_of
from tchat_server.roster.port import Roster
from tchat_server.store.event_log import EventLog, Ready

__all__ = ["Answers"]


class Answers:
    """Answers the hub's questions from the log and the roster, by deriving hashes, and by asking the program around.

    Args:
        check: tells whether a request may be decided; it raises nothing.
    """

    def __init__(
        self, log: EventLog, check: Callable[[CheckRequest], Awaitable[Answer]], roster: Roster | None = None
    ) -> None:
        self._log, self._check, self._roster = log, check, roster
        self._passwords = Passwords()
        self._saves: dict[SaveUser, Awaitable[bool]] = {}
        self._loads: dict[LoadGroup, asyncio.Future[Loaded]] = {}

    def answer(self, question: Question, origin: str = "") -> Awaitable[Answer]:
        """Answer a question of somebody who comes from *origin*, an address.

        Awaiting it raises LogUnavailable or RosterUnavailable if it can't be answered now.
        """
        match question:
            case LoadGroup():
                return self._load(question)
            case LoadUser(key=user):
                return self._log.load_user(user)
            case FindUser(key=user):
                return self._log.find_user(user)
            case FindRetry(key=user, id=id):
                return self._log.find_retry(user, id)
            case SaveUser():
                return self._save(question)
            case HashPassword(password=password):
                return self._passwords.hash(password, origin)
            case CheckPassword(password=password, password_hash=stored):
                return self._passwords.check(password, stored, origin)
            case NumberGuest():
                return self._log.number_guest()
            case CheckRequest():
                return self._check(question)
            case Prove() | FindSeat() | TakeSeat() | ReleaseSeat():
                assert self._roster is not None, "a hub that is a node needs a roster"
                return self._of_roster(self._roster, question)
            case AwaitRoom():
                raise TypeError("the connection that is asked about answers this")
            case _:
                assert_never(question)

    def _of_roster(self, roster: Roster, question: Clustered) -> Awaitable[Answer]:
        match question:
            case Prove():
                return _proof(self._log, roster)
            case FindSeat(key=user, known=known):
                return roster.find(user, known=known)
            case TakeSeat(seat=seat):
                return roster.take(seat)
            case ReleaseSeat(key=user):
                return _released(roster, user)
            case _:
                assert_never(question)

    def told(self, question: Question) -> None:
        """Forget what the hub was told the answer of: who asks once more has it done once more."""
        if isinstance(question, SaveUser):
            self._saves.pop(question, None)

    def close(self) -> None:
        """Give up hashes that wait for their turn."""
        self._passwords.close()

    def _load(self, load: LoadGroup) -> Awaitable[Answer]:
        """Load a group once, however many ask for it meanwhile: a large one takes long, and a crowd may ask."""
        if (found := self._loads.get(load)) is not None:
            return found
        loaded = self._log.load(load.key)
        if not isinstance(loaded, Ready):
            loaded = self._loads[load] = asyncio.ensure_future(loaded)
            loaded.add_done_callback(lambda _: self._loads.pop(load))
        return loaded

    def _save(self, save: SaveUser) -> Awaitable[Answer]:
        """Store a password once, however many wait for it."""
        if (found := self._saves.get(save)) is not None:
            return found
        mark = None if save.invitation is None else mark_of(save.invitation)
        saved = self._log.save_user(save.key, save.name, save.password_hash, replaces=save.replaces, invitation=mark)
        if not isinstance(saved, Ready):
            saved = self._saves[save] = asyncio.ensure_future(saved)
        return saved


async def _proof(log: EventLog, roster: Roster) -> bool:
    """Wait for both at once, so that neither is of before the question."""
    reached = [asyncio.ensure_future(it.reached()) for it in (log, roster)]
    await asyncio.gather(*reached)
    return True


async def _released(roster: Roster, user: UserKey) -> bool:
    await roster.release(user)
    return True
