"""What was asked for: the command line, then the environment, then the config file, put together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from getpass import getuser
from pathlib import Path
from typing import Any

from attrs import frozen

from libtchat.message.errors import Refused
from libtchat.message.names import check_user_name
from tchat_client.address import Address, parse_addresses
from tchat_client.errors import Misused
from tchat_client.language import Language, choose
from tchat_client.settings import parse_duration, read_config

__all__ = ["Options", "read_options"]


@frozen
class Options:
    """What every command takes, the config file read in.

    Attributes:
        address: where the server is, and under which name what is kept of it is found.
        others: where it is too, if it is several.
        old_password: the one that `register;` replaces; likewise *invitation*, the operator's code.
    """

    address: Address
    name: str | None
    language: Language
    password: str | None
    uses_tls: bool
    ca: str | None
    timeout: float
    traces: bool
    is_json: bool
    is_plain: bool
    shows_all: bool
    notify: str | None
    joins: tuple[str, ...]
    dialect: str | None = None
    old_password: str | None = None
    invitation: str | None = None
    others: tuple[Address, ...] = ()


def read_options(
    *,
    server: str | None,
    name: str | None,
    lang: str | None,
    tls: bool | None,
    ca: str | None,
    password_file: str | None,
    timeout: str,
    config: str | None,
    trace: bool,
    json: bool,
    host: str | None,
    joins: tuple[str, ...],
    plain: bool | None,
    all: bool | None,
    notify: str | None,
    dialect: str | None,
) -> Options:
    """Put together what was asked for: the command line, then the environment, then the config file."""
    found: dict[str, Any] = read_config(None if config is None else Path(config))
    environ = os.environ
    where = host or server or _of_course(environ) or found.get("server") or ""
    ca = ca or found.get("ca")
    chosen = name if name is not None else found.get("name")
    address, *others = parse_addresses(where or "127.0.0.1")
    try:
        shown = _login() if chosen is None else check_user_name(chosen)
    except Refused:
        raise Misused("bad-name", value=chosen) from None
    return Options(
        address=address,
        others=tuple(others),
        name=shown,
        language=choose(lang or found.get("lang"), environ),
        password=_password(password_file or found.get("password_file"), environ),
        uses_tls=bool(tls if tls is not None else found.get("tls") or ca),
        ca=ca,
        timeout=parse_duration(timeout),
        traces=trace,
        is_json=json,
        is_plain=bool(plain or found.get("plain")),
        shows_all=bool(all or found.get("all")),
        notify=notify or found.get("notify"),
        joins=joins or tuple(found.get("join") or ()),
        dialect=dialect,
        old_password=environ.get("TCHAT_OLD_PASSWORD") or None,
        invitation=environ.get("TCHAT_INVITATION") or None,
    )


def _of_course(environ: Mapping[str, str]) -> str | None:
    """Return what HOST and PORT say, as in the course."""
    host, port = environ.get("HOST", ""), environ.get("PORT", "")
    return f"{host}:{port}" if port else host or None


def _login() -> str | None:
    """Return the name one is logged in by, if that can be a name here; a guest has none."""

    try:
        return check_user_name(getuser())
    except (Refused, OSError, KeyError, ImportError):
        return None


def _password(path: str | None, environ: Mapping[str, str]) -> str | None:
    if path is None:
        return environ.get("TCHAT_PASSWORD") or None
    try:
        return Path(path).read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise Misused("bad-config", path=path, detail=getattr(error, "strerror", None) or error) from None
