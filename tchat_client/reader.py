"""A session of somebody who comes back: what happened meanwhile, what is unread where, older texts, and silence.

Opening and switching look back by a page of the group's log; what comes live is held until that page is shown, so that
everything is in order and once. `/more` and `/search` read further back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from attrs import define, field

from libtchat.commands import LocalAction, More, Mute, Search, Unmute
from libtchat.message.event import Event, LogEvent, Said
from libtchat.message.names import Key, group_key, user_key
from libtchat.message.reply import DirectMessage, Error, Foreign, Message, Messages, PublicMessage, States
from libtchat.message.request import ListMessages, ListStates, Request
from libtchat.mirror import Heard, NoAnswer, Notice, View
from tchat_client.errors import LinkError
from tchat_client.link import Online, Status
from tchat_client.reading import Reading
from tchat_client.render import MANY
from tchat_client.search import History
from tchat_client.session import Session, now

__all__ = ["Reader"]

_OPENING_LINES, _MOST_LINES = 20, 100
_KEEP_SECONDS = 5.0
Take = Callable[[Message | Foreign], None]


@define(eq=False)
class Reader(Session):
    """A session that knows what its person has read.

    Attributes:
        shows_all: the texts of every group are shown in full, not of the current one only.
        alert: tells in another way that somebody named this user, or wrote to nobody else.
        mentions: how many unread texts name this user, by group.
    """

    shows_all: bool = False
    alert: Callable[[str], None] | None = None
    reading: Reading = field(factory=Reading)
    mentions: dict[Key, int] = field(factory=dict)
    _asked: dict[str, Take] = field(factory=dict)
    _held: list[Notice] = field(factory=list)
    _older: dict[Key, int] = field(factory=dict)
    _search: History | None = None
    _tasks: set[asyncio.Task[None]] = field(factory=set)
    _kept_at: float = 0
    _has_recalled: bool = False

    def status(self, status: Status) -> None:
        """Show what happened since the last session, once one is connected."""
        super().status(status)
        if isinstance(status, Online) and not status.is_back and self.link.is_ours:
            self._open()

    def _open(self) -> None:
        mirror = self.link.mirror
        self.reading = Reading.of(self.state.recall(self.link.address, mirror.name))
        self._has_recalled = True
        self.renderer.more_form = "/more"
        mine = {group_key(view.name): view for view in mirror.groups.values() if view.is_member}
        for key, view in mine.items():
            if view.target > self.reading.read.setdefault(key, view.target):
                request = ListMessages(view.name, after=self.reading.read[key], limit=MANY)
                self._fetch(request, self._counting(view))
        last = mine.get(group_key(self.reading.group))
        current = last if last is not None else next(iter(mine.values())) if len(mine) == 1 else None
        if current is not None:
            mirror.focus(current.name)
            self._look_back(current, _OPENING_LINES, is_opening=True)

    def _counting(self, view: View) -> Take:
        """Return what counts the texts that came to a group meanwhile; what comes live is counted by the mirror."""
        upto = view.target

        def count(page: Message | Foreign) -> None:
            if isinstance(page, Messages):
                texts = [said for said in page.list if said.seq <= upto and not self._is_me(said.sender)]
                others = [said for said in texts if not self._is_muted(said)]
                view.unread += MANY if page.more else len(others)
                self.mentions[group_key(view.name)] = sum(self.renderer.mentions_me(said.msg) for said in others)

        return count

    def _look_back(self, view: View, limit: int, *, is_opening: bool = False) -> None:
        """Show the newest entries of a group, with a mark where the unread ones begin."""
        key, upto = group_key(view.name), max(view.target, view.seq)
        since, unread = self.reading.read.get(key, upto), view.unread

        def show(page: Message | Foreign) -> None:
            if not isinstance(page, States):
                return
            count = view.unread if is_opening else unread
            view.unread = 0
            self.mentions.pop(key, None)
            self.reading.saw(view.name, upto)
            if page.more and page.first is not None:
                self._older[key] = page.first
            self._write_past(page.list, since, count, "since-left" if is_opening else "unread-here")
            if is_opening:
                self._tell_unread()

        if upto:
            self._fetch(ListStates(view.name, before=upto + 1, limit=limit, all=True), show)

    def _write_past(self, events: Sequence[LogEvent], since: int, count: int, mark: str) -> None:
        is_marked = not count
        for event in events:
            if not is_marked and event.seq > since:
                self.write(self.renderer.mark(mark, count))
                is_marked = True
            if not self._is_muted(event):
                self.write(self.renderer.past(event, now()))

    def _tell_unread(self) -> None:
        rows = [(v.name, v.unread, self.mentions.get(key, 0)) for key, v in self.link.mirror.groups.items() if v.unread]
        if rows:
            self.write(self.renderer.unread(rows, now()))

    def _fetch(self, request: Request, take: Take) -> None:
        """Ask for what is shown in another way than an answer; what comes live waits for it. Needs a connection."""
        id = self.link.send(request).id
        assert id is not None
        self._asked[id] = take
        asyncio.get_running_loop().call_later(self.link.times.answer_seconds, self._answered, id)

    def _answered(self, id: str) -> None:
        """Wait for this answer no longer, and when none is left, show what was held."""
        self._asked.pop(id, None)
        if not self._asked and self._held:
            held, self._held = self._held, []
            self.heard(held)

    def heard(self, notices: Sequence[Notice]) -> None:
        """Show what is to be shown: answers to what was asked here first, the rest in order after them."""
        live: list[Notice] = []
        for notice in notices:
            request = notice.request if isinstance(notice, Heard | NoAnswer) else None
            take = self._asked.get(request.id or "") if request is not None else None
            if take is None or request is None:
                (self._held if self._asked else live).append(notice)
                continue
            if isinstance(notice, Heard):
                take(notice.message)
            self._answered(request.id or "")
        super().heard([notice for notice in live if not self._is_told_shortly(notice)])
        self._note(live)

    def _is_told_shortly(self, notice: Notice) -> bool:
        """Tell whether *notice* is a text that is not shown in full; then it has been dealt with."""
        said = notice.message if isinstance(notice, Heard) else None
        if isinstance(said, Messages) and said.first is not None:
            self._older[group_key(said.group)], self._search = said.first, None
        if isinstance(said, DirectMessage | PublicMessage) and not self._is_me(said.sender):
            return self._is_muted(said)
        if not isinstance(said, Said) or self._is_me(said.sender):
            return False
        mirror, key = self.link.mirror, group_key(said.group)
        view = mirror.groups[key]
        if self._is_muted(said):
            view.unread = max(0, view.unread - 1)
            return True
        if key == mirror.current or mirror.current is None:
            return False
        is_mention = self.renderer.mentions_me(said.msg)
        self.mentions[key] = self.mentions.get(key, 0) + is_mention
        if self.shows_all or is_mention:
            return False
        self.write(self.renderer.short(said, view.unread))
        return True

    def _note(self, notices: Sequence[Notice]) -> None:
        """Remember how far everything was shown."""
        mirror = self.link.mirror
        for notice in notices:
            event = notice.message if isinstance(notice, Heard) else None
            if isinstance(event, DirectMessage):
                self._alert(event)
            if not isinstance(event, Event):
                continue
            self._alert(event)
            view = mirror.groups[group_key(event.group)]
            if self.shows_all or not view.unread or mirror.current in (None, group_key(event.group)):
                self.reading.saw(event.group, event.seq)
        time = asyncio.get_running_loop().time()
        if notices and time - self._kept_at > _KEEP_SECONDS:
            self._kept_at = time
            self.keep()

    def _alert(self, message: Event | DirectMessage) -> None:
        """Tell somebody who asked for it, and may look elsewhere, about a mention."""
        if self.alert is None or self._is_me(message.sender) or self.reading.mutes(message.sender):
            return
        if isinstance(message, DirectMessage):
            self.alert(f"{message.sender}: {message.msg}")
        elif isinstance(message, Said) and self.renderer.mentions_me(message.msg) and not self._is_muted(message):
            self.alert(f"{message.group}, {message.sender}: {message.msg}")

    def keep(self) -> None:
        """Keep what was read for the next session."""
        name = self.link.mirror.name
        if name and self._has_recalled:
            self.reading.group = self.link.mirror.current_name or self.reading.group
            beside = Reading.of(self.state.recall(self.link.address, name))
            self.state.remember(self.link.address, name, self.reading.content(beside))

    def focus(self, view: View) -> None:
        """Make a group the current one, and show what was unread in it."""
        entries = view.seq - self.reading.read.get(group_key(view.name), view.seq)
        if view.unread and entries > 0 and self.link.is_open:
            self._look_back(view, min(entries, _MOST_LINES))
        super().focus(view)

    def act(self, action: LocalAction) -> None:
        """Do what concerns this client alone."""
        match action:
            case More(name=None) if self._search is not None:
                self._start_search(self._search)
            case More(name=name):
                self._more(name or self.link.mirror.current_name)
            case Search(text=text):
                if (history := History.of(text, self.link.mirror.current_name)) is None:
                    self.complain(self.renderer.language.text("problem.no-group"))
                else:
                    self._start_search(history)
            case Mute(name=name):
                self.reading.mute(name)
                self.say("muted", name=name)
            case Unmute(name=name):
                self.say("unmuted" if self.reading.unmute(name) else "not-muted", name=name)
            case _:
                super().act(action)

    def _more(self, group: str | None) -> None:
        if group is None:
            self.complain(self.renderer.language.text("problem.no-group"))
            return
        before = self._older.get(group_key(group))

        def show(page: Message | Foreign) -> None:
            if isinstance(page, Error):
                self.complain(self.renderer.refusal(page))
            elif isinstance(page, Messages):
                self._write_past(page.list, 0, 0, "")
                self._older[group_key(group)] = page.first or 1
                if not page.more:
                    self.say("no-older", group=group)

        if before == 1:
            self.say("no-older", group=group)
        elif self.can_send():
            self._fetch(ListMessages(group, before=before, limit=_OPENING_LINES), show)

    def _start_search(self, history: History) -> None:
        task = asyncio.create_task(self._find(history))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _find(self, history: History) -> None:
        try:
            found = await history.find(self.link)
        except LinkError as error:
            self.complain(self.renderer.failure(error))
            return
        if isinstance(found, Error):
            self.complain(self.renderer.refusal(found))
            return
        for said in found:
            self.write(self.renderer.past(said, now()))
        self._search = None if history.is_over else history
        key = "found.over" if history.is_over else "found"
        self.say(key, count=len(found), word=history.word, group=history.group)

    def _is_me(self, name: str) -> bool:
        return user_key(name) == user_key(self.link.mirror.name)

    def _is_muted(self, event: LogEvent | DirectMessage | PublicMessage) -> bool:
        """Tell whether *event* is a text that its reader does not want to see."""
        if isinstance(event, DirectMessage | PublicMessage):
            return self.reading.mutes(event.sender)
        return isinstance(event, Said) and self.reading.mutes(event.sender, event.group)
