"""Who a peer may be: names, tokens and passwords (spec/protocol.md, "Identity").

Nothing here hashes, stores or draws random bits: it asks (see `libtchat.hub.work`).
"""

from __future__ import annotations

from hmac import compare_digest

from attrs import Factory, define

from libtchat.effect import Answer, CheckPassword, HashPassword, LoadUser, NumberGuest, SaveUser, StoredUser
from libtchat.hub.clock import Clock
from libtchat.hub.newcomer import Newcomers, News
from libtchat.hub.peer import Peer
from libtchat.hub.presence import Presence
from libtchat.hub.retries import Retries
from libtchat.hub.throttle import Throttle
from libtchat.hub.user import OnlineUser
from libtchat.hub.work import Work, ask
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.limits import ServerLimits
from libtchat.message.names import GUEST_PREFIX, UserKey, check_user_name, is_guest, user_key
from libtchat.message.request import Hello, Register
from libtchat.rate import Bucket

__all__ = ["Identity"]

_MAX_TOKENS = 100_000
"""Tokens of users who went: names cost nothing, so somebody may come and go under a thousand of them a second."""


@define
class Identity:
    """The tokens given, the passwords on their way to the log and those tried."""

    limits: ServerLimits
    _clock: Clock
    _presence: Presence
    _newcomers: Newcomers
    _tokens: dict[UserKey, tuple[str, float]] = Factory(dict)
    _saving: dict[UserKey, SaveUser] = Factory(dict)
    _throttle: Throttle = Factory(lambda self: Throttle(self.limits), takes_self=True)

    def enter(self, peer: Peer, hello: Hello, key: UserKey, news: News) -> Work[OnlineUser]:
        """Decide as whom *peer* enters: a user who is online, or one who was not (not attached to *peer* yet).

        *key* is that of the hello's name, checked or not; *news* are those of the user since the hello came. Who is
        vouched for proves nothing.

        Raises:
            Refused: bad-name, auth-required, auth-failed, name-in-use, limit-reached, rate-limited, unavailable.
        """
        if hello.sender is None:
            guest = f"{GUEST_PREFIX}{yield from ask(NumberGuest(), int)}"
            return self._new_user(user_key(guest), guest, peer.token, StoredUser(), None)
        name = check_user_name(hello.sender)
        stored: StoredUser | None = None
        right: str | None = None
        # Each turn looks at the present state: while an answer was on its way, the user may have come or gone, and
        # the name may have got a password. What was read before that, or checked against less, lets nobody in.
        while True:
            online = self._presence.user(key)
            if online is None and stored is None:
                stored = yield from ask(LoadUser(key), StoredUser)
                continue
            if peer.is_vouched or self._has_token(hello, key, online):
                break
            if (save := self._saving.get(key)) is not None:
                yield save
                continue
            password_hash = _password_hash(online, stored, news)
            if hello.password is None:
                _check_free(hello, password_hash, is_held=online is not None and online.shown > 0)
                break
            if right is not None and right == password_hash:
                break
            right = yield from self._check_password(peer, key, CheckPassword(hello.password, password_hash))
        if online is None:
            return self._come_online(peer, hello, key, name, stored or StoredUser(), news)
        if online.shown >= self.limits.max_peers_per_user and not peer.on_behalf:
            raise Refused(ErrorCode.LIMIT_REACHED, limit=self.limits.max_peers_per_user)
        return online

    def leave(self, user: OnlineUser) -> None:
        """Let the token of a user who went expire after `token_seconds`."""
        now = self._clock.now
        self._tokens.pop(user.key, None)
        while self._tokens and (oldest := next(iter(self._tokens.items())))[1][1] <= now:
            del self._tokens[oldest[0]]
        if not is_guest(user.key):
            if len(self._tokens) >= _MAX_TOKENS:
                del self._tokens[next(iter(self._tokens))]
            self._tokens[user.key] = (user.token, now + self.limits.token_seconds)

    def register(self, peer: Peer, user: OnlineUser, request: Register) -> Work[None]:
        """Protect the user's name with a password, once.

        Raises:
            Refused: forbidden for a guest or a name that is protected already; rate-limited; unavailable.
        """
        if is_guest(user.key):
            raise Refused(ErrorCode.FORBIDDEN, "a guest has no name to protect: choose one with a hello")
        if not request.password:
            raise Refused(ErrorCode.BAD_REQUEST, "the password is empty", field="password")
        password_hash = None
        yield from self._saved(user.key)
        if user.password_hash is None:
            self._throttle.hash(peer.origin, self._clock.now)
            password_hash = yield from ask(HashPassword(request.password), str)
            yield from self._saved(user.key)  # another peer of the user may have been quicker
        if user.password_hash is None and password_hash is not None:
            self._saving[user.key] = save = SaveUser(user.key, user.name, password_hash)
            yield from ask(save, bool)  # False: another server was quicker
        if password_hash is None or user.password_hash != password_hash:
            raise Refused(ErrorCode.FORBIDDEN, f"{user.name} has a password already")
        self._throttle.live(user.key, peer.origin)

    def settled(self, save: SaveUser, answer: Answer) -> None:
        """Take what became of a password that was to be stored, whether or not who asked is still there."""
        if self._saving.get(save.key) != save:
            return  # known already: somebody else waited for it too
        del self._saving[save.key]
        if answer is True:
            if (user := self._presence.user(save.key)) is not None:
                user.password_hash = save.password_hash
            self._newcomers.protect(save.key, save.password_hash)

    def _has_token(self, hello: Hello, key: UserKey, online: OnlineUser | None) -> bool:
        current = online.token if online is not None else self._token(key)
        return hello.token is not None and current is not None and _same(hello.token, current)

    def _token(self, key: UserKey) -> str | None:
        token, expires = self._tokens.get(key, ("", 0.0))
        return token if self._clock.now < expires else None

    def _check_password(self, peer: Peer, key: UserKey, check: CheckPassword) -> Work[str | None]:
        """Return the hash that the password is right for."""
        self._throttle.check(key, peer.origin, self._clock.now)
        if not (yield from ask(check, bool)):
            raise Refused(ErrorCode.AUTH_FAILED)
        self._throttle.right(key, peer.origin)
        return check.password_hash

    def _saved(self, key: UserKey) -> Work[None]:
        """Wait while a password of this name is on its way to the disk: nobody is decided about before."""
        while (save := self._saving.get(key)) is not None:
            yield save

    def _come_online(
        self, peer: Peer, hello: Hello, key: UserKey, name: str, stored: StoredUser, news: News
    ) -> OnlineUser:
        token = peer.token
        if peer.is_vouched:
            token = self._token(key) or token  # it is not told: who has the old one keeps it
        elif hello.token is not None and self._has_token(hello, key, None):
            token = hello.token  # else it is somebody else, for all we know: the old token ends here
        return self._new_user(key, name, token, stored, _password_hash(None, stored, news))

    def _new_user(
        self, key: UserKey, name: str, token: str, stored: StoredUser, password_hash: str | None
    ) -> OnlineUser:
        limits = self.limits
        return OnlineUser(
            key,
            name,
            token,
            Bucket(limits.broadcast_burst, limits.broadcasts_per_second),
            password_hash,
            {membership.key: membership for membership in stored.memberships},
            stored.created,
            Retries(limits.retry_seconds, self._clock.now + limits.retry_seconds if stored.has_retries else 0.0),
        )


def _password_hash(online: OnlineUser | None, stored: StoredUser | None, news: News) -> str | None:
    """Return what protects the name now, None if nothing does."""
    if online is not None:
        return online.password_hash
    return news.password_hash or (stored.password_hash if stored is not None else None)


def _check_free(hello: Hello, password_hash: str | None, *, is_held: bool) -> None:
    """Check that a name may be had without a password."""
    if password_hash is not None:
        raise Refused(ErrorCode.AUTH_REQUIRED if hello.token is None else ErrorCode.AUTH_FAILED)
    if is_held:
        raise Refused(ErrorCode.NAME_IN_USE, field="sender")


def _same(given: str, expected: str) -> bool:
    return compare_digest(given.encode(), expected.encode())
