"""Raw messages, for whoever wants to see them."""

from __future__ import annotations

from attrs import define, field

from libtchat.wire.redaction import Redactor
from tchat_client.link.watcher import Watcher

__all__ = ["Trace"]


@define
class Trace:
    """Traces what came over one connection: each message when it is whole, and none that began before it was wanted."""

    _redactor: Redactor = field(factory=Redactor)
    _is_untraced: bool = False

    def incoming(self, data: bytes, watcher: Watcher, *, is_mid_frame: bool) -> None:
        """Show the *watcher* what came; *is_mid_frame*: the last message in it is not whole yet."""
        if not watcher.traces or self._is_untraced:
            self._redactor, self._is_untraced = Redactor(), is_mid_frame
            return
        for line in self._redactor.feed(data, is_mid_frame=is_mid_frame):
            watcher.trace("<", line)
