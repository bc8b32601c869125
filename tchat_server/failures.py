"""How the command fails: one line for a person, and an exit code that says what kind of failure it is."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import click

from tchat_server.sentences import STORAGE, say, told
from tchat_server.store.event_log import LogUnusable

__all__ = [
    "ActRefused",
    "BindFailed",
    "Failed",
    "InternalFailed",
    "StorageFailed",
    "UsageFailed",
    "bind_failures",
    "storage_failures",
]


class Failed(click.ClickException):
    """Ends the command with one line for a person and an exit code."""


class ActRefused(Failed):
    """What an operator asked was not done: there is no such user, or nothing to do."""

    exit_code = 1


class UsageFailed(Failed):
    """The options can't be followed. (click's own UsageError has the same code.)"""

    exit_code = 2


class BindFailed(Failed):
    """An address can't be listened on."""

    exit_code = 3


class StorageFailed(Failed):
    """The database can't be used."""

    exit_code = 4


class InternalFailed(Failed):
    """A fault of the server's; the log has the details."""

    exit_code = 70


@contextmanager
def bind_failures(host: str, port: int) -> Iterator[None]:
    """Tell what is wrong with an address as BindFailed."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = say("port-in-use", host=host, port=port, next=port + 1)
        else:
            message = say("cannot-listen", host=host, port=port, detail=error.strerror or error)
        raise BindFailed(message) from None


@contextmanager
def storage_failures() -> Iterator[None]:
    """Tell what is wrong with a database as StorageFailed."""
    try:
        yield
    except LogUnusable as error:
        raise StorageFailed(told(str(error), STORAGE)) from None
