"""What is answered to the requester alone, on what is durable: lists, pages, texts to users, signs of life.

A query is worked out when it leaves the line, so it sees exactly what was told before it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import assert_never

from attrs import define

from libtchat.cluster import Relay
from libtchat.effect import Close, Effect, PageKind, Read, ReadGroups, Send
from libtchat.group import Group, Standing
from libtchat.hub.clock import Clock
from libtchat.hub.direct import deliver
from libtchat.hub.entry import Deliver, Query, UserQuery
from libtchat.hub.ledger import Ledger
from libtchat.hub.peer import Peer
from libtchat.hub.presence import Presence
from libtchat.hub.refusal import error_for
from libtchat.hub.user import OnlineUser
from libtchat.message import reply
from libtchat.message.direct import correspondent, direct_key
from libtchat.message.errors import ErrorCode, Refused, Violation
from libtchat.message.limits import DEFAULT_PAGE_ENTRIES, PROTOCOL_VERSION, ServerLimits
from libtchat.message.names import Key, UserKey, check_any_user_name, group_key, user_key
from libtchat.message.request import (
    Broadcast,
    Hello,
    ListGroups,
    ListMembers,
    ListMessages,
    ListStates,
    ListUsers,
    Ping,
    Quit,
    Register,
    ReportError,
    Tell,
)
from libtchat.message.value import frozen
from libtchat.paging import cut
from libtchat.rules import GroupQuery, admit
from libtchat.sorted_map import entries_above

__all__ = ["Replies"]


@frozen
class _Roll:
    """A page of who is in a group, by key, kept for who asks next: a crowd may ask for one."""

    group: Group
    start: str
    is_member: bool
    members: Mapping[UserKey, str]
    invited: tuple[str, ...]
    banned: tuple[str, ...]
    more: bool

    @classmethod
    def cut(cls, group: Group, start: str, is_member: bool, limits: ServerLimits) -> _Roll:
        """Make one of who is above *start*; *is_member*: of who is invited and banned, too."""
        most = limits.max_page_entries + 1
        members = entries_above(group.members, start, most)
        invited, banned = [], []
        if is_member:
            invited = [(user, event.dest) for user, event in entries_above(group.invited, start, most)]
            banned = entries_above(group.banned, start, most)
        everybody = sorted(members + invited + banned) if invited or banned else members
        shown, more = cut([name for _, name in everybody], limits)
        end = everybody[len(shown)][0] if more else None

        def names(entries: list[tuple[UserKey, str]]) -> tuple[str, ...]:
            return tuple([name for _, name in _below(entries, end)])

        return cls(group, start, is_member, dict(_below(members, end)), names(invited), names(banned), more)

    def is_of(self, group: Group, start: str, is_member: bool) -> bool:
        """Tell whether another one would be the same."""
        mine = self.group
        is_same = mine.members is group.members and mine.invited is group.invited and mine.banned is group.banned
        return is_same and self.start == start and self.is_member is is_member


@define
class Replies:
    """Answers from one hub's presence and groups. *server*: the program's name and version, for people."""

    server: str
    limits: ServerLimits
    _clock: Clock
    _presence: Presence
    _ledger: Ledger
    _roll: _Roll | None = None

    def answer(self, query: Query) -> Iterator[Effect]:
        """Answer *query*, which leaves the line now."""
        peer, item = query.peer, query.item
        me, user = (peer.id,), peer.user
        match item:
            case None:
                yield Close(peer.id, None)
            case Violation():
                yield Send(me, error_for(item, item))
                if item.fatal:
                    yield Close(peer.id, item.code)
            case Ping(id=id):
                yield Send(me, reply.Pong(self._clock.ts, PROTOCOL_VERSION, self.server, id))
            case Quit(id=id) | ReportError(id=id):
                yield Send(me, reply.Goodbye(None if user is None else user.name, id))
                yield Close(peer.id, None)
            case Deliver():
                if user is not None:
                    yield from deliver(peer, user, self.limits.max_kept_bytes)
            case _ if user is not None:
                try:
                    yield from self._answer_user(peer, user, item, query.arrivals)
                except Refused as refusal:
                    yield Send(me, error_for(item, refusal))

    def _answer_user(self, peer: Peer, user: OnlineUser, item: UserQuery, arrivals: int) -> Iterator[Effect]:
        me = (peer.id,)
        match item:
            case Hello(id=id):
                yield Send(me, self._welcome(peer, user, id))
                for membership in user.groups(Standing.INVITED)[: self.limits.max_invitations]:
                    if membership.invitation is not None:
                        yield Send(me, membership.invitation)
                if item.kept:
                    yield from deliver(peer, user, self.limits.max_kept_bytes)
            case Tell(to=to, msg=msg, id=id):
                key = user_key(to)
                target = self._presence.user(key)
                name = target.name if target is not None else self._presence.elsewhere(key)
                if name is None:
                    raise Refused(ErrorCode.USER_NOT_FOUND, f"{to} is not connected")
                both = (key, user.key) if key != user.key else (key,)
                audience = self._presence.earlier(self._presence.peers(both), arrivals)
                text = reply.DirectMessage(user.name, name, msg, self._clock.ts, id)
                yield Send(audience, text, peer.id)
                if any(self._presence.elsewhere(it) is not None for it in both):
                    yield Relay(text, both)
            case Broadcast(msg=msg, id=id):
                audience = self._presence.earlier(self._presence.everybody(), arrivals)
                message = reply.PublicMessage(user.name, msg, self._clock.ts, id)
                yield Send(audience, message, peer.id)
                if self._presence.is_shared:
                    yield Relay(message)
            case Register(id=id):
                yield Send(me, reply.Registered(user.name, id))
            case ListUsers(after=after, id=id):
                online = self._presence.online(None if after is None else user_key(after))
                names, more = cut((name for _, name in online), self.limits)
                yield Send(me, reply.Users(names, more, id))
            case ListGroups(after=after, id=id):
                start = group_key(after or "")
                mine = [m.name for m in user.groups(Standing.MEMBER) if m.key > start]
                visible = user.groups(Standing.MEMBER, Standing.INVITED)
                private = [m.name for m in visible if m.private and m.key > start]
                yield ReadGroups(peer.id, reply.Groups((), tuple(private), tuple(mine), id=id), start)
            case ListMembers():
                yield Send(me, self._members(user, item))
            case ListMessages() | ListStates():
                other = correspondent(item.group)
                yield self._page(peer, user, item) if other is None else self._texts(peer, user, item, other)
            case _:
                assert_never(item)

    def _welcome(self, peer: Peer, user: OnlineUser, id: str | None) -> reply.Welcome:
        seqs = {}
        for membership in user.groups(Standing.MEMBER):
            group = self._ledger.durable(membership.key)
            seqs[membership.name] = membership.seq if group is None else group.seq
        token = "" if peer.is_vouched else user.token
        return reply.Welcome(user.name, PROTOCOL_VERSION, self.server, token, tuple(seqs), seqs, id)

    def _members(self, user: OnlineUser, request: ListMembers) -> reply.Members:
        group = self._admit(user, request)
        is_member = user.key in group.members
        start = "" if request.after is None else user_key(request.after)
        roll = self._roll
        if roll is None or not roll.is_of(group, start, is_member):
            self._roll = roll = _Roll.cut(group, start, is_member, self.limits)
        online = tuple([roll.members[key] for key in self._presence.among(roll.members)])
        return reply.Members(
            group.name,
            group.seq,
            tuple(roll.members.values()),
            online,
            group.owner_name,
            roll.invited if is_member else None,
            roll.banned if is_member else None,
            roll.more,
            request.id,
            group.closed,
        )

    def _page(self, peer: Peer, user: OnlineUser, request: ListMessages | ListStates) -> Read:
        group = self._admit(user, request)
        return _read(peer, request, group, group_key(group.name), group.name)

    def _texts(self, peer: Peer, user: OnlineUser, request: ListMessages | ListStates, other: str) -> Read | Send:
        """Answer with a page of the log of *user* and *other*, which may be none (R-kept-page)."""
        if user.password_hash is None:
            raise Refused(ErrorCode.AUTH_REQUIRED, "texts are kept for names with a password: register yours first")
        name = check_any_user_name(other, field="group")
        key = direct_key(user.key, user_key(name))
        log = self._ledger.durable(key)
        box = None if log is None else log.boxes.get(user.key)
        if log is None or box is None:
            page = reply.States if isinstance(request, ListStates) else reply.Messages
            return Send((peer.id,), page(f"@{name}", (), False, id=request.id))
        return _read(peer, request, log, key, f"@{box.other}", box.since)

    def _admit(self, user: OnlineUser, request: GroupQuery) -> Group:
        return admit(self._ledger.durable(group_key(request.group)), request, user.key)


def _read(peer: Peer, request: ListMessages | ListStates, log: Group, key: Key, shown: str, since: int = 1) -> Read:
    kinds = PageKind.MESSAGES
    if isinstance(request, ListStates):
        kinds = PageKind.ALL if request.all else PageKind.STATES
    before = log.seq + 1 if request.before is None else min(request.before, log.seq + 1)
    after = None if request.after is None else max(request.after, since - 1)
    limit = DEFAULT_PAGE_ENTRIES if request.limit is None else request.limit
    return Read(peer.id, key, shown, kinds, after, before, limit, request.action, request.id, since)


def _below(entries: list[tuple[UserKey, str]], end: UserKey | None) -> list[tuple[UserKey, str]]:
    return entries if end is None else entries[: bisect_left(entries, (end,))]
