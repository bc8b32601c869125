"""The connection to the engine: made, kept, and what is wrong with it in one line.

The engine's client is imported when a connection is made: it is the extra `libtchat[cluster]`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from tchat_server.ops.control import Json
from tchat_server.store.event_log import LogUnusable
from tchat_server.store.nats.errors import EngineGone, EngineRefused, WithoutTls, failures, reason_of
from tchat_server.store.nats.url import EngineUrl

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

__all__ = ["LOWEST_VERSION", "Connection"]

LOWEST_VERSION = (2, 14, 4)
_CONNECT_SECONDS = 2
_PROBE_SECONDS = 3.0
_CLOSE_SECONDS = 2.0
_RECONNECT_SECONDS = 0.25
_PING_SECONDS = 2
_MAX_PINGS_OUT = 2

logger = logging.getLogger("tchat_server")
_T = TypeVar("_T")


class Connection:
    """A connection that comes back by itself. Make it with `Connection.open`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @classmethod
    async def open(cls, url: EngineUrl) -> Connection:
        """Connect to the engine.

        Raises:
            LogUnusable: it can't be used; the message is one line, without a password.
        """
        try:
            import nats.errors
        except ImportError:
            raise LogUnusable("--db nats:// needs the extra `cluster`: pip install 'libtchat[cluster]'") from None
        options = _options(url)
        reasons: dict[str, str] = {}
        for host in url.hosts:
            try:
                version = await _probe(host, options)
            except (OSError, TimeoutError, nats.errors.Error) as error:
                reasons[host] = reason_of(error)
            else:
                _check_version(host, version)
        answered = [host for host in url.hosts if host not in reasons]
        if not answered:
            raise LogUnusable(f"the engine {url} cannot be used: {_joined(reasons)}")
        for host, reason in reasons.items():
            logger.warning("engine: %s is not used now: %s", host, reason)
        random.shuffle(answered)
        client = _make_client()
        await client.connect(
            [f"nats://{host}" for host in (*answered, *reasons)],
            dont_randomize=True,
            max_reconnect_attempts=-1,
            reconnect_time_wait=_RECONNECT_SECONDS,  # type: ignore[arg-type]
            disconnected_cb=partial(_tell_gone, client),
            reconnected_cb=_tell_back,
            ping_interval=_PING_SECONDS,
            max_outstanding_pings=_MAX_PINGS_OUT,
            **options,
        )
        return cls(client)

    @property
    def is_connected(self) -> bool:
        """There is a connection now."""
        return bool(self._client.is_connected)

    async def ask(self, subject: str, body: Mapping[str, Any] | None = None, *, seconds: float = 5.0) -> dict[str, Any]:
        """Ask the engine's own interface, `$JS.API.…`. Raises EngineGone, EngineRefused."""
        data = b"" if body is None else json.dumps(body).encode()
        return self._answer(await self.request(f"$JS.API.{subject}", data, seconds=seconds))

    async def publish(self, subject: str, data: bytes, headers: Mapping[str, str], *, seconds: float) -> int:
        """Publish to the stream; return the record's number there. Raises EngineGone, EngineRefused."""
        answer = self._answer(await self.request(subject, data, headers=headers, seconds=seconds))
        return int(answer["seq"])

    async def request(
        self, subject: str, data: bytes, *, headers: Mapping[str, str] | None = None, seconds: float
    ) -> Msg:
        """Send one request and return its answer. Raises EngineGone."""
        with failures():
            return await self._client.request(
                subject, data, timeout=seconds, headers=dict(headers) if headers else None
            )

    async def subscribe(self, subject: str, heard: Callable[[Msg], Awaitable[None]]) -> Subscription:
        """Have *heard* called with what comes on *subject*, however much waits. Raises EngineGone."""
        with failures():
            return await self._client.subscribe(subject, cb=heard, pending_msgs_limit=0, pending_bytes_limit=0)

    async def unsubscribe(self, subscription: Subscription) -> None:
        """Hear no more of it, also when the engine is gone."""
        with suppress(EngineGone), failures():
            await subscription.unsubscribe()

    async def collect(
        self,
        subject: str,
        body: Json,
        take: Callable[[Msg], _T | None],
        *,
        seconds: float,
        first_seconds: float | None = None,
    ) -> _T:
        """Send a request that many messages answer: *take* is called with each, until it returns the outcome.

        Raises:
            TimeoutError: it did not in so many *seconds*; or none came in *first_seconds*, from when on those count.
            EngineGone: the request could not be sent.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[_T] = loop.create_future()
        has_begun = first_seconds is None

        async def heard(message: Msg) -> None:
            nonlocal has_begun
            if done.done() or limit.expired():
                return
            if not has_begun:
                has_begun = True
                limit.reschedule(loop.time() + seconds)
            if (outcome := take(message)) is not None:
                done.set_result(outcome)

        async with asyncio.timeout(seconds if first_seconds is None else first_seconds) as limit:
            inbox = self._client.new_inbox()
            subscription = await self.subscribe(inbox, heard)
            try:
                await self.send(subject, json.dumps(body).encode(), reply=inbox)
                return await done
            finally:
                await self.unsubscribe(subscription)

    async def send(
        self, subject: str, data: bytes, *, reply: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send what is not waited for. Raises EngineGone."""
        with failures():
            await self._client.publish(subject, data, reply=reply, headers=dict(headers) if headers else None)

    async def turn(self) -> None:
        """Turn to the next server of the engine: this one answers its clients, and knows no others, perhaps."""
        await self._client.force_reconnect()

    async def close(self) -> None:
        """Close it, also when the engine does not answer."""
        await _close(self._client)

    @staticmethod
    def _answer(message: Msg) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(message.data)
        if (error := answer.get("error")) is not None:
            raise EngineRefused(int(error.get("err_code", 0)), str(error.get("description", "no reason given")))
        return answer


def _make_client() -> Client:
    """Return the engine's client, but one that tells nobody the password in plain text if it is to speak TLS."""
    from nats.aio.client import Client

    logging.getLogger("asyncio").addFilter(_is_of_use)

    class Secret(Client):
        def _connect_command(self) -> bytes:
            if "tls" in self.options and not self._server_info.get("tls_required"):
                raise WithoutTls("there is no TLS")
            return super()._connect_command()

    return Secret()


def _is_of_use(record: logging.LogRecord) -> bool:
    """Tell whether a line of asyncio's is: of each TLS connection of the engine's client that ends it warns in vain."""
    return "eof_received" not in str(record.msg)


async def _probe(host: str, options: Mapping[str, Any]) -> str:
    """Connect to one server and return its version; raises what is wrong with it."""
    name, _, port = host.rpartition(":")
    _, writer = await asyncio.wait_for(asyncio.open_connection(name.strip("[]"), int(port)), _CONNECT_SECONDS)
    writer.close()
    errors: list[Exception] = []

    async def note(error: Exception) -> None:
        errors.append(error)

    client = _make_client()
    connecting = client.connect(f"nats://{host}", allow_reconnect=False, **{**options, "error_cb": note})
    try:
        await asyncio.wait_for(connecting, _PROBE_SECONDS)
        return str(client.connected_server_version)
    except TimeoutError:
        raise (errors[-1] if errors else TimeoutError()) from None
    finally:
        await _close(client)


async def _close(client: Client) -> None:
    """Close it; after a TLS handshake that failed it would not end by itself."""
    with suppress(TimeoutError, OSError, RuntimeError):  # the last is uvloop's word for a transport that is gone
        await asyncio.wait_for(client.close(), _CLOSE_SECONDS)


def _options(url: EngineUrl) -> dict[str, Any]:
    options: dict[str, Any] = {"connect_timeout": _CONNECT_SECONDS, "error_cb": _tell_error, "name": "tchat-server"}
    if url.user:
        options |= {"user": url.user, "password": url.password}
    if url.ca is not None:
        try:
            options["tls"] = ssl.create_default_context(cafile=None if url.ca == "system" else url.ca)
        except (OSError, ssl.SSLError) as error:
            raise LogUnusable(f"--db: ca={url.ca} cannot be used: {error.strerror or 'no certificates'}") from None
    return options


def _check_version(host: str, version: object) -> None:
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", str(version))
    if found is None or tuple(map(int, found.groups())) < LOWEST_VERSION:
        lowest = ".".join(map(str, LOWEST_VERSION))
        raise LogUnusable(
            f"the engine at {host} is NATS {found[0] if found else 'of no known version'}, which may lose what it "
            f"acknowledged: {lowest} or newer is needed"
        )


def _joined(reasons: Mapping[str, str]) -> str:
    if len(set(reasons.values())) == 1:
        return next(iter(reasons.values()))
    return "; ".join(f"{host}: {reason}" for host, reason in reasons.items())


async def _tell_error(error: Exception) -> None:
    logger.info("engine: %s", reason_of(error))


async def _tell_gone(client: Client) -> None:
    """Say so, and have nobody wait for an answer that can't come any more."""
    import nats.errors

    for answer in [*getattr(client, "_resp_map", {}).values()]:  # its client lets them wait for their time to be over
        if not answer.done():
            answer.set_exception(nats.errors.ConnectionClosedError())
    if not client.is_closed:
        logger.warning("engine: the connection is lost")


async def _tell_back() -> None:
    logger.warning("engine: connected again")
