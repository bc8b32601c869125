"""Events kept in memory: `--db :memory:`, and the simplest thing that keeps the EventLog contract."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Mapping, Sequence

from attrs import define, field

from libtchat.cluster import Record
from libtchat.effect import PageKind
from libtchat.group import Group, Standing
from libtchat.message.direct import Sent, is_log_of
from libtchat.message.event import Created, LogEvent, Said
from libtchat.message.limits import DEFAULT_LIMITS, ServerLimits
from libtchat.message.names import Key, UserKey, user_key
from libtchat.stored import Known, Loaded, Membership, Retried, Retry, StoredUser
from libtchat.wire import codec
from tchat_server.clock import Clock, guest_floor
from tchat_server.ops.control import Control
from tchat_server.store.change import changed_users, displayed_name, first_waiting, new_retries, redactions, tombstone
from tchat_server.store.event_log import EncodedPart, NamePage, Page, Ready, Removed, UserRow

__all__ = ["MEMORY", "MemoryLog"]

MEMORY = ":memory:"
"""In place of the path of a file."""

_INSIDE = (Standing.MEMBER, Standing.INVITED, Standing.WAITING)


@define
class _Log:
    """One group: its state, every line (that of seq at index seq-1), and the seqs of either kind."""

    group: Group
    lines: list[bytes] = field(factory=list)
    messages: list[int] = field(factory=list)
    states: list[int] = field(factory=list)
    begins: int = 1

    def seqs(self, kinds: PageKind) -> Sequence[int]:
        return {
            PageKind.MESSAGES: self.messages,
            PageKind.STATES: self.states,
            PageKind.ALL: range(self.begins, len(self.lines) + 1),
        }[kinds]


class MemoryLog:
    """An EventLog without a file. An append is as durable as the process, so it completes at once, as all does."""

    def __init__(self, *, clock: Callable[[], float] | None = None, limits: ServerLimits = DEFAULT_LIMITS) -> None:
        self.control: Control | None = None  # there is no file beside which a socket could be
        self.clock: Callable[[], float] = clock or Clock()
        self._guests = 0
        self._limits = limits
        self._logs: dict[Key, _Log] = {}
        self._public: list[Key] = []  # those with members, in order
        self._groups_of: dict[UserKey, set[Key]] = {}  # as member or invited
        self._banned_in: dict[UserKey, set[Key]] = {}
        self._created: dict[UserKey, int] = {}
        self._accounts: dict[UserKey, tuple[str, str]] = {}
        self._invitations: set[str] = set()
        self._bars: dict[UserKey, tuple[str, float]] = {}
        self._retries: dict[UserKey, dict[str, Retry]] = {}  # the user whose last one is the oldest first

    def append(self, parts: Sequence[EncodedPart]) -> Ready[Mapping[Key, tuple[LogEvent, ...]]]:
        """Append every part that follows its group's log; see EventLog."""
        now = self.clock()
        self._forget_retries(now)
        failed: dict[Key, tuple[LogEvent, ...]] = {}
        for part in parts:
            log = self._logs.get(part.key)
            if part.expected == (0 if log is None else len(log.lines)):
                self._append(part, log, now)
            else:
                failed[part.key] = () if log is None else tuple(map(codec.decode_event, log.lines[part.expected :]))
        return Ready(failed)

    def load(self, key: Key) -> Ready[Loaded]:
        """Load one group."""
        log = self._logs.get(key)
        return Ready(Loaded() if log is None else Loaded(log.group))

    def load_user(self, key: UserKey) -> Ready[StoredUser]:
        """Load what is stored of one user."""
        groups = [(in_key, self._logs[in_key].group) for in_key in sorted(self._groups_of.get(key, ()))]
        _, password_hash = self._accounts.get(key, (None, None))
        user = StoredUser(
            password_hash,
            tuple(
                Membership(
                    *(in_key, group.name, group.private, group.standing(key), group.seq),
                    *(group.invited.get(key), group.boxes.get(key)),
                )
                for in_key, group in groups
            ),
            self._created.get(key, 0),
            key in self._retries,
        )
        return Ready(user)

    def find_user(self, key: UserKey) -> Ready[Known]:
        """Find whether one user is known; see EventLog."""
        groups = [self._logs[in_key].group for in_key in self._groups_of.get(key, ())]
        invitations = sum(key in group.invited for group in groups)
        senders = sum(group.standing(key) is Standing.WAITING for group in groups)
        return Ready(Known(self._name(key), invitations, key in self._accounts, senders))

    def find_retry(self, key: UserKey, id: str) -> Ready[Retried]:
        """Find what one user's request with an id made; see EventLog."""
        first = self._retries.get(key, {}).get(id)
        is_old = first is None or first.time < self.clock() - self._limits.retry_seconds
        return Ready(Retried(None if is_old else first))

    def save_user(
        self,
        key: UserKey,
        name: str,
        password_hash: str | None,
        *,
        replaces: str | None = None,
        invitation: str | None = None,
    ) -> Ready[bool]:
        """Store a password hash; see EventLog."""
        _, known = self._accounts.get(key, ("", None))
        if known != replaces or (invitation is not None and invitation not in self._invitations):
            return Ready(False)
        self._invitations.discard(invitation or "")
        if password_hash is None:
            self._accounts.pop(key, None)
        else:
            self._accounts[key] = (name, password_hash)
        return Ready(True)

    def invite(self, mark: str) -> Ready[bool]:
        """Let an invitation code hold, once."""
        self._invitations.add(mark)
        return Ready(True)

    def save_bar(self, key: UserKey, name: str, until: float | None) -> Ready[bool]:
        """Store until when a user may not come in; see EventLog."""
        if until is None:
            return Ready(self._bars.pop(key, None) is not None)
        self._bars[key] = (name, until)
        return Ready(True)

    def barred(self) -> Ready[Mapping[UserKey, float]]:
        """Find who may not come in."""
        return Ready({key: until for key, (_, until) in self._bars.items()})

    def users(self) -> Ready[tuple[UserRow, ...]]:
        """List everybody who is known, by key."""
        inside = (key for found in (self._groups_of, self._banned_in) for key, groups in found.items() if groups)
        return Ready(tuple(self._row(key) for key in sorted({*self._accounts, *inside, *self._bars})))

    def logs_of_two(self, key: UserKey) -> Ready[tuple[Key, ...]]:
        """List the logs of the texts between a user and another one."""
        return Ready(tuple(sorted(it for it in self._logs if is_log_of(it, key))))

    def number_guest(self) -> Ready[int]:
        """Return a number that no guest had before."""
        self._guests = max(self._guests + 1, guest_floor())
        return Ready(self._guests)

    def read(
        self, key: Key, kinds: PageKind, *, after: int | None, before: int, limit: int, max_bytes: int
    ) -> Ready[Page]:
        """Read a page; see EventLog."""
        log = self._logs.get(key)
        if log is None:
            return Ready(Page())
        seqs = log.seqs(kinds)
        end = bisect_left(seqs, before)
        indices = range(end - 1, -1, -1) if after is None else range(bisect_right(seqs, after), end)
        nearest = ((seqs[i], log.lines[seqs[i] - 1]) for i in indices)
        begins = log.begins if log.begins > 1 else None
        return Ready(Page.cut(nearest, ascending=after is not None, limit=limit, max_bytes=max_bytes, begins=begins))

    def public_groups(self, *, after: Key | None, limit: int, max_bytes: int) -> Ready[NamePage]:
        """List the public groups that have members, by key (R-groups)."""
        start = 0 if after is None else bisect_right(self._public, after)
        names = (self._logs[self._public[i]].group.name for i in range(start, len(self._public)))
        return Ready(NamePage.cut(names, limit=limit, max_bytes=max_bytes))

    def follow(self, told: Callable[[Sequence[Record]], None]) -> None:
        """Do nothing: nobody else appends."""

    def reached(self) -> Ready[None]:
        """Wait for nothing: nobody else appends."""
        return Ready(None)

    def remove_old(self, *, before: str, messages: int | None, after: Key) -> Ready[Removed]:
        """Remove old events, all in one step; see EventLog."""
        return Ready(Removed(sum(self._remove(log, before, messages) for log in self._logs.values()), None))

    def _remove(self, log: _Log, before: str, messages: int | None) -> int:
        first = end = log.begins
        while end <= len(log.lines) and codec.decode_event(log.lines[end - 1]).ts < before:
            end += 1
        if messages is not None and len(log.messages) > messages:
            end = max(end, log.messages[-messages - 1] + 1)
        end = max(first, min(end, first_waiting(log.group)))
        log.lines[first - 1 : end - 1] = [b""] * (end - first)
        for seqs in (log.messages, log.states):
            del seqs[: bisect_left(seqs, end)]
        log.begins = end
        return end - first

    async def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def _append(self, part: EncodedPart, log: _Log | None, now: float) -> None:
        was_open = log is not None and bool(log.group.members)
        if log is None:
            log = self._logs[part.key] = _Log(part.after)
        lines, messages = log.lines, log.messages
        others: list[LogEvent] = []
        lines.extend(part.lines)
        for event in part.events:
            if isinstance(event, Said):
                messages.append(event.seq)
            elif isinstance(event, Sent):
                messages.append(event.seq)
                others += [event] * event.kept
            else:  # a copy has the right size: what an encoder returns may sit in 4 KiB of memory
                lines[event.seq - 1] = b"%b" % lines[event.seq - 1]
                log.states.append(event.seq)
                others.append(event)
        log.group = part.after
        if others:
            for seq in redactions(others):
                lines[seq - 1] = tombstone(lines[seq - 1])
            self._note_standings(part, others)
            self._list(part, was_open=was_open)
        if any(part.digests):
            for user, retry in new_retries(part, now):
                self._remember(user, retry)

    def _list(self, part: EncodedPart, *, was_open: bool) -> None:
        """List a public group while it has members: who asks for the list does not wait for all that are empty."""
        is_open = bool(part.after.members)
        if part.after.private or is_open is was_open:
            return
        if is_open:
            insort(self._public, part.key)
        else:
            del self._public[bisect_left(self._public, part.key)]

    def _note_standings(self, part: EncodedPart, events: list[LogEvent]) -> None:
        for event in events:
            if isinstance(event, Created):
                creator = user_key(event.sender)
                self._created[creator] = self._created.get(creator, 0) + 1
        for user in changed_users(events):
            standing = part.after.standing(user)
            for found, those in ((self._groups_of, _INSIDE), (self._banned_in, (Standing.BANNED,))):
                if standing in those:
                    found.setdefault(user, set()).add(part.key)
                elif user in found:
                    found[user].discard(part.key)

    def _row(self, key: UserKey) -> UserRow:
        groups = [self._logs[in_key].group for in_key in self._groups_of.get(key, ())]
        invitations = sum(key in group.invited for group in groups)
        name, until = self._bars.get(key, (str(key), None))
        return UserRow(self._name(key) or name, key in self._accounts, len(groups) - invitations, invitations, until)

    def _name(self, user: UserKey) -> str | None:
        """Return the name under which a user is known: registered, or in some group."""
        name, _ = self._accounts.get(user, (None, ""))
        keys = self._groups_of.get(user) or self._banned_in.get(user) or ()
        return name or next((displayed_name(self._logs[key].group, user) for key in keys), None)

    def _remember(self, user: UserKey, retry: Retry) -> None:
        retries = self._retries.pop(user, {})
        retries.pop(retry.id, None)
        if len(retries) >= self._limits.max_retries:
            del retries[next(iter(retries))]
        retries[retry.id] = retry
        self._retries[user] = retries

    def _forget_retries(self, now: float) -> None:
        """Forget the ids of users whose last one is too old; of others, at most `max_retries` are kept."""
        while self._retries:
            user, retries = next(iter(self._retries.items()))
            if next(reversed(retries.values())).time >= now - self._limits.retry_seconds:
                break
            del self._retries[user]
