"""Requests that make events: decided on the newest state of their group, and again when that did not become durable.

What is decided waits in the line until it is durable. When an append fails, the requests of its groups are decided
again in place.
"""

from __future__ import annotations

from attrs import define, field

from libtchat.cluster import Relay
from libtchat.effect import LoadGroup, Part, PeerId, Send
from libtchat.group import Group, Standing, fold, subject
from libtchat.hub.clock import Clock
from libtchat.hub.direct import Direct
from libtchat.hub.entry import AnyEntry, Decision, Receive, Run, Told
from libtchat.hub.guest import Guests
from libtchat.hub.interest import Interest
from libtchat.hub.ledger import Ledger, Slot
from libtchat.hub.line import Line
from libtchat.hub.lookup import Lookup
from libtchat.hub.newcomer import Newcomers
from libtchat.hub.peer import Peer
from libtchat.hub.presence import Presence
from libtchat.hub.quota import Quota
from libtchat.hub.retries import digest
from libtchat.hub.texts import Texts
from libtchat.hub.user import OnlineUser
from libtchat.hub.work import Work, ask
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.event import OPERATOR, Invited, LogEvent
from libtchat.message.limits import ServerLimits
from libtchat.message.names import Key, group_key, user_key
from libtchat.message.request import Create, GroupRequest, Invite, Join, Say, Tell
from libtchat.rules import decide, say
from libtchat.ruling import CloseGroup, EndTexts, Expel, GiveGroup, RedactText, Ruling, end_texts, log_key, rule
from libtchat.stored import Loaded, Retry

__all__ = ["Decider"]


@define
class Decider:
    """Decides for one hub.

    Attributes:
        interest: among several nodes, told what users here are to groups.
        guests: who leave when they are gone.
    """

    limits: ServerLimits
    _clock: Clock
    _line: Line[AnyEntry]
    _presence: Presence
    _ledger: Ledger
    _newcomers: Newcomers
    _quota: Quota
    _lookup: Lookup
    _direct: Direct
    interest: Interest | None = None
    guests: Guests = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.guests = Guests(self._line, self._presence, self._ledger, self.put)

    def say_at_once(self, peer: Peer, user: OnlineUser, item: Texts | Say) -> bool:
        """Decide texts if nothing has to be asked first; tell whether that was so. Nearly all texts go this way."""
        slot = self._ledger.slot(group_key(item.group))
        if slot is None:
            return False
        if isinstance(item, Texts):
            self._say(peer, user, slot, item)
            return True
        if self._lookup.may_be_stored(user, item):
            return False
        self.put(slot, Decision(peer, user, item, group_key(item.group), self._presence.arrivals))
        return True

    def say(self, peer: Peer, user: OnlineUser, texts: Texts) -> Work[None]:
        """Decide *texts* together and put them in the line.

        Raises:
            Refused: unavailable.
        """
        slot = yield from self.load(group_key(texts.group))
        self._say(peer, user, slot, texts)

    def command(self, peer: Peer, user: OnlineUser, request: GroupRequest | Tell, key: Key) -> Work[None]:
        """Decide *request*, about the log with this *key*, and put the decision in the line.

        Raises:
            Refused: unavailable.
        """
        retries = user.retries
        whom = request.to if isinstance(request, Tell) else request.dest if isinstance(request, Invite) else user.name
        counted = self._quota.begin(target := user_key(whom))
        try:
            while True:
                slot, changes = (yield from self.load(key)), counted.changes
                known = yield from self._lookup.target(user, slot.newest, request)
                moved = retries.moved
                earlier = yield from self._lookup.earlier(user, request)
                # While an answer was on its way the group may have been dropped and loaded anew, an id used and moved
                # to the log, or what waits for the target stored: then what was found is of before, and is looked for
                # again.
                if self._ledger.is_current(key, slot) and (moved, changes) == (retries.moved, counted.changes):
                    break
        finally:
            self._quota.end(target)
        self.put(slot, Decision(peer, user, request, key, self._presence.arrivals, known, earlier))

    def load(self, key: Key) -> Work[Slot]:
        """Return a group's slot, loaded if need be; that of a name never used is not kept.

        Raises:
            Refused: unavailable.
        """
        if (slot := self._ledger.slot(key)) is not None:
            return slot
        return self.take_in(key, (yield from ask(LoadGroup(key), Loaded)))

    def rule(self, ruling: Ruling, ticket: int, loaded: Loaded) -> None:
        """Decide what an operator does to a group, which was *loaded* as the log has it, and put it in the line."""
        key = log_key(ruling)
        operator = OnlineUser.without_peer(user_key(OPERATOR), OPERATOR)
        decision = Decision(None, operator, ruling, key, self._presence.arrivals, ticket=ticket)
        self.put(self.take_in(key, loaded), decision)

    def take_in(self, key: Key, loaded: Loaded) -> Slot:
        """Keep a group that was loaded now; return its slot."""
        if (slot := self._ledger.slot(key)) is not None:
            return slot  # somebody else was quicker, and the group may have gone on
        group = fold(loaded.tail, loaded.snapshot)
        slot = Slot(group, group)
        self._ledger.hold(key, slot)
        if group is not None:
            self.guests.loaded(key, group)
        return slot

    def _say(self, peer: Peer, user: OnlineUser, slot: Slot, texts: Texts) -> None:
        key, said, arrivals = group_key(texts.group), texts.said, self._presence.arrivals
        try:
            events, after = say(slot.newest, said, user.name, ts=self._clock.ts, key=user.key)
        except Refused:
            for text in said:  # each is refused by itself, and may be accepted when it is decided again
                self.put(slot, Decision(peer, user, text, key, arrivals))
            return
        slot.newest = after
        part = Part(key, events[0].seq - 1, events, after, ("",) * len(events))
        self._line.put(Run(peer, user, said, key, arrivals, part, self._ledger.hearers(slot)))

    def put(self, slot: Slot, decision: Decision) -> None:
        """Decide, on the newest state in *slot*, and put the decision in the line."""
        self.decide(slot, decision)
        self._ledger.hold(decision.key, slot)
        self._line.put(decision)

    def decide(self, slot: Slot, decision: Decision) -> None:
        """Decide on the group's newest state: *decision* gets an event, or effects."""
        user, request, before = decision.user, decision.request, slot.newest
        try:
            mark = "" if request.id is None or isinstance(request, Receive) else digest(request)
            if (first := self._retried(decision, mark)) is not None:
                decision.repeat(first)
                return
            event = self._event(decision, before)
        except Refused as refusal:
            is_unsure = refusal.code is ErrorCode.USER_NOT_FOUND and decision.known is None
            decision.refuse(Refused(ErrorCode.UNAVAILABLE) if is_unsure else refusal)
            return
        if before is not None and event.seq <= before.seq:
            decision.effects = (Send(self._hear_again(decision, event), event), *self._relayed(event))
            return
        after, audience = self._ledger.extend(slot, event)
        decision.audience = self._presence.earlier(audience, decision.arrivals)
        decision.part = part = Part(decision.key, event.seq - 1, (event,), after, (mark,))
        self._quota.count(part, 1)
        if mark or isinstance(request, (Create, Join)):
            user.expect(part, self._clock.now)

    def _event(self, decision: Decision, group: Group | None) -> LogEvent:
        """Return what the request of *decision* makes of *group*; what one user may have counts, too."""
        user, request, known = decision.user, decision.request, decision.known
        if isinstance(request, (Tell, Receive)):
            return self._direct.event(decision, request, group)
        if isinstance(request, EndTexts):
            return end_texts(group, request, ts=self._clock.ts)
        if isinstance(request, CloseGroup | RedactText | GiveGroup | Expel):
            return rule(group, request, ts=self._clock.ts)
        if isinstance(request, (Create, Join)):
            self._quota.check_groups(user, request, group)
        dest, ts = known.name if known is not None else None, self._clock.ts
        event = decide(group, request, user.name, ts=ts, known_dest=dest, limits=self.limits, key=user.key)
        if isinstance(event, Invited) and (group is None or event.seq > group.seq):
            self._quota.check_invitations(user_key(event.dest), known)
        return event

    def _retried(self, decision: Decision, mark: str) -> Retry | None:
        """Return what the same request with this id made already.

        Raises:
            Refused: bad-request, if the id was used for another request.
        """
        id = decision.request.id
        if id is None:
            return None
        # It is noted: when this is decided again, it may not be at hand any more.
        decision.earlier = first = decision.user.retries.find(id, self._clock.now) or decision.earlier
        if first is not None and first.digest != mark:
            raise Refused(ErrorCode.BAD_REQUEST, "this id was used for another request", field="id")
        return first

    def _hear_again(self, decision: Decision, event: LogEvent) -> tuple[PeerId, ...]:
        """Return who hears an invitation that stands already: who asked, and who is invited."""
        me = () if decision.peer is None else (decision.peer.id,)
        invited = self._presence.peers((user_key(event.dest),)) if isinstance(event, Invited) else ()
        return self._presence.earlier(tuple(dict.fromkeys((*me, *invited))), decision.arrivals)

    def _relayed(self, event: LogEvent) -> tuple[Relay, ...]:
        """Return what tells an invitation that stands already to who is invited and may be connected elsewhere."""
        if isinstance(event, Invited) and self._presence.is_shared:
            return (Relay(event, (user_key(event.dest),)),)
        return ()

    def keep(self, entry: Decision | Run | Told, part: Part) -> None:
        """Let everybody know of the *part* of an *entry* that leaves."""
        self._ledger.tell(part)
        if isinstance(entry, Run):
            return
        event, now = part.events[-1], self._clock.now
        self._newcomers.note(part)
        if isinstance(entry, Decision):
            self._quota.count(part, -1)
        if event.id is not None and (sender := self._presence.user(user_key(event.sender))) is not None:
            sender.learn_id(part, now)
        changed = subject(event)
        if changed is not None and (user := self._presence.user(user_key(changed))) is not None:
            user.learn(part, now)
            self._forget_group_left(user, part.key)
            if self.interest is not None:
                self.interest.changed(user, part.key)
        elif changed is not None and isinstance(entry, Told):
            self.guests.look_for(user_key(changed), part.after)

    def _forget_group_left(self, user: OnlineUser, key: Key) -> None:
        """Drop a group the user is neither in nor invited to, nor about to enter: anybody may ban anybody anywhere."""
        slot, inside = self._ledger.slot(key), (Standing.MEMBER, Standing.INVITED, Standing.WAITING)
        is_coming = slot is not None and slot.newest is not None and user.key in slot.newest.members
        if user.memberships[key].standing not in inside and not is_coming:
            del user.memberships[key]
