"""Who a peer may be: names, tokens and passwords (spec/protocol.md, "Identity").

Nothing here hashes, stores or draws random bits: it asks (see `libtchat.hub.work`).
"""

from __future__ import annotations

from attrs import Factory, define

from libtchat.cluster import FindSeat, NodeId, Seat, TakeSeat
from libtchat.effect import Answer, CheckPassword, HashPassword, LoadUser, NumberGuest, Registration, SaveUser
from libtchat.hub.bars import Bars
from libtchat.hub.claim import Found, check_free, check_not_ended, has_token, protection
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
from libtchat.stored import StoredUser

__all__ = ["Identity"]

_MAX_TOKENS = 100_000
"""Tokens of users who went: names cost nothing, so somebody may come and go under a thousand of them a second."""


@define
class Identity:
    """The tokens given, the passwords on their way to the log and those tried.

    *node*: among several nodes, this one; then a roster has the names and their tokens.
    """

    limits: ServerLimits
    _clock: Clock
    _presence: Presence
    _newcomers: Newcomers
    node: NodeId | None = None
    registration: Registration = "open"
    bars: Bars = Factory(Bars)
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
            return (yield from self._enter_as_guest(peer))
        found = Found(check_user_name(hello.sender), is_sure=peer.on_behalf)
        self.bars.check(found.name, key, self._clock)
        # Each turn looks at the present state: while an answer was on its way, the user may have come or gone, and
        # the name may have got a password. What was read before that, or checked against less, lets nobody in.
        while True:
            online = self._presence.user(key)
            if found.seat is None and self.node is not None:
                found.seat, found.stored = (yield from ask(FindSeat(key, not found.is_sure), Seat)), None
            elif found.stored is None and (online is None or self.node is not None):
                found.stored = yield from ask(LoadUser(key), StoredUser)  # who sets a password has a seat
            elif (question := self._doubt(peer, hello, key, online, found, news)) is None:
                if found.seat is None or (yield from self._take(peer, hello, found, found.seat)):
                    break
                found.seat, found.is_sure = None, True  # somebody changed it meanwhile
            elif isinstance(question, FindSeat):
                found.seat, found.is_sure = None, True
            elif isinstance(question, CheckPassword):
                found.right = yield from self._check_password(peer, key, question)
            else:
                yield question
        self.bars.check(found.name, key, self._clock)
        if self.node is not None:
            check_not_ended(found, news)
            online = self._presence.user(key)
        if online is None:
            return self._come_online(peer, hello, key, found, news)
        if found.seat is not None:
            online.token = found.seat.token or online.token
            online.password_hash = protection(None, found.stored, news)
        elif online.shown >= self.limits.max_peers_per_user and not peer.on_behalf:
            raise Refused(ErrorCode.LIMIT_REACHED, limit=self.limits.max_peers_per_user)
        return online

    def _enter_as_guest(self, peer: Peer) -> Work[OnlineUser]:
        while True:
            guest = f"{GUEST_PREFIX}{yield from ask(NumberGuest(), int)}"
            found, key = Found(guest, is_sure=True), user_key(guest)
            if self.node is None or (yield from self._take(peer, Hello(), found, Seat(key, guest, ""))):
                return self._new_user(key, guest, peer.token, StoredUser(), None)

    def _doubt(
        self, peer: Peer, hello: Hello, key: UserKey, online: OnlineUser | None, found: Found, news: News
    ) -> CheckPassword | SaveUser | FindSeat | None:
        """Return what must be known before *peer* may be this user; None: it may.

        Raises:
            Refused: see `enter`.
        """
        seat = found.seat
        if peer.is_vouched or has_token(hello, self._current_token(key, online, seat)):
            return None
        if (save := self._saving.get(key)) is not None:
            return save
        if found.is_guess() and (hello.token is not None or (hello.password is None and found.is_held())):
            return FindSeat(key)
        password_hash = protection(online if self.node is None else None, found.stored, news)
        if hello.password is None:
            is_held = found.is_held() if seat is not None else online is not None and online.shown > 0
            check_free(hello, password_hash, is_held=is_held)
            return None
        is_right = found.right is not None and found.right == password_hash
        return None if is_right else CheckPassword(hello.password, password_hash)

    def _take(self, peer: Peer, hello: Hello, found: Found, seat: Seat) -> Work[bool]:
        """Have the roster count *peer* on that *seat*; False: it is another one by now, or may be.

        Raises:
            Refused: limit-reached; unavailable.
        """
        if peer.on_behalf or self.node is None:
            return True
        if sum(seat.nodes.values()) >= self.limits.max_peers_per_user:
            if not found.is_sure:
                return False
            raise Refused(ErrorCode.LIMIT_REACHED, limit=self.limits.max_peers_per_user)
        name, token = found.name, peer.token
        if seat.nodes:
            name, token = seat.name, seat.token
        elif seat.token and (peer.is_vouched or has_token(hello, seat.token)):
            token = seat.token  # else it is somebody else, for all we know: the old token ends here
        nodes = {**seat.nodes, self.node: seat.nodes.get(self.node, 0) + 1}
        why = seat.why if seat.nodes else ""
        found.seat = taken = Seat(seat.key, name, token, nodes, seat.revision, why)
        found.revision = yield from ask(TakeSeat(taken), int)
        peer.is_seated = found.revision > 0
        return peer.is_seated

    def leave(self, user: OnlineUser) -> None:
        """Let the token of a user who went expire after `token_seconds`."""
        now = self._clock.now
        self._tokens.pop(user.key, None)
        while self._tokens and (oldest := next(iter(self._tokens.items())))[1][1] <= now:
            del self._tokens[oldest[0]]
        if not is_guest(user.key) and self.node is None:
            if len(self._tokens) >= _MAX_TOKENS:
                del self._tokens[next(iter(self._tokens))]
            self._tokens[user.key] = (user.token, now + self.limits.token_seconds)

    def register(self, peer: Peer, user: OnlineUser, request: Register) -> Work[None]:
        """Protect the user's name with a password, or with another one if the request has the old one.

        Raises:
            Refused: forbidden (the field says what is missing), auth-failed, rate-limited, unavailable.
        """
        if is_guest(user.key):
            raise Refused(ErrorCode.FORBIDDEN, "a guest has no name to protect: choose one", field="sender")
        if not request.password:
            raise Refused(ErrorCode.BAD_REQUEST, "the password is empty", field="password")
        yield from self._saved(user.key)
        old, code = user.password_hash, None
        if old is None:
            code = self._invitation(request)
        elif request.old is None:
            raise Refused(ErrorCode.FORBIDDEN, f"{user.name} has a password already: give the old one", field="old")
        else:
            yield from self._check_password(peer, user.key, CheckPassword(request.old, old))
        self._throttle.hash(peer.origin, self._clock.now)
        password_hash = yield from ask(HashPassword(request.password), str)
        yield from self._saved(user.key)  # another peer of the user may have been quicker
        if user.password_hash == old:
            self._saving[user.key] = save = SaveUser(user.key, user.name, password_hash, old, code)
            if not (yield from ask(save, bool)) and code is not None:
                raise Refused(ErrorCode.FORBIDDEN, "this invitation code does not hold", field="invitation")
        if user.password_hash != password_hash:
            raise Refused(ErrorCode.FORBIDDEN, f"{user.name} has another password already", field="old")
        self._throttle.live(user.key, peer.origin)

    def settled(self, save: SaveUser, answer: Answer) -> None:
        """Take what became of a password that was to be stored, whether or not who asked is still there."""
        if self._saving.get(save.key) != save:
            return  # known already: somebody else waited for it too
        del self._saving[save.key]
        if answer is True:
            self.protect(save.key, save.password_hash)

    def protect(self, user: UserKey, password_hash: str | None) -> None:
        """Take note of what is stored as the user's password by somebody else."""
        if (online := self._presence.user(user)) is not None:
            online.password_hash = password_hash
        self._newcomers.protect(user, password_hash)

    def forget(self, user: UserKey, token: str) -> None:
        """End the user's token; *token*, which nobody knows, takes its place."""
        self._tokens.pop(user, None)
        if (online := self._presence.user(user)) is not None:
            online.token = token

    def _invitation(self, request: Register) -> str | None:
        """Return the code that is to be used up, None if none is needed."""
        if self.registration == "closed":
            raise Refused(ErrorCode.FORBIDDEN, "only the operator gives names a password here", field="password")
        if self.registration == "open":
            return None
        if not request.invitation:
            raise Refused(ErrorCode.FORBIDDEN, "a password takes an invitation code here", field="invitation")
        return request.invitation

    def _current_token(self, key: UserKey, online: OnlineUser | None, seat: Seat | None) -> str | None:
        if seat is not None:
            return seat.token or None
        return online.token if online is not None else self._token(key)

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

    def _come_online(self, peer: Peer, hello: Hello, key: UserKey, found: Found, news: News) -> OnlineUser:
        name, token, stored = found.name, peer.token, found.stored or StoredUser()
        if found.seat is not None:
            name, token = found.seat.name or name, found.seat.token or token
        elif peer.is_vouched:
            token = self._token(key) or token  # it is not told: who has the old one keeps it
        elif has_token(hello, self._token(key)):
            token = hello.token or token  # else it is somebody else, for all we know: the old token ends here
        return self._new_user(key, name, token, stored, protection(None, stored, news))

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
