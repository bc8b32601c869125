"""As much of HTTP/1.1 as serving a few files takes: one request read strictly, one answer written (RFC 9112).

Knows no files and no sockets. A connection has one request; the answer closes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus

from libtchat.message.value import frozen

__all__ = ["MAX_HEAD_BYTES", "HttpRefused", "Request", "Response", "end_of_head", "read_head"]

MAX_HEAD_BYTES = 16 * 1024

_START = re.compile(rb"([A-Z]{1,16}) ([!-~]+) HTTP/(\d)\.(\d)")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*")
_ONCE = ("host", "origin", "content-length", "sec-websocket-key", "sec-websocket-version")

_ALWAYS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
    "Connection": "close",
}
"""On every answer: nothing inline, nothing from elsewhere, in nobody's frame, no guessing of types."""


@frozen
class Request:
    """The head of a request. *is_old*: it is HTTP/1.0. *headers*: lower-case name -> value; several ones are joined."""

    method: str
    target: str
    is_old: bool
    headers: Mapping[str, str]


class HttpRefused(Exception):
    """A request that is not carried out: the status, and what the answer's text says."""

    def __init__(self, status: HTTPStatus, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


@frozen
class Response:
    """An answer. *headers* come besides those every answer has."""

    status: HTTPStatus
    body: bytes = b""
    type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = {}

    @classmethod
    def of(cls, refused: HttpRefused) -> Response:
        """Return the answer that tells a person why."""
        headers = {name.replace("_", "-"): value for name, value in refused.headers.items()}
        return cls(refused.status, f"{refused.detail}\n".encode(), headers=headers)

    def write(self, *, with_body: bool = True) -> bytes:
        """Return its bytes; without the body, those that answer HEAD."""
        fields = {"Date": formatdate(usegmt=True), **_ALWAYS, **self.headers}
        if self.status is not HTTPStatus.NOT_MODIFIED:
            fields |= {"Content-Type": self.type, "Content-Length": str(len(self.body))}
        head = f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return head.encode("latin-1") + b"\r\n" + (self.body if with_body else b"")


def end_of_head(data: bytes) -> int:
    """Return where the head of a request ends in *data*, behind its empty line; 0 if it has not come yet.

    Raises:
        HttpRefused: it is too long, or its lines do not end with CR LF.
    """
    end = data.find(b"\r\n\r\n") + 4
    head = data if end == 3 else data[:end]
    if len(head) > MAX_HEAD_BYTES:
        raise HttpRefused(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a request's head has at most {MAX_HEAD_BYTES} bytes"
        )
    if head.count(b"\n") != head.count(b"\r\n"):
        raise HttpRefused(HTTPStatus.BAD_REQUEST, "a line ends with CR LF")
    return 0 if end == 3 else end


def read_head(head: bytes) -> Request:
    """Read a whole head.

    Raises:
        HttpRefused: it is no head of HTTP/1.0 or 1.1, or announces a body.
    """
    start, *lines = head[:-4].split(b"\r\n")
    found = _START.fullmatch(start)
    if found is None:
        raise HttpRefused(HTTPStatus.BAD_REQUEST, "this is no HTTP request")
    if found[3] != b"1":
        raise HttpRefused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "this server speaks HTTP 1.1")
    headers: dict[str, str] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise HttpRefused(HTTPStatus.BAD_REQUEST, "a header cannot be read")
        name, value = field[1].decode().lower(), field[2].decode("latin-1")
        if name in headers and name in _ONCE:
            raise HttpRefused(HTTPStatus.BAD_REQUEST, f"the header {name} stands there twice")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        raise HttpRefused(HTTPStatus.BAD_REQUEST, "no request here has a body")
    return Request(found[1].decode(), found[2].decode(), found[4] == b"0", headers)
