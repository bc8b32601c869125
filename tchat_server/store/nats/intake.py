"""Takes in what was followed: what is damaged or does not follow costs its own subject, nothing else."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import assert_never

from attrs import define, field

from libtchat.cluster import Barred, News, Protected, Record
from libtchat.message.errors import TchatError
from libtchat.message.event import LogEvent
from libtchat.message.names import Key, UserKey
from libtchat.wire import codec
from tchat_server.store.nats.fetch import Entry
from tchat_server.store.nats.heads import Heads
from tchat_server.store.nats.record import (
    Account,
    AnyRecord,
    Bar,
    Code,
    Events,
    Guests,
    Mark,
    RecordDamaged,
    decode_record,
)
from tchat_server.store.nats.subject import Subjects
from tchat_server.store.sqlite.accounts import copy_account, save_bar, save_invitation
from tchat_server.store.sqlite.cache import Cache, Followed, FollowedRecord, Head

__all__ = ["Intake", "read_events", "read_record"]

_MANY = 64

logger = logging.getLogger("tchat_server")


@define
class Intake:
    """Where each subject stands, and what is done with what comes.

    Attributes:
        told: called with what others appended.
        heads: where each subject stands, and who waits for what.
        damaged: subjects that are not used any more, and why.
        bars: who may not come in, and until when.
        codes: the marks of the invitation codes that hold.
    """

    subjects: Subjects
    cache: Cache
    heads: Heads
    damaged: dict[str, str]
    bars: dict[UserKey, float]
    codes: set[str]
    told: Callable[[Sequence[News]], None] | None = None
    followed_total: int = 0
    _recent: deque[Record] = field(factory=lambda: deque(maxlen=_MANY))

    def newer(self, key: Key, seq: int) -> tuple[LogEvent, ...]:
        """Return what others appended to a group after *seq*, () unless all of that was lately."""
        found: list[LogEvent] = []
        for record in self._recent:
            if record.key == key and record.expected == seq + len(found):
                found += record.events
        is_all = seq + len(found) == self.heads.head(self.subjects.group(key)).seq
        return tuple(found) if is_all else ()

    def take(self, entries: Sequence[Entry]) -> None:
        """Take in what follows what was taken before."""
        followed: list[Followed] = []
        told: list[News] = []
        heads: dict[str, Head] = {}
        damaged: dict[str, str] = {}
        for entry in entries:
            if entry.subject in self.damaged:
                continue
            try:
                self._take(entry, followed, told)
            except RecordDamaged as damage:
                reason = f"record {entry.number} is damaged: {damage}"
                logger.error("storage: %s: %s; what it is of cannot be used any more", entry.subject, reason)
                damaged[entry.subject] = self.damaged[entry.subject] = reason
                self.heads.spoil(entry.subject)
            else:
                if entry.subject in self.heads.found:
                    heads[entry.subject] = self.heads.found[entry.subject]
        self.followed_total += len(entries)
        self.cache.put(followed, heads, damaged, entries[-1].number)
        if told and self.told is not None:
            self.told(told)
        self.heads.tell()

    def _take(self, entry: Entry, followed: list[Followed], told: list[News]) -> None:
        found = read_record(entry, self.subjects)
        seq, is_void = 1, False
        news: News | None = None
        match found:
            case Mark():
                return
            case Events():
                news = read_events(found, self.heads.head(entry.subject).seq)
                followed.append(FollowedRecord(news, found.time))
                seq = found.last
            case Guests():
                seq = found.next
            case Account(key=user, name=name, password_hash=hashed, invitation=code):
                is_void = not self._use_up(code)
                if not is_void:
                    copy = partial(copy_account, key=user, name=name, password_hash=hashed, invitation=code)
                    followed.append(copy)
                    news = Protected(user, hashed)
            case Bar(key=user, name=name, until=until):
                if until is None:
                    self.bars.pop(user, None)
                else:
                    self.bars[user] = until
                followed.append(partial(save_bar, key=user, name=name, until=until))
                news = Barred(user, until)
            case Code(mark=mark):
                self.codes.add(mark)
                followed.append(partial(save_invitation, mark=mark))
        if news is not None and not self.heads.is_ours(entry.subject, found.nonce):
            told.append(news)
            if isinstance(news, Record):
                self._recent.append(news)
        self.heads.follow(entry.subject, Head(seq, entry.number), found.nonce, is_void=is_void)

    def _use_up(self, invitation: str | None) -> bool:
        """Use up an invitation code, if there is to be one; tell whether it held: of two uses the first one counts."""
        if invitation is None:
            return True
        if invitation not in self.codes:
            return False
        self.codes.remove(invitation)
        return True


def read_record(entry: Entry, subjects: Subjects) -> AnyRecord:
    """Read a record, which must stand on the subject of what it is about. Raises RecordDamaged."""
    found = decode_record(entry.data)
    match found:
        case Events(key=about):
            subject = subjects.group(about)
        case Account(key=about):
            subject = subjects.user(about)
        case Bar(key=about):
            subject = subjects.bar(about)
        case Code(mark=about):
            subject = subjects.code(about)
        case Guests() | Mark():
            return found
        case _:
            assert_never(found)
    if subject != entry.subject:
        raise RecordDamaged(f"it is of {about!r}, which has another subject")
    return found


def read_events(found: Events, seq: int) -> Record:
    """Read the events of a record that must follow *seq*. Raises RecordDamaged."""
    if found.first != seq + 1:
        raise RecordDamaged(f"it begins with event {found.first} and should begin with {seq + 1}")
    try:
        events = tuple(map(codec.decode_event, found.lines))
    except TchatError as error:
        raise RecordDamaged(f"an event in it is not understood: {error}") from None
    if [event.seq for event in events] != [*range(found.first, found.last + 1)]:
        raise RecordDamaged("its events have other numbers")
    return Record(found.key, seq, events, found.digests, found.lines)
