"""What `tchat-server` can be told: the options, one place for their names, defaults and help."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import attrs
import click
from platformdirs import user_state_path

from libtchat.effect import PresenceScope, Registration
from libtchat.message.limits import DEFAULT_LIMITS, ServerLimits
from libtchat.message.value import frozen
from tchat_server.ops.logs import LogFormat
from tchat_server.retention import Retention
from tchat_server.sentences import say
from tchat_server.store.memory import MEMORY
from tchat_server.store.sqlite.lock import Durability

__all__ = ["Settings", "server_options", "settings_from", "state_directory"]

_Address = tuple[str, int]
_F = TypeVar("_F", bound=Callable[..., Any])
_File = click.Path(dir_okay=False, path_type=Path)
_Directory = click.Path(file_okay=False, path_type=Path)

_LIMITS = {
    "max_peers": "Connections in all; fewer if the process may not open so many files.",
    "max_peers_per_address": "Connections from one address (loopback exempt).",
    "max_peers_per_user": "Connections of one user.",
    "max_groups_joined": "Groups one user may be in.",
    "max_groups_created": "Groups one user may create.",
    "max_members": "Members of one group.",
    "max_invited_and_banned": "Invited and banned users of one group.",
    "max_invitations": "Invitations of one user that are not answered.",
    "max_kept_texts": "Texts of one user that wait for another one who is away.",
    "max_kept_bytes": "Bytes of these texts.",
    "max_kept_senders": "Users whose texts wait for one who is away.",
    "max_out_bytes": "Bytes that may wait for a peer that does not read.",
    "max_spaced_bytes": "Bytes that may wait for the gap between two messages to a client that ends nothing with LF.",
    "request_burst": "Requests of one connection at once.",
    "burst_bytes": "Bytes read from one connection at once.",
    "bytes_per_second": "Bytes read from one connection after that: more waits on its side; 0: no limit.",
    "burst_bytes_per_address": "Bytes read from all connections of one address at once (loopback exempt).",
    "bytes_per_second_per_address": "Bytes read from one address after that: more waits on its side; 0: no limit.",
    "delivered_burst_bytes": "Bytes carried to others (all copies counted) for one connection at once.",
    "delivered_bytes_per_second": "Bytes carried after that: then it is not read from for a while; 0: no limit.",
    "broadcast_burst": "client-broadcasts of one user at once.",
    "broadcasts_per_second": "client-broadcasts of one user after that; 0: no limit.",
    "password_burst": "Wrong passwords from one address at once; ten times as many for one name.",
    "passwords_per_second": "Wrong passwords from one address after that; 0: no limit.",
    "register_burst": "Passwords set from one address at once.",
    "registers_per_second": "Passwords set from one address after that; 0: no limit.",
    "silent_seconds": "Silence until the first message.",
    "mid_frame_seconds": "Time until a frame that began must end.",
    "keepalive_seconds": "Silence until the kernel asks whether the peer is there.",
}


@frozen
class Settings:
    """What the server was told; see the options of the same names."""

    listen: tuple[_Address, ...]
    tls_listen: tuple[_Address, ...]
    tls_cert: Path | None
    tls_key: Path | None
    admin_listen: _Address | None
    db: str
    durability: Durability
    limits: ServerLimits
    port_file: Path | None
    presence: PresenceScope
    require_auth: bool
    keep: Retention
    registration: Registration
    grace: float
    log_level: str
    log_format: LogFormat
    trace: bool
    web: bool
    allow_host: tuple[str, ...]
    allow_origin: tuple[str, ...]
    dialects: Path | None = None
    cache: Path | None = None


class AddressType(click.ParamType[_Address]):
    """HOST:PORT, [V6]:PORT or :PORT."""

    name = "HOST:PORT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> _Address:
        """Split an address into host and port."""
        if isinstance(value, tuple):
            return value[0], int(value[1])
        host, _, port = str(value).rpartition(":")
        if not port.isdecimal() or int(port) > 65535:
            self.fail(say("bad-address", value=value), param, ctx)
        return host.strip("[]") or "127.0.0.1", int(port)


class PatternType(click.ParamType[str]):
    """Text of one form, in lower case; *example* shows it."""

    def __init__(self, name: str, pattern: str, example: str) -> None:
        self.name, self._pattern, self._example = name, re.compile(pattern), example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the form."""
        text = str(value).casefold()
        if not self._pattern.fullmatch(text):
            self.fail(f"{value!r} is no {self.name}, for example {self._example}", param, ctx)
        return text


_HOST = PatternType("host name", r"[\w-]+(\.[\w-]+)*", "chat.example.org")
_ORIGIN = PatternType("origin", r"https?://(\[[0-9a-f:.]+\]|[\w-]+(\.[\w-]+)*)(:\d{1,5})?", "https://chat.example.org")


def _choice(kind: Any) -> click.Choice[str]:
    return click.Choice(get_args(kind))


_OPTIONS = [
    click.option(
        "--listen",
        type=AddressType(),
        multiple=True,
        show_default="$HOST:$PORT, else 127.0.0.1:8080",
        help="Address to accept clients on; may be repeated. Port 0 takes a free one.",
    ),
    click.option("--tls-cert", type=_File, help="Certificate chain (PEM): --listen speaks TLS then."),
    click.option("--tls-key", type=_File, help="Private key (PEM). Both files are read again on SIGHUP."),
    click.option(
        "--tls-listen",
        type=AddressType(),
        multiple=True,
        help="Address to accept TLS on; may be repeated. Then --listen stays without TLS.",
    ),
    click.option(
        "--db",
        metavar="PATH",
        default=lambda: str(state_directory() / "tchat.db"),
        show_default="tchat.db in the state directory",
        help=f"SQLite file to keep everything in, {MEMORY} to keep nothing, or a nats:// URL: one of several servers.",
    ),
    click.option(
        "--cache",
        type=_File,
        show_default="NAME.node.db in the state directory",
        help="With a nats:// URL: SQLite file for this server's own copy.",
    ),
    click.option(
        "--durability",
        type=_choice(Durability),
        default="full",
        help="normal: the last moments may be lost when the power fails.",
    ),
    click.option("--port-file", type=_File, help="Write the port taken to this file once clients are accepted."),
    click.option(
        "--rate",
        type=click.FloatRange(0),
        default=DEFAULT_LIMITS.requests_per_second,
        help="Requests a second of one connection, after a burst; 0: no limit.",
    ),
    *(
        click.option(
            "--" + name.replace("_", "-"),
            type=click.FloatRange(0) if isinstance(getattr(DEFAULT_LIMITS, name), float) else click.IntRange(1),
            default=getattr(DEFAULT_LIMITS, name),
            help=help,
        )
        for name, help in _LIMITS.items()
    ),
    click.option(
        "--presence",
        type=_choice(PresenceScope),
        default="auto",
        help="Who is told that a user came or went; auto: everybody up to 200 users online, then who shares a group.",
    ),
    click.option("--require-auth", is_flag=True, help="Serve names with a password only."),
    click.option(
        "--keep-days",
        type=click.FloatRange(0, min_open=True),
        show_default="all are kept",
        help="Remove what is older; members, bans and invitations stay, and what waits for a user.",
    ),
    click.option(
        "--keep-messages",
        type=click.IntRange(1),
        show_default="all are kept",
        help="Remove what is before the last so many texts of a group, in the same way.",
    ),
    click.option(
        "--registration",
        type=_choice(Registration),
        default="open",
        help="Who may give a name its first password; invite: who has a code of tchat-server invite-code.",
    ),
    click.option("--grace", type=click.FloatRange(0), default=10.0, help="Seconds to finish in when stopped."),
    click.option(
        "--web/--no-web", default=True, help="Serve the page and WebSocket to who speaks HTTP on the same port."
    ),
    click.option(
        "--allow-host", type=_HOST, metavar="NAME", multiple=True, help="Name browsers know this server by; repeatable."
    ),
    click.option(
        "--allow-origin",
        type=_ORIGIN,
        metavar="URL",
        multiple=True,
        help="Site whose pages may use WebSocket; repeatable.",
    ),
    click.option("--admin-listen", type=AddressType(), help="Address of /healthz, /readyz and /metrics (HTTP)."),
    click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info"),
    click.option("--log-format", type=_choice(LogFormat), default="text"),
    click.option("--dialects", type=_Directory, help="Directory of dialects that clients may speak: see tchat learn."),
    click.option("--trace", is_flag=True, help="Print every message in and out on standard error."),
]


def state_directory() -> Path:
    """Return where what is kept goes: systemd's StateDirectory= if it gave one, else the user's."""
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(given) if given else Path(user_state_path("tchat"))


def server_options(command: _F) -> _F:
    """Give a click command the options of the server."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def settings_from(options: dict[str, Any]) -> Settings:
    """Make settings of the options click parsed.

    Raises:
        click.UsageError: options that don't go together, or a bad PORT in the environment.
    """
    limits = {name: options.pop(name) for name in _LIMITS}
    options["limits"] = attrs.evolve(DEFAULT_LIMITS, requests_per_second=options.pop("rate"), **limits)
    options["keep"] = Retention(options.pop("keep_days"), options.pop("keep_messages"))
    if (options["tls_cert"] is None) != (options["tls_key"] is None):
        raise click.UsageError(say("tls-pair"))
    if options["tls_listen"] and options["tls_cert"] is None:
        raise click.UsageError(say("tls-listen"))
    if not options["listen"] and not options["tls_listen"]:
        options["listen"] = (_address_of_environment(),)
    if options["tls_cert"] is not None and not options["tls_listen"]:
        options["listen"], options["tls_listen"] = (), options["listen"]
    return Settings(**options)


def _address_of_environment() -> _Address:
    port = os.environ.get("PORT", "8080")
    if not port.isdecimal() or int(port) > 65535:
        raise click.UsageError(say("bad-port", port=port))
    return os.environ.get("HOST", "127.0.0.1"), int(port)
