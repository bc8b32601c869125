"""Who a peer may be: names, tokens and passwords (spec/protocol.md, "Identity").

Nothing here hashes, stores or draws random bits: it asks. A question that is not answered yet is raised as
`libtchat.hub.presence.Unanswered`; the caller has it answered and calls again from the start.
"""

from __future__ import annotations

from hmac import compare_digest

from attrs import Factory, define, evolve

from libtchat.effect import Answer, CheckPassword, HashPassword, LoadUser, NumberGuest, SaveUser, StoredUser
from libtchat.hub.presence import Peer, Presence, Session, Unanswered
from libtchat.hub.retries import Retries
from libtchat.hub.throttle import Throttle
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.limits import Limits
from libtchat.message.names import GUEST_PREFIX, UserKey, check_user_name, is_guest, user_key
from libtchat.message.request import Hello, Register
from libtchat.rate import Bucket

__all__ = ["Identity"]

_MAX_TOKENS = 100_000
"""Tokens of users who went: names cost nothing, so somebody may come and go under a thousand of them a second."""


@define
class Identity:
    """The tokens given, the passwords on their way to the log and those tried."""

    limits: Limits
    _presence: Presence
    _tokens: dict[UserKey, tuple[str, float]] = Factory(dict)
    _saving: dict[UserKey, SaveUser] = Factory(dict)
    _throttle: Throttle = Factory(lambda self: Throttle(self.limits), takes_self=True)

    def enter(self, peer: Peer, hello: Hello, key: UserKey, protection: str | None, now: float) -> Session:
        """Decide as whom *peer* enters: a session that is there, or a new one (not attached to *peer* yet).

        *key* is that of the hello's name, checked or not; *protection* is the hash of the password that the name got
        since what is stored of the user was asked for.

        Raises:
            Unanswered: see there.
            Refused: bad-name, auth-required, auth-failed, name-in-use, limit-reached, rate-limited, unavailable.
        """
        if hello.sender is None:
            guest = f"{GUEST_PREFIX}{peer.ask(NumberGuest())}"
            return self._new_session(user_key(guest), guest, peer.token, StoredUser(), now)
        name = check_user_name(hello.sender)
        session = self._presence.session(key)
        user = None if session else peer.ask(LoadUser(key))
        assert user is None or isinstance(user, StoredUser)
        if user is not None and protection is not None:
            user = evolve(user, password_hash=protection)
        self._authenticate(peer, hello, key, session or user or StoredUser(), is_held=session is not None, now=now)
        if session is not None:
            if len(session.peers) >= self.limits.max_peers_per_user:
                raise Refused(ErrorCode.LIMIT_REACHED, limit=self.limits.max_peers_per_user)
            return session
        current = self._token(key, now)
        if current is None or hello.token is None or not _same(hello.token, current):
            current = peer.token  # somebody else, for all we know: the old one ends here
        return self._new_session(key, name, current, user or StoredUser(), now)

    def leave(self, session: Session, now: float) -> None:
        """Let the token of a user who went expire after `token_seconds`."""
        self._tokens.pop(session.key, None)
        while self._tokens and (oldest := next(iter(self._tokens.items())))[1][1] <= now:
            del self._tokens[oldest[0]]
        if not is_guest(session.key):
            if len(self._tokens) >= _MAX_TOKENS:
                del self._tokens[next(iter(self._tokens))]
            self._tokens[session.key] = (session.token, now + self.limits.token_seconds)

    def register(self, peer: Peer, session: Session, request: Register, now: float) -> None:
        """Protect the session's name with a password, once.

        Raises:
            Unanswered: see there.
            Refused: forbidden for a guest or a name that is protected already; rate-limited; unavailable.
        """
        if is_guest(session.key):
            raise Refused(ErrorCode.FORBIDDEN, "a guest has no name to protect: choose one with a hello")
        if not request.password:
            raise Refused(ErrorCode.BAD_REQUEST, "the password is empty", field="password")
        question = HashPassword(request.password)
        if session.password_hash is None:
            self._wait_for_save(session.key)
            if question not in peer.answers:
                self._throttle.hash(peer.origin, now)
            save = SaveUser(session.key, session.name, _text(peer.ask(question)))
            if save not in peer.answers:
                self._saving[session.key] = save
            peer.ask(save)  # False: somebody else was first
        elif peer.answers.get(question) == session.password_hash:
            self._throttle.live(session.key, peer.origin)
            return
        raise Refused(ErrorCode.FORBIDDEN, f"{session.name} has a password already")

    def settled(self, save: SaveUser, answer: Answer) -> bool:
        """Take what became of a password that was to be stored; tell whether it protects its name from now on."""
        if self._saving.get(save.key) != save:
            return False  # known already: somebody else waited for it too
        del self._saving[save.key]
        if answer is not True:
            return False
        if (session := self._presence.session(save.key)) is not None:
            session.password_hash = save.password_hash
        return True

    def _authenticate(
        self, peer: Peer, hello: Hello, key: UserKey, user: Session | StoredUser, *, is_held: bool, now: float
    ) -> None:
        token = user.token if isinstance(user, Session) else self._token(key, now)
        if hello.token is not None and token is not None and _same(hello.token, token):
            return
        self._wait_for_save(key)
        if hello.password is not None:
            check = CheckPassword(hello.password, user.password_hash)
            if check not in peer.answers:
                self._throttle.check(key, peer.origin, now)
            if peer.ask(check):
                self._throttle.right(key, peer.origin)
                return
            raise Refused(ErrorCode.AUTH_FAILED)
        if user.password_hash is not None:
            raise Refused(ErrorCode.AUTH_REQUIRED if hello.token is None else ErrorCode.AUTH_FAILED)
        if is_held:
            raise Refused(ErrorCode.NAME_IN_USE, field="sender")

    def _wait_for_save(self, key: UserKey) -> None:
        """Let nobody be decided about while a password of this name is on its way to the disk."""
        if (save := self._saving.get(key)) is not None:
            raise Unanswered(save)

    def _new_session(self, key: UserKey, name: str, token: str, user: StoredUser, now: float) -> Session:
        return Session(
            key,
            name,
            token,
            Bucket(self.limits.broadcast_burst, self.limits.broadcasts_per_second),
            user.password_hash,
            {membership.key: membership for membership in user.memberships},
            user.created,
            Retries(self.limits.retry_seconds, now + self.limits.retry_seconds if user.has_retries else 0.0),
        )

    def _token(self, key: UserKey, now: float) -> str | None:
        token, expires = self._tokens.get(key, ("", 0.0))
        return token if now < expires else None


def _same(given: str, expected: str) -> bool:
    return compare_digest(given.encode(), expected.encode())


def _text(answer: Answer) -> str:
    assert isinstance(answer, str)
    return answer
