"""The interactive session: a prompt with completion, history and a toolbar, below lines that arrive meanwhile.

What a line does and how things look is the session's and the renderer's.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.application import Application
from prompt_toolkit.input import Input
from prompt_toolkit.output import ColorDepth, Output
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.shortcuts import CompleteStyle

from libtchat.message.reply import Error
from libtchat.message.request import Register
from libtchat.mirror import Heard, Notice, View
from tchat_client.history import history_at
from tchat_client.keys import Tab, Typing
from tchat_client.link import Link, Offline, Online, Status
from tchat_client.measure import clip, wrap
from tchat_client.reader import Reader
from tchat_client.sanitise import clean
from tchat_client.session import SECRETS, now

__all__ = ["Prompt", "run_prompt"]

_NARROW_COLUMNS = 40
_INDENT = " " * len("10:41 ")


class _Interrupted(Exception):
    """The prompt has to make room for a question."""


class Prompt(Reader):
    """A session on a terminal."""

    def __init__(
        self, session: Reader, *, history: Path | None, input: Input | None = None, output: Output | None = None
    ) -> None:
        self._print = session.write
        common = (session.link, session.renderer, session.state, self._write, session.traces)
        super().__init__(*common, shows_all=session.shows_all, alert=session.alert)
        self.renderer.keeps_lines = True
        kept = history_at(history)
        self._typing = Typing(lambda: self.write(self.renderer.language.text("quit-again")))
        self._retry_at = 0.0
        self._questions: asyncio.Queue[tuple[str, asyncio.Future[str | None]]] = asyncio.Queue()
        depth = None if session.renderer.is_coloured else ColorDepth.DEPTH_1_BIT
        self._editor: PromptSession[str] = PromptSession(
            message=self._message,
            completer=Tab(session.link.mirror),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            bottom_toolbar=self._toolbar,
            key_bindings=self._typing.bindings,
            history=kept,
            erase_when_done=True,
            refresh_interval=1.0,
            color_depth=depth,
            input=input,
            output=output,
        )
        self._secret: PromptSession[str] = PromptSession(erase_when_done=True, input=input, output=output)

    async def run(self, joins: Sequence[str]) -> int:
        """Talk until the person quits.

        Raises:
            LinkError, HelloRefused: the first connection fails, or the server no longer lets us in.
        """
        self.link.watcher, self.link.follows = self, True
        connected = asyncio.create_task(self.link.run())
        try:
            # raw all the time, or what is typed between two prompts would be echoed among the lines
            with self._editor.input.raw_mode():
                await self._until_open(connected)
                for line in joins:
                    await self.line(line)
                while await self._turn(connected):
                    pass
        finally:
            connected.cancel()
            await asyncio.gather(connected, return_exceptions=True)
            self.keep()
            await self.link.quit()
        return 0

    async def _until_open(self, connected: asyncio.Task[None]) -> None:
        opened = asyncio.create_task(self.link.opened.wait())
        while not opened.done():
            asked = asyncio.create_task(self._questions.get())
            done, _ = await asyncio.wait({connected, opened, asked}, return_when=asyncio.FIRST_COMPLETED)
            if asked in done:
                await self._answer(*asked.result())
            asked.cancel()
            if connected in done:
                opened.cancel()
                connected.result()
                return

    async def _turn(self, connected: asyncio.Task[None]) -> bool:
        """Read and do one line, or answer one question; return False when the person quits."""
        typed = asyncio.create_task(self._editor.prompt_async(default=self._unsent, handle_sigint=False))
        asked = asyncio.create_task(self._questions.get())
        self._unsent = ""
        await asyncio.wait({typed, connected, asked}, return_when=asyncio.FIRST_COMPLETED)
        reading = self._editor.app.future
        if not typed.done() and reading is not None and not reading.done():
            self._unsent = self._editor.default_buffer.text
            self._editor.app.exit(exception=_Interrupted())
        try:
            text = await typed
        except _Interrupted:
            text = None
        except EOFError:
            asked.cancel()
            return False
        if asked.done():
            await self._answer(*asked.result())
        asked.cancel()
        if connected.done():
            connected.result()
            return False
        return text is None or await self._entered(text)

    _unsent = ""

    async def _entered(self, text: str) -> bool:
        lines, is_pasted, self._typing.is_pasted = text.splitlines(), self._typing.is_pasted, False
        if len(lines) < 2 or not is_pasted:
            return await self.line(text)
        answer = await self._ask(self.renderer.language.text("paste", count=len(lines)), is_secret=False)
        choice = (answer or "n").strip().casefold()[:1]
        if choice in ("y", "o"):
            return await self.line(text)
        if choice != "l":
            self.write(self.renderer.language.text("paste.no"))
            return True
        for line in lines:
            if not await self.line(line):
                return False
        return True

    async def new_password(self) -> str | None:
        """Ask for a new password, without showing it, until it is the same twice."""
        while first := await self.secret("password.new"):
            if (again := await self.secret("password.again")) in (None, first):
                return again
            self.complain(self.renderer.language.text("password.differ"))
        return None

    async def secret(self, key: str) -> str | None:
        """Ask for what is not to be shown; without an answer nothing is done, and that is told."""
        answer = await self._ask(self.renderer.language.text(key, name=self.link.mirror.name))
        if not answer:
            self.write(self.renderer.status(self.renderer.language.text("nothing-done"), now()))
        return answer or None

    async def password(self, error: Error) -> str | None:
        """Ask for the password of one's name, making the prompt wait."""
        self.renderer.me = self.renderer.me or self.link.name or ""
        self.write(self.renderer.refusal(error))
        future: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        await self._questions.put((self.renderer.language.text("password", name=self.link.name or ""), future))
        answer = await future
        self.link.password = answer
        return answer

    async def _answer(self, question: str, future: asyncio.Future[str | None]) -> None:
        while (answer := await self._ask(question)) == "":
            pass  # Enter was meant for the line that stood there; Ctrl-C and Ctrl-D give up
        if not future.done():
            future.set_result(answer)

    async def _ask(self, question: str, *, is_secret: bool = True) -> str | None:
        try:
            return await self._secret.prompt_async(clean(question), is_password=is_secret)
        except (EOFError, KeyboardInterrupt):
            return None

    def heard(self, notices: Sequence[Notice]) -> None:
        """Show what is to be shown; what a server wants with a new password is asked for, and no complaint."""
        super().heard([notice for notice in notices if not _is_asked_for(notice)])

    def status(self, status: Status) -> None:
        """Show the connection in the toolbar too."""
        if isinstance(status, Offline):
            self._retry_at = asyncio.get_running_loop().time() + status.seconds
        super().status(status)
        self._redraw()

    def greet(self) -> None:
        """Say that one is connected, and what one may type."""
        self.renderer.me = self.link.mirror.name
        say = self.renderer.language.text
        self.write(say("server-hello", address=self.link.place, name=self.renderer.me))
        names = [view.name for view in self.link.mirror.groups.values() if view.is_member]
        if names:
            self.write(say("server-hello.groups", names=", ".join(names)))

    def _redraw(self) -> None:
        app: Application[str] = self._editor.app
        if app.is_running:
            app.invalidate()

    def _columns(self) -> int:
        return self._editor.app.output.get_size().columns

    def _write(self, text: str) -> None:
        """Print one line, or the lines of one text, broken where the terminal ends."""
        columns = self._columns()
        self._print(wrap(text, columns, _INDENT if columns >= _NARROW_COLUMNS else "  "))

    def clear(self) -> None:
        """Empty the screen."""
        output = self._editor.app.output
        output.erase_screen()
        output.cursor_goto(0, 0)
        output.flush()

    def _message(self) -> str:
        if self._columns() < _NARROW_COLUMNS:
            return "> "
        group = self.link.mirror.current_name
        name = clip(clean(self.link.mirror.name), 20)
        return f"{name} [{clip(clean(group), 20)}]> " if group else f"{name}> "

    def _toolbar(self) -> str:
        mirror, say = self.link.mirror, self.renderer.language.text
        if isinstance(self.last_status, Online):
            state = say("online")
        elif isinstance(self.last_status, Offline):
            left = self._retry_at - asyncio.get_running_loop().time()
            state = f"{self.renderer.offline(left)}: {self.reason}"
        else:
            state = say("connecting")
        if self._columns() < _NARROW_COLUMNS:
            return f" {clip(state, self._columns() - 1)}"
        parts = [f"{self.link.place} {state}"]
        if mirror.current_name:
            parts.append(clean(mirror.current_name))
        unread = [_unread(view, self.mentions.get(key, 0)) for key, view in mirror.groups.items() if view.unread]
        if unread:
            parts.append(f"{', '.join(unread)} {say('unread')}")
        if self.link.round_trip_seconds is not None and isinstance(self.last_status, Online):
            parts.append(f"{self.link.round_trip_seconds * 1000:.0f} ms")
        return " " + clip("   ".join(parts), self._columns() - 1)


def _is_asked_for(notice: Notice) -> bool:
    match notice:
        case Heard(message=Error(field=field), request=Register() as request) if field in SECRETS:
            return getattr(request, field) is None  # what was given, and is wrong, is a complaint
        case _:
            return False


def _unread(view: View, mentions: int) -> str:
    return f"{clip(clean(view.name), 20)}:{view.unread}{f' »{mentions}' * bool(mentions)}"


async def run_prompt(link: Link, session: Reader, joins: Sequence[str]) -> int:
    """Hold an interactive session on the terminal; return the exit code."""
    history = session.state.history_path()
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        with patch_stdout(raw=True):
            return await Prompt(session, history=history).run(joins)
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM  # the terminal is left as it was found
