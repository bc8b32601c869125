"""What an operator may have done, on a running server or on its database alone: a row and a function for each.

Each answers with an object: `done` names the act, or `refused` the reason; the rest are values for a sentence, which
`tchat_server.language` has in every language.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import TimeoutError as TooLong
from contextlib import contextmanager
from itertools import count
from math import inf
from typing import Any, TypeAlias

from libtchat.effect import PageKind, Settled
from libtchat.group import fold
from libtchat.message.errors import Refused
from libtchat.message.event import Event, Said
from libtchat.message.limits import MAX_MSG_BYTES
from libtchat.message.names import UserKey, check_user_name, group_key, is_guest, user_key
from libtchat.message.reply import Error
from libtchat.ruling import CloseGroup, Expel, GiveGroup, RedactText, Ruling
from libtchat.wire import codec
from libtchat.wire.fields import is_text
from tchat_server.ops.control import Control, Json
from tchat_server.password import hash_password, mark_of, new_code
from tchat_server.server import Server
from tchat_server.store.event_log import LogUnavailable

__all__ = ["ONLINE_ACTS", "Operator"]

logger = logging.getLogger("tchat_server")

_MAX_EVENT_BYTES = 64 * 1024
_MAX_CODES = 1000
_LOOK_SECONDS = 0.2

ONLINE_ACTS = frozenset({"who", "kick-user", "announce"})
"""What is about who is connected: nothing to do when no server runs."""


class Denied(Exception):
    """What was asked is not done: *key* is the sentence's, *values* are what it names."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.answer: Json = {"refused": key, **values}


class Operator:
    """Does what is asked, one act after the other. Everything but `attend` is for the event loop."""

    def __init__(self, server: Server) -> None:
        self._server, self._log, self._hub = server, server.log, server.hub.operator
        self._turn = asyncio.Lock()
        self._tickets = count(1)
        self._rulings: dict[int, asyncio.Future[Event | Error]] = {}
        server.settled = self._settle

    async def begin(self) -> None:
        """Learn from the log who may not come in. Raises LogUnavailable."""
        for user, until in (await self._log.barred()).items():
            self._hub.bar(user, until)

    def attend(self, control: Control) -> None:
        """Answer at the socket from now on."""
        loop = asyncio.get_running_loop()

        @contextmanager
        def act(request: Json, who: str) -> Iterator[Json]:
            doing = asyncio.run_coroutine_threadsafe(self.act(request, who), loop)
            while True:
                try:
                    answer = doing.result(_LOOK_SECONDS)
                    break
                except TooLong:
                    if control.is_stopping and doing.cancel():
                        answer = {"failed": "it stopped"}
                        break
            yield answer

        control.acts[""] = act

    async def act(self, request: Json, who: str) -> Json:
        """Do what *request* asks for *who*, and return the answer. Raises nothing for what may be asked."""
        kind = str(request.get("act"))
        do = _ACTS.get(kind)
        try:
            if do is None:
                raise Denied("unknown-act", word=kind)
            async with self._turn:
                answer: Json = {"done": kind, **await do(self, _Fields(request))}
        except Denied as denied:
            answer = denied.answer
        except Refused as refusal:
            answer = {"refused": refusal.code, "detail": refusal.detail or str(refusal.code)}
        except LogUnavailable as error:
            answer = {"failed": str(error)}
        if kind not in _ONLY_LOOKS:
            shown = {name: value for name, value in request.items() if name in _LOGGED}
            outcome = next(f"{name} {answer[name]}" for name in ("refused", "failed", "done") if name in answer)
            logger.info("operator %s: %s %s: %s", who, kind, shown, outcome, extra={"operator": who, "act": kind})
        return answer

    # --- users ---

    async def who(self, _: _Fields) -> Json:
        """List the connections, by name."""
        rows = [
            {
                "name": self._hub.user_of(peer.id),
                "address": peer.address,
                "in": peer.frames_in,
                "out": peer.outbox.count,
            }
            for peer in self._server.peers
        ]
        rows.sort(key=lambda row: (row["name"] is None, user_key(str(row["name"])), str(row["address"])))
        return {"users": len(self._online()), "connections": len(rows), "rows": rows}

    async def users(self, _: _Fields) -> Json:
        """List everybody who is known."""
        online = self._online()
        rows = [
            {
                "name": row.name,
                "password": row.has_password,
                "groups": row.groups,
                "invitations": row.invitations,
                "online": user_key(row.name) in online,
                "banned": _shown_until(row.barred),
            }
            for row in await self._log.users()
        ]
        return {"count": len(rows), "rows": rows}

    async def passwd(self, fields: _Fields) -> Json:
        """Give a name a password; whoever uses the name now has to come back with it."""
        name, user = fields.user()
        password = fields.text("password")
        if is_guest(user):
            raise Denied("guest", name=name)
        stored = await self._log.load_user(user)
        name = (await self._log.find_user(user)).name or name
        hashed = await asyncio.to_thread(hash_password, password)
        if not await self._log.save_user(user, name, hashed, replaces=stored.password_hash):
            raise Denied("meanwhile", name=name)
        self._hub.protect(user, hashed)
        return {"name": name, "closed": self._dismiss(user, "the operator gave this name a new password")}

    async def remove_user(self, fields: _Fields) -> Json:
        """Take a name out of all groups, and its password away."""
        name, user = fields.user()
        known = await self._log.find_user(user)
        if known.name is None and user not in self._online():
            raise Denied("nobody", name=name)
        name = known.name or name
        closed = self._dismiss(user, "the operator removed this name")
        left = 0
        while memberships := (await self._log.load_user(user)).memberships:
            for membership in memberships:
                await self._rule(Expel(membership.name, name))
                left += 1
        stored = await self._log.load_user(user)
        if stored.password_hash is not None:
            if not await self._log.save_user(user, name, None, replaces=stored.password_hash):
                raise Denied("meanwhile", name=name)
            self._hub.protect(user, None)
        return {"name": name, "groups": left, "closed": closed}

    async def ban_user(self, fields: _Fields) -> Json:
        """Let a name not come in, for so many seconds or for ever."""
        name, user = fields.user()
        if is_guest(user):
            raise Denied("guest", name=name)
        seconds = fields.found.get("for")
        until = inf if seconds is None else time.time() + float(seconds)
        await self._log.save_bar(user, name, until)
        self._hub.bar(user, until)
        end = _shown_until(until)
        why = f"you are banned from this server{'' if end == 'ever' else f' until {end}'}"
        return {"name": name, "until": end, "closed": self._dismiss(user, why)}

    async def unban_user(self, fields: _Fields) -> Json:
        """Let a name come in again."""
        name, user = fields.user()
        if not await self._log.save_bar(user, name, None):
            raise Denied("not-barred", name=name)
        self._hub.bar(user, None)
        return {"name": name}

    async def kick_user(self, fields: _Fields) -> Json:
        """Close the connections of a user, who may come back."""
        name, user = fields.user()
        closed = self._dismiss(user, "the operator closed this connection", ends_token=False)
        if not closed:
            raise Denied("not-connected", name=name)
        return {"name": name, "closed": closed}

    async def announce(self, fields: _Fields) -> Json:
        """Tell everybody who is connected."""
        text = fields.text("text")
        if len(text.encode("utf-8", "replace")) > MAX_MSG_BYTES:
            raise Denied("too-long", limit=MAX_MSG_BYTES)
        self._hub.announce(text, self._server.now())
        self._server.tick_soon()
        return {"users": len(self._online())}

    async def invite_code(self, fields: _Fields) -> Json:
        """Make codes with which a name can be registered once each."""
        codes = [new_code() for _ in range(fields.number("count", 1, _MAX_CODES))]
        for code in codes:
            await self._log.invite(mark_of(code))
        return {"codes": codes}

    # --- groups ---

    async def close(self, fields: _Fields) -> Json:
        """Let a group take no more texts, or with `undo` take them again."""
        event = await self._rule(CloseGroup(fields.text("group"), bool(fields.found.get("undo"))))
        return {"group": event.group, "seq": event.seq, "undone": bool(fields.found.get("undo"))}

    async def redact(self, fields: _Fields) -> Json:
        """Remove one text from a group's log."""
        group, seq = fields.text("group"), fields.number("seq", 1, 2**53)
        key = group_key(group)
        loaded = await self._log.load(key)
        state = fold(loaded.tail, loaded.snapshot)
        page = await self._log.read(
            key, PageKind.ALL, after=seq - 1, before=seq + 1, limit=1, max_bytes=_MAX_EVENT_BYTES
        )
        text = codec.decode_event(page.lines[0]) if page.lines else None
        if state is not None and not isinstance(text, Said):
            raise Denied("no-text", group=state.name, seq=seq)
        if isinstance(text, Said) and text.redacted:
            raise Denied("redacted", group=text.group, seq=seq)
        author = text.sender if text is not None else ""
        event = await self._rule(RedactText(group, seq, author))
        return {"group": event.group, "redacts": seq, "author": author, "seq": event.seq}

    async def own(self, fields: _Fields) -> Json:
        """Give a group whose owner is gone another one."""
        event = await self._rule(GiveGroup(fields.text("group"), fields.text("name")))
        return {"group": event.group, "name": getattr(event, "owner", None), "seq": event.seq}

    # --- the server ---

    async def _rule(self, ruling: Ruling) -> Event:
        loaded = await self._log.load(group_key(ruling.group))
        ticket = next(self._tickets)
        outcome = self._rulings[ticket] = asyncio.get_running_loop().create_future()
        self._hub.rule(ruling, ticket, loaded, self._server.now())
        self._server.tick_soon()
        try:
            found: Event | Error = await outcome
        finally:
            del self._rulings[ticket]
        if isinstance(found, Error):
            raise Denied(found.code, detail=found.msg, group=ruling.group, name=getattr(ruling, "dest", None))
        return found

    def _settle(self, settled: Settled) -> None:
        if (waiting := self._rulings.get(settled.ticket)) is not None and not waiting.done():
            waiting.set_result(settled.outcome)

    def _dismiss(self, user: UserKey, why: str, *, ends_token: bool = True) -> int:
        """Close a user's connections; when the token ends too, the next hello counts as a stranger's."""
        token = secrets.token_urlsafe(16) if ends_token else None
        closed = self._hub.dismiss(user, why, self._server.now(), token=token)
        self._server.tick_soon()
        return closed

    def _online(self) -> set[UserKey]:
        names = (self._hub.user_of(peer.id) for peer in self._server.peers)
        return {user_key(name) for name in names if name is not None}


class _Fields:
    """The fields of a request, checked as they are used."""

    def __init__(self, found: Json) -> None:
        self.found = found

    def text(self, name: str) -> str:
        value = self.found.get(name)
        if not isinstance(value, str) or not value.strip() or not is_text(value):
            raise Denied("no-field", field=name)
        return value

    def number(self, name: str, least: int, most: int) -> int:
        value = self.found.get(name, least)
        if type(value) is not int or not least <= value <= most:
            raise Denied("bad-number", field=name, least=least, most=most)
        return value

    def user(self) -> tuple[str, UserKey]:
        name = self.text("name")
        if not is_guest(user_key(name)):
            try:
                name = check_user_name(name)
            except Refused:
                raise Denied("bad-name", name=name) from None
        return name, user_key(name)


def _shown_until(until: float | None) -> str | None:
    """Return the end of a ban for people: None if there is none (any more), `ever`, or the time in UTC."""
    if until is None or until <= time.time():
        return None
    return "ever" if until == inf else time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(until))


_Do: TypeAlias = Callable[[Operator, _Fields], Awaitable[Mapping[str, Any]]]

_ACTS: Mapping[str, _Do] = {
    "who": Operator.who,
    "users": Operator.users,
    "passwd": Operator.passwd,
    "remove-user": Operator.remove_user,
    "ban-user": Operator.ban_user,
    "unban-user": Operator.unban_user,
    "kick-user": Operator.kick_user,
    "announce": Operator.announce,
    "invite-code": Operator.invite_code,
    "close": Operator.close,
    "redact": Operator.redact,
    "own": Operator.own,
}
_ONLY_LOOKS = ("who", "users")
_LOGGED = ("name", "group", "seq", "for", "undo", "count")
"""Fields that the log may show: no password, no text."""
