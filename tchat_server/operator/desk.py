"""What all acts of an operator need: the server, the fields of what is asked, and a way to say no."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from math import inf

from libtchat.effect import Settled
from libtchat.message.errors import Refused
from libtchat.message.event import LogEvent
from libtchat.message.names import UserKey, check_user_name, is_guest, user_key
from libtchat.message.reply import Error
from libtchat.ruling import Ruling, log_key
from libtchat.wire.fields import is_text
from tchat_server.clock import time_of_day
from tchat_server.ops.control import Json
from tchat_server.roster.port import Called
from tchat_server.server import Server

__all__ = ["Denied", "Desk", "Fields"]


_FOR_EVER_SECONDS = 1e11
"""Longer than calendars go."""

_REMOVAL_SECONDS = 600.0
"""How long a name is kept out at all nodes by a removal that does not come to its end: its node died."""


class Denied(Exception):
    """What was asked is not done: *key* is the sentence's, *values* are what it names."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.answer: Json = {"refused": key, **values}


class Fields:
    """The fields of a request, checked as they are used.

    Attributes:
        found: as they came. With `here` another node asks: what is asked is about this one alone.
        who: who asks.
    """

    def __init__(self, found: Json, who: str) -> None:
        self.found, self.who = found, who

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
        return float(value) if value < _FOR_EVER_SECONDS else inf

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
        loaded = await (self.server.neighbours or self.log).load(log_key(ruling))
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

    def dismiss(self, user: UserKey, why: str) -> int:
        """Close a user's connections to this server; return how many there are."""
        closed = self.hub.dismiss(user, why, self.server.now())
        self.server.tick_soon()
        return closed

    async def end_session(self, user: UserKey, why: str) -> int:
        """Close a user's connections, to other nodes too, and end the token: the next hello counts as a stranger's.

        Raises RosterUnavailable.
        """
        token = secrets.token_urlsafe(16)
        if (others := self.server.neighbours) is not None:
            return await others.roster.end(user, token, why)  # which tells every node, this one too
        closed = self.hub.dismiss(user, why, self.server.now(), token=token)
        self.server.tick_soon()
        return closed

    async def ban(self, user: UserKey, name: str, until: float) -> int:
        """Let a user not come in, and close its connections, to other nodes too; return how many there are.

        Raises LogUnavailable, RosterUnavailable.
        """
        elsewhere = 0 if (others := self.server.neighbours) is None else await others.connections(user)
        await self.log.save_bar(user, name, until)
        closed = self.hub.ban(user, until, self.server.now())
        self.server.tick_soon()
        return closed + elsewhere

    @asynccontextmanager
    async def keeping_out(self, user: UserKey, name: str, why: str) -> AsyncIterator[int]:
        """Close a user's connections and let it not come in meanwhile, at any node; yield how many were closed.

        Raises LogUnavailable, RosterUnavailable.
        """
        barred = (await self.log.barred()).get(user)
        closed = await self.end_session(user, why)
        if self.server.neighbours is None:
            self.hub.bar(user, inf)
            try:
                yield closed
            finally:
                self.hub.bar(user, barred)
            return
        until = max(barred or 0.0, time_of_day() + _REMOVAL_SECONDS)
        await self.ban(user, name, until)
        try:
            yield closed
        finally:
            await self.log.reached()
            if (await self.log.barred()).get(user) == until:  # else another operator banned it, or let it in
                await self.log.save_bar(user, name, barred)
                self.hub.bar(user, barred)

    async def others(self, fields: Fields) -> Called:
        """Have the other nodes do what is asked, each for itself; nobody, if it is about this one alone."""
        if (others := self.server.neighbours) is None or fields.found.get("here"):
            return Called()
        return await others.roster.call({**fields.found, "here": True}, fields.who)

    def online(self) -> set[UserKey]:
        """Return who is connected, to other nodes too."""
        return set(map(user_key, self.server.hub.online()))
