"""`--admin-listen`: /healthz, /readyz and /metrics over HTTP, in a thread: they answer when the loop does not."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from libtchat.message.value import frozen

__all__ = ["Admin", "Probe"]

_NO_DESCRIPTOR_PAUSE_SECONDS = 0.2


@frozen
class Probe:
    """What the endpoints tell. *is_alive*: the event loop turns; *is_ready*: clients are accepted and can be served."""

    is_alive: Callable[[], bool]
    is_ready: Callable[[], bool]
    metrics: Callable[[], str]


class Admin:
    """The HTTP server. Raises OSError when the address can't be bound."""

    def __init__(self, host: str, port: int, probe: Probe) -> None:
        class Handler(_Handler):
            pages = {
                "/healthz": lambda: _state(probe.is_alive()),
                "/readyz": lambda: _state(probe.is_ready()),
                "/metrics": lambda: (HTTPStatus.OK, probe.metrics()),
            }

        self._server = _Pages((host, port), Handler)
        self._thread = Thread(target=self._server.serve_forever, name="admin", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port taken."""
        return self._server.server_port

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


class _Pages(ThreadingHTTPServer):
    daemon_threads = True

    def get_request(self) -> tuple[socket.socket, Any]:
        try:
            return super().get_request()
        except OSError:
            time.sleep(_NO_DESCRIPTOR_PAUSE_SECONDS)  # who could not be accepted is offered again at once
            raise


class _Handler(BaseHTTPRequestHandler):
    pages: dict[str, Callable[[], tuple[HTTPStatus, str]]]
    timeout = 5

    def do_GET(self) -> None:
        page = self.pages.get(self.path.partition("?")[0])
        status, text = page() if page else (HTTPStatus.NOT_FOUND, "there are /healthz, /readyz and /metrics\n")
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: scrapers come every few seconds."""


def _state(is_good: bool) -> tuple[HTTPStatus, str]:
    return (HTTPStatus.OK, "ok\n") if is_good else (HTTPStatus.SERVICE_UNAVAILABLE, "not now\n")
