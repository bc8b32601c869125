"""Texts to one user that are kept: who may have them kept, for whom they wait, and what is sent of them (R-kept-*)."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define

from libtchat.direct import NO_BOXES, Box
from libtchat.effect import Resend
from libtchat.group import Group, Standing
from libtchat.hub.clock import Clock
from libtchat.hub.entry import Decision, Receive
from libtchat.hub.peer import Peer
from libtchat.hub.presence import Presence
from libtchat.hub.quota import Quota
from libtchat.hub.user import OnlineUser
from libtchat.message.direct import KeptEvent, Received, Sent
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.limits import ServerLimits
from libtchat.message.names import user_key
from libtchat.message.request import Tell
from libtchat.stored import Known

__all__ = ["Direct", "deliver"]

_MORE_BYTES = 1024


@define
class Direct:
    """Decides the texts to one user of one hub that are kept."""

    limits: ServerLimits
    _clock: Clock
    _presence: Presence
    _quota: Quota

    def keeps(self, user: OnlineUser, request: Tell, known: Known) -> bool:
        """Tell whether a text of *user* is kept: one of the two has a password, and who is away is that one."""
        key = user_key(request.to)
        online = self._presence.user(key)
        if (online is None or not online.shown) and self._presence.elsewhere(key) is None:
            return known.is_protected
        return known.is_protected or user.password_hash is not None

    def event(self, decision: Decision, request: Tell | Receive, log: Group | None) -> KeptEvent:
        """Return what *request* makes of the *log* of the two.

        Raises:
            Refused: user-not-found, limit-reached; or there is nothing that could have been received.
        """
        seq, ts = (1, self._clock.ts) if log is None else (log.seq + 1, max(log.ts, self._clock.ts))
        user, boxes = decision.user, NO_BOXES if log is None else log.boxes
        if isinstance(request, Receive):
            box = boxes.get(user.key)
            if box is None or not box.waiting or box.waiting[0] > request.last:
                raise Refused(ErrorCode.INTERNAL, "nothing waits any more")
            return Received(user.name, request.to, request.last, seq, ts)
        key = user_key(request.to)
        online, elsewhere, known = self._presence.user(key), self._presence.elsewhere(key), decision.known
        name = online.name if online is not None else elsewhere or (known.name if known is not None else None)
        protected = online.password_hash is not None if online is not None else bool(known and known.is_protected)
        here = () if online is None or not online.shown else self._presence.earlier(online.peers, decision.arrivals)
        hearing = bool(here) or elsewhere is not None
        if name is None or not (hearing or protected):
            raise Refused(ErrorCode.USER_NOT_FOUND, f"{request.to} is not connected")
        if not hearing:
            self._check_room(user, name, boxes.get(key), request, known)
        owners = {user.name: user.password_hash is not None, name: protected}
        readers = [owner for owner, is_reader in owners.items() if is_reader]
        reader = None if len(readers) == len(owners) else readers[0]
        return Sent(user.name, name, request.msg, ts, request.id, seq, not hearing, reader)

    def _check_room(self, user: OnlineUser, name: str, box: Box | None, request: Tell, known: Known | None) -> None:
        """Check that one more text of *user* may wait for the user *name*.

        Names without a password cost nothing: they take half of the room at most.
        """
        limits = self.limits
        waiting, size = (len(box.waiting), box.size) if box is not None else (0, 0)
        if waiting >= limits.max_kept_texts:
            limit = limits.max_kept_texts
            raise Refused(ErrorCode.LIMIT_REACHED, f"{limit} texts of yours wait for {name} already", limit=limit)
        if size + len(request.msg.encode()) > limits.max_kept_bytes:
            limit = limits.max_kept_bytes
            raise Refused(ErrorCode.LIMIT_REACHED, f"too much of yours waits for {name} already", limit=limit)
        limit = limits.max_kept_senders if user.password_hash is not None else (limits.max_kept_senders + 1) // 2
        if not waiting and known is not None and self._quota.senders(user_key(name), known) >= limit:
            raise Refused(ErrorCode.LIMIT_REACHED, f"texts of {limit} users wait for {name} already", limit=limit)


def deliver(peer: Peer, user: OnlineUser, most_bytes: int) -> Iterator[Resend]:
    """Send *peer* what waits for its *user* and was not sent to it yet: log after log, some *most_bytes* at once.

    Each text counts `_MORE_BYTES` more than it has: it is looked for in storage, however short it is.
    The rest follows when the peer has shown, by asking something, that it is there.
    """
    if user.password_hash is None:
        return  # the name was taken from who had it: nothing waits for whoever has it now
    size = 0
    for membership in user.groups(Standing.WAITING):
        if (box := membership.box) is None or not box.waiting:
            continue
        if size >= most_bytes:
            return
        key, last = membership.key, peer.delivered.get(membership.key, 0)
        peer.delivered = {**peer.delivered, key: box.waiting[-1]}
        peer.owes_sign = True
        if new := [seq for seq in box.waiting if seq > last]:
            size += box.size + _MORE_BYTES * len(new)
            for seq in new:
                yield Resend(peer.id, key, seq)
