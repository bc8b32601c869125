"""A conversation without a prompt of its own: typed lines in, lines to read out.

What an interactive session and piped commands have in common: what a line does, and what is printed when. The prompt
adds editing to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from attrs import define, evolve, field

from libtchat.commands import (
    Clear,
    Help,
    LocalAction,
    Me,
    Mistyped,
    More,
    Mute,
    Raw,
    Search,
    Trace,
    Unmute,
    Use,
    find,
    parse,
    unparse,
)
from libtchat.message.names import group_key
from libtchat.message.reply import Error, Foreign, Message, Registered
from libtchat.message.request import Create, Join, Quit, Register, Request, Say
from libtchat.mirror import Heard, NoAnswer, Notice, View
from tchat_client import errors
from tchat_client.link import Connecting, Link, Offline, Online, Status, Watcher
from tchat_client.render import Renderer
from tchat_client.settings import State

__all__ = ["SECRETS", "Session", "now"]

SECRETS = {"old": "password.old", "invitation": "invitation"}
"""What a server wants with a new password, by its field -> the question."""


@define(eq=False)
class Session(Watcher):
    """One person's conversation over a link.

    Attributes:
        write: prints one line that is ready for the terminal.
        traces: whether raw messages are shown.
        failures: how many lines were mistyped, refused or not answered.
        reason: why the last try to connect failed, as shown.
    """

    link: Link
    renderer: Renderer
    state: State
    write: Callable[[str], None]
    traces: bool = False
    failures: int = 0
    last_status: Status = field(factory=Connecting)
    reason: str = ""
    _entering: str | None = field(default=None, init=False)
    _has_entered: asyncio.Event = field(factory=asyncio.Event, init=False)

    async def line(self, text: str) -> bool:
        """Do what *text* says.

        Returns:
            False if it was the last line: the person quits.
        """
        if not text.strip():
            return True
        try:
            mirror = self.link.mirror
            known = (*(view.name for view in mirror.groups.values()), *mirror.users.values())
            meaning = parse(text, mirror.current_name, known)
        except Mistyped as problem:
            self.complain(self.renderer.mistyped(problem))
            return True
        if isinstance(meaning, Quit):
            return False
        if isinstance(meaning, Me) and (current := self.link.mirror.current_name) is not None:
            meaning = Say(current, f"/me {meaning.text}")
        if isinstance(meaning, LocalAction):
            self.act(meaning)
        elif self.can_send():
            await self.request(meaning)
        return True

    def can_send(self) -> bool:
        """Tell whether there is a connection; complain if there is none."""
        if not self.link.is_open:
            self.complain(self.renderer.language.text("not-sent"))
        return self.link.is_open

    async def request(self, request: Request) -> None:
        """Send *request*; what comes of it is heard."""
        if not isinstance(request, Register):
            if self.can_send():
                await self._send(request)
        elif request.password:
            await self.register(request)
        elif (password := await self.new_password()) is not None:
            await self.register(Register(password))

    async def _send(self, request: Request) -> None:
        """Send *request*; until it is known which group is the current one then, no other line is read."""
        sent = self.link.send(request)
        if not isinstance(request, Create | Join):
            return
        self._entering = sent.id
        self._has_entered.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.link.answer_seconds):
                await self._has_entered.wait()

    async def register(self, request: Register) -> None:
        """Send a new password; where the server wants the old one, or an invitation code, ask until it is right.

        A question that ended after one try would have the next one typed where everybody reads it.
        """
        while self.can_send():
            try:
                answer = await self.link.ask(request)
            except errors.NoAnswer:
                return  # which is told already
            if isinstance(answer, Registered):
                self.link.password = request.password
            field = _wanted(answer)
            if field is None:
                return
            if (secret := await self.secret(SECRETS[field])) is None:
                return
            request = evolve(request, **{field: secret})

    async def new_password(self) -> str | None:
        """Ask for a new password; without a terminal there is nobody to ask."""
        self.complain(self.renderer.language.text("no-question"))
        return None

    async def secret(self, key: str) -> str | None:
        """Ask for what is not to be shown with the sentence *key*; without a terminal there is nobody to ask."""
        return None

    def act(self, action: LocalAction) -> None:
        """Do what concerns this client alone."""
        language = self.renderer.language
        match action:
            case Help(command=name):
                for line in self.renderer.help(None if name is None else find(name)):
                    self.write(line)
            case Use(group=group):
                view = self.link.mirror.groups.get(group_key(group))
                if view is None or not view.is_member:
                    self.complain(self.renderer.refusal(Error("not-member", group=group)))
                else:
                    self.focus(view)
            case Raw(text=text):
                if self.can_send():
                    self.link.send_raw(text)
            case Me():
                self.complain(language.text("problem.no-group"))
            case Clear():
                self.clear()
            case More() | Search() | Mute() | Unmute():
                self.complain(language.text("interactive-only", form=unparse(action)))
            case Trace(on=on):
                self.traces = on
                self.say("trace.on" if on else "trace.off")

    def focus(self, view: View) -> None:
        """Make a group the current one."""
        self.link.mirror.focus(view.name)
        self.say("use", group=view.name)

    def clear(self) -> None:
        """Empty the screen, if there is one."""

    def say(self, key: str, **values: object) -> None:
        """Print the sentence *key*, which is about no message."""
        self.write(self.renderer.status(self.renderer.language.text(key, **values), now()))

    def complain(self, text: str) -> None:
        """Say what went wrong with a line."""
        self.failures += 1
        self.write(self.renderer.problem(text, now()))

    def heard(self, notices: Sequence[Notice]) -> None:
        """Print what is to be shown."""
        if self.link.mirror.name:
            self.renderer.me = self.link.mirror.name
        if self.link.round_trip_seconds is not None:
            self.renderer.round_trip_ms = round(self.link.round_trip_seconds * 1000)
        time = now()
        for notice in notices:
            if isinstance(notice, Heard | NoAnswer) and notice.request and notice.request.id == self._entering:
                self._has_entered.set()
            if self.selects(notice):
                continue
            if isinstance(notice, Heard) and notice.request and not notice.quiet and isinstance(notice.message, Error):
                self.failures += 1
                views = self.link.mirror.groups.values()
                self.renderer.groups = (*self.link.mirror.listed.values(), *(v.name for v in views if v.is_member))
            for line in self.renderer.notice(notice, time):
                self.write(line)

    def selects(self, notice: Notice) -> bool:
        """Tell whether *notice* says that one is in a group already that one joins: it is the current one then."""
        match notice:
            case Heard(message=Error(code="already-member"), request=Join(group=group)):
                mirror = self.link.mirror
                if group_key(group) not in mirror.groups:
                    mirror.focus(group)
                self.focus(mirror.groups[group_key(group)])
                return True
            case _:
                return False

    def status(self, status: Status) -> None:
        """Print that the connection came or went."""
        before, self.last_status = self.last_status, status
        match status:
            case Online(is_back=False):
                self.greet()
            case Online():
                self.say("back")
            case Offline(seconds=seconds, cause=cause):
                reason = self.renderer.reason(cause)
                is_new, self.reason = reason != self.reason or isinstance(before, Online), reason
                text = self.renderer.language.text("lost", cause=reason) if isinstance(before, Online) else reason
                if is_new:  # the same one again and again would fill the screen
                    self.write(self.renderer.problem(f"{text} ({self.renderer.offline(seconds)})", now()))
            case _:
                pass

    def greet(self) -> None:
        """Say that one is connected, and as whom."""
        self.renderer.me = self.link.mirror.name
        say = self.renderer.language.text
        self.write(say("server-hello.plain", address=self.link.place, name=self.renderer.me))
        names = [view.name for view in self.link.mirror.groups.values() if view.is_member]
        if names:
            self.write(say("server-hello.groups", names=", ".join(names)))

    def trace(self, direction: str, text: str) -> None:
        """Print a raw message, if that was asked for."""
        self.write(self.renderer.trace(direction, text))

    def unconfirmed(self, request: Request) -> None:
        """Print that an answer is late."""
        text = f"{unparse(request)}: {self.renderer.language.text('not-confirmed')}"
        self.write(self.renderer.problem(text, now()))

    def kept_token(self) -> str | None:
        """Return the token of another session of this user, perhaps newer than ours."""
        return self.state.token(self.link.name or "", *self.link.places)

    def token(self, token: str) -> None:
        """Keep the token for the next run."""
        if self.link.mirror.name or self.link.name:
            self.state.keep_token(self.link.name or "", token, *self.link.places)
            if self.state.failure is not None:
                detail = self.state.failure.strerror or self.state.failure
                text = self.renderer.language.text("no-state", path=self.state.directory, detail=detail)
                self.write(self.renderer.problem(text, now()))
                self.state.failure = None


def _wanted(answer: Message | Foreign) -> str | None:
    """Return the field of a `register` that is missing or wrong by its *answer*, None if that is something else."""
    if not isinstance(answer, Error):
        return None
    field = "old" if answer.code == "auth-failed" else answer.field
    return field if field in SECRETS else None


def now() -> datetime:
    """Return the time, with the zone of this machine."""
    return datetime.now().astimezone()
