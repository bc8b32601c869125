"""What is done by hand to a chat in an engine: `check`, `own`, what nodes are asked, and who makes a backup.

Each raises LogUnusable.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from attrs import define, field

from libtchat.group import Group, evolve, fold
from libtchat.message.errors import Refused, TchatError
from libtchat.message.event import Event, Said
from libtchat.message.names import Key, group_key
from libtchat.ruling import GiveGroup, rule
from libtchat.wire import codec
from tchat_server.clock import time_of_day, time_stamp
from tchat_server.store.event_log import LogUnusable
from tchat_server.store.nats.calls import call, find_node
from tchat_server.store.nats.connection import Connection
from tchat_server.store.nats.errors import EngineGone, EngineRefused, NobodyThere
from tchat_server.store.nats.fetch import Entry, fetch
from tchat_server.store.nats.intake import read_events, read_record
from tchat_server.store.nats.record import Account, Events, RecordDamaged, encode_record
from tchat_server.store.nats.stream import find_stream
from tchat_server.store.nats.subject import RosterSubjects, Subjects
from tchat_server.store.nats.url import EngineUrl, parse_url
from tchat_server.store.sqlite.maintenance import Report

__all__ = ["ask", "backup", "check", "own"]

_MAX_FAULTS = 100


def check(db: str) -> Report:
    """Verify a chat: every record is as it was written, and each group's have no gap and fold. Nothing is changed.

    Nodes may be using it meanwhile; what they add is not looked at. Takes a time proportional to the events.
    """
    return asyncio.run(_check(parse_url(db)))


def ask(db: str, request: Mapping[str, Any], who: str, seconds: float) -> Mapping[str, Any] | None:
    """Have any node of a chat do what *request* asks for *who*, and return its answer; None: no node runs."""
    return asyncio.run(_ask(parse_url(db), request, who, seconds))


def backup(db: str, out: Path) -> None:
    """Say what makes a backup: the engine's own tool does, of all its servers' records."""
    url = parse_url(db)
    stream = Subjects(url.name).stream
    raise LogUnusable(f"{url} is backed up with the engine's own tool: nats stream backup {stream} {out}")


def own(db: str, group: str, name: str) -> Event:
    """Give a group whose owner is gone a new one; return the event that says so. Nodes may be using the chat.

    The owner of a group that has members leaves it, in favour of the member *name*. In an empty group *name* joins.
    """
    return asyncio.run(_own(parse_url(db), group, name))


@define
class _Findings:
    """What was found so far."""

    subjects: Subjects
    report: Report
    groups: dict[Key, Group] = field(factory=dict)
    damaged: set[str] = field(factory=set)

    def look_at(self, entry: Entry) -> None:
        """Take one more record into account."""
        if entry.subject in self.damaged:
            return
        try:
            self._look_at(entry)
        except (RecordDamaged, TchatError, ValueError, KeyError) as damage:
            self.damaged.add(entry.subject)
            if len(self.report.faults) < _MAX_FAULTS:
                self.report.faults.append(f"record {entry.number} on {entry.subject}: {damage}")

    def _look_at(self, entry: Entry) -> None:
        found = read_record(entry, self.subjects)
        if isinstance(found, Account):
            self.report.users += 1
        elif isinstance(found, Events):
            before = self.groups.get(found.key)
            record = read_events(found, before.seq if before else 0)
            after = fold(record.events, before)
            assert after is not None, "a record has events"
            self.groups[found.key] = after
            self.report.events += len(record.events)
            self.report.messages += sum(isinstance(event, Said) for event in record.events)


@asynccontextmanager
async def _connected(url: EngineUrl) -> AsyncIterator[tuple[Connection, Subjects]]:
    connection = await Connection.open(url)
    try:
        yield connection, await find_stream(connection, url)
    except (EngineGone, EngineRefused) as error:
        raise LogUnusable(f"the engine {url} cannot be used: {error}") from None
    finally:
        await connection.close()


async def _entries(connection: Connection, stream: str, subject: str) -> AsyncIterator[Entry]:
    start, more = 1, True
    while more:
        entries, more = await fetch(connection, stream, subject, start)
        for entry in entries:
            yield entry
            start = entry.number + 1


async def _check(url: EngineUrl) -> Report:
    async with _connected(url) as (connection, subjects):
        findings = _Findings(subjects, Report())
        async for entry in _entries(connection, subjects.stream, subjects.all):
            findings.look_at(entry)
    findings.report.groups = len(findings.groups)
    return findings.report


async def _ask(url: EngineUrl, request: Mapping[str, Any], who: str, seconds: float) -> Mapping[str, Any] | None:
    async with _connected(url) as (connection, _):
        chat = RosterSubjects(url.name)
        try:
            node = await find_node(connection, chat)
        except NobodyThere:
            return None
        except EngineGone:
            raise LogUnusable(f"no server of {url} answers now: try again") from None
        try:
            return await call(connection, chat.call(node), request, who, seconds)
        except EngineGone:
            raise LogUnusable(f"the node of {url} that was asked did not answer: see whether it is done") from None


async def _own(url: EngineUrl, shown: str, name: str) -> Event:
    key = group_key(shown)
    async with _connected(url) as (connection, subjects):
        findings, last = _Findings(subjects, Report()), 0
        async for entry in _entries(connection, subjects.stream, subjects.group(key)):
            findings.look_at(entry)
            last = entry.number
        if findings.report.faults:
            raise LogUnusable(f"group {shown} is damaged, nothing has changed: {findings.report.faults[0]}")
        state = findings.groups.get(key)
        if state is None:
            raise LogUnusable(f"there is no group {shown}: `tchat groups` lists them")
        now = time_of_day()
        try:
            event = rule(state, GiveGroup(shown, name), ts=time_stamp(now))
        except Refused as refusal:
            raise LogUnusable(refusal.detail) from None
        evolve(state, event)
        line = codec.encode(event)
        record = encode_record(Events(key, event.seq, (line,), ("",), now, secrets.token_hex(8)))
        headers = {"Nats-Expected-Last-Subject-Sequence": str(last)}
        try:
            await connection.publish(subjects.group(key), record, headers, seconds=5.0)
        except EngineGone:
            raise LogUnusable(f"it is not known whether {name} owns {shown} now: look, and try again") from None
        except EngineRefused as error:
            raise LogUnusable(f"nothing has changed, {shown} has a new event meanwhile ({error}): try again") from None
        return event
