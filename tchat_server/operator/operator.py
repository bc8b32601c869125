"""What an operator may have done, on a running server or on its database alone: a row and a function for each.

Each answers with an object: `done` names the act, or `refused` the reason; the rest are values for a sentence, which
`tchat_server.sentences` has in every language.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, TypeAlias

from libtchat.message.errors import Refused
from tchat_server.operator import groups, users
from tchat_server.operator.desk import Denied, Desk, Fields
from tchat_server.ops.control import Control, Json
from tchat_server.roster.port import RosterUnavailable
from tchat_server.server import Server
from tchat_server.store.event_log import LogUnavailable

__all__ = ["ONLINE_ACTS", "Operator"]

logger = logging.getLogger("tchat_server")

_LOOK_SECONDS = 0.2

ONLINE_ACTS = frozenset({"who", "kick-user", "announce"})
"""What is about who is connected: nothing to do when no server runs."""


class Operator:
    """Does what is asked, one act after the other. For the event loop."""

    def __init__(self, server: Server) -> None:
        self._desk = Desk(server)
        self._turn = asyncio.Lock()

    async def begin(self) -> None:
        """Learn from the log who may not come in, and answer at its socket, and other nodes, from now on.

        Raises LogUnavailable.
        """
        log = self._desk.log
        for user, until in (await log.barred()).items():
            self._desk.hub.bar(user, until)
        if log.control is not None:
            self._attend(log.control)
        if (others := self._desk.server.neighbours) is not None:
            others.roster.attend(self.act)

    def _attend(self, control: Control) -> None:
        loop = asyncio.get_running_loop()

        @contextmanager
        def act(request: Json, who: str) -> Iterator[Json]:
            doing = asyncio.run_coroutine_threadsafe(self.act(request, who), loop)
            while True:
                try:
                    answer = doing.result(_LOOK_SECONDS)
                    break
                except TimeoutError:
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
            async with nullcontext() if request.get("here") else self._turn:  # who asks has a turn, where it is
                answer: Json = {"done": kind, **await do(self._desk, Fields(request, who))}
        except Denied as denied:
            answer = denied.answer
        except Refused as refusal:
            answer = {"refused": refusal.code, "detail": refusal.detail or str(refusal.code)}
        except (LogUnavailable, RosterUnavailable) as error:
            answer = {"failed": str(error)}
        if kind not in _ONLY_LOOKS:
            shown = {name: value for name, value in request.items() if name in _LOGGED}
            outcome = next(f"{name} {answer[name]}" for name in ("refused", "failed", "done") if name in answer)
            logger.info("operator %s: %s %s: %s", who, kind, shown, outcome, extra={"operator": who, "act": kind})
        return answer


_Do: TypeAlias = Callable[[Desk, Fields], Awaitable[Mapping[str, Any]]]

_ACTS: Mapping[str, _Do] = {
    "who": users.who,
    "users": users.users,
    "passwd": users.passwd,
    "remove-user": users.remove_user,
    "ban-user": users.ban_user,
    "unban-user": users.unban_user,
    "kick-user": users.kick_user,
    "announce": users.announce,
    "invite-code": users.invite_code,
    "close": groups.close,
    "redact": groups.redact,
    "own": groups.own,
}
_ONLY_LOOKS = ("who", "users")
_LOGGED = ("name", "group", "seq", "for", "undo", "force", "count")
"""Fields that the log may show: no password, no text."""
