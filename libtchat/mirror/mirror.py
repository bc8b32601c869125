"""One user's view of a server: what happens is shown in order, and what was missed is caught up with."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from attrs import define, field

from libtchat.group import evolve
from libtchat.message.direct import KeptEvent, Received, Sent, correspondent
from libtchat.message.errors import ErrorCode
from libtchat.message.event import Created, Invited, Joined, LogEvent, Said
from libtchat.message.limits import MAX_INTEGER
from libtchat.message.names import Key, group_key
from libtchat.message.reply import Error, Foreign, Members, Message, States, Welcome
from libtchat.message.request import ListMembers, ListStates, Ping, Request
from libtchat.mirror.members import take_members
from libtchat.mirror.names import Names
from libtchat.mirror.notice import CaughtUp, Gone, Heard, Missing, NoAnswer, Notice
from libtchat.mirror.pending import Pending
from libtchat.mirror.view import View

__all__ = ["Mirror"]

_WILL_PASS = (ErrorCode.RATE_LIMITED, ErrorCode.UNAVAILABLE)
_NO_MEMBER_ANY_MORE = (ErrorCode.NOT_MEMBER, ErrorCode.BANNED, ErrorCode.GROUP_NOT_FOUND)


@define
class Mirror(Names):
    """One user's view of a server, over any number of connections.

    Attributes:
        current: the key of the group that plain text goes to.
        groups: every group heard of through events or answers, by key.
        texts: the same of the texts with each user that are kept, by the key of `@` and the name.
    """

    current: Key | None = None
    groups: dict[Key, View] = field(factory=dict)
    texts: dict[Key, View] = field(factory=dict)
    _pending: Pending = field(factory=Pending, init=False)
    _owes_sign: bool = field(default=False, init=False)

    @property
    def current_name(self) -> str | None:
        """The current group's name as displayed."""
        return None if self.current is None else self.groups[self.current].name

    def resume(self, group: str, seq: int, ts: str = "") -> None:
        """Take up *group* where an earlier run of the program ended: what came after *seq* was missed, and is fetched.

        Call it before the server's welcome is applied. If one is no member any more, the welcome brings `Gone`.

        Args:
            seq: of the last event that was dealt with; 0 if there was none, so that the whole log is shown.
            ts: its time. With it a log that the server began anew is told from the one that was known.
        Raises:
            ValueError: *seq* is no seq, or *ts* no text.
        """
        if not (isinstance(seq, int) and 0 <= seq <= MAX_INTEGER and isinstance(ts, str)):
            raise ValueError(f"a seq is a number from 0 to {MAX_INTEGER}, a ts is text, not {seq!r}, {ts!r}")
        view = self._view(group_key(group), group)
        view.restart(seq, ts)
        view.is_member, view.is_unsure = True, bool(seq and ts)

    def focus(self, group: str) -> None:
        """Make *group* the current one; nothing in it is unread any more."""
        self.current = group_key(group)
        view = self._view(self.current, group)
        view.unread = 0

    def sent(self, request: Request, *, quiet: bool = False) -> None:
        """Remember *request*, whose `id` must be its own, until it is answered."""
        self._pending.add(request, quiet=quiet)
        if quiet:
            self._asked(request, is_asking=True)

    def is_pending(self, id: str) -> bool:
        """Tell whether the request *id* still waits for its answer."""
        return id in self._pending

    def forget(self, id: str) -> None:
        """Wait no longer for the answer to the request *id*: none will come, or nobody cares."""
        pending = self._pending.take(id)
        if pending is not None and pending.quiet:
            self._asked(pending.request, is_asking=False)

    def wanted(self) -> list[Request]:
        """Return what to ask now so that nothing is missing; the caller sends each with `sent(..., quiet=True)`."""
        wanted: list[Request] = [request for view in self._views() if (request := view.wanted()) is not None]
        if self._owes_sign:  # what waited has come: whatever is asked next says so (R-kept-until)
            self._owes_sign = False
            wanted.append(Ping())
        return wanted

    def disconnected(self) -> list[Notice]:
        """Forget what only the lost connection could have answered.

        Returns:
            NoAnswer for each request of a person, oldest first.
        """
        lost = self._pending.clear()
        self.online.clear()
        self._owes_sign = False
        for view in self._views():
            view.is_asking = False
        return [NoAnswer(request) for request in lost]

    def apply(self, message: Message | Foreign) -> list[Notice]:
        """Take in what the server sent.

        Returns:
            What is to be shown for it, in order; nothing for a repeat, or while it waits for what is missing.
        """
        pending = self._pending.answered(message, self.name)
        request = None if pending is None else pending.request
        quiet = pending is not None and pending.quiet
        if isinstance(message, LogEvent):
            return self._happened(message, request)
        if quiet and request is not None:
            self._asked(request, is_asking=False)
            if isinstance(message, States):
                return self._page(request, message)
            if isinstance(message, Error):
                return [*self._denied(request, message.code), Heard(message, request, quiet=True)]
        self._learn(message, request)
        heard = Heard(message, request, quiet=quiet, mine=self._is_mine(message))
        return [heard, *self._welcomed(message)] if isinstance(message, Welcome) else [heard]

    def _views(self) -> Iterator[View]:
        return chain(self.groups.values(), self.texts.values())

    def _view(self, key: Key, name: str = "") -> View:
        views = self.groups if correspondent(key) is None else self.texts
        view = views.get(key)
        if view is None:
            view = views[key] = View(name)
        elif not view.name:
            view.name = name
        return view

    def _asked(self, request: Request, *, is_asking: bool) -> None:
        if isinstance(request, ListStates | ListMembers):
            self._view(group_key(request.group), request.group).is_asking = is_asking

    def _happened(self, event: LogEvent, request: Request | None) -> list[Notice]:
        name = self._log_of(event)
        view = self._view(group_key(name), name)
        if event.seq <= view.seq:
            if event.ts <= view.ts or not view.ts:
                heard = Heard(event, request, mine=self._is_mine(event), repeated=True)
                return [heard] if request is not None else []
            view.begin_anew()
        if not view.is_member:
            # a membership begins a new stretch; an outsider hears only what ends or names that user
            view.restart(event.seq - 1)
            view.is_member = not (isinstance(event, Received) or self._reaches_outsider(event))
            view.wants_members = view.is_member and not isinstance(event, Created | KeptEvent)
            view.members_after = None
        if request is not None and isinstance(event, Created | Joined):
            self.focus(event.group)
        if event.seq == view.seq + 1 and not view.is_unsure:
            return [self._show_live(view, event, request), *self._release(view)]
        view.held[event.seq] = event, request
        view.target = max(view.target, event.seq)
        return []

    def _show(self, view: View, event: LogEvent, request: Request | None, *, missed: bool) -> Heard:
        """Show the next event of a group, and fold it in."""
        view.seq, view.ts = event.seq, event.ts
        view.target = max(view.target, event.seq)
        if view.group is None and isinstance(event, Created):
            view.group = evolve(None, event)
        elif view.group is not None and event.seq > view.group.seq:
            try:
                view.group = evolve(view.group, event)
            except ValueError:
                view.group, view.wants_members = None, True
        mine = self._is_mine(event)
        if self._is_me(getattr(event, "dest", event.sender)):
            view.is_invited = isinstance(event, Invited)
        view.caught_up += missed
        for name in (event.sender, getattr(event, "dest", "")):
            self._meet(name)
        if isinstance(event, Sent) and event.kept and self._is_me(event.to):
            self._owes_sign = missed = True
        is_news = isinstance(event, Said) and not event.redacted and not mine
        if is_news and group_key(event.group) != self.current:
            view.unread += 1
        return Heard(event, request, missed, mine=mine)

    def _show_live(self, view: View, event: LogEvent, request: Request | None) -> Heard:
        """Show an event that came live: what it does to one's membership holds now."""
        heard = self._show(view, event, request, missed=False)
        if view.is_member and self._reaches_outsider(event):
            self._leave(view)
        return heard

    def _release(self, view: View) -> list[Notice]:
        """Show what was held back, as far as nothing is missing before it."""
        notices: list[Notice] = []
        while held := view.held.pop(view.seq + 1, None):
            notices.append(self._show_live(view, *held))
        for seq in [seq for seq in view.held if seq <= view.seq]:
            del view.held[seq]
        if view.caught_up and not view.has_gap:
            notices.append(CaughtUp(view.name, view.caught_up))
            view.caught_up = 0
        return notices

    def _page(self, request: Request, page: States) -> list[Notice]:
        """Show a page of what was missed."""
        name = getattr(request, "group", page.group)
        view = self._view(group_key(name), name)
        if view.is_unsure and not view.recognised(page.list):
            return []
        before = view.seq
        notices: list[Notice] = []
        if page.begins is not None and view.is_member and page.begins > view.seq + 1:
            notices.append(Missing(view.name, page.begins - view.seq - 1))
            view.skip(page.begins - 1)
        if page.more and page.last is not None:
            view.target = max(view.target, page.last + 1)
        for event in page.list:
            if event.seq == view.seq + 1:
                is_new, live = event.ts > view.known_ts, view.held.get(event.seq)
                heard = self._show(view, event, live and live[1], missed=is_new and live is None)
                notices += [heard] * is_new
        notices += self._release(view)
        if view.seq == before and view.has_gap:
            notices += self._give_up(view)
        return notices

    def _give_up(self, view: View) -> list[Notice]:
        """Show what is there although something before it cannot be had."""
        notices: list[Notice] = []
        for seq in sorted(view.held):
            event, request = view.held.pop(seq)
            if seq <= view.seq:
                continue
            if seq > view.seq + 1:
                notices.append(Missing(view.name, seq - view.seq - 1))
                view.group = None
            notices.append(self._show_live(view, event, request))
        if view.target > view.seq:
            notices.append(Missing(view.name, view.target - view.seq))
            view.restart(view.target)
        view.caught_up, view.is_unsure = 0, False
        view.wants_members = view.group is None and correspondent(view.name) is None
        return notices

    def _denied(self, request: Request, code: str) -> list[Notice]:
        """Take a refusal of what the mirror wanted; one that will pass is asked again."""
        if not isinstance(request, ListStates | ListMembers) or code in _WILL_PASS:
            return []
        view = self._view(group_key(request.group), request.group)
        if isinstance(request, ListMembers):
            view.wants_members = False
            return []
        notices = self._give_up(view)
        if view.is_member and code in _NO_MEMBER_ANY_MORE:
            self._leave(view)
        return notices

    def _leave(self, view: View) -> None:
        view.is_member, view.group, view.unread = False, None, 0  # nor can it be read any more
        if self.current is not None and view is self.groups[self.current]:
            self.current = None

    def _welcomed(self, hello: Welcome) -> list[Notice]:
        """Compare what the server says one is in with what was known before."""
        notices: list[Notice] = []
        mine = {group_key(name): name for name in hello.groups}
        for key, view in self.groups.items():
            if view.is_member and key not in mine:
                self._leave(view)
                notices.append(Gone(view.name))
        for view in self.texts.values():
            view.is_unsure = bool(view.seq and view.ts)
        seqs = {group_key(name): seq for name, seq in hello.seqs.items()}
        for key, name in mine.items():
            self._view(key, name).welcomed(seqs.get(key))
        return notices

    def _learn(self, message: Message | Foreign, request: Request | None) -> None:
        if isinstance(message, Members):
            after: str | None = getattr(request, "after", None)
            take_members(self._view(group_key(message.group), message.group), message, after)
        self._learn_names(message)
