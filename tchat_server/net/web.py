"""What a connection becomes that begins with an HTTP request: an answer and its end, or a peer behind WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus

from websockets.datastructures import Headers
from websockets.exceptions import NegotiationError
from websockets.http11 import Request as HandshakeRequest
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from libtchat.message.limits import ServerLimits
from libtchat.message.value import frozen
from libtchat.wire.framing import is_http
from tchat_server.net.ending import CloseReason
from tchat_server.net.flow import Hold, some
from tchat_server.net.gone import ignore
from tchat_server.net.http import HttpRefused, Request, Response, end_of_head, read_head
from tchat_server.net.linger import Lingering
from tchat_server.net.peer import PeerProtocol
from tchat_server.net.site import WEBSOCKET_PATH, Site
from tchat_server.net.websocket import SILENT, FramedTransport, WebSocketConnection

__all__ = ["SUBPROTOCOL", "Web"]

SUBPROTOCOL = Subprotocol("tchat.1")

_TOO_FAST_SECONDS = 1.0


@frozen
class Web:
    """What a server has for those who speak HTTP. *trace*: as the server's own."""

    site: Site
    limits: ServerLimits
    trace: Callable[[str, str, bytes], None] | None

    def meet(self, peer: PeerProtocol, data: bytes, held: bytes = b"") -> None:
        """Take the first bytes of a connection, after those that were *held*: it may speak tchat, or HTTP first."""
        data = held + data
        speaks_http = is_http(data)
        if speaks_http is None:
            peer.take_with(partial(self.meet, peer, held=data))
        elif speaks_http:
            peer.connection.mid_frame = True  # so it must end in time
            self._read_request(peer, data)
        else:
            peer.speak(data)

    def _read_request(self, peer: PeerProtocol, data: bytes, held: bytes = b"") -> None:
        data = held + data
        shown, with_body = data.partition(b"\r\n")[0][:100].decode("latin-1"), True
        is_secure = peer.transport.get_extra_info("sslcontext") is not None
        try:
            end = end_of_head(data)
            if not end:
                peer.take_with(partial(self._read_request, peer, held=data), some)
                return
            request = read_head(data[:end])
            with_body = request.method != "HEAD"
            self.site.check(request, is_secure=is_secure)
            if request.target.partition("?")[0] == WEBSOCKET_PATH:
                self.site.check_origin(request, is_secure=is_secure)
                self._upgrade(peer, request, data[end:])
                return
            response = self.site.file(request)
        except HttpRefused as refused:
            response = Response.of(refused)
        peer.take_with(ignore, some)
        peer.carry_with(Lingering(peer.transport))
        peer.transport.write(response.write(with_body=with_body))
        peer.finish(CloseReason.HTTP, f"{response.status.value} {shown}")

    def _upgrade(self, peer: PeerProtocol, request: Request, rest: bytes) -> None:
        """Answer an opening handshake and make *peer* one behind WebSocket.

        Raises:
            HttpRefused: it is no such handshake.
        """
        transport = peer.transport
        transport.write(_handshake(request))

        def reply(frames: bytes) -> None:
            if not peer.outbox.is_blocked:  # who does not read is not owed an answer to each of its pings
                transport.write(frames)

        connection = WebSocketConnection(
            self.limits,
            heard=None if self.trace is None else partial(self.trace, peer.address, "<"),
            reply=reply,
            hurry=partial(peer.turns.hold_for, Hold.RATE, _TOO_FAST_SECONDS),
            clock=asyncio.get_running_loop().time,
        )
        framed = FramedTransport(transport, connection, lambda: str(peer.ending), peer.turns.drain, peer.leave)

        def take(data: bytes) -> None:
            if peer.ending is None:
                peer.hear(data)
                if connection.has_said_goodbye:
                    peer.eof_received()

        peer.connection = connection
        peer.carry_with(framed)
        peer.take_with(take, connection.end_of_turn)
        if rest:
            peer.turns.feed(rest)


def _handshake(request: Request) -> bytes:
    if request.is_old:
        raise HttpRefused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "WebSocket begins with HTTP 1.1")
    version = request.headers.get("sec-websocket-version")
    if "upgrade" in request.headers and version != "13":
        raise HttpRefused(
            HTTPStatus.UPGRADE_REQUIRED, "WebSocket version 13 is needed here", Sec_WebSocket_Version="13"
        )
    response = _handshakes.accept(HandshakeRequest(request.target, Headers(request.headers)))
    _handshakes.handshake_exc = None  # it would hold on to who asked
    if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
        status, text = HTTPStatus(response.status_code), bytes(response.body or b"").decode().partition("\n")[0]
        more = {"Upgrade": "websocket"} if status is HTTPStatus.UPGRADE_REQUIRED else {}
        raise HttpRefused(status, text, **more)
    return response.serialize()


def _choose(_: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    if not offered:
        return None  # a line typed into a browser's console
    if SUBPROTOCOL not in offered:
        raise NegotiationError(f"the subprotocol is {SUBPROTOCOL}")
    return SUBPROTOCOL


_handshakes = ServerProtocol(select_subprotocol=_choose, logger=SILENT)
"""Answers every opening handshake by itself: nothing of one matters to the next."""
