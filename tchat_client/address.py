"""Where a server is, and how a person writes it."""

from __future__ import annotations

from attrs import frozen

from tchat_client.errors import Misused

__all__ = ["DEFAULT_PORT", "Address", "parse_address", "parse_addresses"]

DEFAULT_PORT = 8080


@frozen
class Address:
    """Where a server is."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Return the address of `HOST`, `HOST:PORT`, `[V6]:PORT` or `:PORT`.

    Raises:
        Misused: it is none of these.
    """
    host, colon, port = text.strip().rpartition(":")
    if not colon or text.strip().endswith("]"):
        host, port = text.strip(), str(DEFAULT_PORT)
    is_v6 = host.startswith("[") and host.endswith("]")
    if is_v6:
        host = host[1:-1]
    is_port = port.isascii() and port.isdigit() and len(port) < 6 and 1 <= int(port) <= 65_535
    if not is_port or (":" in host and not is_v6) or any(c.isspace() or not c.isprintable() or c == "/" for c in host):
        raise Misused("bad-address", value=text)
    return Address(host or "127.0.0.1", int(port))


def parse_addresses(text: str) -> tuple[Address, ...]:
    """Return the addresses of a server, or of several that are one: `HOST:PORT,HOST:PORT`.

    Raises:
        Misused: one is none, or is empty beside others.
    """
    parts = text.split(",")
    if len(parts) > 1 and not all(part.strip() for part in parts):
        raise Misused("bad-address", value=text)
    return tuple(map(parse_address, parts))
