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

from tchat_server.chat import Chat
from tchat_server.failures import InternalFailed, StorageFailed, UsageFailed, bind_failures, storage_failures
from tchat_server.greeting import Greeting
from tchat_server.lifetime import CLOSING_SECONDS, end_after, hang_up, stop_or_exit
from tchat_server.misuse import ChatFailed
from tchat_server.net.peer import PeerProtocol
from tchat_server.net.site import Site, packaged_site
from tchat_server.net.tls import Certificate
from tchat_server.operator.command import database, operator_commands
from tchat_server.ops import logs
from tchat_server.ops.admin import Admin, Probe
from tchat_server.ops.descriptor import fitting
from tchat_server.ops.outlet import Outlet
from tchat_server.sentences import STORAGE, language, say, told
from tchat_server.server import Server
from tchat_server.settings import Settings, server_options, settings_from
from tchat_server.storage import Storage, check_database, is_engine, maintenance_of, open_storage, reopen_storage, shown

__all__ = ["main"]

_FILE = click.Path(dir_okay=False, path_type=Path)


class _DatabaseType(click.ParamType[Path | str]):
    """A file, or the URL of a chat in an engine."""

    name = "PATH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | str:
        text = str(value)
        return text if is_engine(text) else Path(_FILE.convert(text, param, ctx))


_DATABASE = click.argument("db", type=_DatabaseType())

logger = logging.getLogger("tchat_server")


@click.group(invoke_without_command=True, context_settings={"show_default": True})
@server_options
@click.version_option(version("libtchat"), prog_name="tchat-server")
@click.pass_context
def cli(ctx: click.Context, /, **options: Any) -> None:
    """Serve the tchat protocol.

    Exit codes: 0 done, or stopped in good order, 1 refused, 2 wrong options, 3 can't listen, 4 storage, 70 a fault of
    the server's.
    """
    if ctx.invoked_subcommand is not None:
        return
    settings = settings_from(options)
    check_database(settings.db, settings.cache)
    if is_engine(settings.db) and not settings.keep.keeps_all:
        raise UsageFailed("--keep-days and --keep-messages go with a file or :memory:, an engine has rules of its own")
    outlet = Outlet(sys.stderr.fileno())
    ctx.call_on_close(outlet.close)
    logs.set_up_logging(settings.log_level, settings.log_format, outlet)
    with storage_failures():
        _run(serve(settings, outlet))


@cli.command()
@click.argument("db", type=_DatabaseType(), required=False)
@click.pass_context
def check(ctx: click.Context, db: Path | str | None) -> None:
    """Verify a database: no gap in any group, and all tables agree with the events."""
    place = database(ctx, None if db is None else str(db))
    with storage_failures():
        report = maintenance_of(place).check(place)
    for fault in report.faults:
        click.echo(told(fault, STORAGE))
    counted = say("checked", groups=report.groups, events=report.events, messages=report.messages)
    if report.redacted or report.closed:
        counted += say("checked.operator", redacted=report.redacted, closed=report.closed)
    click.echo(counted)
    if report.faults:
        raise StorageFailed(say("faults", db=shown(str(place)), count=len(report.faults)))


@cli.command()
@_DATABASE
@click.argument("out", type=_FILE)
def backup(db: Path | str, out: Path) -> None:
    """Copy a database to OUT, also while a server uses it."""
    with storage_failures():
        maintenance_of(db).backup(db, out)
    click.echo(say("copied", db=shown(str(db)), out=out))


for _command in operator_commands():
    cli.add_command(_command)


async def serve(settings: Settings, outlet: Outlet) -> None:
    """Serve until SIGINT or SIGTERM, or until the terminal one was started on is closed.

    Args:
        outlet: where `--trace` goes.

    Raises:
        Failed: an address can't be bound, a TLS file is no good, or the port file can't be written.
        LogUnusable: the storage can't be used.
    """
    certificate = _certificate(settings)
    settings = attrs.evolve(settings, limits=fitting(settings.limits))
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
        registration=settings.registration,
        hub=storage.make_hub(),
        shell=_shell(settings, outlet, storage),
    )
    admin, end = None, None
    try:
        async with chat:
            plain = [await _listen(chat, address, None) for address in settings.listen]
            secure = [await _listen(chat, address, certificate) for address in settings.tls_listen]
            admin = _admin(settings, chat, storage)
            greeting = Greeting(
                name=chat.name,
                plain=tuple(plain),
                secure=tuple(secure),
                data=shown(settings.db),
                has_page=settings.web,
                admin_port=None if admin is None else admin.port,
                needs_password=settings.require_auth,
            )
            _announce(greeting, settings)
            try:
                await storage.over_or(stop)
            finally:
                end = end_after(settings.grace, outlet, StorageFailed.exit_code)
    except ChatFailed as failure:
        logger.error("internal error", exc_info=failure.__cause__)
        raise InternalFailed(say("internal")) from None
    finally:
        if end is not None:
            end.cancel()
        if admin is not None:
            admin.close()
    return plain + secure


def main() -> None:
    """Run the command and exit; what goes wrong is one line on standard error."""
    if language() == "fr":
        from tchat_server.usage import speak_french

        speak_french(cli)
    try:
        code = cli.main(prog_name="tchat-server", standalone_mode=False)
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
    from libtchat.dialect.french import FRENCH
    from tchat_server.foreign import ForeignPeer, read_dialects

    try:
        return partial(ForeignPeer, read_dialects(settings.dialects))
    except (DialectError, OSError) as error:
        raise click.UsageError(told(str(error), FRENCH)) from None


def _certificate(settings: Settings) -> Certificate | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    try:
        return Certificate(settings.tls_cert, settings.tls_key)
    except OSError as error:
        raise UsageFailed(str(error.strerror)) from None


def _admin(settings: Settings, chat: Chat, storage: Storage) -> Admin | None:
    if settings.admin_listen is None:
        return None
    probe = Probe(
        chat.is_alive,
        lambda: chat.is_ready() and storage.is_ready(),
        lambda: chat.metrics() + storage.measured(),
    )
    with bind_failures(*settings.admin_listen):
        return Admin(*settings.admin_listen, probe)


async def _listen(chat: Chat, address: tuple[str, int], certificate: Certificate | None) -> tuple[str, int]:
    with bind_failures(*address):
        return await chat.listen(*address, tls=None if certificate is None else certificate.context)


def _announce(greeting: Greeting, settings: Settings) -> None:
    if settings.port_file is not None:
        beside = settings.port_file.with_name(settings.port_file.name + ".new")
        try:
            beside.write_text("".join(f"{port}\n" for _, port in (*greeting.plain, *greeting.secure)))
            beside.replace(settings.port_file)  # in one step: a reader never sees half of it
        except OSError as error:
            raise UsageFailed(say("cannot-write", path=settings.port_file, detail=error.strerror)) from None
    for line in (greeting.json(),) if settings.log_format == "json" else greeting.lines():
        click.echo(line)


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where it is installed (the extra `fast`), else on asyncio's own loop."""
    gc.freeze()  # what was imported lives as long as the server
    gc.set_threshold(5_000, 10, 1_000)  # messages are no cycles: look for them seldom, and at few at a time
    run: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run
    with suppress(ImportError):
        from uvloop import run
    run(work)
