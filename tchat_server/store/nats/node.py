"""One node of several: its log and its roster over one connection to the engine, and what an operator sees of them."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

from libtchat.cluster import NodeId
from libtchat.message.limits import ServerLimits
from tchat_server.ops.metrics import exposed
from tchat_server.roster.port import RosterUnavailable
from tchat_server.store.event_log import LogUnavailable, LogUnusable
from tchat_server.store.nats.health import Health
from tchat_server.store.nats.log import NatsLog
from tchat_server.store.nats.roster import NatsRoster
from tchat_server.store.nats.stream import open_roster_stream
from tchat_server.store.nats.syncing import is_syncing_always
from tchat_server.store.nats.url import EngineUrl
from tchat_server.store.sqlite.cache_file import CopyHarmed
from tchat_server.supervisor import Tasks

__all__ = ["NatsNode"]

_UNREADY_SECONDS = 15.0

_ASK_AGAIN_SECONDS = 3.0
"""How often monitors that did not answer are asked again."""

logger = logging.getLogger("tchat_server")


class NatsNode:
    """A node. Make it with `NatsNode.open`.

    Attributes:
        syncs: the engine is known to write each record through to its disks; None: not known.
        health: what has happened under the node.
    """

    def __init__(self, log: NatsLog, roster: NatsRoster, syncs: bool | None) -> None:
        self.log, self.roster, self.syncs = log, roster, syncs
        self._tasks = Tasks()
        self.health = Health(
            log.connection, log.stream, log.cache, position=lambda: log.follower.position, harmed=roster.give_up
        )

    @classmethod
    async def open(cls, url: EngineUrl, cache: Path, limits: ServerLimits) -> NatsNode:
        """Connect, copy what is there, and take a lease.

        Raises:
            LogUnusable: the engine or the file is not to be used; the message is one line.
        """
        try:
            log = await _open_log(url, cache, limits)
        except LogUnavailable as error:
            raise LogUnusable(f"the engine {url} cannot be used: {error}") from None
        try:
            syncs = await asyncio.to_thread(is_syncing_always, url)  # asked once the engine is there
            if not syncs:
                logger.warning(
                    "the engine %s is not %s to sync each record (sync_interval: always): a power cut may cost "
                    "what was acknowledged%s",
                    *(url, "known" if syncs is None else "set", _advice(url) if syncs is None else ""),
                )
            subjects = await open_roster_stream(log.connection, url)
            roster = await NatsRoster.open(log.connection, subjects, ahead=log.ahead, limits=limits)
            roster.predecessor = _take_over(roster.node, cache.with_name(f"{cache.name}.node"))
            node = cls(log, roster, syncs)
        except RosterUnavailable as error:
            await log.close()
            raise LogUnusable(f"the engine {url} cannot be used: {error}") from None
        except BaseException:
            await log.close()
            raise
        if syncs is None and url.monitors:
            node._tasks.start(node._ask_again(url))
        return node

    async def _ask_again(self, url: EngineUrl) -> None:
        while self.syncs is None:
            await asyncio.sleep(_ASK_AGAIN_SECONDS)
            self.syncs = await asyncio.to_thread(is_syncing_always, url)

    def is_ready(self) -> bool:
        """Tell whether the engine answered lately, and has the stream; may be called from another thread."""
        leases = self.roster.leases
        return not leases.is_fenced and leases.age < _UNREADY_SECONDS and not self.health.trouble

    def measured(self) -> str:
        """Return the metrics of now in Prometheus' text format; may be called from another thread."""
        log, roster = self.log, self.roster
        publishers, proofs = (log.publisher, roster.publisher), (log.proofs, roster.proofs)
        rows = (
            ("records_appended_total", "counter", "Records of this node.", sum(it.appended_total for it in publishers)),
            ("records_followed_total", "counter", "Records of all nodes.", log.intake.followed_total),
            ("records_fetched_total", "counter", "Records the engine did not tell by itself.", log.follower.fetched),
            ("records_resent_total", "counter", "Records sent again.", sum(it.resent_total for it in publishers)),
            ("conflicts_total", "counter", "Records refused: another node was first.", _conflicts(self)),
            ("proofs_total", "counter", "Proofs that all was told.", sum(it.proofs_total for it in proofs)),
            ("lag", "gauge", "Records that wait for this node's own copy.", log.backlog),
            ("damaged", "gauge", "Groups and accounts of which a record is damaged.", len(log.intake.damaged)),
            ("lease_age_seconds", "gauge", "Seconds since the engine took the lease.", round(roster.leases.age, 3)),
            ("engine_connected", "gauge", "There is a connection to the engine.", int(log.connection.is_connected)),
            ("engine_syncs", "gauge", "1: each record is on disk; 0: not; -1: not known.", _number(self.syncs)),
        )
        metrics = (exposed(f"tchat_cluster_{name}", kind, help, f" {value}") for name, kind, help, value in rows)
        return "\n".join(line for lines in metrics for line in lines) + "\n"

    def rest(self) -> None:
        """Look after nothing any more: it is to end."""
        self.health.close()
        self._tasks.cancel()

    async def close(self) -> None:
        """Give up the lease, and let go of the engine and the file."""
        self.rest()
        await self.roster.close()
        await self.log.close()


async def _open_log(url: EngineUrl, cache: Path, limits: ServerLimits) -> NatsLog:
    with suppress(CopyHarmed):  # then there is none any more
        return await NatsLog.open(url, cache, limits=limits)
    return await NatsLog.open(url, cache, limits=limits)


def _take_over(node: NodeId, file: Path) -> NodeId | None:
    """Return the node that had this copy before, and note that *node* has it: who has it is alone with it."""
    before = ""
    with suppress(OSError, ValueError):
        before = file.read_text("ascii").strip()
    with suppress(OSError):  # then the next one does not know
        file.write_text(f"{node}\n", "ascii")
    return NodeId(before) if before.isalnum() else None


def _conflicts(node: NatsNode) -> int:
    return node.log.publisher.conflicts_total + node.roster.publisher.conflicts_total


def _advice(url: EngineUrl) -> str:
    return "; its monitors do not answer" if url.monitors else "; ?monitor=HOST:PORT asks it"


def _number(known: bool | None) -> int:
    return -1 if known is None else int(known)
