"""Calls: a node asks all others, or an operator any node, for an object, and gets one back. Nothing of it is kept.

An answer may be longer than a message: it is compressed and cut, and all parts but the last say that there is more.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias
from zlib import compress, decompress

from libtchat.cluster import NodeId
from tchat_server.ops.control import Json
from tchat_server.roster.port import Called
from tchat_server.store.nats.connection import Connection
from tchat_server.store.nats.errors import EngineGone, NobodyThere
from tchat_server.store.nats.subject import RosterSubjects
from tchat_server.supervisor import Tasks

if TYPE_CHECKING:
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

__all__ = ["Calls", "call", "find_node"]

Act: TypeAlias = Callable[[Json, str], Awaitable[Json]]

CALL_SECONDS = 3.0
"""How long other nodes are waited for: what they are asked takes none of them long."""

_HAIL_SECONDS = 5.0
_PART_BYTES = 512 * 1024
_MORE = "Tchat-More"
_NOBODY = "503"

logger = logging.getLogger("tchat_server")


async def call(connection: Connection, subject: str, request: Json, who: str, seconds: float) -> Json:
    """Ask whoever answers on *subject*.

    Raises:
        NobodyThere: nobody does.
        EngineGone: no answer came in so many *seconds*.
    """
    found = bytearray()

    def take(message: Msg) -> bool | None:
        headers: Mapping[str, str] = message.headers or {}
        found.extend(message.data)
        if headers.get("Status") == _NOBODY:
            return False
        return None if _MORE in headers else True

    try:
        if not await connection.collect(subject, {"request": request, "who": who}, take, seconds=seconds):
            raise NobodyThere("nobody answers there")
    except TimeoutError:
        raise EngineGone("no answer came") from None
    answer: Json = json.loads(decompress(found))
    return answer


async def find_node(connection: Connection, subjects: RosterSubjects) -> NodeId:
    """Return the node that answers first.

    Raises:
        NobodyThere: none runs.
        EngineGone: none answers.
    """
    return NodeId((await call(connection, subjects.hail, {}, "", _HAIL_SECONDS))["node"])


class Calls:
    """What one node is asked, and asks of the others.

    Attributes:
        act: does what is asked; None: not yet.
    """

    def __init__(self, connection: Connection, subjects: RosterSubjects, node: NodeId) -> None:
        self._connection, self._subjects, self._node = connection, subjects, node
        self._tasks = Tasks()
        self._subscriptions: list[Subscription] = []
        self.act: Act | None = None

    async def start(self) -> None:
        """Answer from now on. Raises EngineGone."""
        for subject, heard in ((self._subjects.call(self._node), self._called), (self._subjects.hail, self._hailed)):
            self._subscriptions.append(await self._connection.subscribe(subject, heard))

    async def ask(self, nodes: Iterable[NodeId], request: Json, who: str) -> Called:
        """Ask these nodes, all at once."""
        outcomes = await asyncio.gather(*(self._ask(node, request, who) for node in nodes))
        answers = tuple(answer for answer in outcomes if answer is not None)
        return Called(answers, len(outcomes) - len(answers))

    async def close(self) -> None:
        """Answer nothing any more: who asks is told at once that nobody is there, and does not wait."""
        self.act = None
        self._tasks.cancel()
        for subscription in self._subscriptions:
            await self._connection.unsubscribe(subscription)

    async def _ask(self, node: NodeId, request: Json, who: str) -> Json | None:
        try:
            answer = await call(self._connection, self._subjects.call(node), request, who, CALL_SECONDS)
        except EngineGone as error:
            logger.warning("node %s was asked for %s and does not answer: %s", node, request.get("act"), error)
            return None
        return None if "failed" in answer else answer

    async def _hailed(self, message: Msg) -> None:
        if self.act is not None:
            await self._send(message.reply, {"node": self._node})

    async def _called(self, message: Msg) -> None:
        self._tasks.start(self._answer(message))  # another call does not wait for it

    async def _answer(self, message: Msg) -> None:
        try:
            said = json.loads(message.data)
            request, who = dict(said["request"]), str(said["who"])
        except (ValueError, KeyError, TypeError) as error:
            logger.warning("roster: a call is not understood: %r", error)
            return
        answer: Json = {"failed": "it is just starting, or ends"}
        if self.act is not None:
            answer = await self.act(request, who)
        await self._send(message.reply, answer)

    async def _send(self, inbox: str, answer: Json) -> None:
        data = compress(json.dumps(answer).encode())
        parts = [data[at : at + _PART_BYTES] for at in range(0, len(data), _PART_BYTES)]
        try:
            for number, part in enumerate(parts, 1):
                headers = {_MORE: "1"} if number < len(parts) else None
                await self._connection.send(inbox, part, headers=headers)
        except EngineGone as error:
            logger.warning("roster: an answer is not passed on: %s", error)
