"""A connection whose client may speak another dialect: found out by its first messages, then translated in place.

Used only by a server that was given dialects; who speaks this protocol is served as by any other.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from libtchat.dialect.detect import Detector
from libtchat.dialect.dialect import Dialect, DialectError, load
from libtchat.dialect.effect import Effect, ToClient, ToServer
from libtchat.dialect.telling import Retold
from libtchat.dialect.translate import Translator
from libtchat.message.errors import Violation
from libtchat.wire.framing import Framer
from tchat_server.net.peer import Owner, PeerProtocol

__all__ = ["ForeignPeer", "read_dialects"]


def read_dialects(directory: Path) -> tuple[Dialect, ...]:
    """Read the dialects of clients in *directory*.

    Raises:
        DialectError: a file is wrong, or cannot be read, or there is none.
    """
    found = [load(_text_of(path), str(path)) for path in sorted(directory.glob("*.toml"))]
    clients = tuple(dialect for dialect in found if dialect.side == "client")
    if not clients:
        raise DialectError(f"{directory} holds no dialect of a client: tchat learn client makes them")
    return clients


def _text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise DialectError(f"{path} is no text in UTF-8") from None
    except OSError as error:
        raise DialectError(f"cannot read {path}: {error.strerror or error}") from None


class ForeignPeer(PeerProtocol):
    """A connection that is looked at before it is believed to speak this protocol."""

    __slots__ = ("_detector", "_framer", "_held", "_is_ours", "_retold", "_translator")

    def __init__(self, dialects: Sequence[Dialect], retold: Retold, owner: Owner, host: str, address: str) -> None:
        super().__init__(owner, host, address)
        self._retold = retold
        self._detector = Detector([*dialects])
        self._framer = Framer()
        self._held = b""
        self._is_ours = False
        self._translator: Translator | None = None

    def _take(self, data: bytes) -> None:
        if self._is_ours:
            super()._take(data)
            return
        if self.ending is not None:
            return
        if self._translator is None:
            self._held += data
        for frame in self._framer.receive(data):
            if isinstance(frame, bytes) and self._is_foreign(frame):
                assert self._translator is not None
                self._do(self._translator.from_client(frame, asyncio.get_running_loop().time()))
            elif self._translator is None:
                self._is_ours = True
                held, self._held = self._held, b""
                super()._take(held)
                return
            elif not isinstance(frame, bytes):  # refused as from anybody
                fault = Violation(frame.code, frame.fatal, frame.detail, limit=frame.limit)
                self._owner.received(self, (fault,), 0)
        if self._framer.mid_frame and not self.connection.mid_frame:
            self.since = asyncio.get_running_loop().time()
        self.connection.mid_frame = self._framer.mid_frame

    def _is_foreign(self, frame: bytes) -> bool:
        """Tell whether the client speaks another dialect, as far as its messages say up to *frame*."""
        if self._translator is None or len(self._detector.candidates) > 1:
            try:
                dialect = self._detector.take(json.loads(frame), frame.decode("utf-8", "replace"))
            except (ValueError, RecursionError):
                dialect = None
            if self._translator is not None:
                self._translator.client = dialect or self._translator.client
            elif dialect is not None:
                self._translator, self._held = Translator(dialect, None, retold=self._retold), b""
                self.outbox.translate = self._translated
            if self._translator is not None:
                self._translator.others = self._detector.others
        return self._translator is not None

    def _do(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, ToServer):
                super()._take(effect.data.rstrip(b"\n"))  # without LF: so it is written to at intervals
            elif isinstance(effect, ToClient):
                self.outbox.send([(None, effect.data)])

    def _translated(self, line: bytes) -> Sequence[bytes]:
        """Return what the client reads for a line of this protocol."""
        translator = self._translator
        assert translator is not None
        return [effect.data for effect in translator.from_server(line, 0.0) if isinstance(effect, ToClient)]
