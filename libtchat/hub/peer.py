"""A peer: one connection, who it is, and what it waits for."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from attrs import define

from libtchat.effect import Item, PeerId, Question
from libtchat.hub.texts import Texts
from libtchat.hub.user import OnlineUser
from libtchat.hub.work import Work
from libtchat.message.names import Key
from libtchat.rate import Bucket

__all__ = ["Peer"]

_NOTHING: Mapping[Key, int] = {}


@define(eq=False)
class Peer:
    """One connection.

    Attributes:
        token: a random text nobody knows yet, for the user that comes online with it.
        origin: where it comes from, for throttling; any text.
        requests: how often it may ask for something.
        user: who it is, once it said so.
        work: what waits for the answer to `awaited`; until that came, what else comes waits in `inbox`.
        ended: nothing more is taken from it.
        delivered: the last text it was sent of those that waited, by log.
        owes_sign: the next thing it asks shows that they came.
        is_vouched: the shell said who it is, so its user proves nothing and is given no token.
        on_behalf: the shell itself asks, on behalf of that user: nobody is told that the user came or went because of
            it, and what is asked is not asked about.
        is_seated: the roster counts it.
    """

    id: PeerId
    token: str
    origin: str
    requests: Bucket
    user: OnlineUser | None = None
    work: Work[None] | None = None
    awaited: Question | None = None
    inbox: deque[Item | Texts] | None = None
    ended: bool = False
    delivered: Mapping[Key, int] = _NOTHING
    owes_sign: bool = False
    is_vouched: bool = False
    on_behalf: bool = False
    is_seated: bool = False
