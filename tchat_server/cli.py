"""The `tchat-server` command: options to settings, settings to a running server, failures to exit codes."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar, get_args

import attrs
import click
from platformdirs import user_state_path

from libtchat.hub import Hub, PresenceScope
from libtchat.limits import DEFAULT_LIMITS, Limits
from libtchat.value import frozen
from tchat_server import journal
from tchat_server.log import EventLog, LogRefused
from tchat_server.log.memory import MemoryLog
from tchat_server.server import Encoder, Server

__all__ = ["EXIT_BIND", "EXIT_CONFIG", "EXIT_INTERNAL", "EXIT_STORAGE", "main"]

EXIT_CONFIG, EXIT_BIND, EXIT_STORAGE, EXIT_INTERNAL = 2, 3, 4, 70
MEMORY = ":memory:"
Durability = Literal["full", "normal"]
F = TypeVar("F", bound=Callable[..., Any])

_LIMITS = {
    "max_peers": "connections in all",
    "max_peers_per_address": "connections from one address (loopback exempt)",
    "max_peers_per_user": "connections of one user",
    "max_groups_joined": "groups one user may be in",
    "max_groups_created": "groups one user may create",
    "max_members": "members of one group",
    "max_invited_and_banned": "invited and banned users of one group",
    "max_out_bytes": "bytes that may wait for a peer that does not read",
    "request_burst": "requests of one connection at once",
    "broadcast_burst": "client-broadcasts of one user at once",
    "broadcasts_per_second": "client-broadcasts of one user after that, 0: no limit",
    "silent_seconds": "time until the first message",
    "mid_frame_seconds": "time until a frame that began ends",
    "keepalive_seconds": "silence until the kernel asks whether the peer is there",
}


class Address(click.ParamType[tuple[str, int]]):
    """HOST:PORT, [V6]:PORT or :PORT."""

    name = "HOST:PORT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Split an address into host and port."""
        if isinstance(value, tuple):
            return value[0], int(value[1])
        host, _, port = str(value).rpartition(":")
        if not port.isdigit() or int(port) > 65535:
            self.fail(f"{value!r} is not HOST:PORT, for example 127.0.0.1:8080", param, ctx)
        return host.strip("[]") or "127.0.0.1", int(port)


def _limit_options(command: F) -> F:
    """Offer each limit as an option of its name and default."""
    for name, help in reversed(_LIMITS.items()):
        default = getattr(DEFAULT_LIMITS, name)
        kind = click.FloatRange(0) if isinstance(default, float) else click.IntRange(1)
        option = "--" + name.replace("_", "-")
        command = click.option(option, type=kind, default=default, show_default=True, help=help)(command)
    return command


@frozen
class Settings:
    """What `tchat-server` was told; see the options."""

    listen: tuple[tuple[str, int], ...]
    db: str
    durability: Durability
    limits: Limits
    port_file: Path | None
    presence: PresenceScope
    require_auth: bool
    trace: bool
    grace: float


@click.group(invoke_without_command=True, context_settings={"show_default": True})
@click.option(
    "--listen",
    type=Address(),
    multiple=True,
    show_default="$HOST:$PORT, else 127.0.0.1:8080",
    help="Address to accept clients on; may be repeated. Port 0 takes a free one.",
)
@click.option(
    "--db",
    metavar="PATH",
    default=str(user_state_path("tchat") / "tchat.db"),
    show_default="tchat.db in the state directory",
    help=f"SQLite file to keep everything in, or {MEMORY} to keep nothing.",
)
@click.option(
    "--durability",
    type=click.Choice(get_args(Durability)),
    default="full",
    help="normal: the last moments may be lost when the power fails.",
)
@click.option(
    "--port-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the port taken to this file once clients are accepted.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0),
    default=DEFAULT_LIMITS.requests_per_second,
    help="Requests a second of one connection, after a burst; 0: no limit.",
)
@_limit_options
@click.option(
    "--presence",
    type=click.Choice(get_args(PresenceScope)),
    default="auto",
    help="Who is told that a user came or went; auto: everybody up to 200 users online, then who shares a group.",
)
@click.option("--require-auth", is_flag=True, help="Serve names with a password only.")
@click.option("--grace", type=click.FloatRange(0), default=10.0, help="Seconds to finish in when stopped.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info")
@click.option("--log-format", type=click.Choice(get_args(journal.LogFormat)), default="text")
@click.option("--trace", is_flag=True, help="Print every message in and out on standard error.")
@click.version_option(version("libtchat"), prog_name="tchat-server")
@click.pass_context
def cli(ctx: click.Context, /, **options: Any) -> None:
    """Serve the tchat protocol.

    Exit codes: 0 stopped in good order, 2 wrong options, 3 can't listen, 4 storage, 70 a fault of the server's.
    """
    if ctx.invoked_subcommand is not None:
        return
    journal.set_up_logging(options.pop("log_level"), options.pop("log_format"))
    limits = {name: options.pop(name) for name in _LIMITS}
    options["limits"] = attrs.evolve(DEFAULT_LIMITS, requests_per_second=options.pop("rate"), **limits)
    options["listen"] = options["listen"] or (_address_of_environment(),)
    try:
        sys.exit(_run(serve(Settings(**options))))
    except LogRefused as error:
        _fail(str(error), EXIT_STORAGE)


async def serve(settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM.

    Returns:
        The exit code.
    Raises:
        LogRefused: the storage can't be used.
    """
    name = f"tchat-server {version('libtchat')}"
    encoder = Encoder()
    log = _open_log(settings, encoder)
    hub = Hub(name, settings.limits, settings.presence, settings.require_auth)
    server = Server(hub, log, encoder, limits=settings.limits, trace=journal.trace if settings.trace else None)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop_or_exit, stop)
    bound = []
    for host, port in settings.listen:
        try:
            bound += await server.listen(host, port)
        except OSError as error:
            await log.close()
            return _cannot_listen(host, port, error)
    places = ", ".join(f"{host}:{port}" for host, port in bound)
    click.echo(f"{name} on {places}, data in {settings.db}. Try: tchat --name alice")
    if all(host in ("127.0.0.1", "::1") for host, _ in bound):
        click.echo(f"loopback only; --listen 0.0.0.0:{bound[0][1]} accepts other machines")
    if settings.port_file is not None:
        _write_port(settings.port_file, bound[0][1])
    watch = loop.create_task(server.watch())
    stopped = loop.create_task(stop.wait())
    endings: list[asyncio.Future[Any]] = [stopped, server.failed, watch]
    await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
    watch.cancel()
    stopped.cancel()
    await server.stop(settings.grace)
    if server.failed.done():
        server.failed.result()
    return 0


def main() -> None:
    """Run the command."""
    cli()


def _open_log(settings: Settings, encoder: Encoder) -> EventLog:
    if settings.db == MEMORY:
        return MemoryLog(encode=encoder, limits=settings.limits)
    from tchat_server.log.sqlite import SqliteLog

    return SqliteLog.open(Path(settings.db), durability=settings.durability, encode=encoder, limits=settings.limits)


def _address_of_environment() -> tuple[str, int]:
    port = os.environ.get("PORT", "8080")
    if not port.isdigit() or int(port) > 65535:
        _fail(f"PORT={port!r} in the environment is not a port number", EXIT_CONFIG)
    return os.environ.get("HOST", "127.0.0.1"), int(port)


def _stop_or_exit(stop: asyncio.Event) -> None:
    if stop.is_set():
        os._exit(1)  # asked twice: at once
    stop.set()


def _cannot_listen(host: str, port: int, error: OSError) -> int:
    if error.errno == errno.EADDRINUSE:
        click.echo(f"port {port} is in use: choose --listen {host}:{port + 1}", err=True)
    else:
        click.echo(f"can't listen on {host}:{port}: {os.strerror(error.errno or 0)}", err=True)
    return EXIT_BIND


def _write_port(path: Path, port: int) -> None:
    """Write the port in one step, so that a reader never sees half of it."""
    beside = path.with_name(path.name + ".new")
    beside.write_text(f"{port}\n")
    beside.replace(path)


def _run(work: Coroutine[Any, Any, int]) -> int:
    """Run on uvloop where it is installed (the extra `fast`), else on asyncio's own loop."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


def _fail(message: str, code: int) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(code)
