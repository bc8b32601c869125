"""The commands for scripts: each does one thing and ends."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import click
from attrs import evolve

from tchat_client.cli.root import with_options
from tchat_client.cli.typed import check_text, check_texts, new_password, secret, wanted, whole_input
from tchat_client.cli.wiring import make_link, make_output, make_renderer, make_teller, make_tracer, show, user_state
from tchat_client.errors import Misused, Refused, Unprotected

if TYPE_CHECKING:
    from tchat_client.lasting import Lasting
    from tchat_client.link import Link
    from tchat_client.options import Options
    from tchat_client.script import Output

__all__ = ["do", "groups", "members", "messages", "ping", "send", "states", "tail"]


@click.command()
@click.argument("group")
@click.argument("text", required=False)
@click.option("--stdin", "each", type=click.Choice(["line", "all"]), help="Send the input: line by line, or as one.")
@with_options
async def send(options: Options, group: str, text: str | None, each: str | None) -> int:
    """Send TEXT, or what is piped in, to GROUP."""
    from tchat_client.input_lines import read_lines
    from tchat_client.lasting import Lasting, say_each
    from tchat_client.script import say

    if text not in (None, "-") and each is not None:
        raise Misused("text-twice")
    reads = text in (None, "-")
    if reads and text is None and sys.stdin.isatty():
        raise Misused("no-text")
    if each == "line":
        output, texts = make_output(options), check_texts(read_lines())
        watcher = Lasting(user_state(), make_tracer(options), output, make_teller(options))
        return await _lasting(options, watcher, lambda link: say_each(link, output, group, texts))
    whole = check_text(whole_input() if reads else text or "")
    return await _script(options, lambda link, output: say(link, output, group, whole))


@click.command("do")
@click.argument("line")
@with_options
async def do(options: Options, line: str) -> int:
    """Do one command of the course, such as 'kick;wob;bob;spam'.

    What is not for the command line register; takes from the environment: TCHAT_PASSWORD, to change it
    TCHAT_OLD_PASSWORD too, TCHAT_INVITATION where a code is asked for.
    """
    from libtchat.commands import Help, LocalAction, find, parse, unparse
    from libtchat.message.request import Quit, Register
    from tchat_client.script import ask

    meaning = parse(line, None)
    if isinstance(meaning, Help) and not options.is_json:
        for row in make_renderer(options).help(None if meaning.command is None else find(meaning.command)):
            show(row)
        return 0
    if isinstance(meaning, Register):
        return await _register(options, new_password(options, meaning.password))
    if isinstance(meaning, LocalAction | Quit):
        raise Misused("interactive-only", form=unparse(meaning))
    request = meaning

    async def work(link: Link, output: Output) -> None:
        await ask(link, output, request)

    return await _script(options, work)


async def _register(options: Options, password: str) -> int:
    """Give one's name a password, or another one; what the server wants to know besides is asked for on a terminal."""
    from libtchat.message.request import Register
    from tchat_client.script import ask

    request = Register(password, options.old_password, options.invitation)
    while True:
        known = evolve(options, password=request.old)  # the one that opens the door until then

        async def work(link: Link, output: Output, request: Register = request) -> None:
            await ask(link, output, request)

        try:
            return await _script(known, work)
        except Unprotected:
            raise Unprotected("unprotected.old", name=options.name) from None
        except Refused as refused:
            field = wanted(refused, request)
            if field is None:
                raise
        request = evolve(request, **{field: secret(options, field)})


@click.command()
@with_options
async def groups(options: Options) -> int:
    """List the groups you can see."""
    from tchat_client.script import list_groups

    return await _script(options, list_groups)


@click.command()
@click.argument("group")
@with_options
async def members(options: Options, group: str) -> int:
    """List who is in GROUP."""
    from tchat_client.script import list_members

    return await _script(options, lambda link, output: list_members(link, output, group))


_count = click.option("-n", "--count", type=click.IntRange(1), default=100, show_default=True, help="How many entries.")


@click.command()
@click.argument("group")
@_count
@with_options
async def messages(options: Options, group: str, count: int) -> int:
    """Show the last texts of GROUP."""
    from libtchat.message.request import ListMessages
    from tchat_client.script import read_page

    return await _script(options, lambda link, output: read_page(link, output, ListMessages, group, count))


@click.command()
@click.argument("group")
@_count
@with_options
async def states(options: Options, group: str, count: int) -> int:
    """Show what happened in GROUP: who came, went, was invited, kicked, banned."""
    from libtchat.message.request import ListStates
    from tchat_client.script import read_page

    return await _script(options, lambda link, output: read_page(link, output, ListStates, group, count))


@click.command()
@click.argument("group")
@click.option("--count", type=click.IntRange(1), help="End after so many events.")
@click.option("--for", "duration", metavar="TIME", help="End after 30s, 5m, 1h.")
@with_options
async def tail(options: Options, group: str, count: int | None, duration: str | None) -> int:
    """Show what happens in GROUP as it happens."""
    from tchat_client.lasting import Tail
    from tchat_client.lasting import tail as follow
    from tchat_client.settings import parse_duration

    seconds = None if duration is None else parse_duration(duration)
    watcher = Tail(user_state(), make_tracer(options), make_output(options), make_teller(options))
    watcher.follow(group, count)
    return await _lasting(options, watcher, lambda link: follow(link, watcher, seconds))


@click.command()
@with_options
async def ping(options: Options) -> int:
    """Measure the round trip; for health checks."""
    from tchat_client.script import ping as measure

    return await _script(options, measure)


async def _script(options: Options, work: Callable[[Link, Output], Awaitable[None]]) -> int:
    """Connect, do *work*, say goodbye."""
    from tchat_client.script import Script

    state, output = user_state(), make_output(options)
    watcher = Script(state, make_tracer(options))
    watcher.link = link = make_link(options, state, watcher)
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

    watcher.link = link = make_link(options, user_state(), watcher)
    try:
        await last(link, work(link))
    finally:
        await link.quit()
    return 0
