"""What is printed when the server is up: where it is, how to get there, what to think of; text, or one JSON object."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing

from libtchat.message.value import frozen
from tchat_server.sentences import say

__all__ = ["Greeting"]

_LOOPBACK = ("127.0.0.1", "::1")
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_NOBODY = {"0.0.0.0": (socket.AF_INET, "192.0.2.1"), "::": (socket.AF_INET6, "2001:db8::1")}  # RFC 5737, RFC 3849
_USUAL = ("127.0.0.1", 8080)


@frozen
class Greeting:
    """One server that is up.

    Attributes:
        name: the program and its version.
        plain, secure: the addresses bound, without TLS and with it.
        data: where everything is kept.
        has_page: who speaks HTTP gets a page.
        admin_port: of /healthz and the others, None if there is none.
        needs_password: names without a password are not served.
    """

    name: str
    plain: tuple[tuple[str, int], ...]
    secure: tuple[tuple[str, int], ...]
    data: str
    has_page: bool
    admin_port: int | None
    needs_password: bool

    def lines(self) -> Iterator[str]:
        """Yield the lines for a person."""
        bound = (*self.plain, *self.secure)
        places = ", ".join(_shown(*address) for address in bound)
        yield say("started", name=self.name, places=places, db=self.data, client=self._client(*bound[0]))
        if self.has_page:
            yield say("browser", url=self._url())
        if all(host in _LOOPBACK for host, _ in bound):
            yield say("loopback", port=bound[0][1])
        else:
            yield from self._for_others(bound)
        if self.admin_port is not None:
            yield say("admin", port=self.admin_port)

    def json(self) -> str:
        """Return it as one JSON object."""
        return json.dumps(
            {
                "message": "serving",
                "server": self.name,
                "listen": [_shown(*address) for address in self.plain],
                "tls_listen": [_shown(*address) for address in self.secure],
                "data": self.data,
                "browser": self._url() if self.has_page else None,
                "admin_port": self.admin_port,
                "require_auth": self.needs_password,
            }
        )

    def _for_others(self, bound: tuple[tuple[str, int], ...]) -> Iterator[str]:
        host, port = next((host, port) for host, port in bound if host not in _LOOPBACK)
        yield say("other-machines", client=self._client(_seen_from_outside(host), port))
        if any(host not in _LOOPBACK for host, _ in self.plain):
            yield say("open-plain")
        if not self.needs_password:
            yield say("open-names")

    def _client(self, host: str, port: int) -> str:
        """Return what to type to get there."""
        place = _EVERYWHERE.get(host, host), port
        is_secure = port in [port for _, port in self.secure]
        where = [] if place == _USUAL and not is_secure else [_shown(*place)]
        return " ".join(["tchat", *where, *(["--tls"] if is_secure else []), "--name alice"])

    def _url(self) -> str:
        """Return what to type into the browser of this machine."""
        host, port = (*self.plain, *self.secure)[0]
        return f"{'http' if self.plain else 'https'}://{_shown(_EVERYWHERE.get(host, host), port)}/"


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _seen_from_outside(host: str) -> str:
    """Return the address of this machine that others would use. Nothing is sent for it."""
    if host not in _NOBODY:
        return host
    family, nobody = _NOBODY[host]
    try:
        with closing(socket.socket(family, socket.SOCK_DGRAM)) as probe:
            probe.connect((nobody, 9))
            return str(probe.getsockname()[0])
    except OSError:  # no network
        return socket.gethostname()
