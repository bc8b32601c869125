"""`nats://[USER:PASSWORD@]HOST[:PORT][,HOST...]/NAME[?replicas=1]`: where the engine is, and which chat in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from attrs import field

from libtchat.message.value import frozen

__all__ = ["SCHEME", "EngineUrl", "UrlMalformed", "is_engine_url", "parse_url"]

SCHEME = "nats://"
DEFAULT_PORT = 4222
DEFAULT_SHARDS = 64
_MAX_SHARDS = 1024
_FORM = "nats://[USER:PASSWORD@]HOST[,HOST...]/NAME"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[\w.-]+))(?::(?P<port>\d{1,5}))?")
_REPLICAS = ("1", "3", "5")
_OPTIONS = ("ca", "credentials", "monitor", "replicas", "shards")


class UrlMalformed(ValueError):
    """The URL has no such form. The message is one line, without the user and the password."""


@frozen
class EngineUrl:
    """Where the engine is, who we are there, and which chat is meant.

    Attributes:
        hosts: HOST:PORT of each server of the engine that is tried.
        user, password: what the engine asks for; "" if nothing.
        replicas: on how many servers of the engine each record is kept.
        shards: into how many parts subjects are cut; None: as the chat has it, 64 in a new one.
        monitors: HOST:PORT of the engine's HTTP monitoring, which is asked how it is set.
        ca: certificates (PEM) that the engine's is checked with; "system" for those of the system; None: no TLS.
    """

    hosts: tuple[str, ...]
    name: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    replicas: int = 3
    shards: int | None = None
    monitors: tuple[str, ...] = ()
    ca: str | None = None

    def __str__(self) -> str:
        """Show it without user and password."""
        return f"{SCHEME}{','.join(self.hosts)}/{self.name}"


def is_engine_url(db: str) -> bool:
    """Tell whether `--db` names an engine and no file."""
    return db.startswith(SCHEME)


def parse_url(text: str) -> EngineUrl:
    """Parse what `--db` was given.

    Raises:
        UrlMalformed: it has another form.
    """
    place, _, query = text.removeprefix(SCHEME).partition("?")
    before, at, rest = place.rpartition("@")
    hosts, slash, name = rest.partition("/")
    if not is_engine_url(text) or not slash or not hosts:
        raise UrlMalformed(f"--db is not {_FORM}")
    if not _NAME.fullmatch(name):
        raise UrlMalformed(f"--db: the chat's NAME is 1 to 32 of A-Z, a-z, 0-9, _ and -: {_FORM}")
    user, colon, password = before.partition(":")
    options = _options(query)
    if at and not (user and colon and password):
        raise UrlMalformed(f"--db: before the @ there must be USER:PASSWORD: {_FORM}")
    if at and "credentials" in options:
        raise UrlMalformed("--db: give USER:PASSWORD@ or credentials=FILE, not both")
    user, password = unquote(user), unquote(password)
    if "credentials" in options:
        user, password = _credentials(options["credentials"])
    return EngineUrl(
        tuple(map(_host, hosts.split(","))),
        name,
        user,
        password,
        int(_one_of(options, "replicas", "3", _REPLICAS)),
        _shards(options.get("shards")),
        tuple(map(_host, options["monitor"].split(","))) if "monitor" in options else (),
        options.get("ca"),
    )


def _options(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise UrlMalformed("--db: after the ? there must be KEY=VALUE, joined with &") from None
    for key, value in pairs:
        if key not in _OPTIONS:
            raise UrlMalformed(f"--db: there is no {key[:20]!r}; there are {', '.join(_OPTIONS)}")
        if not value:
            raise UrlMalformed(f"--db: {key}= needs a value")
    if len(dict(pairs)) != len(pairs):
        raise UrlMalformed("--db: after the ? something is said twice")
    return dict(pairs)


def _one_of(options: Mapping[str, str], key: str, default: str, values: tuple[str, ...]) -> str:
    value = options.get(key, default)
    if value not in values:
        raise UrlMalformed(f"--db: {key} is one of {', '.join(values)}")
    return value


def _shards(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= _MAX_SHARDS:
        raise UrlMalformed(f"--db: shards is a number from 1 to {_MAX_SHARDS}")
    return int(text)


def _host(text: str) -> str:
    found = _HOST.fullmatch(text)
    port = int(found["port"] or DEFAULT_PORT) if found else 0
    if found is None or not 0 < port < 65536:
        raise UrlMalformed(
            f"--db: a server of the engine is HOST or HOST:PORT, several are joined with commas: {_FORM}"
        )
    host = f"[{found['v6']}]" if found["v6"] else found["host"]
    return f"{host}:{port}"


def _credentials(file: str) -> tuple[str, str]:
    """Read USER:PASSWORD, the first line of a file: what is in a command line others see."""
    try:
        line = Path(file).expanduser().read_text("utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UrlMalformed(
            f"--db: credentials={file} cannot be read: {getattr(error, 'strerror', 'no text')}"
        ) from None
    user, colon, password = line.partition(":")
    if not (user and colon and password):
        raise UrlMalformed(f"--db: the first line of credentials={file} is not USER:PASSWORD")
    return user, password
