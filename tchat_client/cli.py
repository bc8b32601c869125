"""The `tchat` command: options and subcommands to a session or a script, failures to one line and an exit code.

Exit codes: 0 done, 1 refused by the server, 2 usage, 3 could not connect, 4 connection lost with unknown outcome,
5 the server broke the protocol, 130 interrupted, 141 the reader of the output went away.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from attrs import evolve

from libtchat.message.errors import CommandError
from tchat_client.errors import ClosedPipe, HelloRefused, LinkError, Misused, Refusal

if TYPE_CHECKING:
    from ssl import SSLContext

    from tchat_client.lasting import Lasting
    from tchat_client.link import Link, Watcher
    from tchat_client.options import Options
    from tchat_client.render import Renderer
    from tchat_client.script import Output
    from tchat_client.settings import State

__all__ = ["main"]

EXIT_REFUSED, EXIT_USAGE, EXIT_INTERRUPTED, EXIT_CLOSED_PIPE = 1, 2, 130, 141

_DEFAULT = "chat"


class _Tchat(click.Group):
    """A group whose default command takes a HOST: the first word is a command, or else a host."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = self._first_word(args)
        word = None if at is None else args[at]
        if word is not None and at is not None and word in self.commands:
            args = [word, *args[:at], *args[at + 1 :]]
        elif word == "help":
            args = ["--help"]
        elif word is None and ctx.resilient_parsing:
            pass  # the shell completes the first word
        elif not (args and args[0] in ("--help", "-h", "--version")):
            near = get_close_matches(word or "", [name for name in self.commands if name != _DEFAULT], n=1)
            if word is not None and near and not {".", ":"} & set(word):
                raise Misused("unknown-subcommand", word=word, suggestion=near[0])
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)

    def _first_word(self, args: Sequence[str]) -> int | None:
        """Return where the first word is that is no option, nor an option's value."""
        takes_value = {
            name
            for command in self.commands.values()
            for option in command.params
            if isinstance(option, click.Option) and not option.is_flag
            for name in option.opts
        }
        is_value = False
        for at, word in enumerate(args):
            if is_value:
                is_value = False
            elif word.startswith("-") and word != "-":
                if word == "--":
                    return None
                is_value = word in takes_value
            else:
                return at
        return None


def _options(command: Callable[..., Coroutine[Any, Any, int]]) -> Callable[..., int]:
    """Add the options every command takes, read what they say, and run the command."""

    @functools.wraps(command)
    def run(**given: Any) -> int:
        from tchat_client.options import read_options

        common = {name: given.pop(name) for name in _COMMON}
        joins = given.pop("join", ())
        host = given.pop("host", None)
        if "group" in given:
            given["group"] = _group(given["group"])
        chat = {name: given.pop(name, None) for name in ("plain", "all", "notify")}
        options = read_options(**common, host=host, joins=joins, **chat)
        try:
            return asyncio.run(command(options, **given))
        except BrokenPipeError:
            raise ClosedPipe from None  # click would exit with 1

    wrapped: Callable[..., int] = run
    for option in reversed([*_COMMON.values()]):
        wrapped = option(wrapped)
    return wrapped


_COMMON: Mapping[str, Callable[[Callable[..., int]], Callable[..., int]]] = {
    "server": click.option("--server", metavar="HOST:PORT", envvar="TCHAT_SERVER", help="Where the server is."),
    "name": click.option("--name", metavar="NAME", envvar="TCHAT_NAME", help="Your name."),
    "lang": click.option("--lang", metavar="en|fr", envvar="TCHAT_LANG", help="The language of what is shown."),
    "tls": click.option("--tls/--no-tls", default=None, envvar="TCHAT_TLS", help="Encrypt, and check the server."),
    "ca": click.option("--ca", metavar="FILE", envvar="TCHAT_CA", help="Who may vouch for the server (PEM)."),
    "password_file": click.option(
        *("--password-file", "password_file"), metavar="FILE", help="The password of your name (or TCHAT_PASSWORD)."
    ),
    "dialect": click.option("--dialect", metavar="FILE", help="The server speaks this dialect: see tchat learn."),
    "timeout": click.option("--timeout", metavar="TIME", default="10s", help="How long to wait for an answer."),
    "config": click.option("--config", metavar="FILE", envvar="TCHAT_CONFIG", help="Another configuration file."),
    "trace": click.option("--trace", is_flag=True, help="Show every message in and out."),
    "json": click.option("--json", "json", is_flag=True, help="One JSON object per line, and nothing else."),
}


@click.group(cls=_Tchat, invoke_without_command=True, context_settings={"help_option_names": ["--help", "-h"]})
@click.version_option(package_name="libtchat", prog_name="tchat")
def tchat() -> None:
    """Chat in groups, or send and read from scripts.

    Without a command: `tchat [HOST[:PORT]]` opens a session, or runs the lines of a pipe.
    """


@tchat.command(_DEFAULT, short_help="Open a session (the default).")
@click.argument("host", metavar="[HOST[:PORT]]", required=False)
@click.option("--join", metavar="GROUP", multiple=True, help="Join a group first; may be repeated.")
@click.option("--all", is_flag=True, help="Show the texts of every group in full, not of the current one.")
@click.option(
    *("--notify", "notify"),
    type=click.Choice(["bell", "desktop"]),
    help="Ring, or tell the terminal's desktop, when somebody names you.",
)
@click.option("--plain", is_flag=True, help="No prompt, one line per event: for screen readers, dumb terminals.")
@_options
async def chat(options: Options) -> int:
    """Open a session with the server at HOST:PORT; with a pipe as input run its lines and end."""
    from tchat_client.piped import read_lines, run_lines, run_piped
    from tchat_client.reader import Reader

    state, renderer = _state(), _renderer(options)
    link = _link(options, state)
    session = Reader(link, renderer, state, _print, options.traces, shows_all=options.shows_all, alert=_alert(options))
    joins = [f"j;{group}" for group in options.joins]
    if not sys.stdin.isatty():
        return await run_piped(link, session, _chained(joins, read_lines()), is_json=options.is_json)
    if options.is_plain or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty():
        return await run_lines(link, session, _chained(joins, read_lines()))
    from tchat_client.prompt import run_prompt

    return await run_prompt(link, session, joins)


@tchat.command()
@click.argument("group")
@click.argument("text", required=False)
@click.option("--stdin", "each", type=click.Choice(["line", "all"]), help="Send the input: line by line, or as one.")
@_options
async def send(options: Options, group: str, text: str | None, each: str | None) -> int:
    """Send TEXT, or what is piped in, to GROUP."""
    from tchat_client.lasting import Lasting, say_each
    from tchat_client.piped import read_lines
    from tchat_client.script import say

    if text not in (None, "-") and each is not None:
        raise Misused("text-twice")
    reads = text in (None, "-")
    if reads and text is None and sys.stdin.isatty():
        raise Misused("no-text")
    if each == "line":
        output, texts = _output(options), _texts(read_lines())
        watcher = Lasting(_state(), _tracer(options), output, _teller(options))
        return await _lasting(options, watcher, lambda link: say_each(link, output, group, texts))
    whole = _text(_whole_input() if reads else text or "")
    return await _script(options, lambda link, output: say(link, output, group, whole))


@tchat.command("do")
@click.argument("line")
@_options
async def do(options: Options, line: str) -> int:
    """Do one command of the course, such as 'kick;wob;bob;spam'."""
    from libtchat.commands import Help, LocalAction, find, parse, unparse
    from libtchat.message.request import Quit, Register
    from tchat_client.script import ask

    meaning = parse(line, None)
    if isinstance(meaning, Help) and not options.is_json:
        for row in _renderer(options).help(None if meaning.command is None else find(meaning.command)):
            _print(row)
        return 0
    if isinstance(meaning, Register):
        meaning = Register(None, _new_password(options, meaning.password))
        options = evolve(options, password=None)  # the name has none yet
    if isinstance(meaning, LocalAction | Quit):
        raise Misused("interactive-only", form=unparse(meaning))
    request = meaning

    async def work(link: Link, output: Output) -> None:
        await ask(link, output, request)

    return await _script(options, work)


@tchat.command()
@_options
async def groups(options: Options) -> int:
    """List the groups you can see."""
    from tchat_client.script import list_groups

    return await _script(options, list_groups)


@tchat.command()
@click.argument("group")
@_options
async def members(options: Options, group: str) -> int:
    """List who is in GROUP."""
    from tchat_client.script import list_members

    return await _script(options, lambda link, output: list_members(link, output, group))


_count = click.option("-n", "--count", type=click.IntRange(1), default=100, show_default=True, help="How many entries.")


@tchat.command()
@click.argument("group")
@_count
@_options
async def messages(options: Options, group: str, count: int) -> int:
    """Show the last texts of GROUP."""
    from libtchat.message.request import ListMessages
    from tchat_client.script import read_page

    return await _script(options, lambda link, output: read_page(link, output, ListMessages, group, count))


@tchat.command()
@click.argument("group")
@_count
@_options
async def states(options: Options, group: str, count: int) -> int:
    """Show what happened in GROUP: who came, went, was invited, kicked, banned."""
    from libtchat.message.request import ListStates
    from tchat_client.script import read_page

    return await _script(options, lambda link, output: read_page(link, output, ListStates, group, count))


@tchat.command()
@click.argument("group")
@click.option("--count", type=click.IntRange(1), help="End after so many events.")
@click.option("--for", "duration", metavar="TIME", help="End after 30s, 5m, 1h.")
@_options
async def tail(options: Options, group: str, count: int | None, duration: str | None) -> int:
    """Show what happens in GROUP as it happens."""
    from tchat_client.lasting import Tail
    from tchat_client.lasting import tail as follow
    from tchat_client.settings import parse_duration

    seconds = None if duration is None else parse_duration(duration)
    watcher = Tail(_state(), _tracer(options), _output(options), _teller(options))
    watcher.follow(group, count)
    return await _lasting(options, watcher, lambda link: follow(link, watcher, seconds))


@tchat.command()
@_options
async def ping(options: Options) -> int:
    """Measure the round trip; for health checks."""
    from tchat_client.script import ping as measure

    return await _script(options, measure)


@tchat.command()
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

    theirs = [None if one == "-" else read_dialect(Path(one), "server") for one in servers]
    clients = read_dialects(dialects, _print_error)
    with running(run) as started:
        to = (*to, started) if started else to
        routes = make_routes(listen, to, theirs, clients, _tls_context(ca) if tls or ca else None, join_invited)
        return asyncio.run(run_bridge(routes, port_file, trace))


@tchat.command(context_settings={"ignore_unknown_options": True})
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
    from tchat_client.learn.program import Setup
    from tchat_client.learn.run import Subject, learn_all, learn_one, teams_of

    answers, variables = (dict(one.partition("=")[::2] for one in given) for given in (hints, environment))

    def setup(words: tuple[str, ...]) -> Setup:
        return Setup(words, answers, variables, directory, pty, patience, port or 0)

    if teams is not None:
        return learn_all(teams_of(teams, setup), out or Path("."), seconds, is_json=is_json)
    if side is None or not command:
        raise click.UsageError("tchat learn client|server -- CMD ..., or --teams FILE")
    if len(command) == 1 and side == "server" and ":" in command[0]:
        address = parse_address(command[0])
        subject = Subject(side, name or "server", None, (address.host, address.port))
    else:
        at = ("127.0.0.1", port) if port and side == "server" else None
        subject = Subject(side, name or side, setup(command), at, source, not no_source)
    return learn_one(subject, out or Path(f"{subject.name}.toml"), seconds, is_json=is_json)


async def _script(options: Options, work: Callable[[Link, Output], Awaitable[None]]) -> int:
    """Connect, do *work*, say goodbye."""
    from tchat_client.script import Script

    state, output = _state(), _output(options)
    watcher = Script(state, _tracer(options))
    watcher.link = link = _link(options, state, watcher)
    await link.open()
    try:
        output.renderer.me = link.mirror.name
        await work(link, output)
    finally:
        await link.quit()
    return 0


async def _lasting(options: Options, watcher: Lasting, work: Callable[[Link], Awaitable[None]]) -> int:
    """Do *work* over as many connections as it takes, and say goodbye."""
    from tchat_client.lasting import last

    watcher.link = link = _link(options, _state(), watcher)
    try:
        await last(link, work(link))
    finally:
        await link.quit()
    return 0


def _new_password(options: Options, typed: str) -> str:
    """Return the password to register: never one that was typed where `ps` and the shell's history show it."""
    if typed:
        raise Misused("password-seen")
    if options.password:
        return options.password
    if not sys.stdin.isatty():
        raise Misused("no-password")
    from getpass import getpass

    say = options.language.text
    first = getpass(say("password.new", name=options.name))
    if getpass(say("password.again")) != first:
        raise Misused("password.differ")
    if not first:
        raise Misused("no-password")
    return first


def _link(options: Options, state: State, watcher: Watcher | None = None) -> Link:
    from tchat_client.link import Link, Times, Watcher

    tls = _tls_context(options.ca) if options.uses_tls else None
    token = state.token(options.address, options.name) if options.name else None
    times = Times(answer_seconds=options.timeout, connect_seconds=options.timeout)
    dialect = None
    if options.dialect is not None:
        from tchat_client.bridge.serve import read_dialect

        dialect = read_dialect(Path(options.dialect), "server")
    return Link(options.address, options.name, tls, token, options.password, watcher or Watcher(), times, dialect)


def _tls_context(ca: str | None) -> SSLContext:
    import ssl

    try:
        return ssl.create_default_context(cafile=ca)
    except ssl.SSLError:
        raise Misused("bad-ca", path=ca) from None
    except OSError as error:
        raise Misused("bad-config", path=ca, detail=error.strerror or error) from None


def _state() -> State:
    from tchat_client.settings import State

    return State.of_user()


def _renderer(options: Options) -> Renderer:
    from tchat_client.render import Renderer

    is_coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Renderer(options.language, options.name or "", str(options.address), is_coloured)


def _output(options: Options) -> Output:
    from tchat_client.script import Output

    return Output(_renderer(options), options.is_json, _print)


def _tracer(options: Options) -> Callable[[str, str], None] | None:
    renderer = _renderer(options)
    return (lambda direction, text: _print_error(renderer.trace(direction, text))) if options.traces else None


def _teller(options: Options) -> Callable[[str, str], None]:
    """Return what tells what happened to the connection, on standard error."""
    from tchat_client.sanitise import json_line

    def tell(code: str, text: str) -> None:
        as_json = {"action": "notice", "code": code, "msg": text}
        _print_error(json_line(as_json) if options.is_json else options.language.text("error-prefix", text=text))

    return tell


def _alert(options: Options) -> Callable[[str], None] | None:
    """Return what tells of a mention in another way than by a line; it moves no cursor."""
    from tchat_client.sanitise import clean, clip

    def alert(text: str) -> None:
        if sys.__stdout__ is not None and sys.__stdout__.isatty():
            # OSC 9; a digit after it would mean something else to some terminals
            note = "\a" if options.notify == "bell" else f"\x1b]9;tchat: {clip(clean(text), 200)}\a"
            sys.__stdout__.write(note)
            sys.__stdout__.flush()

    return alert if options.notify else None


def _group(name: str) -> str:
    from libtchat.commands import Use, parse

    use = parse(f"use;{name}", None)
    assert isinstance(use, Use)
    return use.group


def _text(text: str) -> str:
    """Return *text* if it can be sent; else raise Mistyped, or Misused if it is empty."""
    from libtchat.commands import parse

    if not text:
        raise Misused("no-text")
    parse(f"b;{text}", None)
    return text


async def _texts(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    async for line in lines:
        if line:
            yield _text(line)


async def _chained(first: Sequence[str], then: AsyncIterator[str] | None) -> AsyncIterator[str]:
    for line in first:
        yield line
    if then is not None:
        async for line in then:
            yield line


def _whole_input() -> str:
    """Return standard input, without its last line end."""
    data = sys.stdin.buffer.read()
    try:
        return data.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise Misused("bad-utf8", line=data.count(b"\n", 0, error.start) + 1) from None


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _print_error(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run `tchat` and exit."""
    arguments = [*(sys.argv[1:] if args is None else args)]
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except (BrokenPipeError, ClosedPipe):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = EXIT_CLOSED_PIPE
    except OSError as error:
        from tchat_client.report import complain

        code = EXIT_REFUSED
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        complain(arguments, "output", str(error.strerror or error))
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    from tchat_client.report import language_of

    if language_of(arguments).code == "fr":
        from tchat_client.usage import speak_french

        speak_french(tchat)
    try:
        return int(tchat.main(arguments, "tchat", standalone_mode=False) or 0)
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except click.ClickException as problem:
        from tchat_client.report import complain

        complain(arguments, "usage", problem.format_message())
        return EXIT_USAGE
    except (LinkError, HelloRefused, Refusal, CommandError) as problem:
        from tchat_client.report import tell

        return tell(arguments, problem)
