"""What other nodes append: told in order, and with proof that it is all.

A record waits here while its group is being loaded, or while a part of it is out: what becomes of that is told first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import Factory, define

from libtchat.cluster import Prove, Record
from libtchat.effect import Answer, Close, LoadGroup, Question, Send
from libtchat.group import subject
from libtchat.hub.decider import Decider
from libtchat.hub.entry import AnyEntry, Decision, Deliver, Notice, Query
from libtchat.hub.interest import Interest
from libtchat.hub.ledger import Ledger
from libtchat.hub.line import Line
from libtchat.hub.newcomer import Newcomers
from libtchat.hub.presence import Presence
from libtchat.hub.refusal import error_for
from libtchat.hub.revision import Revision
from libtchat.message.direct import KeptEvent
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.event import LogEvent
from libtchat.message.names import Key, user_key
from libtchat.message.request import Hello
from libtchat.stored import Loaded

__all__ = ["Follower"]


@define
class Follower:
    """Follows a log for one hub.

    *ask* has a question answered that no peer waits for. *loads*: how many answers are on their way, per group.
    """

    _line: Line[AnyEntry]
    _presence: Presence
    _ledger: Ledger
    _newcomers: Newcomers
    _interest: Interest
    _decider: Decider
    _revision: Revision
    _ask: Callable[[Question], None]
    loads: dict[Key, int] = Factory(dict)
    _held: dict[Key, list[Record]] = Factory(dict)
    _unproved: set[Key] | None = None

    def told(self, record: Record) -> None:
        """Take what another node appended."""
        key = record.key
        if (held := self._held.get(key)) is not None:
            if record.expected == held[-1].events[-1].seq:  # else it is known
                held.append(record)
        elif self._line.is_out(key):
            self._held[key] = [record]
        elif self._ledger.slot(key) is not None:
            self._revision.tell(key, (record,))
        elif key in self.loads:
            self._held[key] = [record]
        elif self._concerns(record):
            self._held[key] = [record]
            self._ask(LoadGroup(key))
        else:
            self._newcomers.pass_by(key, record.events[-1].seq)

    def asks(self, question: Question) -> None:
        """Take note of a question that goes out, whoever asks."""
        if isinstance(question, LoadGroup):
            self.loads[question.key] = self.loads.get(question.key, 0) + 1

    def answered(self, question: Question, answer: Answer) -> None:
        """Take the answer to any question, before who asked does."""
        if isinstance(question, LoadGroup):
            self._loaded(question.key, answer)
        elif isinstance(question, Prove) and answer is True:
            self._unproved = set(self._held)
            self._prove()
        elif isinstance(question, Prove):
            self._line.not_proved(_unavailable)

    def demand(self) -> None:
        """Ask for a proof, if something in the line waits for one."""
        if self._line.begin_proof():
            self._ask(Prove())

    def rejected(self, failed: Mapping[Key, tuple[LogEvent, ...]]) -> None:
        """Take note that parts of the append that was out failed (see `Hub.rejected`)."""
        self._line.check(failed)
        told = {key: self._held.pop(key) for key in failed if key in self._held}
        self._revision.rejected(failed, told)
        self.settled()

    def settled(self) -> None:
        """Tell what waited for the append that was out."""
        for key in [key for key in self._held if self._ledger.slot(key) is not None]:
            self._tell(key)
        self._prove()

    def _concerns(self, record: Record) -> bool:
        """Tell whether somebody here is to hear of a record of a group that is not loaded, or did it elsewhere."""
        if record.key in self._interest:
            return True
        for event in record.events:
            if isinstance(event, KeptEvent) and self._presence.peers((user_key(event.sender), user_key(event.to))):
                return True
            changed = subject(event)
            if changed is not None and self._presence.user(user_key(changed)) is not None:
                return True
            names = (event.sender,) if changed is None else (event.sender, changed)
            if self._newcomers and any(user_key(name) in self._newcomers for name in names):
                return True
        return False

    def _loaded(self, key: Key, answer: Answer) -> None:
        self.loads[key] -= 1
        if not self.loads[key]:
            del self.loads[key]
        late = 0
        if isinstance(answer, Loaded) and self._ledger.slot(key) is None:
            group = self._decider.take_in(key, answer).durable
            late = 0 if group is None else group.seq
        if self._ledger.slot(key) is not None:
            if key in self._held and not self._line.is_out(key):
                self._tell(key, late)
        elif key in self._held and key not in self.loads:  # the storage can't be read now
            self._revision.tell_late(key, self._held.pop(key), tuple(self._interest.users(key)))
        self._prove()

    def _tell(self, key: Key, late: int = 0) -> None:
        """Tell what waited; of a group that was loaded now, all up to the seq *late* is in it already."""
        records = self._held.pop(key)
        before = [record for record in records if record.events[-1].seq <= late]
        if before:
            self._revision.tell_late(key, before, tuple(self._interest.users(key)))
        self._revision.tell(key, records[len(before) :])

    def _prove(self) -> None:
        """Let go what waited for the proof that came, once all is told that waited then."""
        if self._unproved is not None:
            self._unproved &= self._held.keys()
            if not self._unproved:
                self._unproved = None
                self._line.proved()


def _unavailable(entry: AnyEntry) -> AnyEntry:
    refusal = Refused(ErrorCode.UNAVAILABLE)
    if isinstance(entry, Decision):
        entry.refuse(refusal)
        return entry
    assert isinstance(entry, Query), "nothing else waits for a proof"
    assert entry.item is not None
    assert not isinstance(entry.item, Deliver), "it rests on what was told"
    error = Send((entry.peer.id,), error_for(entry.item, refusal))
    if not isinstance(entry.item, Hello):
        return Notice((error,))
    entry.peer.ended = True  # it may find another node, and has no welcome to begin with here
    return Notice((error, Close(entry.peer.id, refusal.code)))
