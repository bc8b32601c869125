"""What a program gives a `Chat`: checked at once, so that its author learns of a mistake where it is made."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from inspect import isawaitable
from pathlib import Path
from typing import Any, get_args

import attrs

from libtchat.effect import PresenceScope, Registration
from libtchat.message.limits import ServerLimits
from tchat_server.misuse import Misused
from tchat_server.retention import Retention, removes_old
from tchat_server.store.event_log import EventLog
from tchat_server.store.memory import MEMORY, MemoryLog

__all__ = ["check_handler", "check_listening", "check_log", "check_name", "check_options", "open_log"]

_MAX_PORT = 65_535
_LOG_HAS = [name for name in {**vars(EventLog), **EventLog.__annotations__} if not name.startswith("_")]


def check_options(
    name: object, limits: object, presence: object, registration: object, keep: object, grace_seconds: object
) -> None:
    """Check what a chat is made with. Raises Misused."""
    _check(isinstance(name, str), f"name is text, not {name!r}")
    _check(isinstance(limits, ServerLimits), f"limits is a libtchat.ServerLimits(...), not {limits!r}")
    for field in attrs.fields(ServerLimits):
        _check_number(f"limits: {field.name}", getattr(limits, field.name))
    _check_one_of("presence", presence, get_args(PresenceScope))
    _check_one_of("registration", registration, get_args(Registration))
    _check(isinstance(keep, Retention), f"keep is a Retention(days=..., messages=...), not {keep!r}")
    for what in ("days", "messages"):
        _check_number(f"keep: {what}", getattr(keep, what) or 0)
    _check_number("grace_seconds", grace_seconds)


def check_log(log: object) -> None:
    """Check where a chat is to keep everything: a path, a log, or a function that opens one. Raises Misused."""
    if isinstance(log, str | Path) or callable(log):
        return
    lacks = [name for name in _LOG_HAS if not hasattr(log, name)]
    is_near = 0 < len(lacks) < len(_LOG_HAS)
    _check(not is_near, f"a {type(log).__name__} is no EventLog: it lacks {', '.join(lacks)}")
    _check(not lacks, f"log is a path, {MEMORY!r}, an EventLog or what opens one, not {log!r}")


async def open_log(log: Any, limits: ServerLimits, keep: Retention) -> EventLog:
    """Return where a chat keeps everything.

    Raises:
        Misused: a function opens no log, or old events are to go and it removes none.
        LogUnusable, LogUnavailable: the storage can't be used as it is, or now.
    """
    if log == MEMORY:
        return MemoryLog(limits=limits)
    if isinstance(log, str | Path):
        from tchat_server.store.sqlite.log import SqliteLog

        return SqliteLog.open(Path(log).expanduser(), limits=limits)
    opened: EventLog = log() if callable(log) else log
    if isawaitable(opened):
        opened = await opened
    check_log(opened)
    if not keep.keeps_all and not removes_old(opened):
        await opened.close()
        raise Misused(f"keep: a {type(opened).__name__} removes nothing, as it has no remove_old (see RemovesOld)")
    return opened


def check_handler(handler: Callable[..., Any]) -> None:
    """Check what is to be called. Raises Misused."""
    _check(callable(handler), f"a handler is a function, not {handler!r}")


def check_name(what: str, name: object) -> None:
    """Check that the name of a user or a group is text, whatever stands there. Raises Misused."""
    example = {"user": "alice", "group": "wob"}[what]
    _check(isinstance(name, str), f"{what} is a name, as {example!r}, not {name!r}")


def check_listening(host: object, port: object, tls: object) -> None:
    """Check where clients are to come, and how. Raises Misused."""
    _check(isinstance(host, str), f"host is text, as '127.0.0.1', not {host!r}")
    is_port = isinstance(port, int) and 0 <= port <= _MAX_PORT
    _check(is_port, f"port is a number from 0 to {_MAX_PORT}, not {port!r}")
    _check(isinstance(tls, ssl.SSLContext | None), f"tls is an ssl.SSLContext, not {tls!r}")


def _check_number(what: str, value: object) -> None:
    _check(isinstance(value, int | float) and value >= 0, f"{what} is a number from 0 on, not {value!r}")


def _check_one_of(what: str, value: object, values: tuple[object, ...]) -> None:
    _check(value in values, f"{what} is one of {', '.join(map(repr, values))}, not {value!r}")


def _check(makes_sense: bool, sentence: str) -> None:
    if not makes_sense:
        raise Misused(sentence)
