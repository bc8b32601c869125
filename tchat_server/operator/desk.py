"""What all acts of an operator need: the server, the fields of what is asked, and a way to say no."""

from __future__ import annotations

import asyncio
import secrets
from itertools import count
from math import inf

from libtchat.effect import Settled
from libtchat.message.errors import Refused
from libtchat.message.event import LogEvent
from libtchat.message.names import UserKey, check_user_name, is_guest, user_key
from libtchat.message.reply import Error
from libtchat.ruling import Ruling, log_key
from libtchat.wire.fields import is_text
from tchat_server.ops.control import Json
from tchat_server.server import Server

__all__ = ["Denied", "Desk", "Fields"]


class Denied(Exception):
    """What was asked is not done: *key* is the sentence's, *values* are what it names."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.answer: Json = {"refused": key, **values}


class Fields:
    """The fields of a request, checked as they are used."""

    def __init__(self, found: Json) -> None:
        self.found = found

    def text(self, name: str) -> str:
        """Return a text that is not empty. Raises Denied."""
        value = self.found.get(name)
        if not isinstance(value, str) or not value.strip() or not is_text(value):
            raise Denied("no-field", field=name)
        return value

    def number(self, name: str, least: int, most: int) -> int:
        """Return a number, the least one if there is none. Raises Denied."""
        value = self.found.get(name, least)
        if type(value) is not int or not least <= value <= most:
            raise Denied("bad-number", field=name, least=least, most=most)
        return value

    def seconds(self, name: str) -> float:
        """Return a time above 0, inf if there is none. Raises Denied."""
        value = self.found.get(name)
        if value is None:
            return inf
        if type(value) not in (int, float) or not value > 0:
            raise Denied("no-field", field=name)
        return float(value)

    def user(self) -> tuple[str, UserKey]:
        """Return the user's name, and its key. Raises Denied."""
        name = self.text("name")
        if not is_guest(user_key(name)):
            try:
                name = check_user_name(name)
            except Refused:
                raise Denied("bad-name", name=name) from None
        return name, user_key(name)


class Desk:
    """A server as its operator has it at hand.

    Attributes:
        server, log, hub: the server's; *hub* is the part of it that is for operators.
    """

    def __init__(self, server: Server) -> None:
        self.server, self.log, self.hub = server, server.log, server.hub.operator
        self._tickets = count(1)
        self._rulings: dict[int, asyncio.Future[LogEvent | Error]] = {}
        server.settled = self._settle

    async def rule(self, ruling: Ruling) -> LogEvent:
        """Have a ruling decided and made durable; return its event. Raises Denied, LogUnavailable."""
        loaded = await self.log.load(log_key(ruling))
        ticket = next(self._tickets)
        outcome = self._rulings[ticket] = asyncio.get_running_loop().create_future()
        self.hub.rule(ruling, ticket, loaded, self.server.now())
        self.server.tick_soon()
        try:
            found: LogEvent | Error = await outcome
        finally:
            del self._rulings[ticket]
        if isinstance(found, Error):
            raise Denied(found.code, detail=found.msg, group=ruling.group, name=getattr(ruling, "dest", None))
        return found

    def _settle(self, settled: Settled) -> None:
        if (waiting := self._rulings.get(settled.ticket)) is not None and not waiting.done():
            waiting.set_result(settled.outcome)

    def dismiss(self, user: UserKey, why: str, *, ends_token: bool = True) -> int:
        """Close a user's connections; when the token ends too, the next hello counts as a stranger's."""
        token = secrets.token_urlsafe(16) if ends_token else None
        closed = self.hub.dismiss(user, why, self.server.now(), token=token)
        self.server.tick_soon()
        return closed

    def online(self) -> set[UserKey]:
        """Return who is connected."""
        return set(map(user_key, self.server.hub.online()))
