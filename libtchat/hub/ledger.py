"""The loaded groups: what is in their logs, what is decided on top of it, and who hears of it.

Requests that make events are decided here, on the newest state; the outcome waits in the line until its event
is durable. When an append fails, the requests of its groups are decided again in place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import floor

import attrs
from attrs import Factory, define

from libtchat.effect import (
    FindRetry,
    FindUser,
    Known,
    Loaded,
    LoadGroup,
    Membership,
    Part,
    PeerId,
    Resend,
    Retried,
    Retry,
    Send,
)
from libtchat.group import Group, Standing, admit, decide, evolve, fold, outsiders, say, subject
from libtchat.hub.entrance import Entrances, expect, learn, learn_id
from libtchat.hub.entry import AnyEntry, Decision, Run, Told
from libtchat.hub.line import Line
from libtchat.hub.presence import Peer, Presence, Session
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.event import Created, Event, Invited, Said
from libtchat.message.limits import Limits
from libtchat.message.names import Key, UserKey, group_key, is_guest, user_key
from libtchat.message.request import Ban, Create, GroupRequest, Invite, Join, Leave, Say
from libtchat.rate import Bucket

__all__ = ["Ledger"]


_ENTERING = frozenset((Create, Join))


@define(eq=False)
class Slot:
    """A loaded group: as in the log, as decided so far, and the peers of its newest members (None: not known).

    *online* is kept up to date as members and peers come and go; *audience* is made of it when an event needs it.
    """

    durable: Group | None = None
    newest: Group | None = None
    audience: tuple[PeerId, ...] | None = None
    online: dict[PeerId, None] | None = None

    def hear(self, peers: Iterable[PeerId]) -> None:
        """Add *peers* to those that hear of the group."""
        if self.online is not None:
            self.online.update(dict.fromkeys(peers))
            self.audience = None

    def hear_no_more(self, peers: Iterable[PeerId]) -> None:
        """Take *peers* from those that hear of the group."""
        if self.online is not None:
            for peer in peers:
                self.online.pop(peer, None)
            self.audience = None


@define
class Ledger:
    """All loaded groups of one hub.

    Attributes:
        now: the time of what is decided next, in seconds of a clock that only goes forward.
        ahead: how far the time of day (seconds since the epoch, UTC) is ahead of that; only `ts` tells it.
    """

    limits: Limits
    presence: Presence
    line: Line[AnyEntry]
    now: float = 0.0
    ahead: float = 0.0
    _stamped: tuple[float | None, str] = (None, "")
    _second: tuple[int | None, str] = (None, "")
    _slots: dict[Key, Slot] = Factory(dict)
    _inviting: dict[UserKey, int] = Factory(dict)
    _sweep_at: int = 10_000
    entrances: Entrances = Factory(lambda ledger: Entrances(ledger.line), takes_self=True)

    @property
    def ts(self) -> str:
        """The time stamp of `now`: ISO 8601, UTC, milliseconds (R-ts)."""
        now = self.now + self.ahead
        at, ts = self._stamped
        if at != now:
            second, text = self._second
            if second != floor(now):
                second = floor(now)
                text = datetime.fromtimestamp(second, UTC).isoformat()[:19]
                self._second = (second, text)
            milliseconds = int((now - second) * 1000 + 0.0005)  # a float holds a bit less than what was meant
            ts = f"{text}.{min(milliseconds, 999):03}Z"
            self._stamped = (now, ts)
        return ts

    # --- groups ---

    def load(self, peer: Peer, key: Key) -> Slot:
        """Return a group's slot; that of a name never used is not kept.

        Raises:
            Unanswered: it has to be loaded first.
            Refused: unavailable.
        """
        slot = self._slots.get(key)
        if slot is None:
            loaded = peer.ask(LoadGroup(key))
            assert isinstance(loaded, Loaded)
            group = fold(loaded.tail, loaded.snapshot)
            slot = Slot(group, group)
            if group is not None:
                self._slots[key] = slot
                self._let_lost_guests_go(key, group)
        return slot

    def durable(self, key: Key) -> Group | None:
        """Return a loaded group as of everything that was told, None if it is not loaded or does not exist."""
        slot = self._slots.get(key)
        return slot.durable if slot is not None else None

    def sweep(self) -> None:
        """Drop groups none of whose members is online, once there are many; they are loaded again when asked for."""
        if len(self._slots) < self._sweep_at or len(self.line):
            return
        online = self.presence.session
        self._slots = {
            key: slot
            for key, slot in self._slots.items()
            if slot.durable and any(online(user) is not None for user in slot.durable.members)
        }
        self._sweep_at = max(10_000, 2 * len(self._slots))

    # --- users that come and go ---

    def came(self, peer: PeerId, session: Session) -> None:
        """Let *peer*, which came to *session*, hear of the groups whose member it is."""
        for slot in self._slots_of(session):
            if slot.newest is not None and session.key in slot.newest.members:
                slot.hear((peer,))

    def went(self, peer: PeerId, session: Session) -> None:
        """Let *peer*, which went from *session*, hear of no group any more."""
        for slot in self._slots_of(session):
            slot.hear_no_more((peer,))

    def audience(self, key: Key) -> tuple[PeerId, ...]:
        """Return the peers of a group's newest members; none, if it is not loaded."""
        slot = self._slots.get(key)
        return self._heard_by(slot) if slot is not None else ()

    def _slots_of(self, session: Session) -> list[Slot]:
        return [slot for key in session.memberships if (slot := self._slots.get(key)) is not None]

    def end_memberships(self, session: Session) -> None:
        """Let a guest who went leave its groups."""
        for key, membership in session.memberships.items():
            if key in self._slots:
                self._let_go(session, key, membership.name)

    def _let_lost_guests_go(self, key: Key, group: Group) -> None:
        """Let guests leave whose connections ended with the server, without their leave (R-guest-leave)."""
        names = {**group.members, **{user: event.dest for user, event in group.invited.items()}}
        for user, name in names.items():
            if is_guest(user) and self.presence.session(user) is None:
                self._let_go(Session(user, name, "", Bucket(0, 0)), key, group.name)

    def _let_go(self, session: Session, key: Key, name: str) -> None:
        decision = Decision(None, session, Leave(None, name), key, self.presence.arrivals)
        self.decide(decision)
        self.line.put(decision)

    # --- deciding ---

    def command(self, peer: Peer, session: Session, request: GroupRequest) -> None:
        """Decide *request* and put the decision in the line.

        Raises:
            Unanswered: something has to be loaded first.
            Refused: unavailable.
        """
        key = group_key(request.group)
        slot = self._slots.get(key) or self.load(peer, key)
        known = self._known(peer, session, slot, request) if isinstance(request, Invite | Ban) else None
        earlier = self._stored(peer, session, request.id) if request.id is not None else None
        if slot.newest is None:
            self._slots.setdefault(key, slot)
        decision = Decision(peer, session, request, key, self.presence.arrivals, known, earlier)
        self.decide(decision)
        self.line.put(decision)
        if slot.newest is None:
            del self._slots[key]

    def say(self, peer: Peer, session: Session, texts: Sequence[Say]) -> None:
        """Decide texts without an id for one group together, and put them in the line as one entry.

        Raises:
            Unanswered: the group has to be loaded first.
            Refused: none of them may be said.
        """
        key = group_key(texts[0].group)
        slot = self._slots.get(key) or self.load(peer, key)
        before = slot.newest
        events, slot.newest = say(before, texts, session.name, ts=self.ts, key=session.key)
        audience = slot.audience or self._audience(slot, before, events[-1], slot.newest)
        part = Part(key, events[0].seq - 1, events, slot.newest, ("",) * len(events))
        self.line.put(Run(peer, session, tuple(texts), key, self.presence.arrivals, part, audience))

    def decide(self, decision: Decision) -> None:
        """Decide on the group's newest state: *decision* gets an event, or effects."""
        session, request = decision.session, decision.request
        slot = self._slots[decision.key]
        before = slot.newest
        try:
            digest = ""
            if request.id is not None:
                digest = _digest(request)
                if (first := self._retried(decision, request.id, digest)) is not None:
                    peer = decision.peer
                    decision.effects = (Resend(peer.id, first.key, first.seq),) if peer is not None else ()
                    return
            event = self._event(decision, before)
        except Refused as refusal:
            is_unsure = refusal.code is ErrorCode.USER_NOT_FOUND and decision.known is None
            decision.refuse(Refused(ErrorCode.UNAVAILABLE) if is_unsure else refusal)
            return
        if before is not None and event.seq <= before.seq:
            audience = self._concerned_by_repeat(decision.peer, event)
            decision.effects = (Send(self.presence.earlier(audience, decision.arrivals), event),)
            return
        slot.newest = after = evolve(before, event)
        decision.part = part = Part(decision.key, event.seq - 1, (event,), after, (digest,))
        self._count_invitation(event, 1)
        known = slot.audience if isinstance(event, Said) else None
        audience = known or self._audience(slot, before, event, after)
        decision.audience = self.presence.earlier(audience, decision.arrivals)
        if request.id is not None or type(request) in _ENTERING:
            expect(session, part, self.now)

    def _event(self, decision: Decision, group: Group | None) -> Event:
        """Return what the request of *decision* makes of *group*; what one user may have and do counts, too."""
        session, request, known = decision.session, decision.request, decision.known
        if type(request) in _ENTERING:
            self._check_share(session, request, group)
        known_dest = known.name if known is not None else None
        event = decide(
            group, request, session.name, ts=self.ts, known_dest=known_dest, limits=self.limits, key=session.key
        )
        if isinstance(event, Invited) and (group is None or event.seq > group.seq):
            self._check_invitations(user_key(event.dest), known)
        return event

    def keep(self, entry: Decision | Run | Told, part: Part) -> None:
        """Let queries that leave after the events of *entry*, its *part*, see them."""
        key, event = part.key, part.events[-1]
        self._slots[key].durable = part.after
        if isinstance(entry, Run):
            return
        self.entrances.note(part)
        if isinstance(entry, Decision):
            self._count_invitation(event, -1)
        if event.id is not None and (session := self.presence.session(user_key(event.sender))) is not None:
            learn_id(session, part, self.now)
        if isinstance(event, Said) or (changed := subject(event)) is None:
            return
        if (session := self.presence.session(user_key(changed))) is not None:
            learn(session, part, self.now)
            self._forget_groups_left(session, key)

    def _forget_groups_left(self, session: Session, key: Key) -> None:
        """Drop a group the user is neither in nor invited to, nor about to enter: anybody may ban anybody anywhere."""
        newest, inside = self._slots[key].newest, (Standing.MEMBER, Standing.INVITED)
        is_coming = newest is not None and session.key in newest.members
        if session.memberships[key].standing not in inside and not is_coming:
            del session.memberships[key]

    def _known(self, peer: Peer, session: Session, slot: Slot, request: Invite | Ban) -> Known | None:
        """Return the target's name as displayed and how many invitations wait for its answer.

        The log is asked only when all else is in order, else the result is None: should the request be decided again
        and then be in order, the peer is told to ask again.
        """
        user = user_key(request.dest)
        if (online := self.presence.session(user)) is not None:
            return Known(online.name, sum(it.standing is Standing.INVITED for it in online.memberships.values()))
        try:
            decide(slot.newest, request, session.name, ts=self.ts, limits=self.limits)
        except Refused as refusal:
            if refusal.code is ErrorCode.USER_NOT_FOUND:
                known = peer.ask(FindUser(user))
                assert isinstance(known, Known)
                return known
        return None

    def _check_invitations(self, user: UserKey, known: Known | None) -> None:
        """Check that one more invitation of *user* may wait for its answer."""
        limit, waiting = self.limits.max_invitations, 0 if known is None else known.invitations
        if waiting + self._inviting.get(user, 0) >= limit:
            raise Refused(ErrorCode.LIMIT_REACHED, "that user has too many invitations to answer", limit=limit)

    def _count_invitation(self, event: Event, change: int) -> None:
        """Count the invitations that are decided and not durable: nobody else knows of them yet."""
        if isinstance(event, Invited):
            user = user_key(event.dest)
            self._inviting[user] = self._inviting.get(user, 0) + change
            if not self._inviting[user]:
                del self._inviting[user]

    def _check_share(self, session: Session, request: GroupRequest, group: Group | None) -> None:
        """Check how many groups a user who enters created and is in; what the group itself refuses comes first."""
        limits = self.limits
        if isinstance(request, Create):
            if group is None and session.created >= limits.max_groups_created:
                raise Refused(ErrorCode.LIMIT_REACHED, "you created too many groups", limit=limits.max_groups_created)
        else:
            admit(group, request, session.key)
        joined = sum(
            self._standing(session, membership) is Standing.MEMBER for membership in session.memberships.values()
        )
        if joined >= limits.max_groups_joined:
            raise Refused(ErrorCode.LIMIT_REACHED, "you are in too many groups", limit=limits.max_groups_joined)

    def _standing(self, session: Session, membership: Membership) -> Standing:
        slot = self._slots.get(membership.key)
        return slot.newest.standing(session.key) if slot and slot.newest else membership.standing

    def _retried(self, decision: Decision, id: str, digest: str) -> Retry | None:
        """Return what the same request with this id made already.

        Raises:
            Refused: bad-request, if the id was used for another request.
        """
        # It is noted: when this is decided again, it may not be in the session's any more.
        decision.earlier = first = decision.session.retries.find(id, self.now) or decision.earlier
        if first is not None and first.digest != digest:
            raise Refused(ErrorCode.BAD_REQUEST, "this id was used for another request", field="id")
        return first

    def _stored(self, peer: Peer, session: Session, id: str) -> Retry | None:
        """Return what a request with this id made, if the log alone remembers it."""
        retries = session.retries
        if retries.stored_until < self.now or retries.find(id, self.now) is not None:
            return None
        found = peer.ask(FindRetry(session.key, id, retries.moved))
        assert isinstance(found, Retried)
        return found.retry

    def _audience(self, slot: Slot, before: Group | None, event: Event, after: Group) -> tuple[PeerId, ...]:
        """Return the peers that hear *event*, and keep those of the members for the next one."""
        if before is not None and before.members is not after.members and (changed := subject(event)) is not None:
            user = user_key(changed)
            change = slot.hear if user in after.members else slot.hear_no_more
            change(self.presence.peers((user,)))
        audience = self._heard_by(slot)
        others = outsiders(before, event, after)
        return audience + self.presence.peers(others) if others else audience

    def _heard_by(self, slot: Slot) -> tuple[PeerId, ...]:
        if slot.audience is None:
            if slot.online is None:
                members = () if slot.newest is None else slot.newest.members
                slot.online = dict.fromkeys(self.presence.peers(members))
            slot.audience = tuple(slot.online)
        return slot.audience

    def _concerned_by_repeat(self, peer: Peer | None, event: Event) -> tuple[PeerId, ...]:
        assert isinstance(event, Invited)
        assert peer is not None
        return tuple(dict.fromkeys((peer.id, *self.presence.peers((user_key(event.dest),)))))

    # --- when parts of an append failed ---

    def rejected(self, failed: Mapping[Key, tuple[Event, ...]]) -> None:
        """Decide again, in place, what stands in the line for the *failed* groups (see `Hub.rejected`)."""
        foreign: dict[Key, list[Told]] = {}

        def again(entry: AnyEntry, lost: bool) -> Iterator[AnyEntry]:
            assert isinstance(entry, Decision | Run)
            for told in foreign.pop(entry.key, ()):
                told.audience = self.presence.earlier(told.audience, entry.arrivals)
                yield told
            for decision in entry.apart() if isinstance(entry, Run) else (entry,):
                if lost and not failed[entry.key]:
                    decision.refuse(Refused(ErrorCode.UNAVAILABLE))
                else:
                    self.decide(decision)
                yield decision

        for key in failed:
            slot = self._slots[key]
            slot.newest, slot.audience, slot.online = slot.durable, None, None
        for _, part in self.line.durable():
            if part.key in failed:
                self._slots[part.key].newest = part.after
        for entry in self.line.revisable():
            if entry.key in failed and isinstance(entry, Decision):
                self._undo(entry)
        for key, events in failed.items():
            foreign[key] = [self._foreign(key, self._slots[key], event) for event in events]
        self.line.rejected(failed, again)

    def _undo(self, decision: Decision) -> None:
        if decision.part is not None:
            event = decision.part.events[-1]
            decision.session.created -= isinstance(event, Created)
            self._count_invitation(event, -1)
            if event.id is not None:
                decision.session.retries.undo(event.id)
        decision.part, decision.effects = None, ()
        earlier = decision.earlier
        slot = self._slots.get(earlier.key) if earlier is not None else None
        if earlier is not None and slot is not None and (slot.newest is None or earlier.seq > slot.newest.seq):
            decision.earlier = None  # it failed as well

    def _foreign(self, key: Key, slot: Slot, event: Event) -> Told:
        """Make an entry of an event that another server appended: our members hear it too."""
        before, slot.newest = slot.newest, evolve(slot.newest, event)
        audience = self._audience(slot, before, event, slot.newest)
        return Told(Part(key, event.seq - 1, (event,), slot.newest, ("",)), audience)


def _digest(request: GroupRequest) -> str:
    """Return what tells this request from another one with the same id: everything but who asks."""
    fields = (request.action, *(getattr(request, field.name) for field in attrs.fields(type(request))[1:]))
    return hashlib.blake2b(repr(fields).encode(), digest_size=16).hexdigest()
