"""The commands for programs that speak otherwise: learn how they speak, and translate."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from tchat_client.cli.wiring import show_error, tls_context

__all__ = ["bridge", "learn"]


@click.command()
@click.option(
    "--listen", metavar="HOST:PORT", multiple=True, required=True, help="Where clients come in (port 0: any)."
)
@click.option("--to", metavar="HOST:PORT", multiple=True, help="The server, one for each --listen.")
@click.option("--run", metavar="CMD", help="Start the server too, instead of --to: 'node server.js {port}'.")
@click.option("--as", "servers", metavar="FILE", multiple=True, help="The server's dialect; - is ours.")
@click.option("--tls", is_flag=True, help="Encrypt to the server, and check it.")
@click.option("--ca", metavar="FILE", help="Who may vouch for the server (PEM).")
@click.option("--join-invited", is_flag=True, help="Whoever cannot type join joins when invited.")
@click.option("--port-file", type=click.Path(path_type=Path), help="Write the ports here, one a line.")
@click.option("--trace", is_flag=True, help="Show all four sides of every message.")
@click.option("--lang", metavar="en|fr", hidden=True)
@click.argument("dialects", nargs=-1, metavar="[FILE|DIRECTORY]...", type=click.Path(path_type=Path))
def bridge(
    listen: tuple[str, ...],
    to: tuple[str, ...],
    run: str | None,
    servers: tuple[str, ...],
    tls: bool,
    ca: str | None,
    join_invited: bool,
    port_file: Path | None,
    trace: bool,
    lang: str | None,
    dialects: tuple[Path, ...],
) -> int:
    """Let clients of the dialects in FILEs, or ours, talk to a server of any dialect."""
    from tchat_client.bridge.child import running
    from tchat_client.bridge.serve import make_routes, read_dialect, read_dialects, run_bridge
    from tchat_client.language import choose

    theirs = [None if one == "-" else read_dialect(Path(one), "server") for one in servers]
    clients = read_dialects(dialects, show_error, choose(lang, os.environ))
    with running(run) as started:
        to = (*to, started) if started else to
        routes = make_routes(listen, to, theirs, clients, tls_context(ca) if tls or ca else None, join_invited)
        return asyncio.run(run_bridge(routes, port_file, trace))


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("side", type=click.Choice(["client", "server"]), required=False)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- CMD ... | HOST:PORT]")
@click.option("--name", metavar="NAME", help="What the dialect is called.")
@click.option("--out", type=click.Path(path_type=Path), help="Where to write it (NAME.toml; with --teams a directory).")
@click.option("--teams", type=click.Path(path_type=Path), help="Learn all programs of this file.")
@click.option(
    "--hint", "hints", metavar="QUESTION=ANSWER", multiple=True, help="What to answer a question at the start."
)
@click.option("--env", "environment", metavar="KEY=VALUE", multiple=True, help="Set in the program's environment.")
@click.option("--directory", metavar="DIR", help="Where the program runs.")
@click.option("--source", type=click.Path(path_type=Path), help="Sources to take words from that are worth a try.")
@click.option("--no-source", is_flag=True, help="Take no words from the file that CMD names.")
@click.option("--pty", is_flag=True, help="Give it a terminal.")
@click.option("--port", type=click.IntRange(1, 65_535), help="The port that the program has in itself.")
@click.option("--patience", type=float, default=1.0, help="Wait so many times longer for everything.")
@click.option("--seconds", type=float, default=180.0, show_default=True, help="Give up after.")
@click.option("--json", "is_json", is_flag=True, help="The report as JSON.")
@click.option("--lang", metavar="en|fr", hidden=True)
def learn(
    side: str | None,
    command: tuple[str, ...],
    name: str | None,
    out: Path | None,
    teams: Path | None,
    hints: tuple[str, ...],
    environment: tuple[str, ...],
    directory: str | None,
    source: Path | None,
    no_source: bool,
    pty: bool,
    port: int | None,
    patience: float,
    seconds: float,
    is_json: bool,
    lang: str | None,
) -> int:
    """Learn by experiment how a program speaks that nobody will change, and write it down.

    tchat learn client -- node client.js {name} {host} {port}

    tchat learn server -- node server.js {port}
    """
    from tchat_client.address import parse_address
    from tchat_client.language import choose
    from tchat_client.learn.french import english, french
    from tchat_client.learn.program import Setup
    from tchat_client.learn.run import Subject, learn_all, learn_one, teams_of

    words = french if choose(lang, os.environ).code == "fr" else english
    answers, variables = (dict(one.partition("=")[::2] for one in given) for given in (hints, environment))

    def setup(words: tuple[str, ...]) -> Setup:
        return Setup(words, answers, variables, directory, pty, patience, port or 0)

    if teams is not None:
        return learn_all(teams_of(teams, setup), out or Path("."), seconds, words, is_json=is_json)
    if side is None or not command:
        raise click.UsageError(words("tchat learn client|server -- CMD ..., or --teams FILE"))
    if len(command) == 1 and side == "server" and ":" in command[0]:
        address = parse_address(command[0])
        subject = Subject(side, name or "server", None, (address.host, address.port))
    else:
        at = ("127.0.0.1", port) if port and side == "server" else None
        subject = Subject(side, name or side, setup(command), at, source, not no_source)
    return learn_one(subject, out or Path(f"{subject.name}.toml"), seconds, words, is_json=is_json)
