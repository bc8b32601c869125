"""Events kept in memory: `--db :memory:`, and the simplest thing that keeps the EventLog contract."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from attrs import define, field

from libtchat import codec
from libtchat.effect import Kinds, Loaded, Membership, Part, Retry, User
from libtchat.event import Created, Event, Said
from libtchat.group import Group, Standing
from libtchat.limits import DEFAULT_LIMITS, Limits
from libtchat.names import Key, UserKey, user_key
from tchat_server.log import NamePage, Page, Ready
from tchat_server.log.change import changed_users, displayed_name, new_retries

__all__ = ["MemoryLog"]


@define
class _Log:
    """One group: its state, every line (that of seq at index seq-1), and the seqs of either kind."""

    group: Group
    lines: list[bytes] = field(factory=list)
    messages: list[int] = field(factory=list)
    states: list[int] = field(factory=list)

    def seqs(self, kinds: Kinds) -> Sequence[int]:
        return {
            Kinds.MESSAGES: self.messages,
            Kinds.STATES: self.states,
            Kinds.ALL: range(1, len(self.lines) + 1),
        }[kinds]


class MemoryLog:
    """An EventLog without a file. An append is as durable as the process, so it completes at once, as all does."""

    def __init__(
        self,
        *,
        encode: Callable[[Event], bytes] = codec.encode,
        clock: Callable[[], float] = time.time,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._encode = encode
        self._clock = clock
        self._limits = limits
        self._logs: dict[Key, _Log] = {}
        self._public: list[Key] = []
        self._known_in: dict[UserKey, set[Key]] = {}
        self._created: dict[UserKey, int] = {}
        self._accounts: dict[UserKey, tuple[str, str]] = {}
        self._retries: dict[UserKey, deque[Retry]] = {}
        self._recent: deque[tuple[float, UserKey]] = deque()

    def append(self, parts: Sequence[Part]) -> Ready[Mapping[Key, tuple[Event, ...]]]:
        """Append every part that follows its group's log; see EventLog."""
        now = self._clock()
        self._forget_retries(now)
        failed: dict[Key, tuple[Event, ...]] = {}
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

    def load_user(self, key: UserKey) -> Ready[User]:
        """Load what is stored of one user."""
        self._forget_retries(self._clock())
        groups = [(in_key, self._logs[in_key].group) for in_key in sorted(self._known_in.get(key, ()))]
        name, password_hash = self._accounts.get(key, (None, None))
        user = User(
            name or next((displayed_name(group, key) for _, group in groups), None),
            password_hash,
            tuple(
                Membership(in_key, group.name, group.private, group.standing(key), group.seq, group.invited.get(key))
                for in_key, group in groups
            ),
            self._created.get(key, 0),
            tuple(self._retries.get(key, ())),
        )
        return Ready(user)

    def save_user(self, key: UserKey, name: str, password_hash: str) -> Ready[bool]:
        """Store a password hash; False if the user has one already."""
        if key in self._accounts:
            return Ready(False)
        self._accounts[key] = (name, password_hash)
        return Ready(True)

    def read(
        self, key: Key, kinds: Kinds, *, after: int | None, before: int, limit: int, max_bytes: int
    ) -> Ready[Page]:
        """Read a page; see EventLog."""
        log = self._logs.get(key)
        if log is None:
            return Ready(Page())
        seqs = log.seqs(kinds)
        end = bisect_left(seqs, before)
        indices = range(end - 1, -1, -1) if after is None else range(bisect_right(seqs, after), end)
        nearest = ((seqs[i], log.lines[seqs[i] - 1]) for i in indices)
        return Ready(Page.cut(nearest, ascending=after is not None, limit=limit, max_bytes=max_bytes))

    def public_groups(self, *, after: Key | None, limit: int, max_bytes: int) -> Ready[NamePage]:
        """List the public groups that have members, by key (R-groups)."""
        start = 0 if after is None else bisect_right(self._public, after)
        groups = (self._logs[self._public[i]].group for i in range(start, len(self._public)))
        names = (group.name for group in groups if group.members)
        return Ready(NamePage.cut(names, limit=limit, max_bytes=max_bytes))

    async def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def _append(self, part: Part, log: _Log | None, now: float) -> None:
        if log is None:
            log = self._logs[part.key] = _Log(part.after)
            if not part.after.private:
                insort(self._public, part.key)
        encode, lines, messages = self._encode, log.lines, log.messages
        others: list[Event] = []
        for event in part.events:
            lines.append(encode(event))
            if isinstance(event, Said):
                messages.append(event.seq)
            else:
                log.states.append(event.seq)
                others.append(event)
        log.group = part.after
        if others:
            self._note_standings(part, others)
        if any(part.digests):
            for user, retry in new_retries(part, now):
                self._retries.setdefault(user, deque()).append(retry)
                self._recent.append((now, user))

    def _note_standings(self, part: Part, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Created):
                creator = user_key(event.sender)
                self._created[creator] = self._created.get(creator, 0) + 1
        for user in changed_users(events):
            if part.after.standing(user) is not Standing.NONE:
                self._known_in.setdefault(user, set()).add(part.key)
            elif user in self._known_in:
                self._known_in[user].discard(part.key)

    def _forget_retries(self, now: float) -> None:
        while self._recent and self._recent[0][0] < now - self._limits.retry_seconds:
            _, user = self._recent.popleft()
            retries = self._retries[user]
            retries.popleft()
            if not retries:
                del self._retries[user]
