"""Peers become users, and go again: who a peer is, and who hears when a user comes or goes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from attrs import define

from libtchat.effect import PeerId, PresenceScope, Send
from libtchat.group import Standing
from libtchat.hub.entry import AnyEntry, Notice
from libtchat.hub.gate import Gate
from libtchat.hub.identity import Identity
from libtchat.hub.interest import Interest
from libtchat.hub.ledger import Ledger
from libtchat.hub.line import Line
from libtchat.hub.newcomer import Newcomers
from libtchat.hub.peer import Peer
from libtchat.hub.presence import Presence
from libtchat.hub.user import OnlineUser
from libtchat.hub.work import Work
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.limits import ServerLimits
from libtchat.message.names import Key, UserKey, user_key
from libtchat.message.reply import PresenceNotice
from libtchat.message.request import Hello

__all__ = ["Login"]


@define
class Login:
    """The way in and out of one hub.

    Args:
        scope: who hears that a user came or went.
        require_auth: a user without a password may do nothing but `register`.
        interest: told of who comes and goes, if there are other nodes.
        release: has the roster count one connection of a user less.
    """

    limits: ServerLimits
    scope: PresenceScope
    require_auth: bool
    _line: Line[AnyEntry]
    _presence: Presence
    _ledger: Ledger
    _newcomers: Newcomers
    _identity: Identity
    _gate: Gate
    interest: Interest | None = None
    release: Callable[[UserKey], None] | None = None

    def may_ask(self, peer: Peer, user: OnlineUser) -> bool:
        """Tell whether *user* may ask for anything here, by *peer*."""
        return not self.require_auth or user.password_hash is not None or peer.is_vouched

    def user(self, peer: Peer, claimed: str | None) -> Work[OnlineUser]:
        """Return whose request this is, which claims to be of *claimed*: `who`, if that user may ask for anything.

        Raises:
            Refused: see `who`; auth-required, if only names with a password are served.
        """
        user = yield from self.who(peer, claimed)
        if not self.may_ask(peer, user):
            raise Refused(ErrorCode.AUTH_REQUIRED, "register first: this server serves names with a password only")
        return user

    def who(self, peer: Peer, claimed: str | None) -> Work[OnlineUser]:
        """Return who *peer* is, and name it by what it claims if it has no name yet (R-implicit-name).

        Raises:
            Refused: see `enter`; bad-request, if it has no name and claims none; forbidden, if it claims another one.
        """
        user = peer.user
        if user is None:
            if claimed is None:
                raise Refused(ErrorCode.BAD_REQUEST, "say hello first, or say who asks", field="sender")
            return (yield from self.enter(peer, Hello(sender=claimed)))
        if claimed is not None and claimed != user.name and user_key(claimed) != user.key:
            raise Refused(ErrorCode.FORBIDDEN, f"this connection is {user.name}", field="sender")
        return user

    def enter(self, peer: Peer, hello: Hello) -> Work[OnlineUser]:
        """Let *peer*, which is no user yet, be the one it says hello for.

        Raises:
            Refused: see `libtchat.hub.identity.Identity.enter`, and `libtchat.hub.gate` unless it is vouched for.
        """
        if not peer.is_vouched:
            yield from self._gate.check(hello.sender or "", hello)
        key = user_key(hello.sender or "")
        news = self._newcomers.begin(key)
        try:
            user = yield from self._identity.enter(peer, hello, key, news)
            if not user.peers:
                self._newcomers.bring_up_to_date(user, news)
        except Refused:
            if peer.is_seated and self.release is not None:
                peer.is_seated = False
                self.release(key)
            raise
        finally:  # also when the peer goes while it waits
            self._newcomers.end(key)
        came = self._presence.attach(peer, user)
        self._ledger.came(peer.id, user)
        if self.interest is not None:
            self.interest.came(user)
        if came:
            self.notice(user, "connect")
        return user

    def end(self, peer: Peer, user: OnlineUser) -> bool:
        """Take *peer*, which is gone, from its *user*; tell whether it was the last, so that the user went."""
        is_last = self._presence.detach(peer, user)
        self._ledger.went(peer.id, user)
        if self.release is not None and peer.is_seated:
            self.release(user.key)
        if is_last:
            self._identity.leave(user)
            if self.interest is not None:
                self.interest.went(user)
        return is_last

    def gone(self, peer: Peer, user: OnlineUser) -> None:
        """Tell others that *user* went, if *peer* was the last by which they saw it."""
        if not user.shown and not peer.on_behalf and self._presence.elsewhere(user.key) is None:
            self.notice(user, "disconnect")

    @property
    def tells_groups_only(self) -> bool:
        """Tell whether only those hear that a user came or went who share a group."""
        is_crowded = len(self._presence) > self.limits.max_presence_users
        return self.scope == "groups" or (self.scope == "auto" and is_crowded)

    def notice(self, user: OnlineUser, event: str) -> None:
        """Tell others that *user* came ("connect") or went ("disconnect"), here or elsewhere."""
        if others := self._watchers(user):
            self._line.put(Notice((Send(others, PresenceNotice("server", event, user.name)),)))

    def _watchers(self, user: OnlineUser) -> tuple[PeerId, ...]:
        if self.scope == "none":
            return ()
        if not self.tells_groups_only:
            audience = self._presence.everybody()
        elif user.memberships:
            groups = [self._audience(membership.key) for membership in user.groups(Standing.MEMBER)]
            audience = tuple(dict.fromkeys(chain.from_iterable(groups)))
        else:
            return ()
        return tuple([peer for peer in audience if peer not in user.peers])

    def _audience(self, key: Key) -> tuple[PeerId, ...]:
        if self.interest is None or self._ledger.slot(key) is not None:
            return self._ledger.audience(key)
        found = self.interest.users(key)
        return self._presence.peers([it.key for it in found if it.memberships[key].standing is Standing.MEMBER])
