"""What is served over HTTP, and to whom: the page's files, and who may open a WebSocket (R-ws-host, R-ws-origin).

A page from elsewhere that a person visits can make the browser send requests here. It is kept out twice: its own
name is not one this server answers to, however it resolves, and its origin is not this server's.
"""

from __future__ import annotations

import gzip
import hashlib
import ipaddress
import re
import socket
from collections.abc import Collection, Iterable, Mapping
from http import HTTPStatus
from importlib import resources

from libtchat.message.value import frozen
from tchat_server.net.http import HttpRefused, Request, Response

__all__ = ["WEBSOCKET_PATH", "Site", "packaged_site"]

WEBSOCKET_PATH = "/tchat"

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z_.-]+)(?::\d{1,5})?")
_METHODS = ("GET", "HEAD")


@frozen
class Site:
    """The files, and the names this server answers to besides addresses and localhost.

    Attributes:
        files: path -> the answer that holds it, as it is and packed by gzip.
        hosts: names, in lower case.
        origins: whose pages may open a WebSocket, besides the site's own.
    """

    files: Mapping[str, tuple[Response, Response]]
    hosts: Collection[str] = ()
    origins: Collection[str] = ()

    def check(self, request: Request, *, is_secure: bool) -> None:
        """Let a request pass that any part of this site may answer.

        Raises:
            HttpRefused: of another method, or for a host this server does not answer to.
        """
        if request.method not in _METHODS:
            raise HttpRefused(HTTPStatus.METHOD_NOT_ALLOWED, "GET and HEAD only", Allow=", ".join(_METHODS))
        host = request.headers.get("host")
        found = _HOST.fullmatch(host or "")
        if host is None or found is None:
            raise HttpRefused(HTTPStatus.BAD_REQUEST, "the header Host is missing or cannot be read")
        if not (is_secure or self._answers_to(found[1].lower().rstrip("."))):  # a certificate vouches for the name
            detail = f"this server does not answer to {found[1]}: start it with --allow-host {found[1]} if it should"
            raise HttpRefused(HTTPStatus.MISDIRECTED_REQUEST, detail)

    def check_origin(self, request: Request, *, is_secure: bool) -> None:
        """Let a handshake pass that no page, one of this site, or one of a named origin asks for.

        Raises:
            HttpRefused: for the page of another origin.
        """
        origin = request.headers.get("origin")
        own = f"{'https' if is_secure else 'http'}://{request.headers['host']}"
        if origin is not None and origin != own.lower() and origin not in self.origins:
            detail = f"pages of {origin} may not use this server: start it with --allow-origin {origin} if they should"
            raise HttpRefused(HTTPStatus.FORBIDDEN, detail)

    def file(self, request: Request) -> Response:
        """Return the answer to GET or HEAD of a file.

        Raises:
            HttpRefused: there is no such file. Paths are compared as they are: nothing in them is decoded or resolved.
        """
        found = self.files.get(request.target.partition("?")[0])
        if found is None:
            raise HttpRefused(HTTPStatus.NOT_FOUND, "there is no such page")
        response, packed = found
        if response.headers["ETag"] in request.headers.get("if-none-match", ""):
            response = Response(HTTPStatus.NOT_MODIFIED, headers=response.headers)
        elif "gzip" in request.headers.get("accept-encoding", ""):
            response = packed
        origin = request.headers.get("origin", "")
        return _shared(response, origin) if origin in self.origins else response

    def _answers_to(self, host: str) -> bool:
        if host in self.hosts:
            return True
        try:
            ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            return False
        return True  # to reach this server by a name of his own, an attacker needs a name


def packaged_site(listen: Iterable[str], hosts: Iterable[str], origins: Iterable[str]) -> Site:
    """Return the site of the packaged page.

    Args:
        listen: the hosts listened on; a name among them is answered to, and so are localhost and the machine's name.
        hosts: further names to answer to.
        origins: whose pages may open a WebSocket.
    """
    folder = resources.files("tchat_server").joinpath("page")
    files = {
        f"/{file.name}": _responses(file.name, file.read_bytes())
        for file in folder.iterdir()
        if file.name.rpartition(".")[2] in _TYPES
    }
    if "/index.html" in files:
        files["/"] = files["/index.html"]
    machine = socket.gethostname()
    names = {"localhost", machine, f"{machine}.local", *listen, *hosts}
    return Site(files, frozenset(name.lower() for name in names), frozenset(origins))


def _responses(name: str, body: bytes) -> tuple[Response, Response]:
    headers = {"ETag": f'"{hashlib.sha256(body).hexdigest()[:20]}"', "Vary": "Accept-Encoding, Origin"}
    kind = _TYPES[name.rpartition(".")[2]]
    packed = Response(HTTPStatus.OK, gzip.compress(body, mtime=0), kind, {**headers, "Content-Encoding": "gzip"})
    return Response(HTTPStatus.OK, body, kind, headers), packed


def _shared(response: Response, origin: str) -> Response:
    """Return an answer whose module the pages of *origin* may import."""
    headers = {"Access-Control-Allow-Origin": origin, "Cross-Origin-Resource-Policy": "cross-origin"}
    return Response(response.status, response.body, response.type, {**response.headers, **headers})
