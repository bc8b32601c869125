"""Serve the routes of a bridge until interrupted: files of dialects in, one log line per connection out."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from libtchat.dialect.detect import alike
from libtchat.dialect.dialect import Dialect, DialectError, load
from tchat_client.address import parse_address
from tchat_client.bridge.journal import Journal
from tchat_client.bridge.pipe import Pipe, Route
from tchat_client.errors import CannotConnect, LinkError, Misused
from tchat_client.language import Language

__all__ = ["make_routes", "read_dialect", "read_dialects", "run_bridge"]

MAX_CLIENTS = 10_000


def read_dialect(path: Path, side: str) -> Dialect:
    """Read the file of a dialect.

    Raises:
        Misused: there is none, it is wrong, or it is of the other side.
    """
    try:
        dialect = load(path.read_text("utf-8"), str(path))
    except OSError as error:
        raise Misused("dialect.unread", path=path, detail=error.strerror or error) from None
    except UnicodeDecodeError:
        raise Misused("dialect.no-text", path=path) from None
    except DialectError as error:
        raise Misused("dialect", detail=error.detail) from None
    if dialect.side != side:
        raise Misused(f"dialect.of-{dialect.side}", path=path)
    return dialect


def read_dialects(paths: Sequence[Path], say: Callable[[str], None], language: Language) -> tuple[Dialect, ...]:
    """Read the files of clients; of a directory those that are of clients. Two that are alike are told of."""
    found: list[Dialect] = []
    for path in paths:
        if path.is_dir():
            texts = sorted(path.glob("*.toml"))
            found += [
                read_dialect(one, "client") for one in texts if 'side = "client"' in one.read_text("utf-8", "replace")
            ]
        else:
            found.append(read_dialect(path, "client"))
    for one, other, differ in alike(found):
        key = "dialects.told-apart" if differ else "dialects.alike"
        say(language.text(key, one=one, other=other, kinds=", ".join(differ[:3])))
    return tuple(found)


async def run_bridge(routes: Sequence[Route], port_file: Path | None, traces: bool) -> int:
    """Serve *routes* until SIGINT or SIGTERM.

    Raises:
        CannotConnect: an address cannot be listened on.
    """
    journal = Journal(sys.stderr.fileno())
    try:
        await _serve(routes, port_file, journal, traces)
    finally:
        journal.close()
    return 0


async def _serve(routes: Sequence[Route], port_file: Path | None, journal: Journal, traces: bool) -> None:
    def log(text: str) -> None:
        journal.write("bridge: " + text)

    def trace(side: str, text: str) -> None:
        journal.write(f"{side} {text}")

    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, done.set)
    tasks: set[asyncio.Task[None]] = set()
    servers = []
    for route in routes:

        def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, route: Route = route) -> None:
            if len(tasks) >= MAX_CLIENTS:
                writer.close()
                return
            host, port = (writer.get_extra_info("peername") or ("gone", 0))[:2]
            pipe = Pipe(route, reader, writer, log, trace if traces else None, f"{host}:{port}")
            task = asyncio.create_task(pipe.run())  # asyncio would show a traceback of one that is cancelled
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        host, port = route.listen
        try:
            servers.append(await asyncio.start_server(serve, host, port, limit=1 << 20))
        except OSError as error:
            cause = LinkError("cause.other", detail=error.strerror or error)
            raise CannotConnect("cannot-listen", address=f"{host}:{port}", cause=cause) from None
        port = servers[-1].sockets[0].getsockname()[1]
        theirs = route.dialect.name if route.dialect else "tchat"
        log(f"listening on {host}:{port}, to {route.to[0]}:{route.to[1]} ({theirs}); dialects: {len(route.clients)}")
    if port_file is not None:
        beside = port_file.with_name(port_file.name + ".new")
        beside.unlink(missing_ok=True)  # it may be a link
        with beside.open("x") as file:
            file.writelines(f"{server.sockets[0].getsockname()[1]}\n" for server in servers)
        beside.replace(port_file)  # in one step: a reader never sees half of it
    await done.wait()
    for server in servers:
        server.close()
    for task in [*tasks]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def make_routes(
    listen: Sequence[str],
    to: Sequence[str],
    servers: Sequence[Dialect | None],
    clients: tuple[Dialect, ...],
    tls: ssl.SSLContext | None,
    joins_invited: bool,
) -> list[Route]:
    """Put the n-th of each together.

    Raises:
        Misused: their numbers differ.
    """
    if not listen or len(listen) != len(to) or len(servers) > len(to):
        raise Misused("dialect.routes")
    dialects = [*servers, *([None] * (len(to) - len(servers)))]
    routes = []
    for one, other, dialect in zip(listen, to, dialects, strict=True):
        is_any = one.endswith(":0")  # any free port
        here, there = parse_address(one[:-1] + "1" if is_any else one), parse_address(other)
        listens = (here.host, 0 if is_any else here.port)
        routes.append(Route(listens, (there.host, there.port), dialect, clients, tls, joins_invited))
    return routes
