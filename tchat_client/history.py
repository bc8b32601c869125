"""What was typed before, for the up arrow: in a file or in memory, and never a password."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from libtchat.commands import may_hold_secret

__all__ = ["history_at"]


def history_at(path: Path | None) -> History:
    """Return the history kept at *path*, or for this run only if that is None."""
    return _Memory() if path is None else _File(str(path))


class _Discreet(History):
    """A history that the up arrow never brings a password back from."""

    def append_string(self, string: str) -> None:
        if not may_hold_secret(string):
            super().append_string(string)


class _Memory(_Discreet, InMemoryHistory):
    pass


class _File(_Discreet, FileHistory):
    """A history file whose disk may be full."""

    def store_string(self, string: str) -> None:
        with suppress(OSError):
            super().store_string(string)
