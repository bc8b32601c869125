"""The chat's stream in the engine: made once, and looked at before it is used.

Its metadata say what all nodes must agree on: the chat's identity, how subjects are cut, and the limits that decide
what is accepted.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from libtchat.message.limits import ServerLimits
from libtchat.message.value import frozen
from tchat_server.clock import time_of_day
from tchat_server.store.event_log import LogUnusable
from tchat_server.store.nats.connection import Connection
from tchat_server.store.nats.errors import EngineGone, EngineRefused
from tchat_server.store.nats.subject import Feed, RosterSubjects, Subjects
from tchat_server.store.nats.url import DEFAULT_SHARDS, EngineUrl

__all__ = ["Stream", "find_stream", "open_roster_stream", "open_stream", "trouble_with"]

_PATIENCE_SECONDS = 20.0
_PAUSE_SECONDS = 0.25
_MAX_CLOCK_SECONDS = 2.0
_NOT_FOUND, _NAME_IN_USE = 10059, 10058
_NOT_CLUSTERED, _NO_PEERS = 10074, 10005
_PASSING = (_NOT_FOUND, _NO_PEERS)
"""What is told for a moment: another node has made it just now, servers of the engine do not know one another yet."""

_AGREED = (
    "max_groups_joined",
    "max_groups_created",
    "max_members",
    "max_invited_and_banned",
    "max_invitations",
    "retry_seconds",
    "max_retries",
)
"""The limits that decide what is accepted: one node must not accept what the next refuses."""

_FORMAT = "1"

logger = logging.getLogger("tchat_server")


@frozen
class Stream:
    """A stream that may be used.

    Attributes:
        identity: drawn when it was made: tells it from another one of the same name.
        clock_offset: how many seconds the engine's clock is ahead of this machine's.
    """

    subjects: Subjects
    identity: str
    clock_offset: float


async def open_stream(connection: Connection, url: EngineUrl, limits: ServerLimits) -> Stream:
    """Make the chat's stream if there is none, and see that it is as it must be.

    Raises:
        LogUnusable: it is not, or it can't be made. The message is one line.
    """
    wanted = {**_configuration(Subjects(url.name), url.replicas), "max_msgs_per_subject": -1, "allow_atomic": True}
    info, asked_at = await _open(connection, url, wanted, _metadata(url, limits))
    metadata: Mapping[str, str] = info["config"].get("metadata") or {}
    _check_agreed(url, metadata, limits)
    offset = _clock_offset(url, datetime.fromisoformat(info["ts"]).timestamp(), asked_at)
    return Stream(Subjects(url.name, int(metadata["tchat.shards"])), metadata["tchat.identity"], offset)


async def trouble_with(connection: Connection, stream: Stream, position: int) -> str:
    """Return what has become of a stream that is used up to *position*, "" if nothing. Raises EngineGone."""
    name = stream.subjects.stream
    try:
        info = await connection.ask(f"STREAM.INFO.{name}")
    except EngineRefused as error:
        return f"the stream {name} was deleted" if error.code == _NOT_FOUND else ""
    if (info["config"].get("metadata") or {}).get("tchat.identity") != stream.identity:
        return f"the stream {name} is of another chat now"
    if (last := int(info["state"]["last_seq"])) < position:
        return f"the stream {name} ends with record {last}, and had {position}"
    return ""


async def find_stream(connection: Connection, url: EngineUrl) -> Subjects:
    """Find how the subjects of a chat that exists are cut. Raises LogUnusable, EngineGone, EngineRefused."""
    try:
        info = await connection.ask(f"STREAM.INFO.{Subjects(url.name).stream}")
    except EngineRefused as error:
        if error.code != _NOT_FOUND:
            raise
        raise LogUnusable(f"there is no chat {url}: tchat-server --db makes it") from None
    metadata: Mapping[str, str] = info["config"].get("metadata") or {}
    _check_made_by_us(url, metadata)
    return Subjects(url.name, int(metadata["tchat.shards"]))


async def open_roster_stream(connection: Connection, url: EngineUrl) -> RosterSubjects:
    """Make the roster's stream, as `open_stream` makes the chat's: only the last record of each subject stays."""
    subjects = RosterSubjects(url.name)
    wanted = {**_configuration(subjects, url.replicas), "max_msgs_per_subject": 1, "allow_msg_ttl": True}
    await _open(connection, url, wanted, {})
    return subjects


async def _open(
    connection: Connection, url: EngineUrl, wanted: Mapping[str, Any], metadata: Mapping[str, str]
) -> tuple[dict[str, Any], float]:
    """Return what the engine says of the stream, and when it was asked that."""
    created = {**wanted, "metadata": metadata}
    deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    while True:  # engine servers that have just been started elect a leader first
        asked_at = time_of_day()
        try:
            info = await _info_or_new(connection, wanted["name"], created)
            break
        except EngineGone as error:
            if asyncio.get_running_loop().time() > deadline:
                raise LogUnusable(f"the engine {url} does not serve JetStream: {error}") from None
        except EngineRefused as error:
            if error.code not in _PASSING or asyncio.get_running_loop().time() > deadline:
                raise LogUnusable(_unmakable(url, error)) from None
        await asyncio.sleep(_PAUSE_SECONDS)
    for key, value in wanted.items():
        if (found := info["config"].get(key)) != value:
            raise LogUnusable(_differing(url, key, found, value))
    return info, asked_at


def _clock_offset(url: EngineUrl, told: float, asked_at: float) -> float:
    """Tell how far the engine's clock is ahead, which *told* a time; warn if that is much: times would differ.

    It was read at some moment since *asked_at*: that an answer took long makes no clock wrong.
    """
    least, most = told - time_of_day(), told - asked_at
    offset = (least + most) / 2
    if least > _MAX_CLOCK_SECONDS or most < -_MAX_CLOCK_SECONDS:
        logger.warning("the clock of this machine is %.1f seconds off that of the engine %s: set both", -offset, url)
    return offset


async def _info_or_new(connection: Connection, stream: str, created: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return await connection.ask(f"STREAM.INFO.{stream}")
    except EngineRefused as error:
        if error.code != _NOT_FOUND:
            raise
    try:
        return await connection.ask(f"STREAM.CREATE.{stream}", created)
    except EngineRefused as error:
        if error.code != _NAME_IN_USE:  # another node has made it meanwhile
            raise
    return await connection.ask(f"STREAM.INFO.{stream}")


def _configuration(feed: Feed, replicas: int) -> dict[str, Any]:
    """Return what a stream must be: nothing in it is ever dropped, all that is committed is told."""
    return {
        "name": feed.stream,
        "subjects": [feed.all],
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "num_replicas": replicas,
        "max_age": 0,
        "max_msgs": -1,
        "max_bytes": -1,
        "republish": {"src": feed.all, "dest": feed.told},
        "allow_direct": True,
        "allow_rollup_hdrs": True,
    }


def _metadata(url: EngineUrl, limits: ServerLimits) -> dict[str, str]:
    agreed = {f"tchat.{name}": f"{getattr(limits, name):g}" for name in _AGREED}
    return {
        "tchat.format": _FORMAT,
        "tchat.identity": secrets.token_hex(16),
        "tchat.shards": str(url.shards or DEFAULT_SHARDS),
        **agreed,
    }


def _check_made_by_us(url: EngineUrl, metadata: Mapping[str, str]) -> None:
    if "tchat.identity" not in metadata or not metadata.get("tchat.shards", "").isdecimal():
        raise LogUnusable(f"{url}: the stream was not made by tchat-server: choose another NAME")
    if (found := metadata.get("tchat.format")) != _FORMAT:
        raise LogUnusable(f"{url}: the records are of format {found}, this server knows {_FORMAT}: install a newer one")


def _check_agreed(url: EngineUrl, metadata: Mapping[str, str], limits: ServerLimits) -> None:
    _check_made_by_us(url, metadata)
    if url.shards is not None and metadata["tchat.shards"] != str(url.shards):
        raise LogUnusable(f"{url} has {metadata['tchat.shards']} shards, not {url.shards}: leave ?shards= away")
    for name in _AGREED:
        mine, theirs = f"{getattr(limits, name):g}", metadata.get(f"tchat.{name}")
        if mine != theirs:
            option = name.replace("_", "-")
            raise LogUnusable(f"{url} was made with --{option} {theirs}, not {mine}: all nodes must have the same")


def _unmakable(url: EngineUrl, error: EngineRefused) -> str:
    if error.code in (_NOT_CLUSTERED, _NO_PEERS):
        return (
            f"{url}: the engine has fewer than {url.replicas} servers to keep each record on: start the others, "
            "or add ?replicas=1 if one may lose everything"
        )
    return f"the engine {url} refuses the stream: {error} ({error.code})"


def _differing(url: EngineUrl, key: str, found: object, wanted: object) -> str:
    if key == "num_replicas":
        return f"{url} keeps {found} replicas of each record, not {wanted}: say ?replicas={found}, or change the stream"
    return (
        f"{url}: the stream exists with other settings, {key} is {found!r} and must be {wanted!r}: choose another NAME"
    )
