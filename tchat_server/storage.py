"""Where a server keeps everything, by what `--db` says: memory, a file, or an engine that several servers share."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from libtchat.hub.hub import Hub
from libtchat.hub.node import Node
from libtchat.message.value import frozen
from tchat_server.failures import UsageFailed
from tchat_server.roster.port import Roster
from tchat_server.sentences import say
from tchat_server.settings import Settings, state_directory
from tchat_server.store.event_log import EventLog, LogUnusable
from tchat_server.store.memory import MEMORY, MemoryLog

if TYPE_CHECKING:
    from tchat_server.store.nats.node import NatsNode

__all__ = ["Storage", "check_database", "is_engine", "maintenance_of", "open_storage", "reopen_storage", "shown"]

_ENGINE = "nats://"
_URL = re.compile(r"\s*(?:nats:|[a-z][a-z0-9+.-]+:/)", re.IGNORECASE)
_REOPEN_SECONDS = 1.0

logger = logging.getLogger("tchat_server")


@frozen
class Storage:
    """What is open. *roster* and *node*: if the server is one of several."""

    log: EventLog
    roster: Roster | None = None
    node: NatsNode | None = None

    def is_ready(self) -> bool:
        """Tell whether it answers, as far as that is known; may be called from another thread."""
        return self.node is None or self.node.is_ready()

    def measured(self) -> str:
        """Return metrics in Prometheus' text format; may be called from another thread."""
        return "" if self.node is None else self.node.measured()

    def make_hub(self) -> Callable[..., Hub]:
        """Return what makes the brain."""
        return Hub if self.roster is None else partial(Node, node=self.roster.node)

    async def over_or(self, stop: asyncio.Event) -> None:
        """Wait until *stop* is set, or this node's lease is over: then all must begin anew."""
        stopping = asyncio.ensure_future(stop.wait())
        endings = {stopping} if self.node is None else {stopping, self.node.roster.over}
        try:
            await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if self.node is not None:
                self.node.rest()


async def open_storage(settings: Settings) -> Storage:
    """Open it.

    Raises:
        LogUnusable: it can't be used; the message is one line.
    """
    if settings.db == MEMORY:
        return Storage(MemoryLog(limits=settings.limits))
    if not is_engine(settings.db):
        from tchat_server.store.sqlite.log import SqliteLog

        path = Path(os.path.expanduser(settings.db))
        return Storage(SqliteLog.open(path, durability=settings.durability, limits=settings.limits))
    from tchat_server.store.nats.node import NatsNode
    from tchat_server.store.nats.url import parse_url

    url = parse_url(settings.db)
    node = await NatsNode.open(url, settings.cache or state_directory() / f"{url.name}.node.db", settings.limits)
    return Storage(node.log, node.roster, node)


async def reopen_storage(settings: Settings, stop: asyncio.Event) -> Storage | None:
    """Open it again as soon as that works; None if *stop* is set first."""
    told = ""
    while not stop.is_set():
        try:
            return await open_storage(settings)
        except LogUnusable as error:
            if str(error) != told:
                told = str(error)
                logger.warning("waiting: %s", told)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _REOPEN_SECONDS)
    return None


def is_engine(db: str) -> bool:
    """Tell whether *db* names a chat in an engine.

    Raises:
        UsageFailed: it is a URL of another kind. No file is meant by that, and there may be a password in it.
    """
    if db.startswith(_ENGINE):
        return True
    if _URL.match(db):
        raise UsageFailed(say("other-url"))
    return False


def check_database(db: str, cache: Path | None = None) -> None:
    """See that what `--db` says is understood. Raises UsageFailed."""
    if not is_engine(db):
        if cache is not None:
            raise UsageFailed("--cache goes with --db nats://HOST/NAME")
        return
    from tchat_server.store.nats.url import UrlMalformed, parse_url

    try:
        parse_url(db)
    except UrlMalformed as error:
        raise UsageFailed(str(error)) from None


def maintenance_of(db: Path | str) -> Any:
    """Return the module whose `check`, `backup` and `own` are for this database. Raises UsageFailed."""
    if isinstance(db, Path):
        from tchat_server.store.sqlite import maintenance as of_file

        return of_file
    check_database(db)
    from tchat_server.store.nats import maintenance as of_engine

    return of_engine


def shown(db: str) -> str:
    """Show what `--db` says, without user and password."""
    if not is_engine(db):
        return db
    from tchat_server.store.nats.url import parse_url

    return str(parse_url(db))
