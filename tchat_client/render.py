"""Notices -> lines for a terminal: sanitised, in one's language, coloured or not.

Everything that came from the network passes `clean` on its way into a line (R-client-sanitise). Pure but for what the
renderer remembers between lines: the day shown last, and which groups were just joined.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, tzinfo
from zlib import crc32

from attrs import define, field

from libtchat.commands import LocalAction, unparse
from libtchat.message.direct import KeptEvent, Received, Sent
from libtchat.message.event import (
    OPERATOR,
    Banned,
    Closed,
    Created,
    Event,
    Joined,
    Kicked,
    LogEvent,
    Redacted,
    Said,
)
from libtchat.message.names import Key, group_key, user_key
from libtchat.message.reply import (
    DirectMessage,
    Error,
    Foreign,
    Goodbye,
    Members,
    Message,
    Messages,
    PresenceNotice,
    PublicMessage,
    States,
)
from libtchat.message.request import ListMessages, ListStates, Request
from libtchat.mirror import CaughtUp, Gone, Heard, Missing, NoAnswer, Notice
from tchat_client.answer_lines import answer_lines
from tchat_client.sanitise import clean, clip
from tchat_client.sentences import Sentences

__all__ = ["MANY", "Renderer"]

_NICK_COLOURS = (32, 33, 34, 35, 36, 92, 93, 94, 95, 96)
_BOLD, _DIM, _RED = 1, 2, 31
_SHORT = 48
MANY = 100
"""As many unread texts are counted, and no more."""

_ME = "/me "  # XEP-0245: whoever does not know it reads it as it is


@define
class Renderer(Sentences):
    """Makes lines for one user.

    Attributes:
        zone: the time zone of times shown, None for the machine's.
        round_trip_ms: of the last ping, None before one was answered.
        more_form: what shows older entries of the group that follows, "" if that is a command with a number.
        keeps_lines: a text's own lines stay lines, for somebody who indents them; else a line is one event.
    """

    is_coloured: bool = False
    zone: tzinfo | None = None
    round_trip_ms: int | None = None
    more_form: str = ""
    keeps_lines: bool = False
    _day: date | None = None
    _entering: set[Key] = field(factory=set)

    def notice(self, notice: Notice, now: datetime) -> list[str]:
        """Return the lines that show *notice*; none for what only the client itself asked.

        Args:
            now: the time, with a zone; shown where the notice itself has none.
        """
        match notice:
            case Heard():
                return self._heard(notice, now)
            case CaughtUp(group=group, count=count):
                return [self._in_group(now, group, "--", self.say("caught-up", count=count))]
            case Missing(group=group, count=count):
                return [self._in_group(now, group, "!!", self.say("missing", count=count))]
            case Gone(group=group):
                return [self._in_group(now, group, "--", self.say("gone", group=group))]
            case NoAnswer(request=request):
                return [self.problem(f"{_typed(request)}: {self.say('no-answer')}", now)]

    def status(self, text: str, now: datetime) -> str:
        """Return a line about the client itself."""
        return f"{self._time(now)} -- {clean(text)}"

    def problem(self, text: str, now: datetime) -> str:
        """Return a line about something that went wrong."""
        return f"{self._time(now)} {self._paint('!!', _RED)} {clean(text)}"

    def past(self, event: LogEvent, now: datetime) -> str:
        """Return the line for what happened a while ago, with the date if that was not today."""
        return self._event(event, self._stamp(_parse(event.ts), now))

    def short(self, said: Said, unread: int) -> str:
        """Return the line for a text in a group that is not the current one."""
        text = clip(f"{clean(said.sender)}: {clean(said.msg)}", _SHORT)
        return self._paint(f"{self._time(_parse(said.ts))} {clean(said.group)}:{unread}  {text}", _DIM)

    def mark(self, key: str, count: int) -> str:
        """Return the line above what is unread."""
        return self._paint(f"---- {self.say(key, count=_counted(count))} ----", _BOLD)

    def unread(self, rows: Iterable[tuple[str, int, int]], now: datetime) -> str:
        """Return the line for the other groups: name, unread texts, and how many of these name me."""
        names = ", ".join(f"{name}:{_counted(count)}{f' »{mine}' * bool(mine)}" for name, count, mine in rows)
        return self.status(self.say("unread-groups", names=names), now)

    def trace(self, direction: str, text: str) -> str:
        """Return the line for a raw message in (`<`) or out (`>`)."""
        return self._paint(f"{direction} {clean(text)}", _DIM)

    def mentions_me(self, text: str) -> bool:
        """Tell whether *text* names me, as a word of its own."""
        return bool(self.me) and re.search(rf"(?<!\w){re.escape(self.me)}(?!\w)", text, re.IGNORECASE) is not None

    def _heard(self, heard: Heard, now: datetime) -> list[str]:
        message = heard.message
        if isinstance(message, Event):
            at = _parse(message.ts) or now
            if isinstance(message, Joined) and self._is_me(message.sender) and not heard.missed:
                self._entering.add(group_key(message.group))
            return [*self._day_line(at), self._event(message, self._time(at) + "+" * heard.missed)]
        if heard.quiet and not (isinstance(message, Members) and group_key(message.group) in self._entering):
            return []
        if isinstance(message, Members):
            self._entering.discard(group_key(message.group))
        return self._reply(message, heard.request, now)

    def _event(self, event: LogEvent, time: str) -> str:
        if isinstance(event, Sent):
            return f"{time} {self._speech(event.sender, event.msg, to=clean(event.to))}"
        if isinstance(event, Received):
            return f"{time} * {self.say('removed.user' if event.removed else 'server-received', sender=event.sender)}"
        group = clean(event.group)
        if isinstance(event, Said) and not event.redacted:
            return f"{time} {group}  {self._speech(event.sender, event.msg)}"
        dest = getattr(event, "dest", "")
        about_me = self._is_me(event.sender) or self._is_me(dest)
        return f"{time} {group}  {'--' if about_me else '*'} {clean(self._what(event))}"

    def _what(self, event: Event) -> str:
        if isinstance(event, Said | Closed | Redacted):
            return self.ruled(event)
        dest = getattr(event, "dest", "")
        variant = ".you" if self._is_me(event.sender) else ".me" if dest and self._is_me(dest) else ""
        text = self.language.text(event.action + variant, sender=event.sender, group=event.group, dest=dest)
        if isinstance(event, Kicked | Banned) and event.reason:
            text += f": {event.reason}"
        owner = getattr(event, "owner", None)
        if owner and not isinstance(event, Created):
            text += f"; {self.language.text('owner.you' if self._is_me(owner) else 'owner', owner=owner)}"
        return text

    def _reply(self, message: Message | Foreign, request: Request | None, now: datetime) -> list[str]:
        time = self._time(now)
        match message:
            case Sent() | Received():
                return self._kept(message, now)
            case DirectMessage(sender=sender, to=to, msg=msg):
                return [f"{time} {self._speech(sender, msg, to=clean(to))}"]
            case PublicMessage(sender=sender, msg=msg) if sender == OPERATOR:
                return [f"{time} {self._paint('!!', _BOLD)} {self.say('announce')}: {self._paint(clean(msg), _BOLD)}"]
            case PublicMessage(sender=sender, msg=msg):
                return [f"{time} {self._speech(sender, msg, to=self.say('everybody'))}"]
            case PresenceNotice(name=name, event=event) if event in self.language:
                return [f"{time} * {self.say(event, name=name)}"]
            case Foreign(raw=""):
                return [self.problem(self.language.text("garbage", text=message.text, address=self.address), now)]
            case Foreign(text=text, raw=raw) if text == raw and not raw.lstrip().startswith("{"):
                return [self.problem(self.language.text("garbage", text=clip(text, 200), address=self.address), now)]
            case Foreign(text=text):
                return [self.status(self.language.text("foreign", text=text), now)]
            case Goodbye(sender=str() as name) if not self._is_me(name):
                return [f"{time} * {self.say('disconnect', name=name)}"]
            case Goodbye(sender=None) if request is None:
                return [self.status(self.language.text("server-stops"), now)]
            case Error():
                return [self._refused(message, request, time)]
            case Messages() | States():
                return self._page(message, request, now)
            case _:
                return [
                    f"{time} -- {line}" for line in answer_lines(self.say, self.address, self.round_trip_ms, message)
                ]

    def _kept(self, event: KeptEvent, now: datetime) -> list[str]:
        """Return the line for a text that is kept, with its own time if it waited, or for one's having got it."""
        is_mine = self._is_me(event.sender)
        if isinstance(event, Received):
            return [] if is_mine else [self._event(event, self._time(now))]
        note = f"  ({self.say('kept' if is_mine else 'kept.me', to=event.to)})" * event.kept
        return [self._event(event, self._stamp(_parse(event.ts), now) if event.kept else self._time(now)) + note]

    def _page(self, page: Messages | States, request: Request | None, now: datetime) -> list[str]:
        lines = [self._event(event, self._stamp(_parse(event.ts), now)) for event in page.list]
        if page.begins is not None and not page.more and getattr(request, "after", None) is None:
            lines.insert(0, self._in_group(now, page.group, "--", self.say("removed")))
        if not lines:
            return [self._in_group(now, page.group, "--", self.say(f"{page.action}.none", group=page.group))]
        is_typed = isinstance(request, ListMessages | ListStates) and request.after is None
        if page.more and page.first is not None and is_typed:
            kind = ListMessages if isinstance(page, Messages) else ListStates
            older = kind(page.group, before=page.first, limit=getattr(request, "limit", None) or 100)
            form = f"{self.more_form} {page.group}" if self.more_form else unparse(older)
            lines.insert(0, self._in_group(now, page.group, "--", self.say("more", form=form)))
        return lines

    def _refused(self, error: Error, request: Request | None, time: str) -> str:
        typed = f"{_typed(request)}: " if request is not None else ""
        return f"{time} {self._paint('!!', _RED)} {typed}{self.refusal(error, request)}"

    def _speech(self, sender: str, text: str, *, to: str = "") -> str:
        name = self._paint(clean(sender), _nick_colour(sender))
        said = "\n".join(map(clean, text.splitlines())) if self.keeps_lines else clean(text)
        is_mention = not self._is_me(sender) and self.mentions_me(said)
        if said.startswith(_ME) and not to:
            return f"{'» ' * is_mention}• {name} {said.removeprefix(_ME)}"
        arrow = f" → {to}" if to else ""
        return f"{'» ' * is_mention}{name}{arrow}: {self._paint(said, _BOLD) if is_mention else said}"

    def _in_group(self, now: datetime, group: str, mark: str, text: str) -> str:
        return f"{self._time(now)} {clean(group)}  {mark} {text}"

    def _is_me(self, name: str) -> bool:
        return bool(name) and user_key(name) == user_key(self.me)

    def _day_line(self, at: datetime) -> list[str]:
        day = at.astimezone(self.zone).date()
        is_new = self._day is not None and day != self._day
        self._day = day
        return [f"---- {day.isoformat()} ----"] if is_new else []

    def _time(self, at: datetime | None) -> str:
        return "--:--" if at is None else f"{at.astimezone(self.zone):%H:%M}"

    def _stamp(self, at: datetime | None, now: datetime) -> str:
        if at is None:
            return "--:--"
        here = at.astimezone(self.zone)
        return f"{here:%H:%M}" if here.date() == now.astimezone(self.zone).date() else f"{here:%Y-%m-%d %H:%M}"

    def _paint(self, text: str, *codes: int) -> str:
        return f"\x1b[{';'.join(map(str, codes))}m{text}\x1b[0m" if self.is_coloured else text


def _typed(request: Request | LocalAction) -> str:
    return clip(clean(unparse(request)), 60)


def _nick_colour(name: str) -> int:
    return _NICK_COLOURS[crc32(user_key(name).encode("utf-8", "replace")) % len(_NICK_COLOURS)]


def _counted(count: int) -> int | str:
    return count if count < MANY else f"{count}+"


def _parse(ts: str) -> datetime | None:
    """Read a time of the wire; None if it is none, or has no zone."""
    try:
        at = datetime.fromisoformat(ts)
    except ValueError:
        return None
    return at if at.tzinfo is not None and 1970 <= at.year < 9999 else None
