"""`tchat [HOST]`: a session, or the lines of a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING

import click

from tchat_client.cli.root import DEFAULT, with_options
from tchat_client.cli.wiring import make_link, make_renderer, make_teller, show, user_state

if TYPE_CHECKING:
    from tchat_client.options import Options

__all__ = ["chat"]


@click.command(DEFAULT, short_help="Open a session (the default).")
@click.argument("host", metavar="[HOST[:PORT]]", required=False)
@click.option("--join", metavar="GROUP", multiple=True, help="Join a group first; may be repeated.")
@click.option("--all", is_flag=True, help="Show the texts of every group in full, not of the current one.")
@click.option(
    *("--notify", "notify"),
    type=click.Choice(["bell", "desktop"]),
    help="Ring, or tell the terminal's desktop, when somebody names you.",
)
@click.option("--plain", is_flag=True, help="No prompt, one line per event: for screen readers, dumb terminals.")
@with_options
async def chat(options: Options) -> int:
    """Open a session with the server at HOST:PORT; with a pipe as input run its lines and end."""
    from tchat_client.input_lines import read_lines
    from tchat_client.piped import run_lines, run_piped
    from tchat_client.reader import Reader

    state, renderer = user_state(), make_renderer(options)
    link = make_link(options, state)
    session = Reader(link, renderer, state, show, options.traces, shows_all=options.shows_all, alert=_alert(options))
    joins = [f"j;{group}" for group in options.joins]
    if not sys.stdin.isatty():
        return await run_piped(
            link, session, _chained(joins, read_lines()), make_teller(options), is_json=options.is_json
        )
    if options.is_plain or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty():
        return await run_lines(link, session, _chained(joins, read_lines()))
    from tchat_client.prompt import run_prompt

    return await run_prompt(link, session, joins)


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


async def _chained(first: Sequence[str], then: AsyncIterator[str]) -> AsyncIterator[str]:
    for line in first:
        yield line
    async for line in then:
        yield line
