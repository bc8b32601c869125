"""One client through the bridge: found out, then passed through as it is or translated, message by message."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from attrs import define, field, frozen

from libtchat.dialect.detect import Detector
from libtchat.dialect.dialect import Dialect
from libtchat.dialect.effect import Effect, End, ToClient
from libtchat.dialect.prose import cut
from libtchat.dialect.translate import Translator
from libtchat.wire.framing import FrameFault, Framer
from tchat_client.bridge.copying import copy, ended
from tchat_client.sanitise import clean

__all__ = ["GAP_SECONDS", "Pipe", "Route"]

GAP_SECONDS = 0.025
"""Between two messages to one program: two in one read would end many."""

UNDECIDED_SECONDS = 1.0
MAX_WAITING = 512
_SERVER_FRAME_BYTES = 1024 * 1024
_READ_BYTES = 65_536

_Cut = Callable[[Framer, bytes], Iterable[bytes | str | FrameFault]]


@frozen
class Route:
    """Where clients come in and where they are taken.

    Attributes:
        dialect: the server's, None if it speaks this protocol.
        clients: the dialects that clients may speak.
        joins_invited: who cannot join joins when invited.
    """

    listen: tuple[str, int]
    to: tuple[str, int]
    dialect: Dialect | None = None
    clients: tuple[Dialect, ...] = ()
    tls: ssl.SSLContext | None = None
    joins_invited: bool = False


@define(eq=False)
class Pipe:
    """The two connections of one client."""

    route: Route
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    log: Callable[[str], None]
    trace: Callable[[str, str], None] | None = None
    peer: str = ""
    _detector: Detector = field(init=False)
    _translator: Translator = field(init=False)
    _up_reader: asyncio.StreamReader = field(init=False)
    _up_writer: asyncio.StreamWriter = field(init=False)
    _framer: Framer = field(factory=Framer)
    _to_client: deque[bytes] = field(factory=deque)
    _to_server: deque[bytes] = field(factory=deque)
    _work: asyncio.Event = field(factory=asyncio.Event)
    _room: asyncio.Event = field(factory=asyncio.Event)
    _timer: asyncio.TimerHandle | None = None
    _ending: bool = False
    _is_mute: bool = False
    _cause: str = "closed by the client"

    def __attrs_post_init__(self) -> None:
        self._detector = Detector([*self.route.clients])
        self._translator = Translator(None, self.route.dialect, self.route.joins_invited)

    async def open(self) -> None:
        """Connect to the server; raises what `asyncio.open_connection` does."""
        self._up_reader, self._up_writer = await asyncio.open_connection(*self.route.to, ssl=self.route.tls)

    async def run(self) -> None:
        """Connect to the server, and serve the client until either side has gone."""
        try:
            await self.open()
        except OSError as error:
            host, port = self.route.to
            self.log(f"{self.peer}: cannot connect to {host}:{port}: {error.strerror or error}")
            self.writer.close()
            return
        await self.serve()

    async def serve(self) -> None:
        """Serve the client over the open connection."""
        try:
            held, frames = await self._first_frames()
            if not frames and self.route.dialect is None:
                await self._pass_through(held)
            else:
                await self._translate(frames)
        except (OSError, ssl.SSLError) as error:
            self._cause = str(getattr(error, "strerror", None) or error)
        finally:
            self._stop_timer()
            for writer in (self.writer, self._up_writer):
                writer.close()
            name = f" {self._translator.me}" if self._translator.me else ""
            self.log(f"{self.peer}{name}: gone, {self._cause}")

    async def _first_frames(self) -> tuple[bytes, list[bytes]]:
        """Read until it is clear whether the client speaks this protocol; return what came, or its messages."""
        if not self.route.clients and self.route.dialect is None:
            self.log(f"{self.peer}: passed through, there are no dialects")
            return b"", []
        framer, held = self._framer, b""
        while True:
            try:
                async with asyncio.timeout(UNDECIDED_SECONDS if held or framer.mid_frame else None):
                    data = await self._either()
            except TimeoutError:
                data = b""
            if not data:
                return held, []
            found = framer.receive(data)
            frames = [frame for frame in found if isinstance(frame, bytes)]
            fault = next((one for one in reversed(found) if isinstance(one, FrameFault)), None)
            held = b"" if self.route.dialect else held + data  # what is translated is not passed through
            if fault is not None and self.route.dialect is None:
                return held, []
            if fault is not None and fault.fatal:
                raise ConnectionAbortedError(fault.detail)
            if frames:
                dialect = self._take(frames[0])
                return held, frames if dialect or self.route.dialect else []

    async def _either(self) -> bytes:
        """Return what the client says next, b"" if it or the server ends before."""
        mine = asyncio.create_task(self.reader.read(_READ_BYTES))
        theirs = asyncio.create_task(ended(self._up_reader))
        done, waiting = await asyncio.wait((mine, theirs), return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        return mine.result() if mine in done else b""

    def _take(self, frame: bytes) -> Dialect | None:
        try:
            dialect = self._detector.take(json.loads(frame), frame.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return self._translator.client
        if self._detector.count == 1 or self._translator.client is not dialect:
            ours, theirs = (one.name if one else "tchat" for one in (dialect, self.route.dialect))
            self.log(f"{self.peer}: {ours} ({self._detector.why}), server: {theirs}")
        return dialect

    async def _pass_through(self, held: bytes) -> None:
        self._up_writer.write(held)
        _, by_server = await asyncio.gather(
            copy(self.reader, self._up_writer), copy(self._up_reader, self.writer, is_last=True)
        )
        self._cause = "closed by the server" if by_server else self._cause

    async def _translate(self, frames: Sequence[bytes]) -> None:
        client = self._detector.candidates[0] if self._detector.candidates and frames else None
        self._translator.client = client
        self._translator.others = self._detector.others
        for frame in frames:
            self._from_client(frame, is_first=frame is frames[0])
        tasks = [
            asyncio.create_task(coroutine)
            for coroutine in (
                self._read(self.reader, self._framer, self._from_client),
                self._read(
                    self._up_reader, Framer(_SERVER_FRAME_BYTES, max_garbage_runs=2**31), self._from_server, cut
                ),
                self._write(
                    self._to_client, self.writer, 0.0 if self.route.dialect is None and client is None else GAP_SECONDS
                ),
                self._write(self._to_server, self._up_writer, GAP_SECONDS if self.route.dialect else 0.0),
            )
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tasks[0] in done and not self._ending:
                await self._drain(self._to_server, self._up_writer)
                await asyncio.wait(tasks[1:2], timeout=0.5)  # what is under way for one who reads no more
            if tasks[1] in done:
                self._cause = "closed by the server"
                if not self._ending:
                    self._do(self._translator.lost())
            await self._drain(self._to_client, self.writer)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(
        self, reader: asyncio.StreamReader, framer: Framer, take: Callable[[bytes], None], parts: _Cut = Framer.receive
    ) -> None:
        while data := await reader.read(_READ_BYTES):
            for frame in parts(framer, data):
                if isinstance(frame, bytes):
                    take(frame)
                elif isinstance(frame, str):
                    self._from_server_as_text(clean(frame))
                elif frame.fatal:
                    self._cause = frame.detail
                    return
            while len(self._to_client) + len(self._to_server) > MAX_WAITING and not self._ending:
                self._room.clear()
                await self._room.wait()

    def _from_client(self, frame: bytes, *, is_first: bool = False) -> None:
        if not is_first and len(self._detector.candidates) > 1:
            self._translator.client = self._take(frame) or self._translator.client
            self._translator.others = self._detector.others
        self._note("client >", frame)
        self._do(self._at(lambda now: self._translator.from_client(frame, now)))

    def _from_server(self, frame: bytes) -> None:
        self._note("server >", frame)
        self._do(self._at(lambda now: self._translator.from_server(frame, now)))

    def _from_server_as_text(self, text: str) -> None:
        self._note("server >", text.encode())
        effects = self._at(lambda now: self._translator.from_server_as_text(text))
        if not effects and not self._is_mute:
            self._is_mute = True
            self.log(f"{self.peer}: the server says what is no message and this client cannot be shown: {text}")
        self._do(effects)

    def _at(self, act: Callable[[float], list[Effect]]) -> list[Effect]:
        self._translator.ts = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        return act(asyncio.get_running_loop().time())

    def _do(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, End):
                self._ending = True
                continue
            side, queue = ("client", self._to_client) if isinstance(effect, ToClient) else ("server", self._to_server)
            self._note(f"{side} <", effect.data, effect.means)
            queue.append(effect.data)
        self._work.set()
        self._set_timer()

    def _note(self, side: str, data: bytes, means: str = "") -> None:
        if self.trace is not None:
            text = data.decode("utf-8", "replace").strip()
            self.trace(f"{self.peer} {side}", text + (f"   ({means})" if means else ""))

    def _set_timer(self) -> None:
        self._stop_timer()
        due = self._translator.due()
        if due is not None:
            self._timer = asyncio.get_running_loop().call_at(due + 0.001, self._tick)

    def _tick(self) -> None:
        self._do(self._at(self._translator.tick))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _write(self, queue: deque[bytes], writer: asyncio.StreamWriter, gap_seconds: float) -> None:
        """Send one message a write, *gap_seconds* apart."""
        while True:
            while queue:
                writer.write(queue[0])
                queue.popleft()
                await writer.drain()
                self._room.set()
                if gap_seconds:
                    await asyncio.sleep(gap_seconds)
            if self._ending and not self._to_client and not self._to_server:
                return
            self._work.clear()
            await self._work.wait()

    async def _drain(self, queue: deque[bytes], writer: asyncio.StreamWriter) -> None:
        self._work.set()
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(2.0):
                while queue:
                    await asyncio.sleep(0.005)
                await writer.drain()
