"""Peers become users, and go again: whose session a peer is in, and who hears when one begins or ends."""

from __future__ import annotations

from itertools import chain

from attrs import define, field

from libtchat.effect import Answer, PeerId, PresenceScope, SaveUser, Send
from libtchat.group import Standing
from libtchat.hub.entry import Notice
from libtchat.hub.identity import Identity
from libtchat.hub.ledger import Ledger
from libtchat.hub.presence import Peer, Session, Unanswered
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.names import is_guest, user_key
from libtchat.message.reply import PresenceNotice
from libtchat.message.request import Hello, Register

__all__ = ["Sessions"]


@define
class Sessions:
    """The sessions of one hub. What it does is as of the ledger's `now`.

    Args:
        scope: who hears that a user came or went.
        require_auth: a user without a password may do nothing but `register`.
    """

    ledger: Ledger
    scope: PresenceScope
    require_auth: bool
    _identity: Identity = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._identity = Identity(self.ledger.limits, self.ledger.presence)

    def user(self, peer: Peer, claimed: str | None) -> Session:
        """Return whose request this is, which claims to be of *claimed*: `who`, if that user may ask for anything.

        Raises:
            Unanswered, Refused: see `who`; auth-required, if only names with a password are served.
        """
        session = peer.session
        if session is None or (claimed is not None and claimed != session.name):
            session = self.who(peer, claimed)
        if self.require_auth and session.password_hash is None:
            raise Refused(ErrorCode.AUTH_REQUIRED, "register first: this server serves names with a password only")
        return session

    def who(self, peer: Peer, claimed: str | None) -> Session:
        """Return who *peer* is, and name it by what it claims if it has no name yet (R-implicit-name).

        Raises:
            Unanswered, Refused: see `enter`; bad-request, if it has no name and claims none; forbidden, if it claims
                another one.
        """
        session = peer.session
        if session is None:
            if claimed is None:
                raise Refused(ErrorCode.BAD_REQUEST, "say hello first, or say who asks", field="sender")
            return self.enter(peer, Hello(claimed))
        if claimed is not None and claimed != session.name and user_key(claimed) != session.key:
            raise Refused(ErrorCode.FORBIDDEN, f"this connection is {session.name}", field="sender")
        return session

    def enter(self, peer: Peer, hello: Hello) -> Session:
        """Let *peer*, which has no session, enter the one it says hello for.

        Raises:
            Unanswered, Refused: see `libtchat.hub.identity.Identity.enter`.
        """
        user, now, ledger = user_key(hello.sender or ""), self.ledger.now, self.ledger
        entrances = ledger.entrances
        try:
            session = self._identity.enter(peer, hello, user, entrances.protection(user), now)
        except Unanswered:
            entrances.begin(peer.id, user)
            raise
        except Refused:
            entrances.end(peer.id, user, None, now)
            raise
        entrances.end(peer.id, user, session, now)
        is_first = ledger.presence.attach(peer, session)
        ledger.came(peer.id, session)
        if is_first:
            self._notice(session, "connect")
        return session

    def end(self, peer: Peer) -> None:
        """Take *peer*, which is gone, out of its session; the last one ends it."""
        session, ledger = peer.session, self.ledger
        if session is None:
            if peer.inbox:
                claimed = user_key(getattr(peer.inbox[0], "sender", None) or "")
                ledger.entrances.end(peer.id, claimed, None, ledger.now)
            return
        is_last = ledger.presence.detach(peer)
        ledger.went(peer.id, session)
        if not is_last:
            return
        self._identity.leave(session, ledger.now)
        if is_guest(session.key):
            ledger.end_memberships(session)
        self._notice(session, "disconnect")

    def register(self, peer: Peer, request: Register) -> None:
        """Protect the name of *peer* with a password.

        Raises:
            Unanswered, Refused: see `who` and `libtchat.hub.identity.Identity.register`.
        """
        session = self.who(peer, request.sender if peer.session is not None else None)
        self._identity.register(peer, session, request, self.ledger.now)

    def settled(self, question: SaveUser, answer: Answer) -> None:
        """Take what became of a password that was to be stored, whether or not who asked is still there."""
        if self._identity.settled(question, answer):
            self.ledger.entrances.protect(question.key, question.password_hash)

    def _notice(self, session: Session, event: str) -> None:
        """Tell others that a user came or went."""
        if others := self._watchers(session):
            notice = Send(others, PresenceNotice("server", event, session.name))
            self.ledger.line.put(Notice((notice,)))

    def _watchers(self, session: Session) -> tuple[PeerId, ...]:
        ledger, scope = self.ledger, self.scope
        presence = ledger.presence
        if scope == "auto":
            scope = "all" if len(presence) <= ledger.limits.max_presence_users else "groups"
        if scope == "all":
            audience = presence.everybody()
        elif scope == "groups" and session.memberships:
            groups = [ledger.audience(membership.key) for membership in session.groups(Standing.MEMBER)]
            audience = tuple(dict.fromkeys(chain.from_iterable(groups)))
        else:
            return ()
        return tuple([peer for peer in audience if peer not in session.peers])
