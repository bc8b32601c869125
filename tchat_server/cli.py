"""The `tchat-server` command: settings to a running server, and failures to exit codes."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs
import click

from libtchat.message.limits import ServerLimits
from tchat_server.chat import Chat
from tchat_server.failures import InternalFailed, StorageFailed, UsageFailed, bind_failures, storage_failures
from tchat_server.lifetime import CLOSING_SECONDS, end_after, hang_up, stop_or_exit
from tchat_server.misuse import ChatFailed
from tchat_server.net.peer import PeerProtocol
from tchat_server.net.site import Site, packaged_site
from tchat_server.net.tls import Certificate
from tchat_server.ops import descriptor, logs
from tchat_server.ops.admin import Admin, Probe
from tchat_server.ops.outlet import Outlet
from tchat_server.server import Server
from tchat_server.settings import Settings, server_options, settings_from
from tchat_server.storage import ENGINE, Storage, check_database, maintenance_of, open_storage, reopen_storage, shown

__all__ = ["main"]

_FILE = click.Path(dir_okay=False, path_type=Path)


class _DatabaseType(click.ParamType[Path | str]):
    """A file, or the URL of a chat in an engine."""

    name = "PATH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | str:
        text = str(value)
        return text if text.startswith(ENGINE) else Path(_FILE.convert(text, param, ctx))


_DATABASE = click.argument("db", type=_DatabaseType())

logger = logging.getLogger("tchat_server")


@click.group(invoke_without_command=True, context_settings={"show_default": True})
@server_options
@click.version_option(version("libtchat"), prog_name="tchat-server")
@click.pass_context
def cli(ctx: click.Context, /, **options: Any) -> None:
    """Serve the tchat protocol.

    Exit codes: 0 stopped in good order, 2 wrong options, 3 can't listen, 4 storage, 70 a fault of the server's.
    """
    if ctx.invoked_subcommand is not None:
        return
    settings = settings_from(options)
    check_database(settings.db, settings.cache)
    if settings.db.startswith(ENGINE) and not settings.keep.keeps_all:
        raise UsageFailed("--keep-days and --keep-messages go with a file or :memory:, an engine has rules of its own")
    outlet = Outlet(sys.stderr.fileno())
    ctx.call_on_close(outlet.close)
    logs.set_up_logging(settings.log_level, settings.log_format, outlet)
    with storage_failures():
        _run(serve(settings, outlet))


@cli.command()
@_DATABASE
def check(db: Path | str) -> None:
    """Verify a database: no gap in any group, and all tables agree with the events."""
    with storage_failures():
        report = maintenance_of(db).check(db)
    for fault in report.faults:
        click.echo(fault)
    click.echo(f"{report.groups} groups, {report.events} events, {report.messages} of them messages")
    if report.faults:
        raise StorageFailed(f"{shown(str(db))}: {len(report.faults)} faults; restore a backup")


@cli.command()
@_DATABASE
@click.argument("out", type=_FILE)
def backup(db: Path | str, out: Path) -> None:
    """Copy a database to OUT, also while a server uses it."""
    with storage_failures():
        maintenance_of(db).backup(db, out)
    click.echo(f"{db} is copied to {out}")


@cli.command()
@_DATABASE
@click.argument("group")
@click.argument("name")
def own(db: Path | str, group: str, name: str) -> None:
    """Give a GROUP whose owner is gone to its member NAME, while no server uses the database."""
    with storage_failures():
        event = maintenance_of(db).own(db, group, name)
    click.echo(f"{name} owns {event.group} (event {event.seq})")


async def serve(settings: Settings, outlet: Outlet) -> None:
    """Serve until SIGINT or SIGTERM, or until the terminal one was started on is closed.

    Args:
        outlet: where `--trace` goes.

    Raises:
        Failed: an address can't be bound, a TLS file is no good, or the port file can't be written.
        LogUnusable: the storage can't be used.
    """
    certificate = _certificate(settings)
    settings = attrs.evolve(settings, limits=_fitting(settings.limits))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop_or_exit, stop)
    loop.add_signal_handler(signal.SIGHUP, hang_up, certificate, stop, os.isatty(0))
    storage: Storage | None = await open_storage(settings)
    while storage is not None:
        bound = await _serve(settings, outlet, certificate, storage, stop)
        listen, tls_listen = bound[: len(settings.listen)], bound[len(settings.listen) :]
        settings = attrs.evolve(settings, listen=tuple(listen), tls_listen=tuple(tls_listen))
        storage = None if stop.is_set() else await reopen_storage(settings, stop)


async def _serve(
    settings: Settings, outlet: Outlet, certificate: Certificate | None, storage: Storage, stop: asyncio.Event
) -> list[tuple[str, int]]:
    """Serve until *stop*, or until a node must begin anew; return the addresses that were bound."""
    chat = Chat(
        storage.log,
        limits=settings.limits,
        name=f"tchat-server {version('libtchat')}",
        presence=settings.presence,
        require_auth=settings.require_auth,
        keep=settings.keep,
        grace_seconds=max(0.0, settings.grace - min(CLOSING_SECONDS, settings.grace / 4)),
        hub=storage.make_hub(),
        shell=_shell(settings, outlet, storage),
    )
    admin, end = None, None
    try:
        async with chat:
            bound = [await _listen(chat, address, None) for address in settings.listen]
            bound += [await _listen(chat, address, certificate) for address in settings.tls_listen]
            if settings.admin_listen is not None:
                probe = Probe(
                    chat.is_alive,
                    lambda: chat.is_ready() and storage.is_ready(),
                    lambda: chat.metrics() + storage.measured(),
                )
                with bind_failures(*settings.admin_listen):
                    admin = Admin(*settings.admin_listen, probe)
            _announce(chat.name, bound, settings, admin)
            try:
                await storage.over_or(stop)
            finally:
                end = end_after(settings.grace, outlet, StorageFailed.exit_code)
    except ChatFailed as failure:
        logger.error("internal error", exc_info=failure.__cause__)
        raise InternalFailed("the server failed: its log says where") from None
    finally:
        if end is not None:
            end.cancel()
        if admin is not None:
            admin.close()
    return bound


def main() -> None:
    """Run the command and exit; what goes wrong is one line on standard error."""
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as problem:
        outlet = Outlet(sys.stderr.fileno())  # also if nobody reads it
        outlet.write(" ".join(problem.format_message().split()) + "\n")
        outlet.close()
        code = problem.exit_code
    except click.Abort:
        code = 128 + signal.SIGINT
    sys.exit(code)


def _site(settings: Settings) -> Site | None:
    hosts = [host for host, _ in (*settings.listen, *settings.tls_listen)]
    return packaged_site(hosts, settings.allow_host, settings.allow_origin) if settings.web else None


def _shell(settings: Settings, outlet: Outlet, storage: Storage) -> Callable[..., Server]:
    """Return what makes the server: it serves a page and other dialects too, and any fault in this process ends it."""
    trace = logs.tracer(outlet) if settings.trace else None
    site, make_peer = _site(settings), _make_peer(settings)

    def shell(*parts: Any, **options: Any) -> Server:
        server = Server(*parts, **options, roster=storage.roster, trace=trace, site=site, make_peer=make_peer)
        asyncio.get_running_loop().set_exception_handler(server.supervisor.handle)
        return server

    return shell


def _make_peer(settings: Settings) -> Callable[[Server, str, str], PeerProtocol]:
    if settings.dialects is None:
        return PeerProtocol
    from libtchat.dialect.dialect import DialectError
    from tchat_server.foreign import ForeignPeer, read_dialects

    try:
        return partial(ForeignPeer, read_dialects(settings.dialects))
    except (DialectError, OSError) as error:
        raise click.UsageError(str(error)) from None


def _fitting(limits: ServerLimits) -> ServerLimits:
    """Accept no more connections than there can be open files."""
    asked = limits.max_peers
    fit, files = descriptor.make_room(asked)
    if fit == asked:
        return limits
    logger.warning(
        "accepts %d connections at once, not the %d of --max-peers: this process may open %d files. "
        "Let it open %d (ulimit -Hn; LimitNOFILE= of systemd; --ulimit nofile= of docker), or ask for fewer",
        *(fit, asked, files, asked + descriptor.RESERVED),
    )
    return attrs.evolve(limits, max_peers=fit)


def _certificate(settings: Settings) -> Certificate | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    try:
        return Certificate(settings.tls_cert, settings.tls_key)
    except OSError as error:
        raise UsageFailed(str(error.strerror)) from None


async def _listen(chat: Chat, address: tuple[str, int], certificate: Certificate | None) -> tuple[str, int]:
    with bind_failures(*address):
        return await chat.listen(*address, tls=None if certificate is None else certificate.context)


def _announce(name: str, bound: list[tuple[str, int]], settings: Settings, admin: Admin | None) -> None:
    if settings.port_file is not None:
        beside = settings.port_file.with_name(settings.port_file.name + ".new")
        try:
            beside.write_text("".join(f"{port}\n" for _, port in bound))
            beside.replace(settings.port_file)  # in one step: a reader never sees half of it
        except OSError as error:
            raise UsageFailed(f"{settings.port_file} cannot be written: {error.strerror}") from None
    places = ", ".join(f"{host}:{port}" for host, port in bound)
    click.echo(f"{name} on {places}, data in {shown(settings.db)}. Try: tchat --name alice")
    if settings.web:
        click.echo(f"in a browser: {_url(bound[0], is_secure=not settings.listen)}")
    if all(host in ("127.0.0.1", "::1") for host, _ in bound):
        click.echo(f"loopback only; --listen 0.0.0.0:{bound[0][1]} accepts other machines")
    if admin is not None:
        click.echo(f"/healthz, /readyz and /metrics on port {admin.port}")


def _url(address: tuple[str, int], *, is_secure: bool) -> str:
    """Return what to type into the browser of this machine."""
    host, port = address
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"{'https' if is_secure else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/"


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where it is installed (the extra `fast`), else on asyncio's own loop."""
    gc.freeze()  # what was imported lives as long as the server
    gc.set_threshold(50_000, 20, 50)  # messages are no cycles: look for them less often
    run: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run
    with suppress(ImportError):
        from uvloop import run
    run(work)
